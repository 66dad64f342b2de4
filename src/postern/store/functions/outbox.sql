-- The Mail Submission Service's side of the outbox.
CREATE FUNCTION submit_item(guid uuid, item bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    result bigint;
BEGIN
    IF NOT EXISTS (
        SELECT FROM items i JOIN folders f ON f.id = i.folder WHERE f.mailbox = m.id AND f.kind = 'outbox' AND i.uid = item
    ) THEN
        RAISE EXCEPTION 'No such item in the outbox' USING ERRCODE = 'PM001';
    END IF;
    INSERT INTO outbox (mailbox, uid) VALUES (m.id, item) ON CONFLICT DO NOTHING;
    UPDATE mailboxes o SET change = o.change + 1 WHERE o.id = m.id RETURNING o.change INTO result;
    RETURN result;
END $$;

-- A hub has queued the item: to Sent Items, as read, or away with it if it is not kept. Said again it does nothing.
-- Two properties of the item may say otherwise (MS-OXOMSG section 2.2.3): PidTagDeleteAfterSubmit (0x0E01), that it goes for
-- good, and PidTagSentMailEntryId (0x0E0A), the id of the folder that it goes to instead, in eight octets behind their count.
CREATE FUNCTION submitted_item(guid uuid, item bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    box bigint;
    sent bigint;
    number bigint;
    goes boolean;
    kept boolean;
BEGIN
    DELETE FROM outbox o WHERE o.mailbox = m.id AND o.uid = item RETURNING o.is_kept INTO kept;
    IF NOT FOUND THEN
        RETURN m.change;
    END IF;
    SELECT f.id INTO box FROM folders f WHERE f.mailbox = m.id AND f.kind = 'outbox';
    SELECT i.id INTO number FROM items i WHERE i.folder = box AND i.uid = item;
    SELECT p.value = '\x01' INTO goes FROM properties p WHERE p.item = number AND p.tag = x'0E01000B'::bigint;
    IF goes OR NOT kept THEN
        PERFORM take_out(m, folder_of(m, box), m.change + 1, ARRAY[item], ARRAY[item], 0);
        RETURN m.change + 1;
    END IF;
    SELECT f.id INTO sent FROM folders f JOIN properties p
        ON p.item = number AND p.tag = x'0E0A0102'::bigint AND length(p.value) = 12
            AND f.id = ('x' || encode(substring(p.value FROM 5), 'hex'))::bit(64)::bigint
        WHERE f.mailbox = m.id;
    IF sent IS NULL THEN
        SELECT f.id INTO sent FROM folders f WHERE f.mailbox = m.id AND f.kind = 'sent';
    END IF;
    DELETE FROM properties p WHERE p.item = number AND p.tag IN (x'0E01000B'::bigint, x'0E0A0102'::bigint);
    PERFORM change_flags(guid, box, ARRAY[item], ARRAY[item], 1, 1, -1);
    RETURN (SELECT c.change FROM copy_items(guid, box, ARRAY[item], ARRAY[item], sent, true) AS c);
END $$;
