-- Delivers a batch: pair n puts message `which[n]` (counted from 1) into the inbox of `guids[n]`, unless `delivery_ids[n]`
-- came there before. `meetings` are the messages, counted from 1, that wait for the calendar attendant of each mailbox. From now
-- on the mailbox `owners[n]` may hold `quotas[n]` octets, 0 for any number. Statuses are those of model.delivery.DeliveryStatus. What one mailbox refuses does not touch the rest.
CREATE FUNCTION deliver(
    which bigint[], guids uuid[], delivery_ids text[], dates bigint[], now bigint, owners uuid[], quotas bigint[],
    meetings bigint[], rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters},
    OUT statuses bigint[], OUT changed uuid[], OUT changes bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    full_box record;
    room bigint;
    any_answers boolean;
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

    ids := store_contents(rendering, hashes, sizes, datas, %{arguments});
    WITH taken AS MATERIALIZED (
        SELECT p.n, ids[p.which] AS content, sizes[p.which] AS size, m.id AS mailbox, p.delivery_id, p.date, f.id AS folder,
            f.uid_next - 1 + row_number() OVER (PARTITION BY f.id ORDER BY p.n) AS uid, m.change + 1 AS modseq
        FROM unnest($1, $2, $3, $4, statuses) WITH ORDINALITY AS p(which, guid, delivery_id, date, status, n)
        JOIN mailboxes m ON m.guid = p.guid
        JOIN folders f ON f.mailbox = m.id AND f.path = '{INBOX}'
        WHERE p.status = 0
    ), i AS (
        INSERT INTO items (folder, uid, content, flags, modseq, internal_date, size, arrived, created)
        SELECT t.folder, t.uid, t.content, 0, t.modseq, t.date, t.size, t.modseq, $5 FROM taken t
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
        RETURNING m.guid, m.change, m.answers
    )
    SELECT array_agg(m.guid), array_agg(m.change), bool_or(m.answers) INTO changed, changes, any_answers FROM m;
    IF cardinality($8) > 0 THEN
        -- Apart from the rest, so that other mail pays nothing for it. All items of a mailbox came with the same change.
        INSERT INTO meetings (item, mailbox)
        SELECT i.id, m.id FROM unnest($1, $2, statuses) AS p(which, guid, status)
        JOIN mailboxes m ON m.guid = p.guid JOIN folders f ON f.mailbox = m.id AND f.path = '{INBOX}'
        JOIN items i ON i.folder = f.id AND i.modseq = m.change AND i.content = ids[p.which]
        WHERE p.status = 0 AND p.which = ANY ($8)
        ON CONFLICT DO NOTHING;
    END IF;
    IF any_answers THEN
        INSERT INTO replies (item, mailbox)
        SELECT i.id, m.id FROM unnest($1, $2, statuses) AS p(which, guid, status)
        JOIN mailboxes m ON m.guid = p.guid AND m.answers JOIN folders f ON f.mailbox = m.id AND f.path = '{INBOX}'
        JOIN items i ON i.folder = f.id AND i.modseq = m.change AND i.content = ids[p.which]
        WHERE p.status = 0
        ON CONFLICT DO NOTHING;
    END IF;
END $$;
