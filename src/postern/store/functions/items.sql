-- Items that are appended, and flags. UID ranges are sorted and do not overlap.

-- `total`, `unseen_count` and `deleted_count` are what the caller counted of the items it gives.
CREATE FUNCTION append_items(
    guid uuid, folder bigint, which bigint[], flags bigint[], dates bigint[], classes text[], total bigint,
    unseen_count bigint, deleted_count bigint, rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters},
    OUT validity bigint, OUT first_uid bigint, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    box integer;
    room bigint;
    ids bigint[];
BEGIN
    SELECT m.id, m.change + 1, CASE WHEN m.quota > 0 THEN m.quota - m.used ELSE total END INTO box, change, room
    FROM mailboxes m WHERE m.guid = $1 FOR NO KEY UPDATE;
    SELECT f.uid_validity, f.uid_next INTO validity, first_uid FROM folders f WHERE f.id = $2 AND f.mailbox = box;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No such folder' USING ERRCODE = 'PM001';
    END IF;
    IF total > room THEN
        RAISE EXCEPTION 'The mailbox is full' USING ERRCODE = 'PM004';
    END IF;
    ids := store_contents(rendering, hashes, sizes, datas, %{arguments});
    INSERT INTO items (folder, uid, content, flags, modseq, internal_date, size, arrived, created, class)
    SELECT $2, first_uid + w.n - 1, ids[w.which], w.flags, change, w.date, sizes[w.which], change,
        extract(epoch FROM now())::bigint, w.class
    FROM unnest($3, $4, $5, $6) WITH ORDINALITY AS w(which, flags, date, class, n);
    UPDATE folders o SET uid_next = first_uid + cardinality($3), highest_modseq = append_items.change,
        messages = o.messages + cardinality($3), size = o.size + total, unseen = o.unseen + unseen_count,
        deleted = o.deleted + deleted_count
    WHERE o.id = $2;
    UPDATE mailboxes o SET change = append_items.change, used = o.used + total, items = o.items + cardinality($3)
    WHERE o.id = box;
END $$;

-- STORE (RFC 9051 section 6.4.6, RFC 7162 section 3.1.3). `how`: 0 replace, 1 add, 2 remove. `limit_modseq` -1: no condition.
-- Gives every item that passed the condition as it stands now; a mod-sequence grows only where a flag really changed.
-- It is no less than the time: flags may be committed without waiting for the disk (store/items.py), and a number that was told
-- before a crash lost its change must not come again for another (RFC 7162 section 3.1).
CREATE FUNCTION change_flags(
    guid uuid, folder bigint, lows bigint[], highs bigint[], how bigint, mask bigint, limit_modseq bigint,
    OUT uids bytea, OUT flags bytea, OUT modseqs bytea, OUT modified bytea, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    box integer;
    next bigint;
    seq bigint;
    old bigint;
    new bigint;
    touched bigint := 0;
    unseen_more bigint;
    deleted_more bigint;
BEGIN
    SELECT m.id, m.change, change_of_now(m.change)
    INTO box, change, next FROM mailboxes m WHERE m.guid = $1 FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT FROM folders f WHERE f.id = $2 AND f.mailbox = box) THEN
        RAISE EXCEPTION 'No such folder' USING ERRCODE = 'PM001';
    END IF;
    IF lows = highs AND cardinality(lows) = 1 THEN
        -- One message marked as read is what happens most: it has its own short way.
        SELECT i.flags, i.modseq INTO old, seq FROM items i WHERE i.folder = $2 AND i.uid = lows[1];
        IF FOUND AND limit_modseq >= 0 AND seq > limit_modseq THEN
            modified := int8send(lows[1]);
        ELSIF FOUND THEN
            new := CASE how WHEN 0 THEN mask WHEN 1 THEN old | mask ELSE old & ~mask END;
            IF new <> old THEN
                -- What reads a message changes the flag of that alone: `other_change` then keeps the change before.
                IF new # old = 1 THEN
                    UPDATE items i SET flags = new, modseq = next, read_change = next,
                        other_change = CASE WHEN i.read_change = i.modseq THEN i.other_change ELSE i.modseq END
                    WHERE i.folder = $2 AND i.uid = lows[1];
                ELSE
                    UPDATE items i SET flags = new, modseq = next WHERE i.folder = $2 AND i.uid = lows[1];
                END IF;
                touched := 1;
                seq := next;
                unseen_more := (old & 1) - (new & 1);
                deleted_more := (new >> 3 & 1) - (old >> 3 & 1);
            END IF;
            uids := int8send(lows[1]);
            flags := int8send(new);
            modseqs := int8send(seq);
        END IF;
    ELSE
        WITH target AS MATERIALIZED (
            SELECT i.uid, i.modseq, i.flags AS old,
                CASE how WHEN 0 THEN mask WHEN 1 THEN i.flags | mask ELSE i.flags & ~mask END AS new
            FROM unnest(lows, highs) AS r(low, high) CROSS JOIN LATERAL (
                SELECT * FROM items o WHERE o.folder = $2 AND o.uid BETWEEN r.low AND r.high OFFSET 0) AS i
        ), written AS (
            UPDATE items i SET flags = t.new, modseq = next,
                read_change = CASE WHEN t.new # t.old = 1 THEN next ELSE i.read_change END,
                other_change = CASE WHEN t.new # t.old = 1 AND i.read_change IS DISTINCT FROM i.modseq THEN i.modseq
                    ELSE i.other_change END
            FROM target t
            WHERE i.folder = $2 AND i.uid = t.uid AND t.new <> t.old AND (limit_modseq < 0 OR t.modseq <= limit_modseq)
        ), answer AS (
            SELECT t.uid, t.new, t.old, t.new <> t.old AS differs, t.modseq,
                limit_modseq < 0 OR t.modseq <= limit_modseq AS passed
            FROM target t ORDER BY t.uid
        )
        SELECT string_agg(int8send(a.uid), '') FILTER (WHERE a.passed),
            string_agg(int8send(a.new), '') FILTER (WHERE a.passed),
            string_agg(int8send(CASE WHEN a.differs THEN next ELSE a.modseq END), '') FILTER (WHERE a.passed),
            string_agg(int8send(a.uid), '') FILTER (WHERE NOT a.passed),
            count(*) FILTER (WHERE a.passed AND a.differs),
            sum((a.old & 1) - (a.new & 1)) FILTER (WHERE a.passed),
            sum((a.new >> 3 & 1) - (a.old >> 3 & 1)) FILTER (WHERE a.passed)
        INTO uids, flags, modseqs, modified, touched, unseen_more, deleted_more
        FROM answer a;
    END IF;
    IF touched > 0 THEN
        change := next;
        UPDATE folders o SET highest_modseq = next, unseen = o.unseen + unseen_more, deleted = o.deleted + deleted_more
        WHERE o.id = $2;
        UPDATE mailboxes o SET change = next WHERE o.id = box;
    END IF;
END $$;
