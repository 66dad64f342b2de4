-- Folders: `path` is what IMAP names them by, `parent` and `name` say the same for all others. A parent of 0 is the top. The functions
-- here are called with the mailbox's row locked, or lock it first (mailboxes.sql).

-- The nearest folder above this path that exists; 0 if none does.
CREATE FUNCTION nearest_above(box integer, of_path text[]) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN coalesce((
        SELECT p.id FROM generate_series(1, cardinality(of_path) - 1) AS d(depth)
        JOIN folders p ON p.mailbox = box AND p.path = of_path[:d.depth]
        ORDER BY d.depth DESC LIMIT 1), 0);
END $$;

-- Whether a path is short enough for clients to open it and for the index to hold it (`store/folders.py` has the numbers).
CREATE FUNCTION fits(of_path text[], deepest bigint, longest bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT cardinality(of_path) <= deepest AND octet_length(array_to_string(of_path, '/')) <= longest
$$;

-- A new folder. Its UIDVALIDITY is larger than that of any folder the mailbox ever had (RFC 9051 section 6.3.4).
CREATE FUNCTION make_folder(box integer, new_path text[], new_kind text, new_class text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    above bigint := nearest_above(box, new_path);
    validity bigint;
    result bigint;
    seen bigint;
BEGIN
    UPDATE mailboxes SET last_validity = greatest(last_validity + 1, extract(epoch FROM now())::bigint), change = change + 1
    WHERE id = box RETURNING last_validity, change INTO validity, seen;
    INSERT INTO folders (mailbox, path, kind, uid_validity, highest_modseq, parent, name, class, change, made)
    VALUES (box, new_path, new_kind, validity, seen, above, new_path[cardinality(new_path)], new_class, seen, seen)
    RETURNING id INTO result;
    -- What a deleted folder of this name left is below it again.
    UPDATE folders f SET parent = result, change = seen
    WHERE f.mailbox = box AND f.parent = above AND f.id <> result AND f.path[:cardinality(new_path)] = new_path;
    RETURN result;
END $$;

CREATE FUNCTION create_folder(
    guid uuid, new_path text[], new_kind text, new_class text, most bigint, deepest bigint, longest bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
BEGIN
    IF NOT fits(new_path, deepest, longest) THEN
        RAISE EXCEPTION 'A folder''s path has at most % names and % octets', deepest, longest USING ERRCODE = 'PM003';
    END IF;
    IF EXISTS (SELECT FROM folders f WHERE f.mailbox = m.id AND f.path = new_path) THEN
        RAISE EXCEPTION 'The folder exists' USING ERRCODE = 'PM002';
    END IF;
    PERFORM make_parents(m.id, new_path, 1, most);
    RETURN make_folder(m.id, new_path, new_kind, new_class);
END $$;

-- A name at the top that nothing has, nor anything that a deleted folder left below it: the wanted one, or with a number.
CREATE FUNCTION free_top_name(box integer, wanted text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    number integer := 0;
    result text := wanted;
BEGIN
    WHILE EXISTS (SELECT FROM folders f WHERE f.mailbox = box AND f.path[1] = result) LOOP
        number := number + 1;
        result := wanted || number;
    END LOOP;
    RETURN result;
END $$;

-- Gives a folder at the top another name, which is free.
CREATE FUNCTION name_anew(f folders, new_name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    seen bigint;
BEGIN
    UPDATE mailboxes b SET change = b.change + 1 WHERE b.id = f.mailbox RETURNING b.change INTO seen;
    UPDATE folders o SET path = ARRAY[new_name] || o.path[2:] WHERE o.mailbox = f.mailbox AND o.path[1] = f.path[1];
    UPDATE folders o SET name = new_name, change = seen WHERE o.id = f.id;
    RETURN seen;
END $$;

-- Gives another name to the well-known folder without mail that has this path: whoever names a folder by its path does not see it.
CREATE FUNCTION make_way(box integer, wanted text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    f folders;
BEGIN
    SELECT * INTO f FROM folders o WHERE o.mailbox = box AND o.path = wanted
        AND o.kind IN ('calendar', 'contacts', 'tasks', 'notes', 'journal');
    IF FOUND THEN
        PERFORM name_anew(f, free_top_name(box, f.name));
    END IF;
END $$;

-- CREATE and RENAME of IMAP.
CREATE FUNCTION create_mail_folder(
    guid uuid, new_path text[], new_kind text, most bigint, deepest bigint, longest bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
BEGIN
    PERFORM make_way(m.id, new_path);
    RETURN create_folder(guid, new_path, new_kind, 'IPF.Note', most, deepest, longest);
END $$;

CREATE FUNCTION rename_mail_folder(
    guid uuid, folder bigint, new_path text[], most bigint, deepest bigint, longest bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
BEGIN
    PERFORM make_way(m.id, new_path);
    RETURN rename_folder(guid, folder, new_path, most, deepest, longest);
END $$;

-- Names the well-known folders of these kinds anew, if they still have one of the `former` names. Gives the last change.
CREATE FUNCTION name_folders(guid uuid, kinds text[], names text[], former text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    known record;
    f folders;
    result bigint := m.change;
BEGIN
    FOR known IN SELECT * FROM unnest(kinds, names) AS k(kind, name) LOOP
        SELECT * INTO f FROM folders o
        WHERE o.mailbox = m.id AND o.kind = known.kind AND cardinality(o.path) = 1 AND o.name = ANY (former);
        IF FOUND AND free_top_name(m.id, known.name) = known.name THEN
            result := name_anew(f, known.name);
        END IF;
    END LOOP;
    RETURN result;
END $$;

-- Makes the missing folders above a path. With the `others` that the caller makes there are at most `most` in the mailbox then.
CREATE FUNCTION make_parents(box integer, of_path text[], others bigint, most bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    missing integer[] := ARRAY(
        SELECT d.depth FROM generate_series(1, cardinality(of_path) - 1) AS d(depth)
        WHERE NOT EXISTS (SELECT FROM folders f WHERE f.mailbox = box AND f.path = of_path[:d.depth])
        ORDER BY d.depth);
    more bigint := cardinality(missing) + others;
    depth integer;
BEGIN
    IF more > 0 AND (SELECT count(*) FROM folders f WHERE f.mailbox = box) + more > most THEN
        RAISE EXCEPTION 'Too many folders' USING ERRCODE = 'PM005';
    END IF;
    FOREACH depth IN ARRAY missing LOOP
        PERFORM make_folder(box, of_path[:depth], 'user', 'IPF.Note');
    END LOOP;
END $$;

CREATE FUNCTION rename_folder(
    guid uuid, folder bigint, new_path text[], most bigint, deepest bigint, longest bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
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
        made := create_folder(guid, new_path, 'user', 'IPF.Note', most, deepest, longest);
        PERFORM copy_items(guid, f.id, ARRAY[1::bigint], ARRAY[4294967295], made, true);
    ELSE
        IF new_path[:cardinality(f.path)] = f.path THEN
            RAISE EXCEPTION 'A folder cannot move below itself' USING ERRCODE = 'PM003';
        END IF;
        IF EXISTS (
            SELECT FROM folders o WHERE o.mailbox = m.id AND o.path[:cardinality(f.path)] = f.path
            AND NOT fits(new_path || o.path[cardinality(f.path) + 1:], deepest, longest)
        ) THEN
            RAISE EXCEPTION 'The path of the folder, or of a folder below it, would have more than % names or % octets',
                deepest, longest USING ERRCODE = 'PM003';
        END IF;
        PERFORM make_parents(m.id, new_path, 0, most);
        -- Below the new name nothing may be left of a deleted parent's children.
        IF EXISTS (SELECT FROM folders o WHERE o.mailbox = m.id AND o.path[:cardinality(new_path)] = new_path) THEN
            RAISE EXCEPTION 'A folder below that name exists' USING ERRCODE = 'PM002';
        END IF;
        UPDATE folders o SET path = new_path || o.path[cardinality(f.path) + 1:]
        WHERE o.mailbox = m.id AND o.path[:cardinality(f.path)] = f.path;
    END IF;
    UPDATE mailboxes SET change = change + 1 WHERE id = m.id RETURNING change INTO result;
    IF f.kind <> 'inbox' THEN
        UPDATE folders o SET parent = nearest_above(m.id, new_path), name = new_path[cardinality(new_path)], change = result
        WHERE o.id = f.id;
    END IF;
    RETURN result;
END $$;

-- What is below stays where it is by its path (RFC 9051 section 6.3.5), and has the deleted folder's parent.
CREATE FUNCTION delete_folder(guid uuid, folder bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
BEGIN
    IF f.kind NOT IN ('user', 'archive') THEN
        RAISE EXCEPTION 'A well-known folder stays' USING ERRCODE = 'PM003';
    END IF;
    WITH gone AS (
        DELETE FROM items i WHERE i.folder = f.id RETURNING i.id, i.content
    ), bags AS (
        DELETE FROM properties p USING gone WHERE p.item = gone.id
    )
    INSERT INTO orphans SELECT gone.content FROM gone;
    DELETE FROM resources r WHERE r.folder = f.id;
    DELETE FROM expunged e WHERE e.folder = f.id;
    UPDATE folders o SET parent = f.parent, change = m.change + 1 WHERE o.mailbox = m.id AND o.parent = f.id;
    DELETE FROM folders o WHERE o.id = f.id;
    INSERT INTO removed_folders VALUES (m.id, f.id, m.change + 1);
    UPDATE mailboxes SET change = m.change + 1, used = used - f.size, items = items - f.messages WHERE id = m.id;
    RETURN m.change + 1;
END $$;

-- The path of a name below `parent`.
CREATE FUNCTION path_below(m mailboxes, parent bigint, name text) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    IF parent = 0 THEN
        RETURN ARRAY[name];
    END IF;
    RETURN (folder_of(m, parent)).path || name;
END $$;

CREATE FUNCTION create_below(
    guid uuid, parent bigint, name text, new_class text, most bigint, deepest bigint, longest bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    new_path text[] := path_below(lock_mailbox(guid), parent, name);
BEGIN
    RETURN create_folder(guid, new_path, 'user', new_class, most, deepest, longest);
END $$;

CREATE FUNCTION move_folder(
    guid uuid, folder bigint, parent bigint, name text, most bigint, deepest bigint, longest bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
BEGIN
    IF (folder_of(m, folder)).kind NOT IN ('user', 'archive') THEN
        RAISE EXCEPTION 'A well-known folder keeps its name' USING ERRCODE = 'PM003';
    END IF;
    RETURN rename_folder(guid, folder, path_below(m, parent, name), most, deepest, longest);
END $$;

-- `new_rights` NULL takes the entry out.
CREATE FUNCTION set_rights(guid uuid, folder bigint, who uuid, new_rights bigint, most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
BEGIN
    IF new_rights IS NULL THEN
        DELETE FROM folder_rights r WHERE r.folder = f.id AND r.grantee = who;
    ELSE
        INSERT INTO folder_rights VALUES (f.id, who, new_rights)
        ON CONFLICT ON CONSTRAINT folder_rights_pkey DO UPDATE SET rights = excluded.rights;
        IF (SELECT count(*) FROM folder_rights r WHERE r.folder = f.id) > most THEN
            RAISE EXCEPTION 'Too many have rights on this folder' USING ERRCODE = 'PM005';
        END IF;
    END IF;
    UPDATE folders o SET change = m.change + 1 WHERE o.id = f.id;
    UPDATE mailboxes o SET change = m.change + 1 WHERE o.id = m.id;
    RETURN m.change + 1;
END $$;

-- A value that is NULL takes its property out of the folder's bag.
CREATE FUNCTION set_folder_properties(
    guid uuid, folder bigint, tags bigint[], vals bytea[], most bigint, most_octets bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
BEGIN
    DELETE FROM folder_properties p WHERE p.folder = f.id AND p.tag = ANY (tags);
    INSERT INTO folder_properties SELECT f.id, v.tag, v.value FROM unnest(tags, vals) AS v(tag, value) WHERE v.value IS NOT NULL;
    IF (SELECT count(*) > most OR sum(length(p.value)) > most_octets FROM folder_properties p WHERE p.folder = f.id) THEN
        RAISE EXCEPTION 'The folder would have too many properties' USING ERRCODE = 'PM005';
    END IF;
    UPDATE folders o SET change = m.change + 1 WHERE o.id = f.id;
    UPDATE mailboxes o SET change = m.change + 1 WHERE o.id = m.id;
    RETURN m.change + 1;
END $$;
