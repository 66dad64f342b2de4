-- Full access to a mailbox. Returns the mailbox's change number, which grows.
CREATE FUNCTION set_full_access(guid uuid, who uuid, is_granted boolean, most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
BEGIN
    IF is_granted THEN
        INSERT INTO full_access VALUES (m.id, who) ON CONFLICT DO NOTHING;
        IF (SELECT count(*) FROM full_access a WHERE a.mailbox = m.id) > most THEN
            RAISE EXCEPTION 'Too many have full access to this mailbox' USING ERRCODE = 'PM005';
        END IF;
    ELSE
        DELETE FROM full_access a WHERE a.mailbox = m.id AND a.grantee = who;
    END IF;
    UPDATE mailboxes o SET change = m.change + 1 WHERE o.id = m.id;
    RETURN m.change + 1;
END $$;
