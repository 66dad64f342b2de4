-- Items by id, of every class: made, changed, and their properties.

CREATE FUNCTION create_items(
    guid uuid, folder bigint, which bigint[], flags bigint[], dates bigint[], classes text[], total bigint,
    unseen_count bigint, deleted_count bigint, rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters},
    OUT ids bigint[], OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    first_uid bigint;
BEGIN
    SELECT a.first_uid, a.change INTO first_uid, change FROM append_items(
        guid, folder, which, flags, dates, classes, total, unseen_count, deleted_count,
        rendering, hashes, sizes, datas, %{arguments}) AS a;
    SELECT array_agg(i.id ORDER BY i.uid) INTO ids FROM items i
    WHERE i.folder = $2 AND i.uid >= first_uid AND i.uid < first_uid + cardinality(which);
END $$;

-- The item as it stands under the mailbox's lock.
CREATE FUNCTION item_of(m mailboxes, wanted bigint) RETURNS items LANGUAGE plpgsql AS $$
DECLARE
    i items;
BEGIN
    SELECT * INTO i FROM items o WHERE o.id = wanted;
    IF NOT EXISTS (SELECT FROM folders f WHERE f.id = i.folder AND f.mailbox = m.id) THEN
        RAISE EXCEPTION 'No such item' USING ERRCODE = 'PM001';
    END IF;
    RETURN i;
END $$;

-- Another content for an item, with a new UID, for IMAP promises that a UID's octets stay (docs/decisions/0003). `new_class` ''
-- leaves the class; `limit_change` -1: no condition. A named item has values that go with its content (resources.sql), and is
-- changed only by those who keep them.
CREATE FUNCTION update_item(
    guid uuid, item bigint, new_class text, limit_change bigint, keeps_values boolean,
    rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters}, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    i items := item_of(m, item);
    f folders := folder_of(m, i.folder);
    more bigint := sizes[1] - i.size;
    ids bigint[];
BEGIN
    IF limit_change >= 0 AND i.modseq > limit_change THEN
        RAISE EXCEPTION 'The item has changed meanwhile' USING ERRCODE = 'PM009';
    END IF;
    IF more > 0 AND m.quota > 0 AND m.used + more > m.quota THEN
        RAISE EXCEPTION 'The mailbox is full' USING ERRCODE = 'PM004';
    END IF;
    IF f.kind = 'outbox' AND EXISTS (SELECT FROM outbox o WHERE o.mailbox = m.id AND o.uid = i.uid) THEN
        RAISE EXCEPTION 'The item is being sent' USING ERRCODE = 'PM003';
    END IF;
    IF NOT keeps_values AND EXISTS (SELECT FROM resources r WHERE r.item = i.id) THEN
        RAISE EXCEPTION 'An item with a name is not changed without its values' USING ERRCODE = 'PM003';
    END IF;
    ids := store_contents(rendering, hashes, sizes, datas, %{arguments});
    m.change := change_of_now(m.change) - 1;
    change := m.change + 1;
    UPDATE items o SET uid = f.uid_next, content = ids[1], size = sizes[1], modseq = m.change + 1,
        class = CASE new_class WHEN '' THEN o.class ELSE new_class END
    WHERE o.folder = f.id AND o.uid = i.uid;
    INSERT INTO orphans VALUES (i.content);
    INSERT INTO expunged (folder, modseq, uids) VALUES (f.id, m.change + 1, ARRAY[i.uid]);
    UPDATE folders o SET uid_next = o.uid_next + 1, highest_modseq = m.change + 1, size = o.size + more WHERE o.id = f.id;
    UPDATE mailboxes o SET change = m.change + 1, used = o.used + more WHERE o.id = m.id;
END $$;

-- A value that is NULL takes its property out of the bag.
CREATE FUNCTION set_properties(
    guid uuid, item bigint, tags bigint[], vals bytea[], most bigint, most_octets bigint, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    i items := item_of(m, item);
BEGIN
    DELETE FROM properties p WHERE p.item = i.id AND p.tag = ANY (tags);
    INSERT INTO properties SELECT i.id, v.tag, v.value FROM unnest(tags, vals) AS v(tag, value) WHERE v.value IS NOT NULL;
    IF (SELECT count(*) > most OR sum(length(p.value)) > most_octets FROM properties p WHERE p.item = i.id) THEN
        RAISE EXCEPTION 'The item would have too many properties' USING ERRCODE = 'PM005';
    END IF;
    m.change := change_of_now(m.change) - 1;
    change := m.change + 1;
    UPDATE items o SET modseq = m.change + 1 WHERE o.folder = i.folder AND o.uid = i.uid;
    UPDATE folders o SET highest_modseq = m.change + 1 WHERE o.id = i.folder;
    UPDATE mailboxes o SET change = m.change + 1 WHERE o.id = m.id;
END $$;

-- Changes what an item has beside its content, after its content where that was changed in the same transaction, as the change
-- `earlier` (0: it was not). `limit_change` and `new_flags` -1: no condition, and the flags stay. Keywords stay in any case.
-- Gives the number of the item's last change.
CREATE FUNCTION edit_item(
    guid uuid, item bigint, limit_change bigint, new_flags bigint, tags bigint[], vals bytea[], most bigint, most_octets bigint,
    earlier bigint, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    i items := item_of(lock_mailbox(guid), item);
BEGIN
    IF limit_change >= 0 AND i.modseq > limit_change THEN
        RAISE EXCEPTION 'The item has changed meanwhile' USING ERRCODE = 'PM009';
    END IF;
    change := greatest(earlier, i.modseq);
    IF new_flags >= 0 AND i.flags & 255 <> new_flags & 255 THEN
        SELECT coalesce(c.change, edit_item.change) INTO change FROM change_flags(
            guid, i.folder, ARRAY[i.uid], ARRAY[i.uid], 0, (i.flags & ~255::bigint) | (new_flags & 255), -1) AS c;
    END IF;
    IF cardinality(tags) > 0 THEN
        change := set_properties(guid, i.id, tags, vals, most, most_octets);
    END IF;
END $$;

-- Moves an item to the outbox and submits it, after what was done to it as the change `earlier` in the same transaction.
CREATE FUNCTION send_item(guid uuid, item bigint, earlier bigint, OUT change bigint) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    box bigint;
    place bigint;
BEGIN
    SELECT f.id INTO box FROM folders f WHERE f.mailbox = m.id AND f.kind = 'outbox';
    PERFORM place_items(guid, ARRAY[item], box, true);
    SELECT i.uid INTO place FROM items i WHERE i.id = item;
    change := submit_item(guid, place);
END $$;

-- Fills the bags of items that were made in the same transaction: this is no change of them.
CREATE FUNCTION fill_bags(items bigint[], tags bigint[], vals bytea[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO properties SELECT i.id, v.tag, v.value FROM unnest(items) AS i(id), unnest(tags, vals) AS v(tag, value)
$$;

-- The numbers of names in this mailbox, 0 for those that have none; with `make` new names get the next numbers from `base` on.
CREATE FUNCTION property_ids(
    guid uuid, sets uuid[], lids bigint[], names text[], make boolean, base bigint, most bigint
) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes;
    place bigint;
    used bigint;
    result bigint[] := '{}';
BEGIN
    IF make THEN
        m := lock_mailbox(guid);
    ELSE
        SELECT * INTO m FROM mailboxes b WHERE b.guid = $1;
    END IF;
    SELECT count(*) INTO used FROM property_names p WHERE p.mailbox = m.id;
    FOR n IN 1 .. cardinality(sets) LOOP
        SELECT p.id INTO place FROM property_names p
        WHERE p.mailbox = m.id AND p.set = sets[n] AND p.lid = lids[n] AND p.name = names[n];
        IF place IS NULL AND make THEN
            IF used >= most THEN
                RAISE EXCEPTION 'Too many named properties' USING ERRCODE = 'PM005';
            END IF;
            -- No name is ever taken out, so the numbers have no gaps.
            place := base + used;
            used := used + 1;
            INSERT INTO property_names VALUES (m.id, place, sets[n], lids[n], names[n]);
        END IF;
        result := result || coalesce(place, 0);
    END LOOP;
    RETURN result;
END $$;
