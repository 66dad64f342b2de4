-- Settings of out-of-office, and the answers that follow from them (store/out_of_office.py).

CREATE FUNCTION set_out_of_office(
    guid uuid, new_state bigint, new_audience bigint, new_starts bigint, new_ends bigint, new_internal text, new_external text
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    old out_of_office;
    was_on boolean;
BEGIN
    SELECT * INTO old FROM out_of_office o WHERE o.mailbox = m.id;
    -- A time that is over is as if it had been switched off.
    was_on := coalesce(old.state = 1 OR old.state = 2 AND old.ends > extract(epoch FROM now()), false);
    IF new_state <> 0 AND (
        NOT was_on OR new_state = 2 AND (old.starts, old.ends) IS DISTINCT FROM (new_starts, new_ends)
    ) THEN
        DELETE FROM answered a WHERE a.mailbox = m.id;
    END IF;
    INSERT INTO out_of_office VALUES (m.id, new_state, new_audience, new_starts, new_ends, new_internal, new_external)
    ON CONFLICT (mailbox) DO UPDATE SET state = new_state, audience = new_audience, starts = new_starts, ends = new_ends,
        internal = new_internal, external = new_external;
    UPDATE mailboxes o SET answers = new_state <> 0 WHERE o.id = m.id AND o.answers <> (new_state <> 0);
END $$;

-- Submits the answer to a message, and takes the message off the list, in one transaction; once for each sender. Returns the
-- change, or NULL where nothing was sent.
CREATE FUNCTION send_reply(guid uuid, message bigint, letter bigint, who bytea, now bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
BEGIN
    DELETE FROM replies r WHERE r.item = message AND r.mailbox = m.id;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO answered VALUES (m.id, who, now) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF (SELECT count(*) FROM answered a WHERE a.mailbox = m.id) > most THEN
        -- A tenth at once, so that not every answer from then on counts and sorts.
        DELETE FROM answered a WHERE a.mailbox = m.id AND a.sender IN (
            SELECT o.sender FROM answered o WHERE o.mailbox = m.id AND o.sender <> who ORDER BY o.at, o.sender LIMIT most / 10);
    END IF;
    PERFORM submit_letters(guid, ARRAY[letter]);
    UPDATE outbox o SET is_kept = false FROM items i JOIN folders f ON f.id = i.folder
    WHERE i.id = letter AND f.mailbox = m.id AND o.mailbox = m.id AND o.uid = i.uid;
    RETURN (SELECT o.change FROM mailboxes o WHERE o.id = m.id);
END $$;
