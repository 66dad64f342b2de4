-- Items that go away, move or are copied: by UID ranges (sorted, without overlap), and by id.

-- Removes the items of these ranges that have all flags of `mask`, as the change `next`. The mailbox's row is locked.
CREATE FUNCTION take_out(
    m mailboxes, f folders, next bigint, lows bigint[], highs bigint[], mask bigint, OUT uids bytea, OUT ids bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    gone bigint[];
    bytes bigint;
    unseen_less bigint;
    deleted_less bigint;
    others boolean;
BEGIN
    WITH removed AS (
        -- By the index for each range: else the folder would be looked through once for each of them.
        DELETE FROM items i USING unnest(lows, highs) AS r(low, high) CROSS JOIN LATERAL (
            SELECT o.uid FROM items o
            WHERE o.folder = f.id AND o.uid BETWEEN r.low AND r.high AND o.flags & mask = mask OFFSET 0) AS p
        WHERE i.folder = f.id AND i.uid = p.uid
        RETURNING i.uid, i.id, i.content, i.flags, i.size, i.class
    ), left_behind AS (
        INSERT INTO orphans SELECT removed.content FROM removed
    ), bags AS (
        DELETE FROM properties p USING removed WHERE p.item = removed.id
    )
    SELECT array_agg(s.uid), string_agg(int8send(s.uid), ''), array_agg(s.id), sum(s.size), sum(1 - (s.flags & 1)),
        sum(s.flags >> 3 & 1), bool_or(s.class <> 'IPM.Note')
    INTO gone, uids, ids, bytes, unseen_less, deleted_less, others FROM (SELECT * FROM removed ORDER BY removed.uid) AS s;
    IF gone IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO expunged VALUES (f.id, next, gone, ids);
    IF others THEN
        PERFORM forget_resources(f.id, next, ids);
    END IF;
    UPDATE folders o SET highest_modseq = next, messages = o.messages - cardinality(gone), size = o.size - bytes,
        unseen = o.unseen - unseen_less, deleted = o.deleted - deleted_less
    WHERE o.id = f.id;
    UPDATE mailboxes o SET change = next, used = o.used - bytes, items = o.items - cardinality(gone) WHERE o.id = m.id;
END $$;

-- Removes the items of these ranges whose deleted flag is set.
CREATE FUNCTION expunge_items(
    guid uuid, folder bigint, lows bigint[], highs bigint[], OUT uids bytea, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
BEGIN
    change := m.change;
    IF f.deleted = 0 THEN
        RETURN;
    END IF;
    SELECT t.uids INTO uids FROM take_out(m, f, m.change + 1, lows, highs, 8) AS t;
    IF uids IS NOT NULL THEN
        change := m.change + 1;
    END IF;
END $$;

-- Those of the wanted items that are in this mailbox. By their ids first: a plan that was made while there was little would look
-- through the mailbox.
CREATE FUNCTION items_of(m mailboxes, wanted bigint[]) RETURNS SETOF items LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT i.* FROM (SELECT * FROM items o WHERE o.id = ANY (wanted) OFFSET 0) AS i
    JOIN folders f ON f.id = i.folder WHERE f.mailbox = m.id;
END $$;

CREATE FUNCTION delete_items(guid uuid, wanted bigint[], OUT gone bigint[], OUT change bigint) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    place record;
BEGIN
    gone := '{}';
    FOR place IN
        SELECT i.folder, array_agg(i.uid ORDER BY i.uid) AS uids FROM items_of(m, wanted) AS i
        GROUP BY i.folder ORDER BY i.folder
    LOOP
        gone := gone || (SELECT t.ids FROM take_out(
            m, folder_of(m, place.folder), m.change + 1, place.uids, place.uids, 0) AS t);
    END LOOP;
    change := m.change + CASE gone WHEN '{}' THEN 0 ELSE 1 END;
END $$;

-- COPY, and MOVE (RFC 6851): one change of the mailbox. Moved items keep their ids, and when they were made.
CREATE FUNCTION copy_items(
    guid uuid, folder bigint, lows bigint[], highs bigint[], target bigint, move boolean,
    OUT validity bigint, OUT sources bytea, OUT targets bytea, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
    t folders := folder_of(m, target);
    picked bigint[];
    picked_ids bigint[];
    bytes bigint;
    unseen_count bigint;
    deleted_count bigint;
    used_bits bigint;
    others boolean;
    map record;
BEGIN
    validity := t.uid_validity;
    change := m.change;
    SELECT array_agg(s.uid), array_agg(s.id), sum(s.size), sum(1 - (s.flags & 1)), sum(s.flags >> 3 & 1), bit_or(s.flags),
        bool_or(s.class <> 'IPM.Note')
    INTO picked, picked_ids, bytes, unseen_count, deleted_count, used_bits, others
    FROM (
        SELECT i.uid, i.id, i.size, i.flags, i.class
        FROM unnest(lows, highs) AS r(low, high) CROSS JOIN LATERAL (
            SELECT * FROM items o WHERE o.folder = f.id AND o.uid BETWEEN r.low AND r.high OFFSET 0) AS i
        ORDER BY i.uid
    ) AS s;
    IF picked IS NULL THEN
        RETURN;
    END IF;
    IF NOT move AND m.quota > 0 AND m.used + bytes > m.quota THEN
        RAISE EXCEPTION 'The mailbox is full' USING ERRCODE = 'PM004';
    END IF;
    m.change := change_of_now(m.change) - 1;
    change := m.change + 1;
    map := keyword_map(f, t, used_bits);
    SELECT string_agg(int8send(p.uid), ''), string_agg(int8send(t.uid_next + p.n - 1), '')
    INTO sources, targets FROM unnest(picked) WITH ORDINALITY AS p(uid, n);
    IF move THEN
        UPDATE items i SET folder = t.id, uid = t.uid_next + p.n - 1, modseq = m.change + 1,
            flags = mapped_flags(i.flags, map.from_bits, map.to_bits),
            arrived = CASE WHEN t.id = f.id THEN i.arrived ELSE m.change + 1 END
        FROM unnest(picked) WITH ORDINALITY AS p(uid, n) WHERE i.folder = f.id AND i.uid = p.uid;
        -- Within one folder nothing left it but UIDs.
        INSERT INTO expunged
        VALUES (f.id, m.change + 1, picked, CASE WHEN t.id = f.id THEN '{}' ELSE picked_ids END, t.id <> f.id);
        IF others AND t.id <> f.id THEN
            PERFORM move_resources(f.id, t.id, m.change + 1, picked_ids);
        END IF;
    ELSE
        WITH made AS (
            INSERT INTO items (folder, uid, content, flags, modseq, internal_date, size, arrived, created, class)
            SELECT t.id, t.uid_next + p.n - 1, i.content, mapped_flags(i.flags, map.from_bits, map.to_bits), m.change + 1,
                i.internal_date, i.size, m.change + 1, extract(epoch FROM now())::bigint, i.class
            FROM unnest(picked) WITH ORDINALITY AS p(uid, n) JOIN items i ON i.folder = f.id AND i.uid = p.uid
            RETURNING items.id, items.uid
        )
        INSERT INTO properties
        SELECT made.id, b.tag, b.value
        FROM unnest(picked_ids) WITH ORDINALITY AS p(id, n) JOIN properties b ON b.item = p.id
        JOIN made ON made.uid = t.uid_next + p.n - 1;
        IF others THEN
            PERFORM copy_resources(t.id, t.uid_next, m.change + 1, picked_ids);
        END IF;
    END IF;
    UPDATE folders o SET uid_next = o.uid_next + cardinality(picked), highest_modseq = m.change + 1,
        messages = o.messages + cardinality(picked), size = o.size + bytes, unseen = o.unseen + unseen_count,
        deleted = o.deleted + deleted_count
    WHERE o.id = t.id;
    IF move THEN
        UPDATE folders o SET highest_modseq = m.change + 1, messages = o.messages - cardinality(picked),
            size = o.size - bytes, unseen = o.unseen - unseen_count, deleted = o.deleted - deleted_count
        WHERE o.id = f.id;
        UPDATE mailboxes o SET change = m.change + 1 WHERE o.id = m.id;
    ELSE
        UPDATE mailboxes o SET change = m.change + 1, used = o.used + bytes, items = o.items + cardinality(picked)
        WHERE o.id = m.id;
    END IF;
END $$;

-- COPY and MOVE by id, one change for each folder that they come from: `targets[n]` is the id that `sources[n]` has in the target
-- folder. What is to move to where it is stays as it is.
CREATE FUNCTION place_items(
    guid uuid, wanted bigint[], target bigint, move boolean,
    OUT sources bigint[], OUT targets bigint[], OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    place record;
    first_uid bigint;
BEGIN
    PERFORM folder_of(m, target);
    change := m.change;
    sources := '{}';
    targets := '{}';
    FOR place IN
        SELECT i.folder, array_agg(i.uid ORDER BY i.uid) AS uids, array_agg(i.id ORDER BY i.uid) AS ids
        FROM items_of(m, wanted) AS i GROUP BY i.folder ORDER BY i.folder
    LOOP
        sources := sources || place.ids;
        IF move AND place.folder = target THEN
            targets := targets || place.ids;
            CONTINUE;
        END IF;
        SELECT f.uid_next INTO first_uid FROM folders f WHERE f.id = target;
        SELECT c.change INTO change FROM copy_items(guid, place.folder, place.uids, place.uids, target, move) AS c;
        targets := targets || (
            SELECT array_agg(i.id ORDER BY i.uid) FROM items i
            WHERE i.folder = target AND i.uid >= first_uid AND i.uid < first_uid + cardinality(place.uids));
    END LOOP;
END $$;
