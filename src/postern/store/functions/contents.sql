-- Stores messages that the database does not have yet, and gives the ids of all of them in the order of `hashes`
-- (which must differ). Columns in braces are put in by store/columns.py. Rows go in in the
-- order of their hashes, so that two batches cannot wait for each other.
CREATE FUNCTION store_contents(
    rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters}
) RETURNS bigint[] LANGUAGE plpgsql SET enable_hashjoin = on AS $$
DECLARE
    fresh bigint[];
    known bigint[];
    result bigint[];
BEGIN
    WITH new AS (
        INSERT INTO contents (hash, size, rendering, %{contents columns})
        SELECT g.hash, g.size, $1::smallint, %{contents values}
        FROM unnest(hashes, sizes, %{contents arrays}) AS g(hash, size, %{contents columns})
        ORDER BY g.hash
        ON CONFLICT (hash) DO NOTHING
        RETURNING contents.id, contents.hash
    ), given AS (
        SELECT new.id, g.data, %{texts values}
        FROM unnest(hashes, datas, %{texts arrays}) AS g(hash, data, %{texts columns}) JOIN new ON new.hash = g.hash
    ), b AS (
        INSERT INTO bodies (content, data) SELECT given.id, given.data FROM given
    ), u AS (
        INSERT INTO unended SELECT given.id FROM given
        WHERE given.data <> '' AND substring(given.data FROM greatest(length(given.data) - 1, 1)) <> '\x0d0a'
    ), t AS (
        INSERT INTO texts (content, %{texts columns}) SELECT g.id, %{texts values} FROM given AS g
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
