-- A mailbox database of schema version 5 with what people leave in one, as pg_dump wrote it (--inserts, without its comments): three
-- mailboxes; deliveries, flags and keywords; an expunge, a move, a copy; a folder whose parent was deleted; a submitted
-- message; subscriptions; a mailbox without an owner. Loaded by tests/store/test_upgrade.py.

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA functions;
CREATE FUNCTION functions.append_items(guid uuid, folder bigint, which bigint[], flags bigint[], dates bigint[], total bigint, unseen_count bigint, deleted_count bigint, rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], contents_header_size bigint[], contents_envelope bytea[], contents_structure bytea[], contents_body bytea[], contents_sent bigint[], contents_sent_day bigint[], contents_subject text[], contents_base_subject text[], contents_is_reply bigint[], contents_sort_from text[], contents_sort_to text[], contents_sort_cc text[], contents_display_from text[], contents_display_to text[], contents_message_id text[], contents_refs text[], texts_fields text[], texts_body text[], OUT validity bigint, OUT first_uid bigint, OUT change bigint) RETURNS record
    LANGUAGE plpgsql
    AS $_$
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
    ids := store_contents(rendering, hashes, sizes, datas, contents_header_size, contents_envelope, contents_structure, contents_body, contents_sent, contents_sent_day, contents_subject, contents_base_subject, contents_is_reply, contents_sort_from, contents_sort_to, contents_sort_cc, contents_display_from, contents_display_to, contents_message_id, contents_refs, texts_fields, texts_body);
    INSERT INTO items (folder, uid, content, flags, modseq, internal_date, size)
    SELECT $2, first_uid + w.n - 1, ids[w.which], w.flags, change, w.date, sizes[w.which]
    FROM unnest($3, $4, $5) WITH ORDINALITY AS w(which, flags, date, n);
    UPDATE folders o SET uid_next = first_uid + cardinality($3), highest_modseq = append_items.change,
        messages = o.messages + cardinality($3), size = o.size + total, unseen = o.unseen + unseen_count,
        deleted = o.deleted + deleted_count
    WHERE o.id = $2;
    UPDATE mailboxes o SET change = append_items.change, used = o.used + total, items = o.items + cardinality($3)
    WHERE o.id = box;
END $_$;
CREATE FUNCTION functions.begin_purge(wanted uuid, until bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION functions.change_flags(guid uuid, folder bigint, lows bigint[], highs bigint[], how bigint, mask bigint, limit_modseq bigint, OUT uids bytea, OUT flags bytea, OUT modseqs bytea, OUT modified bytea, OUT change bigint) RETURNS record
    LANGUAGE plpgsql
    AS $_$
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
END $_$;
CREATE FUNCTION functions.connect_mailbox(wanted uuid, heir uuid) RETURNS void
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION functions.copy_items(guid uuid, folder bigint, lows bigint[], highs bigint[], target bigint, move boolean, OUT validity bigint, OUT sources bytea, OUT targets bytea, OUT change bigint) RETURNS record
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION functions.create_folder(guid uuid, new_path text[], new_kind text, most bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    result bigint;
BEGIN
    IF EXISTS (SELECT FROM folders f WHERE f.mailbox = m.id AND f.path = new_path) THEN
        RAISE EXCEPTION 'The folder exists' USING ERRCODE = 'PM002';
    END IF;
    IF (SELECT count(*) FROM folders f WHERE f.mailbox = m.id) + cardinality(new_path) > most THEN
        RAISE EXCEPTION 'Too many folders' USING ERRCODE = 'PM005';
    END IF;
    PERFORM make_parents(m.id, new_path);
    RETURN make_folder(m.id, new_path, new_kind);
END $$;
CREATE FUNCTION functions.delete_folder(guid uuid, folder bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
    result bigint;
BEGIN
    IF f.kind NOT IN ('user', 'archive') THEN
        RAISE EXCEPTION 'A well-known folder stays' USING ERRCODE = 'PM003';
    END IF;
    WITH gone AS (DELETE FROM items i WHERE i.folder = f.id RETURNING i.content)
    INSERT INTO orphans SELECT gone.content FROM gone;
    DELETE FROM expunged e WHERE e.folder = f.id;
    DELETE FROM folders o WHERE o.id = f.id;
    UPDATE mailboxes SET change = change + 1, used = used - f.size, items = items - f.messages
    WHERE id = m.id RETURNING change INTO result;
    RETURN result;
END $$;
CREATE FUNCTION functions.deliver(which bigint[], guids uuid[], delivery_ids text[], dates bigint[], now bigint, owners uuid[], quotas bigint[], rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], contents_header_size bigint[], contents_envelope bytea[], contents_structure bytea[], contents_body bytea[], contents_sent bigint[], contents_sent_day bigint[], contents_subject text[], contents_base_subject text[], contents_is_reply bigint[], contents_sort_from text[], contents_sort_to text[], contents_sort_cc text[], contents_display_from text[], contents_display_to text[], contents_message_id text[], contents_refs text[], texts_fields text[], texts_body text[], OUT statuses bigint[], OUT changed uuid[], OUT changes bigint[]) RETURNS record
    LANGUAGE plpgsql
    AS $_$
DECLARE
    ids bigint[];
    full_box record;
    room bigint;
BEGIN
    PERFORM 1 FROM mailboxes m WHERE m.guid = ANY (guids) ORDER BY m.id FOR NO KEY UPDATE;
    UPDATE mailboxes m SET quota = q.quota
    FROM unnest($6, $7) AS q(guid, quota) WHERE m.guid = q.guid AND m.quota <> q.quota;
    SELECT array_agg(s.status ORDER BY s.n) INTO statuses
    FROM (
        SELECT p.n, CASE
            WHEN m.id IS NULL THEN 3
            -- Not a join: a plan made while the table was empty would read all that the mailbox ever got.
            WHEN (SELECT true FROM delivered d WHERE d.mailbox = m.id AND d.delivery_id = p.delivery_id) THEN 1
            WHEN m.quota > 0 AND m.used + sum(sizes[p.which]) OVER (PARTITION BY m.id) > m.quota THEN 2
            ELSE 0 END AS status
        FROM unnest($1, $2, $3) WITH ORDINALITY AS p(which, guid, delivery_id, n)
        LEFT JOIN mailboxes m ON m.guid = p.guid
    ) AS s;
    IF 2 = ANY (statuses) THEN
        -- All of them together do not fit: take one after the other while there is room.
        FOR full_box IN
            SELECT DISTINCT m.guid, m.quota - m.used AS room
            FROM unnest(guids, statuses) AS p(guid, status) JOIN mailboxes m ON m.guid = p.guid WHERE p.status = 2
        LOOP
            room := full_box.room;
            FOR n IN 1 .. cardinality(guids) LOOP
                IF statuses[n] = 2 AND guids[n] = full_box.guid AND sizes[which[n]] <= room THEN
                    statuses[n] := 0;
                    room := room - sizes[which[n]];
                END IF;
            END LOOP;
        END LOOP;
    END IF;
    IF 0 <> ALL (statuses) THEN
        RETURN;
    END IF;
    ids := store_contents(rendering, hashes, sizes, datas, contents_header_size, contents_envelope, contents_structure, contents_body, contents_sent, contents_sent_day, contents_subject, contents_base_subject, contents_is_reply, contents_sort_from, contents_sort_to, contents_sort_cc, contents_display_from, contents_display_to, contents_message_id, contents_refs, texts_fields, texts_body);
    WITH taken AS MATERIALIZED (
        SELECT p.n, ids[p.which] AS content, sizes[p.which] AS size, m.id AS mailbox, p.delivery_id, p.date, f.id AS folder,
            f.uid_next - 1 + row_number() OVER (PARTITION BY f.id ORDER BY p.n) AS uid, m.change + 1 AS modseq
        FROM unnest($1, $2, $3, $4, statuses) WITH ORDINALITY AS p(which, guid, delivery_id, date, status, n)
        JOIN mailboxes m ON m.guid = p.guid
        JOIN folders f ON f.mailbox = m.id AND f.path = '{INBOX}'
        WHERE p.status = 0
    ), i AS (
        INSERT INTO items (folder, uid, content, flags, modseq, internal_date, size)
        SELECT t.folder, t.uid, t.content, 0, t.modseq, t.date, t.size FROM taken t
    ), d AS (
        INSERT INTO delivered SELECT t.mailbox, t.delivery_id, $5 FROM taken t
    ), o AS (
        INSERT INTO orphans SELECT u.id FROM unnest(ids) AS u(id) WHERE NOT EXISTS (SELECT FROM taken t WHERE t.content = u.id)
    ), sums AS (
        SELECT t.mailbox, t.folder, count(*) AS count, sum(t.size) AS bytes, max(t.modseq) AS modseq
        FROM taken t GROUP BY t.mailbox, t.folder
    ), f AS (
        UPDATE folders f SET uid_next = f.uid_next + s.count, messages = f.messages + s.count, unseen = f.unseen + s.count,
            size = f.size + s.bytes, highest_modseq = s.modseq
        FROM sums s WHERE f.id = s.folder
    ), m AS (
        -- A mailbox that still gets mail has its retention begin anew.
        UPDATE mailboxes m SET change = s.modseq, used = m.used + s.bytes, items = m.items + s.count,
            disconnected = CASE WHEN m.disconnected = 0 THEN 0 ELSE $5 END
        FROM sums s WHERE m.id = s.mailbox
        RETURNING m.guid, m.change
    )
    SELECT array_agg(m.guid), array_agg(m.change) INTO changed, changes FROM m;
END $_$;
CREATE FUNCTION functions.expunge_items(guid uuid, folder bigint, lows bigint[], highs bigint[], OUT uids bytea, OUT change bigint) RETURNS record
    LANGUAGE plpgsql
    AS $$
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
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.folders (
    id bigint NOT NULL,
    mailbox integer NOT NULL,
    path text[] NOT NULL,
    kind text NOT NULL,
    uid_validity bigint NOT NULL,
    uid_next bigint DEFAULT 1 NOT NULL,
    highest_modseq bigint DEFAULT 1 NOT NULL,
    messages bigint DEFAULT 0 NOT NULL,
    unseen bigint DEFAULT 0 NOT NULL,
    deleted bigint DEFAULT 0 NOT NULL,
    size bigint DEFAULT 0 NOT NULL,
    recent_uid bigint DEFAULT 1 NOT NULL,
    keywords text[] DEFAULT '{}'::text[] NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE public.mailboxes (
    id integer NOT NULL,
    guid uuid NOT NULL,
    quota bigint DEFAULT 0 NOT NULL,
    used bigint DEFAULT 0 NOT NULL,
    items bigint DEFAULT 0 NOT NULL,
    change bigint DEFAULT 1 NOT NULL,
    last_validity bigint DEFAULT (EXTRACT(epoch FROM now()))::bigint NOT NULL,
    owner text DEFAULT ''::text NOT NULL,
    disconnected bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');
CREATE FUNCTION functions.folder_of(m public.mailboxes, wanted bigint) RETURNS public.folders
    LANGUAGE plpgsql
    AS $$
DECLARE
    f folders;
BEGIN
    SELECT * INTO f FROM folders WHERE id = wanted AND mailbox = m.id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No such folder' USING ERRCODE = 'PM001';
    END IF;
    RETURN f;
END $$;
CREATE FUNCTION functions.keyword_bits(guid uuid, folder bigint, names text[], make boolean, base bigint, most bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
DECLARE
    m mailboxes;
    f folders;
    name text;
    place integer;
    result bigint := 0;
BEGIN
    IF make THEN
        m := lock_mailbox(guid);
    ELSE
        SELECT * INTO m FROM mailboxes b WHERE b.guid = $1;
    END IF;
    f := folder_of(m, folder);
    FOREACH name IN ARRAY names LOOP
        SELECT k.n INTO place FROM unnest(f.keywords) WITH ORDINALITY AS k(word, n) WHERE lower(k.word) = lower(name);
        IF place IS NULL AND make THEN
            IF cardinality(f.keywords) >= most THEN
                RAISE EXCEPTION 'Too many keywords' USING ERRCODE = 'PM005';
            END IF;
            f.keywords := f.keywords || name;
            place := cardinality(f.keywords);
            UPDATE folders o SET keywords = f.keywords WHERE o.id = f.id;
        END IF;
        IF place IS NOT NULL THEN
            result := result | (1::bigint << (base + place - 1)::integer);
        END IF;
    END LOOP;
    RETURN result;
END $_$;
CREATE FUNCTION functions.keyword_map(source public.folders, target public.folders, used bigint, OUT from_bits bigint[], OUT to_bits bigint[]) RETURNS record
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION functions.lock_mailbox(wanted uuid) RETURNS public.mailboxes
    LANGUAGE plpgsql
    AS $$
DECLARE
    m mailboxes;
BEGIN
    SELECT * INTO m FROM mailboxes WHERE guid = wanted FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No such mailbox' USING ERRCODE = 'PM001';
    END IF;
    RETURN m;
END $$;
CREATE FUNCTION functions.logon(wanted uuid, new_quota bigint) RETURNS public.mailboxes
    LANGUAGE plpgsql
    AS $$
DECLARE
    m mailboxes;
BEGIN
    SELECT * INTO m FROM mailboxes WHERE guid = wanted;
    IF NOT FOUND THEN
        INSERT INTO mailboxes (guid, quota) VALUES (wanted, greatest(new_quota, 0)) ON CONFLICT (guid) DO NOTHING RETURNING * INTO m;
        IF FOUND THEN
            PERFORM make_folder(m.id, path, kind) FROM (VALUES
                (ARRAY['INBOX'], 'inbox'), (ARRAY['Sent Items'], 'sent'), (ARRAY['Drafts'], 'drafts'),
                (ARRAY['Deleted Items'], 'deleted'), (ARRAY['Junk E-mail'], 'junk'), (ARRAY['Outbox'], 'outbox'),
                (ARRAY['Archive'], 'archive')) AS known(path, kind);
            INSERT INTO subscriptions SELECT m.id, f.path FROM folders f WHERE f.mailbox = m.id;
        END IF;
        SELECT * INTO m FROM mailboxes WHERE guid = wanted;
    END IF;
    IF new_quota >= 0 AND (m.quota <> new_quota OR m.disconnected > 1) THEN
        UPDATE mailboxes SET quota = new_quota, disconnected = 0 WHERE guid = wanted RETURNING * INTO m;
    END IF;
    RETURN m;
END $$;
CREATE FUNCTION functions.make_folder(box integer, new_path text[], new_kind text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    validity bigint;
    result bigint;
    seen bigint;
BEGIN
    UPDATE mailboxes SET last_validity = greatest(last_validity + 1, extract(epoch FROM now())::bigint), change = change + 1
    WHERE id = box RETURNING last_validity, change INTO validity, seen;
    INSERT INTO folders (mailbox, path, kind, uid_validity, highest_modseq) VALUES (box, new_path, new_kind, validity, seen)
    RETURNING id INTO result;
    RETURN result;
END $$;
CREATE FUNCTION functions.make_parents(box integer, of_path text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    FOR depth IN 1 .. cardinality(of_path) - 1 LOOP
        IF NOT EXISTS (SELECT FROM folders f WHERE f.mailbox = box AND f.path = of_path[:depth]) THEN
            PERFORM make_folder(box, of_path[:depth], 'user');
        END IF;
    END LOOP;
END $$;
CREATE FUNCTION functions.purge(most bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
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
        DELETE FROM items i USING picked p WHERE i.folder = p.folder AND i.uid = p.uid RETURNING i.content
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
CREATE FUNCTION functions.rename_folder(guid uuid, folder bigint, new_path text[], most bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
    made bigint;
    result bigint;
BEGIN
    IF EXISTS (SELECT FROM folders o WHERE o.mailbox = m.id AND o.path = new_path) THEN
        RAISE EXCEPTION 'The folder exists' USING ERRCODE = 'PM002';
    END IF;
    IF f.kind NOT IN ('user', 'archive', 'inbox') THEN
        RAISE EXCEPTION 'A well-known folder keeps its name' USING ERRCODE = 'PM003';
    END IF;
    IF f.kind = 'inbox' THEN
        made := create_folder(guid, new_path, 'user', most);
        PERFORM copy_items(guid, f.id, ARRAY[1::bigint], ARRAY[4294967295], made, true);
    ELSE
        IF new_path[:cardinality(f.path)] = f.path THEN
            RAISE EXCEPTION 'A folder cannot move below itself' USING ERRCODE = 'PM003';
        END IF;
        PERFORM make_parents(m.id, new_path);
        -- Below the new name nothing may be left of a deleted parent's children.
        IF EXISTS (SELECT FROM folders o WHERE o.mailbox = m.id AND o.path[:cardinality(new_path)] = new_path) THEN
            RAISE EXCEPTION 'A folder below that name exists' USING ERRCODE = 'PM002';
        END IF;
        UPDATE folders o SET path = new_path || o.path[cardinality(f.path) + 1:]
        WHERE o.mailbox = m.id AND o.path[:cardinality(f.path)] = f.path;
    END IF;
    UPDATE mailboxes SET change = change + 1 WHERE id = m.id RETURNING change INTO result;
    RETURN result;
END $$;
CREATE FUNCTION functions.store_contents(rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], contents_header_size bigint[], contents_envelope bytea[], contents_structure bytea[], contents_body bytea[], contents_sent bigint[], contents_sent_day bigint[], contents_subject text[], contents_base_subject text[], contents_is_reply bigint[], contents_sort_from text[], contents_sort_to text[], contents_sort_cc text[], contents_display_from text[], contents_display_to text[], contents_message_id text[], contents_refs text[], texts_fields text[], texts_body text[]) RETURNS bigint[]
    LANGUAGE plpgsql
    SET enable_hashjoin TO 'on'
    AS $_$
DECLARE
    fresh bigint[];
    known bigint[];
    result bigint[];
BEGIN
    WITH new AS (
        INSERT INTO contents (hash, size, rendering, header_size, envelope, structure, body, sent, sent_day, subject, base_subject, is_reply, sort_from, sort_to, sort_cc, display_from, display_to, message_id, refs)
        SELECT g.hash, g.size, $1::smallint, g.header_size, g.envelope, g.structure, g.body, g.sent, g.sent_day, g.subject, g.base_subject, g.is_reply <> 0, g.sort_from, g.sort_to, g.sort_cc, g.display_from, g.display_to, g.message_id, g.refs
        FROM unnest(hashes, sizes, contents_header_size, contents_envelope, contents_structure, contents_body, contents_sent, contents_sent_day, contents_subject, contents_base_subject, contents_is_reply, contents_sort_from, contents_sort_to, contents_sort_cc, contents_display_from, contents_display_to, contents_message_id, contents_refs) AS g(hash, size, header_size, envelope, structure, body, sent, sent_day, subject, base_subject, is_reply, sort_from, sort_to, sort_cc, display_from, display_to, message_id, refs)
        ORDER BY g.hash
        ON CONFLICT (hash) DO NOTHING
        RETURNING contents.id, contents.hash
    ), given AS (
        SELECT new.id, g.data, g.fields, g.body
        FROM unnest(hashes, datas, texts_fields, texts_body) AS g(hash, data, fields, body) JOIN new ON new.hash = g.hash
    ), b AS (
        INSERT INTO bodies (content, data) SELECT given.id, given.data FROM given
    ), u AS (
        INSERT INTO unended SELECT given.id FROM given
        WHERE given.data <> '' AND substring(given.data FROM greatest(length(given.data) - 1, 1)) <> '\x0d0a'
    ), t AS (
        INSERT INTO texts (content, fields, body) SELECT g.id, g.fields, g.body FROM given AS g
    )
    SELECT array_agg(new.id ORDER BY h.n) INTO fresh
    FROM unnest(hashes) WITH ORDINALITY AS h(hash, n) JOIN new ON new.hash = h.hash;
    IF cardinality(fresh) = cardinality(hashes) THEN
        RETURN fresh;
    END IF;
    -- What was there before is held, so that a sweep does not take it away while we refer to it.
    SELECT array_agg(held.id) INTO known
    FROM (
        SELECT c.id FROM contents c
        WHERE c.hash = ANY (hashes) AND c.id <> ALL (coalesce(fresh, '{}')) ORDER BY c.id FOR KEY SHARE
    ) AS held;
    SELECT array_agg(c.id ORDER BY h.n) INTO result
    FROM unnest(hashes) WITH ORDINALITY AS h(hash, n) JOIN contents c ON c.hash = h.hash
    WHERE c.id = ANY (fresh) OR c.id = ANY (known);
    IF cardinality(result) IS DISTINCT FROM cardinality(hashes) THEN
        RAISE EXCEPTION 'content swept meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN result;
END $_$;
CREATE FUNCTION functions.submit_item(guid uuid, item bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION functions.submitted_item(guid uuid, item bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION functions.sweep(most bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    candidates bigint[];
    free bigint[];
BEGIN
    WITH picked AS (
        DELETE FROM orphans WHERE ctid IN (SELECT o.ctid FROM orphans o LIMIT most FOR UPDATE SKIP LOCKED)
        RETURNING content
    )
    SELECT array_agg(DISTINCT content ORDER BY content) INTO candidates FROM picked;
    IF candidates IS NULL THEN
        RETURN 0;
    END IF;
    -- A row that a delivery holds will have an item again.
    SELECT array_agg(held.id) INTO free
    FROM (SELECT c.id FROM contents c WHERE c.id = ANY (candidates) FOR UPDATE SKIP LOCKED) AS held;
    -- A new statement sees the items of deliveries that had let go of the row before we took it.
    SELECT array_agg(u.id) INTO free
    FROM unnest(free) AS u(id) WHERE NOT EXISTS (SELECT FROM items i WHERE i.content = u.id);
    DELETE FROM contents WHERE id = ANY (free);
    DELETE FROM bodies WHERE content = ANY (free);
    DELETE FROM texts WHERE content = ANY (free);
    DELETE FROM unended WHERE content = ANY (free);
    RETURN cardinality(candidates);
END $$;
CREATE TABLE public.bodies (
    content bigint NOT NULL,
    data bytea NOT NULL
);
ALTER TABLE ONLY public.bodies ALTER COLUMN data SET STORAGE MAIN;
ALTER TABLE ONLY public.bodies ALTER COLUMN data SET COMPRESSION lz4;
CREATE TABLE public.contents (
    id bigint NOT NULL,
    hash bytea NOT NULL,
    size bigint NOT NULL,
    header_size bigint NOT NULL,
    rendering smallint NOT NULL,
    envelope bytea NOT NULL,
    structure bytea NOT NULL,
    body bytea NOT NULL,
    sent bigint DEFAULT 0 NOT NULL,
    sent_day bigint DEFAULT 0 NOT NULL,
    subject text DEFAULT ''::text NOT NULL,
    base_subject text DEFAULT ''::text NOT NULL,
    is_reply boolean DEFAULT false NOT NULL,
    sort_from text DEFAULT ''::text NOT NULL,
    sort_to text DEFAULT ''::text NOT NULL,
    sort_cc text DEFAULT ''::text NOT NULL,
    display_from text DEFAULT ''::text NOT NULL,
    display_to text DEFAULT ''::text NOT NULL,
    message_id text DEFAULT ''::text NOT NULL,
    refs text DEFAULT ''::text NOT NULL
);
ALTER TABLE public.contents ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.contents_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.delivered (
    mailbox integer NOT NULL,
    delivery_id text NOT NULL,
    at bigint NOT NULL
);
CREATE TABLE public.expunged (
    folder bigint NOT NULL,
    modseq bigint NOT NULL,
    uids bigint[] NOT NULL
);
ALTER TABLE public.folders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.folders_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE SEQUENCE public.item_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.items (
    folder bigint NOT NULL,
    uid bigint NOT NULL,
    id bigint DEFAULT nextval('public.item_ids'::regclass) NOT NULL,
    content bigint NOT NULL,
    flags bigint NOT NULL,
    modseq bigint NOT NULL,
    internal_date bigint NOT NULL,
    size bigint NOT NULL
)
WITH (fillfactor='90');
ALTER TABLE public.mailboxes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.mailboxes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.orphans (
    content bigint NOT NULL
);
CREATE TABLE public.outbox (
    mailbox integer NOT NULL,
    uid bigint NOT NULL
);
CREATE TABLE public.schema_version (
    version bigint NOT NULL,
    functions text NOT NULL,
    rendered bigint DEFAULT 0 NOT NULL,
    renewing bigint DEFAULT 0 NOT NULL,
    reached bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.subscriptions (
    mailbox integer NOT NULL,
    path text[] NOT NULL
);
CREATE TABLE public.texts (
    content bigint NOT NULL,
    fields text NOT NULL,
    body text NOT NULL
);
ALTER TABLE ONLY public.texts ALTER COLUMN fields SET STORAGE MAIN;
ALTER TABLE ONLY public.texts ALTER COLUMN fields SET COMPRESSION lz4;
ALTER TABLE ONLY public.texts ALTER COLUMN body SET STORAGE MAIN;
ALTER TABLE ONLY public.texts ALTER COLUMN body SET COMPRESSION lz4;
CREATE TABLE public.unended (
    content bigint NOT NULL
);
INSERT INTO public.bodies VALUES (1, '\x52657475726e2d506174683a203c616e6e406578616d706c652e746573743e0d0a46726f6d3a20416e6e203c616e6e406578616d706c652e746573743e0d0a5375626a6563743a206d61696c330d0a4d6573736167652d49443a203c6d61696c33406578616d706c652e746573743e0d0a0d0a626f6479206f66206d61696c330d0a');
INSERT INTO public.bodies VALUES (2, '\x52657475726e2d506174683a203c616e6e406578616d706c652e746573743e0d0a46726f6d3a20416e6e203c616e6e406578616d706c652e746573743e0d0a5375626a6563743a206d61696c300d0a4d6573736167652d49443a203c6d61696c30406578616d706c652e746573743e0d0a0d0a626f6479206f66206d61696c300d0a');
INSERT INTO public.bodies VALUES (3, '\x52657475726e2d506174683a203c616e6e406578616d706c652e746573743e0d0a46726f6d3a20416e6e203c616e6e406578616d706c652e746573743e0d0a5375626a6563743a206d61696c310d0a4d6573736167652d49443a203c6d61696c31406578616d706c652e746573743e0d0a0d0a626f6479206f66206d61696c310d0a');
INSERT INTO public.bodies VALUES (4, '\x52657475726e2d506174683a203c616e6e406578616d706c652e746573743e0d0a46726f6d3a20416e6e203c616e6e406578616d706c652e746573743e0d0a5375626a6563743a206d61696c320d0a4d6573736167652d49443a203c6d61696c32406578616d706c652e746573743e0d0a0d0a626f6479206f66206d61696c320d0a');
INSERT INTO public.bodies VALUES (5, '\x52657475726e2d506174683a203c616e6e406578616d706c652e746573743e0d0a46726f6d3a20416e6e203c616e6e406578616d706c652e746573743e0d0a5375626a6563743a206d61696c340d0a4d6573736167652d49443a203c6d61696c34406578616d706c652e746573743e0d0a0d0a626f6479206f66206d61696c340d0a');
INSERT INTO public.bodies VALUES (6, '\x46726f6d3a20416e6e203c616e6e406578616d706c652e746573743e0d0a5375626a6563743a20646565700d0a4d6573736167652d49443a203c64656570406578616d706c652e746573743e0d0a0d0a626f6479206f6620646565700d0a');
INSERT INTO public.bodies VALUES (7, '\x46726f6d3a20416e6e203c616e6e406578616d706c652e746573743e0d0a5375626a6563743a20746f2d676f0d0a4d6573736167652d49443a203c746f2d676f406578616d706c652e746573743e0d0a0d0a626f6479206f6620746f2d676f0d0a');
INSERT INTO public.contents OVERRIDING SYSTEM VALUE VALUES (1, '\x1ce5f3d50635986fd44e05f762d8cb38693cc88cdfaf3529c41e50edc083de52', 130, 115, 5, '\x284e494c20226d61696c332220282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e74657374222929204e494c204e494c204e494c204e494c20223c6d61696c33406578616d706c652e746573743e2229', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c202237626974222031352031204e494c204e494c204e494c204e494c29', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c20223762697422203135203129', -4611686018427387904, -4611686018427387904, 'mail3', 'mail3', false, 'ann', '', '', 'ann', '', 'mail3@example.test', '');
INSERT INTO public.contents OVERRIDING SYSTEM VALUE VALUES (2, '\x26374c77cd7f80ad7965743dd1c7c1f31a7a1d51a908e8cef474a9dbb1b0e5e5', 130, 115, 5, '\x284e494c20226d61696c302220282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e74657374222929204e494c204e494c204e494c204e494c20223c6d61696c30406578616d706c652e746573743e2229', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c202237626974222031352031204e494c204e494c204e494c204e494c29', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c20223762697422203135203129', -4611686018427387904, -4611686018427387904, 'mail0', 'mail0', false, 'ann', '', '', 'ann', '', 'mail0@example.test', '');
INSERT INTO public.contents OVERRIDING SYSTEM VALUE VALUES (3, '\x7309376d3fb7dbe54642171d2ae580165e48bbcb6b2695f1d4e659166aecdf35', 130, 115, 5, '\x284e494c20226d61696c312220282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e74657374222929204e494c204e494c204e494c204e494c20223c6d61696c31406578616d706c652e746573743e2229', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c202237626974222031352031204e494c204e494c204e494c204e494c29', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c20223762697422203135203129', -4611686018427387904, -4611686018427387904, 'mail1', 'mail1', false, 'ann', '', '', 'ann', '', 'mail1@example.test', '');
INSERT INTO public.contents OVERRIDING SYSTEM VALUE VALUES (4, '\x86f74f3207690c0474888dd52ffd178a94d608cfe50d4fbfe96b5e1d181521a1', 130, 115, 5, '\x284e494c20226d61696c322220282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e74657374222929204e494c204e494c204e494c204e494c20223c6d61696c32406578616d706c652e746573743e2229', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c202237626974222031352031204e494c204e494c204e494c204e494c29', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c20223762697422203135203129', -4611686018427387904, -4611686018427387904, 'mail2', 'mail2', false, 'ann', '', '', 'ann', '', 'mail2@example.test', '');
INSERT INTO public.contents OVERRIDING SYSTEM VALUE VALUES (5, '\xf0eda2cdbe8b860efea514597dc07238ed0c9f20c983acdbedf5e5840a2b2e59', 130, 115, 5, '\x284e494c20226d61696c342220282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e74657374222929204e494c204e494c204e494c204e494c20223c6d61696c34406578616d706c652e746573743e2229', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c202237626974222031352031204e494c204e494c204e494c204e494c29', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c20223762697422203135203129', -4611686018427387904, -4611686018427387904, 'mail4', 'mail4', false, 'ann', '', '', 'ann', '', 'mail4@example.test', '');
INSERT INTO public.contents OVERRIDING SYSTEM VALUE VALUES (6, '\x38c62440827b9650a004e7c75da4ead0437712a48300c4c293e035d0947bba1d', 94, 80, 5, '\x284e494c2022646565702220282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e74657374222929204e494c204e494c204e494c204e494c20223c64656570406578616d706c652e746573743e2229', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c202237626974222031342031204e494c204e494c204e494c204e494c29', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c20223762697422203134203129', -4611686018427387904, -4611686018427387904, 'deep', 'deep', false, 'ann', '', '', 'ann', '', 'deep@example.test', '');
INSERT INTO public.contents OVERRIDING SYSTEM VALUE VALUES (7, '\xae8d36e4671105df01c2b73ddc660ec0a948278167cd1134aa50ccc59c3ba5b9', 97, 82, 5, '\x284e494c2022746f2d676f2220282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e7465737422292920282822416e6e22204e494c2022616e6e2220226578616d706c652e74657374222929204e494c204e494c204e494c204e494c20223c746f2d676f406578616d706c652e746573743e2229', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c202237626974222031352031204e494c204e494c204e494c204e494c29', '\x282274657874222022706c61696e222028226368617273657422202275732d61736369692229204e494c204e494c20223762697422203135203129', -4611686018427387904, -4611686018427387904, 'to-go', 'to-go', false, 'ann', '', '', 'ann', '', 'to-go@example.test', '');
INSERT INTO public.delivered VALUES (1, 'hub/0', 1795966861);
INSERT INTO public.delivered VALUES (1, 'hub/1', 1795966861);
INSERT INTO public.delivered VALUES (1, 'hub/2', 1795966861);
INSERT INTO public.delivered VALUES (1, 'hub/3', 1795966861);
INSERT INTO public.delivered VALUES (1, 'hub/4', 1795966861);
INSERT INTO public.delivered VALUES (2, 'hub/0', 1795966861);
INSERT INTO public.delivered VALUES (2, 'hub/1', 1795966861);
INSERT INTO public.delivered VALUES (2, 'hub/2', 1795966861);
INSERT INTO public.delivered VALUES (2, 'hub/3', 1795966861);
INSERT INTO public.delivered VALUES (2, 'hub/4', 1795966861);
INSERT INTO public.expunged VALUES (1, 1795966861900726, '{2}');
INSERT INTO public.expunged VALUES (1, 1795966861900731, '{3}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (2, 1, '{"Sent Items"}', 'sent', 1795966864, 1, 3, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (3, 1, '{Drafts}', 'drafts', 1795966865, 1, 4, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (4, 1, '{"Deleted Items"}', 'deleted', 1795966866, 1, 5, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (5, 1, '{"Junk E-mail"}', 'junk', 1795966867, 1, 6, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (7, 1, '{Archive}', 'archive', 1795966869, 1, 8, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (9, 2, '{"Sent Items"}', 'sent', 1795966864, 1, 3, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (10, 2, '{Drafts}', 'drafts', 1795966865, 1, 4, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (11, 2, '{"Deleted Items"}', 'deleted', 1795966866, 1, 5, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (12, 2, '{"Junk E-mail"}', 'junk', 1795966867, 1, 6, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (13, 2, '{Outbox}', 'outbox', 1795966868, 1, 7, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (14, 2, '{Archive}', 'archive', 1795966869, 1, 8, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (15, 3, '{INBOX}', 'inbox', 1795966863, 1, 2, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (16, 3, '{"Sent Items"}', 'sent', 1795966864, 1, 3, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (17, 3, '{Drafts}', 'drafts', 1795966865, 1, 4, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (18, 3, '{"Deleted Items"}', 'deleted', 1795966866, 1, 5, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (19, 3, '{"Junk E-mail"}', 'junk', 1795966867, 1, 6, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (20, 3, '{Outbox}', 'outbox', 1795966868, 1, 7, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (21, 3, '{Archive}', 'archive', 1795966869, 1, 8, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (8, 2, '{INBOX}', 'inbox', 1795966863, 6, 9, 5, 5, 0, 650, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (22, 1, '{projects}', 'user', 1795966870, 1, 1795966861900727, 0, 0, 0, 0, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (6, 1, '{Outbox}', 'outbox', 1795966868, 2, 1795966861900734, 1, 1, 0, 97, 1, '{}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (1, 1, '{INBOX}', 'inbox', 1795966863, 6, 1795966861900731, 3, 2, 0, 390, 6, '{$Work,other}');
INSERT INTO public.folders OVERRIDING SYSTEM VALUE VALUES (24, 1, '{projects,2026,회의}', 'user', 1795966872, 4, 1795966861900732, 3, 2, 0, 354, 1, '{$Work,other}');
INSERT INTO public.items VALUES (1, 4, 4, 1, 0, 9, 1700000003, 130);
INSERT INTO public.items VALUES (1, 5, 5, 5, 0, 9, 1700000004, 130);
INSERT INTO public.items VALUES (8, 1, 6, 2, 0, 9, 1700000000, 130);
INSERT INTO public.items VALUES (8, 2, 7, 3, 0, 9, 1700000001, 130);
INSERT INTO public.items VALUES (8, 3, 8, 4, 0, 9, 1700000002, 130);
INSERT INTO public.items VALUES (8, 4, 9, 1, 0, 9, 1700000003, 130);
INSERT INTO public.items VALUES (8, 5, 10, 5, 0, 9, 1700000004, 130);
INSERT INTO public.items VALUES (1, 1, 1, 2, 769, 1795966861899661, 1700000000, 130);
INSERT INTO public.items VALUES (24, 1, 11, 6, 2, 1795966861900730, 1600000000, 94);
INSERT INTO public.items VALUES (24, 2, 3, 4, 0, 1795966861900731, 1700000002, 130);
INSERT INTO public.items VALUES (24, 3, 12, 2, 769, 1795966861900732, 1700000000, 130);
INSERT INTO public.items VALUES (6, 1, 13, 7, 0, 1795966861900734, 1795966861, 97);
INSERT INTO public.mailboxes OVERRIDING SYSTEM VALUE VALUES (3, '00000000-0000-0000-0000-00000000000c', 1000000, 0, 0, 8, 1795966869, 'gone@example.test', 1795966861);
INSERT INTO public.mailboxes OVERRIDING SYSTEM VALUE VALUES (2, '00000000-0000-0000-0000-00000000000b', 1000000, 650, 5, 9, 1795966869, '', 0);
INSERT INTO public.mailboxes OVERRIDING SYSTEM VALUE VALUES (1, '00000000-0000-0000-0000-00000000000a', 1000000, 841, 7, 1795966861900735, 1795966872, '', 0);
INSERT INTO public.orphans VALUES (3);
INSERT INTO public.outbox VALUES (1, 1);
INSERT INTO public.schema_version VALUES (5, '3e091d60e793bc528f7ae42f35b98d8e0b2b14c15e5c81c2ee504903d37862ec', 5, 0, 0);
INSERT INTO public.subscriptions VALUES (1, '{INBOX}');
INSERT INTO public.subscriptions VALUES (1, '{"Sent Items"}');
INSERT INTO public.subscriptions VALUES (1, '{Drafts}');
INSERT INTO public.subscriptions VALUES (1, '{"Deleted Items"}');
INSERT INTO public.subscriptions VALUES (1, '{"Junk E-mail"}');
INSERT INTO public.subscriptions VALUES (1, '{Outbox}');
INSERT INTO public.subscriptions VALUES (1, '{Archive}');
INSERT INTO public.subscriptions VALUES (2, '{INBOX}');
INSERT INTO public.subscriptions VALUES (2, '{"Sent Items"}');
INSERT INTO public.subscriptions VALUES (2, '{Drafts}');
INSERT INTO public.subscriptions VALUES (2, '{"Deleted Items"}');
INSERT INTO public.subscriptions VALUES (2, '{"Junk E-mail"}');
INSERT INTO public.subscriptions VALUES (2, '{Outbox}');
INSERT INTO public.subscriptions VALUES (2, '{Archive}');
INSERT INTO public.subscriptions VALUES (3, '{INBOX}');
INSERT INTO public.subscriptions VALUES (3, '{"Sent Items"}');
INSERT INTO public.subscriptions VALUES (3, '{Drafts}');
INSERT INTO public.subscriptions VALUES (3, '{"Deleted Items"}');
INSERT INTO public.subscriptions VALUES (3, '{"Junk E-mail"}');
INSERT INTO public.subscriptions VALUES (3, '{Outbox}');
INSERT INTO public.subscriptions VALUES (3, '{Archive}');
INSERT INTO public.subscriptions VALUES (1, '{projects,2026}');
INSERT INTO public.texts VALUES (1, '
return-path:<ann@example.test>
from:ann <ann@example.test>
subject:mail3
message-id:<mail3@example.test>', 'body of mail3
');
INSERT INTO public.texts VALUES (2, '
return-path:<ann@example.test>
from:ann <ann@example.test>
subject:mail0
message-id:<mail0@example.test>', 'body of mail0
');
INSERT INTO public.texts VALUES (3, '
return-path:<ann@example.test>
from:ann <ann@example.test>
subject:mail1
message-id:<mail1@example.test>', 'body of mail1
');
INSERT INTO public.texts VALUES (4, '
return-path:<ann@example.test>
from:ann <ann@example.test>
subject:mail2
message-id:<mail2@example.test>', 'body of mail2
');
INSERT INTO public.texts VALUES (5, '
return-path:<ann@example.test>
from:ann <ann@example.test>
subject:mail4
message-id:<mail4@example.test>', 'body of mail4
');
INSERT INTO public.texts VALUES (6, '
from:ann <ann@example.test>
subject:deep
message-id:<deep@example.test>', 'body of deep
');
INSERT INTO public.texts VALUES (7, '
from:ann <ann@example.test>
subject:to-go
message-id:<to-go@example.test>', 'body of to-go
');
SELECT pg_catalog.setval('public.contents_id_seq', 7, true);
SELECT pg_catalog.setval('public.folders_id_seq', 24, true);
SELECT pg_catalog.setval('public.item_ids', 13, true);
SELECT pg_catalog.setval('public.mailboxes_id_seq', 3, true);
ALTER TABLE ONLY public.bodies
    ADD CONSTRAINT bodies_pkey PRIMARY KEY (content);
ALTER TABLE ONLY public.contents
    ADD CONSTRAINT contents_hash_key UNIQUE (hash);
ALTER TABLE ONLY public.contents
    ADD CONSTRAINT contents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.delivered
    ADD CONSTRAINT delivered_pkey PRIMARY KEY (mailbox, delivery_id);
ALTER TABLE ONLY public.expunged
    ADD CONSTRAINT expunged_pkey PRIMARY KEY (folder, modseq);
ALTER TABLE ONLY public.folders
    ADD CONSTRAINT folders_mailbox_path_key UNIQUE (mailbox, path);
ALTER TABLE ONLY public.folders
    ADD CONSTRAINT folders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (folder, uid);
ALTER TABLE ONLY public.mailboxes
    ADD CONSTRAINT mailboxes_guid_key UNIQUE (guid);
ALTER TABLE ONLY public.mailboxes
    ADD CONSTRAINT mailboxes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (mailbox, uid);
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (mailbox, path);
ALTER TABLE ONLY public.texts
    ADD CONSTRAINT texts_pkey PRIMARY KEY (content);
ALTER TABLE ONLY public.unended
    ADD CONSTRAINT unended_pkey PRIMARY KEY (content);
CREATE INDEX items_content ON public.items USING btree (content);
CREATE INDEX items_modseq ON public.items USING btree (folder, modseq);
CREATE INDEX mailboxes_disconnected ON public.mailboxes USING btree (disconnected) WHERE (disconnected > 0);
ALTER TABLE ONLY public.folders
    ADD CONSTRAINT folders_mailbox_fkey FOREIGN KEY (mailbox) REFERENCES public.mailboxes(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_mailbox_fkey FOREIGN KEY (mailbox) REFERENCES public.mailboxes(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.subscriptions
    ADD CONSTRAINT subscriptions_mailbox_fkey FOREIGN KEY (mailbox) REFERENCES public.mailboxes(id) ON DELETE CASCADE;
