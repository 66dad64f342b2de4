-- Changes of meetings together with the letters about them (store/meetings.py), in one transaction.

-- Submits letters, which are items of the outbox by their ids.
CREATE FUNCTION submit_letters(guid uuid, letters bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    letter bigint;
    place bigint;
BEGIN
    FOREACH letter IN ARRAY letters LOOP
        SELECT i.uid INTO place FROM items i JOIN folders f ON f.id = i.folder
        WHERE i.id = letter AND f.mailbox = m.id AND f.kind = 'outbox';
        IF NOT FOUND THEN
            RAISE EXCEPTION 'No such item in the outbox' USING ERRCODE = 'PM001';
        END IF;
        PERFORM submit_item(guid, place);
    END LOOP;
END $$;

-- The parameters after `letters` are those of `put_resource`.
CREATE FUNCTION put_sending(
    letters bigint[],
    guid uuid, folder bigint, wanted text, expected bytea, unique_uid boolean, new_class text, now bigint, tags bytea[],
    %{resources parameters},
    rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters},
    OUT item bigint, OUT is_new boolean, OUT change bigint
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM submit_letters(guid, letters);
    SELECT p.item, p.is_new, p.change INTO item, is_new, change FROM put_resource(
        guid, folder, wanted, expected, unique_uid, new_class, now, tags,
        %{resources arrays},
        rendering, hashes, sizes, datas, %{arguments}) AS p;
END $$;

-- Puts a named item, and what it has beside its content (item_store.sql). `limit_change` is that of the item that is there; a
-- new one has no change before.
CREATE FUNCTION put_with(
    letters bigint[], limit_change bigint, new_flags bigint, bag_tags bigint[], vals bytea[], most bigint, most_octets bigint,
    guid uuid, folder bigint, wanted text, expected bytea, unique_uid boolean, new_class text, now bigint, tags bytea[],
    %{resources parameters},
    rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters},
    OUT item bigint, OUT is_new boolean, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    f folders := folder_of(lock_mailbox(guid), folder);
BEGIN
    IF limit_change >= 0 AND EXISTS (
        SELECT FROM resources r JOIN items i ON i.id = r.item
        WHERE r.folder = f.id AND r.name = wanted AND i.modseq > limit_change
    ) THEN
        RAISE EXCEPTION 'The item has changed meanwhile' USING ERRCODE = 'PM009';
    END IF;
    SELECT p.item, p.is_new, p.change INTO item, is_new, change FROM put_sending(
        letters, guid, folder, wanted, expected, unique_uid, new_class, now, tags,
        %{resources arrays},
        rendering, hashes, sizes, datas, %{arguments}) AS p;
    change := edit_item(guid, item, -1, new_flags, bag_tags, vals, most, most_octets, change);
END $$;

CREATE FUNCTION remove_sending(letters bigint[], guid uuid, folder bigint, wanted text, expected bytea) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM submit_letters(guid, letters);
    RETURN remove_resource(guid, folder, wanted, expected);
END $$;
