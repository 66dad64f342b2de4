-- The bits of keywords (compared without case), made if `make`. Raises PM005 when a folder would have too many.
CREATE FUNCTION keyword_bits(guid uuid, folder bigint, names text[], make boolean, base bigint, most bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
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

-- Flags with their keyword bits renumbered as `keyword_map` says.
CREATE FUNCTION mapped_flags(flags bigint, from_bits bigint[], to_bits bigint[]) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT (flags & 255) | coalesce((
        SELECT bit_or(b.to_bit) FROM unnest(from_bits, to_bits) AS b(from_bit, to_bit) WHERE flags & b.from_bit <> 0), 0)
$$;
