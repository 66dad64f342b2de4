-- Stores an appointment that a message brought, and takes the message off the list, in one transaction: what a crash leaves is
-- either both or none. The parameters after `message` are those of `put_resource`.
CREATE FUNCTION land_meeting(
    message bigint,
    guid uuid, folder bigint, wanted text, expected bytea, unique_uid boolean, new_class text, now bigint, tags bytea[],
    %{resources parameters},
    rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters},
    OUT item bigint, OUT is_new boolean, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
BEGIN
    DELETE FROM meetings g WHERE g.item = message AND g.mailbox = m.id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'The message is finished' USING ERRCODE = 'PM001';
    END IF;
    SELECT p.item, p.is_new, p.change INTO item, is_new, change FROM put_resource(
        guid, folder, wanted, expected, unique_uid, new_class, now, tags,
        %{resources arrays},
        rendering, hashes, sizes, datas, %{arguments}) AS p;
END $$;
