-- Items of a folder within UID ranges. Ranges are sorted and do not overlap.

-- `total`, `unseen_count` and `deleted_count` are what the caller counted of the items it gives.
CREATE FUNCTION append_items(
    guid uuid, folder bigint, which bigint[], flags bigint[], dates bigint[], total bigint, unseen_count bigint,
    deleted_count bigint, rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters},
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
    INSERT INTO items (folder, uid, content, flags, modseq, internal_date, size)
    SELECT $2, first_uid + w.n - 1, ids[w.which], w.flags, change, w.date, sizes[w.which]
    FROM unnest($3, $4, $5) WITH ORDINALITY AS w(which, flags, date, n);
    UPDATE folders o SET uid_next = first_uid + cardinality($3), highest_modseq = append_items.change,
        messages = o.messages + cardinality($3), size = o.size + total, unseen = o.unseen + unseen_count,
        deleted = o.deleted + deleted_count
    WHERE o.id = $2;
    UPDATE mailboxes o SET change = append_items.change, used = o.used + total, items = o.items + cardinality($3)
    WHERE o.id = box;
END $$;

-- STORE (RFC 9051 section 6.4.6, RFC 7162 section 3.1.3). `how`: 0 replace, 1 add, 2 remove. `limit_modseq` -1: no condition.
-- Gives every item that passed the condition as it stands now; a mod-sequence grows only where a flag really changed.
-- It is no less than the time in microseconds: flags may be committed without waiting for the disk (store/items.py), and a
-- number that was told before a crash lost its change must not come again for another (RFC 7162 section 3.1).
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
    SELECT m.id, m.change, greatest(m.change + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
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
                UPDATE items i SET flags = new, modseq = next WHERE i.folder = $2 AND i.uid = lows[1];
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
            UPDATE items i SET flags = t.new, modseq = next
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

-- Removes the items of these ranges whose deleted flag is set.
CREATE FUNCTION expunge_items(
    guid uuid, folder bigint, lows bigint[], highs bigint[], OUT uids bytea, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
    gone bigint[];
    bytes bigint;
    unseen_less bigint;
BEGIN
    change := m.change;
    IF f.deleted = 0 THEN
        RETURN;
    END IF;
    WITH removed AS (
        DELETE FROM items i USING unnest(lows, highs) AS r(low, high)
        WHERE i.folder = f.id AND i.uid BETWEEN r.low AND r.high AND i.flags & 8 <> 0
        RETURNING i.uid, i.content, i.flags, i.size
    ), left_behind AS (
        INSERT INTO orphans SELECT removed.content FROM removed
    )
    SELECT array_agg(s.uid), string_agg(int8send(s.uid), ''), sum(s.size), sum(1 - (s.flags & 1))
    INTO gone, uids, bytes, unseen_less FROM (SELECT * FROM removed ORDER BY removed.uid) AS s;
    IF gone IS NULL THEN
        RETURN;
    END IF;
    change := m.change + 1;
    INSERT INTO expunged VALUES (f.id, m.change + 1, gone);
    UPDATE folders o SET highest_modseq = m.change + 1, messages = o.messages - cardinality(gone), size = o.size - bytes,
        unseen = o.unseen - unseen_less, deleted = o.deleted - cardinality(gone)
    WHERE o.id = f.id;
    UPDATE mailboxes o SET change = m.change + 1, used = o.used - bytes, items = o.items - cardinality(gone) WHERE o.id = m.id;
END $$;

-- The keyword bits of `flags` as the target folder numbers them; keywords it lacks are added while there is room.
CREATE FUNCTION keyword_map(
    source folders, target folders, used bigint, OUT from_bits bigint[], OUT to_bits bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    place integer;
BEGIN
    from_bits := '{}';
    to_bits := '{}';
    FOR bit IN 1 .. cardinality(source.keywords) LOOP
        CONTINUE WHEN used & (1::bigint << (7 + bit)) = 0;
        SELECT k.n INTO place FROM unnest(target.keywords) WITH ORDINALITY AS k(word, n)
        WHERE lower(k.word) = lower(source.keywords[bit]);
        IF place IS NULL AND cardinality(target.keywords) < 54 THEN
            target.keywords := target.keywords || source.keywords[bit];
            place := cardinality(target.keywords);
            UPDATE folders o SET keywords = target.keywords WHERE o.id = target.id;
        END IF;
        IF place IS NOT NULL THEN
            from_bits := from_bits || (1::bigint << (7 + bit));
            to_bits := to_bits || (1::bigint << (7 + place));
        END IF;
    END LOOP;
END $$;

-- COPY, and MOVE (RFC 6851): one change of the mailbox. Moved items keep their ids.
CREATE FUNCTION copy_items(
    guid uuid, folder bigint, lows bigint[], highs bigint[], target bigint, move boolean,
    OUT validity bigint, OUT sources bytea, OUT targets bytea, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
    t folders := folder_of(m, target);
    picked bigint[];
    bytes bigint;
    unseen_count bigint;
    deleted_count bigint;
    used_bits bigint;
    map record;
BEGIN
    validity := t.uid_validity;
    change := m.change;
    SELECT array_agg(s.uid), sum(s.size), sum(1 - (s.flags & 1)), sum(s.flags >> 3 & 1), bit_or(s.flags)
    INTO picked, bytes, unseen_count, deleted_count, used_bits
    FROM (
        SELECT i.uid, i.size, i.flags
        FROM unnest(lows, highs) AS r(low, high) JOIN items i ON i.folder = f.id AND i.uid BETWEEN r.low AND r.high
        ORDER BY i.uid
    ) AS s;
    IF picked IS NULL THEN
        RETURN;
    END IF;
    IF NOT move AND m.quota > 0 AND m.used + bytes > m.quota THEN
        RAISE EXCEPTION 'The mailbox is full' USING ERRCODE = 'PM004';
    END IF;
    change := m.change + 1;
    map := keyword_map(f, t, used_bits);
    WITH made AS (
        INSERT INTO items (folder, uid, id, content, flags, modseq, internal_date, size)
        SELECT t.id, t.uid_next + p.n - 1, CASE WHEN move THEN i.id ELSE nextval('item_ids') END, i.content,
            (i.flags & 255) | coalesce((
                SELECT bit_or(b.to_bit) FROM unnest(map.from_bits, map.to_bits) AS b(from_bit, to_bit)
                WHERE i.flags & b.from_bit <> 0), 0),
            m.change + 1, i.internal_date, i.size
        FROM unnest(picked) WITH ORDINALITY AS p(uid, n) JOIN items i ON i.folder = f.id AND i.uid = p.uid
    )
    SELECT string_agg(int8send(p.uid), ''), string_agg(int8send(t.uid_next + p.n - 1), '')
    INTO sources, targets FROM unnest(picked) WITH ORDINALITY AS p(uid, n);
    UPDATE folders o SET uid_next = o.uid_next + cardinality(picked), highest_modseq = m.change + 1,
        messages = o.messages + cardinality(picked), size = o.size + bytes, unseen = o.unseen + unseen_count,
        deleted = o.deleted + deleted_count
    WHERE o.id = t.id;
    IF move THEN
        DELETE FROM items i USING unnest(picked) AS p(uid) WHERE i.folder = f.id AND i.uid = p.uid;
        INSERT INTO expunged VALUES (f.id, m.change + 1, picked);
        UPDATE folders o SET highest_modseq = m.change + 1, messages = o.messages - cardinality(picked),
            size = o.size - bytes, unseen = o.unseen - unseen_count, deleted = o.deleted - deleted_count
        WHERE o.id = f.id;
        UPDATE mailboxes o SET change = m.change + 1 WHERE o.id = m.id;
    ELSE
        UPDATE mailboxes o SET change = m.change + 1, used = o.used + bytes, items = o.items + cardinality(picked)
        WHERE o.id = m.id;
    END IF;
END $$;

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
    INSERT INTO outbox VALUES (m.id, item) ON CONFLICT DO NOTHING;
    UPDATE mailboxes o SET change = o.change + 1 WHERE o.id = m.id RETURNING o.change INTO result;
    RETURN result;
END $$;

-- A hub has queued the item: to Sent Items, as read. Said again it does nothing.
CREATE FUNCTION submitted_item(guid uuid, item bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    box bigint;
    sent bigint;
BEGIN
    DELETE FROM outbox o WHERE o.mailbox = m.id AND o.uid = item;
    IF NOT FOUND THEN
        RETURN m.change;
    END IF;
    SELECT f.id INTO box FROM folders f WHERE f.mailbox = m.id AND f.kind = 'outbox';
    SELECT f.id INTO sent FROM folders f WHERE f.mailbox = m.id AND f.kind = 'sent';
    PERFORM change_flags(guid, box, ARRAY[item], ARRAY[item], 1, 1, -1);
    RETURN (SELECT c.change FROM copy_items(guid, box, ARRAY[item], ARRAY[item], sent, true) AS c);
END $$;
