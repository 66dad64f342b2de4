-- Stores messages that the database does not have yet, and gives the ids of all of them in the order of `hashes`
-- (which must differ). Rows go in in the order of their hashes, so that two batches cannot wait for each other.
CREATE FUNCTION store_contents(
    rendering bigint, hashes bytea[], sizes bigint[], header_sizes bigint[],
    envelopes bytea[], structures bytea[], bodies bytea[], datas bytea[],
    sents bigint[], sent_days bigint[], subjects text[], base_subjects text[], replies bigint[],
    sort_froms text[], sort_tos text[], sort_ccs text[], display_froms text[], display_tos text[],
    message_ids text[], refs text[], fields text[], body_texts text[]
) RETURNS bigint[] LANGUAGE plpgsql SET enable_hashjoin = on AS $$
DECLARE
    fresh bigint[];
    known bigint[];
    result bigint[];
BEGIN
    WITH new AS (
        INSERT INTO contents (
            hash, size, header_size, rendering, envelope, structure, body, sent, sent_day, subject, base_subject,
            is_reply, sort_from, sort_to, sort_cc, display_from, display_to, message_id, refs)
        SELECT g.hash, g.size, g.header_size, $1::smallint, g.envelope, g.structure, g.body, g.sent, g.sent_day,
            g.subject, g.base_subject, g.reply <> 0, g.sort_from, g.sort_to, g.sort_cc, g.display_from, g.display_to,
            g.message_id, g.refs
        FROM unnest($2, $3, $4, $5, $6, $7, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) AS g(
            hash, size, header_size, envelope, structure, body, sent, sent_day, subject, base_subject, reply,
            sort_from, sort_to, sort_cc, display_from, display_to, message_id, refs)
        ORDER BY g.hash
        ON CONFLICT (hash) DO NOTHING
        RETURNING contents.id, contents.hash
    ), given AS (
        SELECT new.id, g.data, g.fields, g.body_text
        FROM unnest($2, $8, $21, $22) AS g(hash, data, fields, body_text) JOIN new ON new.hash = g.hash
    ), b AS (
        INSERT INTO bodies (content, data) SELECT given.id, given.data FROM given
    ), u AS (
        INSERT INTO unended SELECT given.id FROM given
        WHERE given.data <> '' AND substring(given.data FROM greatest(length(given.data) - 1, 1)) <> '\x0d0a'
    ), t AS (
        INSERT INTO texts (content, fields, body) SELECT given.id, given.fields, given.body_text FROM given
    )
    SELECT array_agg(new.id ORDER BY h.n) INTO fresh
    FROM unnest($2) WITH ORDINALITY AS h(hash, n) JOIN new ON new.hash = h.hash;
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
END $$;

-- Removes contents that no item refers to any more. Looks at no more than `most` candidates; gives how many it looked at.
CREATE FUNCTION sweep(most bigint) RETURNS bigint LANGUAGE plpgsql AS $$
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
