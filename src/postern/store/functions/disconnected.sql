-- Mailboxes without an owner in the directory: marked, connected to another owner, purged a portion at a time.

-- Gives a disconnected mailbox to `heir`, whose own one may be there only while it is empty.
CREATE FUNCTION connect_mailbox(wanted uuid, heir uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes;
    old mailboxes;
BEGIN
    PERFORM 1 FROM mailboxes b WHERE b.guid IN (wanted, heir) ORDER BY b.id FOR NO KEY UPDATE;
    SELECT * INTO m FROM mailboxes b WHERE b.guid = wanted AND b.disconnected > 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no such disconnected mailbox' USING ERRCODE = 'PM001';
    END IF;
    SELECT * INTO old FROM mailboxes b WHERE b.guid = heir;
    IF old.items > 0 THEN
        RAISE EXCEPTION 'The mailbox of that user has messages' USING ERRCODE = 'PM003';
    END IF;
    -- Its guid is free from here on, and housekeeping takes away what is left of it.
    UPDATE mailboxes b SET guid = gen_random_uuid(), disconnected = 1 WHERE b.id = old.id;
    UPDATE mailboxes b SET guid = heir, disconnected = 0, owner = '', change = b.change + 1 WHERE b.id = m.id;
END $$;

-- Begins to purge what is disconnected since before `until`: only the mailbox `wanted`, or each where that is NULL. From here
-- on nobody finds them by a guid; says how many.
CREATE FUNCTION begin_purge(wanted uuid, until bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found_now bigint;
BEGIN
    PERFORM 1 FROM mailboxes m
    WHERE m.disconnected > 1 AND m.disconnected < until AND (wanted IS NULL OR m.guid = wanted)
    ORDER BY m.id FOR NO KEY UPDATE;
    UPDATE mailboxes m SET guid = gen_random_uuid(), disconnected = 1
    WHERE m.disconnected > 1 AND m.disconnected < until AND (wanted IS NULL OR m.guid = wanted);
    GET DIAGNOSTICS found_now = ROW_COUNT;
    RETURN found_now;
END $$;

-- Removes at most `most` items, and as many of their traces, of one mailbox that is being purged; at the end the mailbox. Says
-- whether there is more to do.
CREATE FUNCTION purge(most bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    box integer;
    gone bigint[];
    more boolean := false;
BEGIN
    SELECT m.id INTO box FROM mailboxes m WHERE m.disconnected = 1 ORDER BY m.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    WITH picked AS (
        SELECT i.folder, i.uid FROM folders f JOIN items i ON i.folder = f.id WHERE f.mailbox = box LIMIT most
    ), removed AS (
        DELETE FROM items i USING picked p WHERE i.folder = p.folder AND i.uid = p.uid RETURNING i.id, i.content
    ), bags AS (
        DELETE FROM properties b USING removed r WHERE b.item = r.id
    ), names AS (
        DELETE FROM resources n USING removed r WHERE n.item = r.id
    )
    SELECT array_agg(r.content) INTO gone FROM removed r;
    INSERT INTO orphans SELECT u.id FROM unnest(gone) AS u(id);
    more := coalesce(cardinality(gone), 0) >= most;
    WITH picked AS (
        SELECT e.folder, e.modseq FROM folders f JOIN expunged e ON e.folder = f.id WHERE f.mailbox = box LIMIT most
    ), removed AS (
        DELETE FROM expunged e USING picked p WHERE e.folder = p.folder AND e.modseq = p.modseq RETURNING 1 AS one
    )
    SELECT more OR count(*) >= most INTO more FROM removed;
    WITH picked AS (
        SELECT d.delivery_id FROM delivered d WHERE d.mailbox = box LIMIT most
    ), removed AS (
        DELETE FROM delivered d USING picked p WHERE d.mailbox = box AND d.delivery_id = p.delivery_id RETURNING 1 AS one
    )
    SELECT more OR count(*) >= most INTO more FROM removed;
    IF NOT more THEN
        DELETE FROM mailboxes m WHERE m.id = box;
    END IF;
    RETURN true;
END $$;
