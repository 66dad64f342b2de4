-- Named items (store/resources.py). The functions here are called with the mailbox's row locked, or lock it first, so that a
-- name, a UID or a tag that was looked at stays until the commit. Arrays are parallel; store/columns.py puts in those of what is
-- rendered of the items.

-- A name that nothing has in this folder: the same, or one that nobody would choose.
CREATE FUNCTION free_name(of_folder bigint, wanted text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM resources r WHERE r.folder = of_folder AND r.name = wanted)
        THEN gen_random_uuid()::text || coalesce(substring(wanted FROM '\.[A-Za-z0-9]{1,8}$'), '') ELSE wanted END
$$;

-- Refuses a UID that another item of the folder has, but one of `but`. As everywhere in this file, each value is looked up by
-- itself (LATERAL, OFFSET 0): a plan made while the table was small would go through the folder.
CREATE FUNCTION check_uids(of_folder bigint, wanted text[], but bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM unnest(wanted) AS w(uid) CROSS JOIN LATERAL (
            SELECT o.item FROM resources o WHERE o.folder = of_folder AND o.uid = w.uid AND o.uid <> '' OFFSET 0
        ) AS r WHERE r.item <> ALL (but)
    ) THEN
        RAISE EXCEPTION 'Another item of the folder has this UID' USING ERRCODE = 'PM010';
    END IF;
END $$;

-- Writes down what is known of items, whose contents are stored as the change `seen`. One that has a row keeps its name.
CREATE FUNCTION keep_resources(
    of_folder bigint, items bigint[], names text[], tags bytea[], sizes bigint[], classes text[], now bigint, seen bigint,
    %{resources parameters}
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resources AS r (item, folder, name, tag, size, class, created, modified, changed, content,
        %{resources columns})
    SELECT g.item, of_folder, g.name, g.tag, g.size, g.class, now, now, seen, (SELECT i.content FROM items i WHERE i.id = g.item),
        %{resources values}
    FROM unnest(items, names, tags, sizes, classes, %{resources arrays}) AS g(item, name, tag, size, class, %{resources columns})
    ON CONFLICT (item) DO UPDATE SET tag = excluded.tag, size = excluded.size, class = excluded.class,
        modified = excluded.modified, changed = excluded.changed, content = excluded.content, %{resources updates};
END $$;

-- Another content for item `i`, which has the name `its_name` or gets it.
CREATE FUNCTION keep_other(
    guid uuid, i items, its_name text, new_class text, limit_change bigint, now bigint, tags bytea[],
    %{resources parameters},
    rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters}
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    its_class text := CASE new_class WHEN '' THEN i.class ELSE new_class END;
    seen bigint;
BEGIN
    IF its_class = 'IPM.Note' THEN
        RAISE EXCEPTION 'A message has no name in its folder' USING ERRCODE = 'PM003';
    END IF;
    SELECT u.change INTO seen FROM update_item(
        guid, i.id, new_class, limit_change, true, rendering, hashes, sizes, datas, %{arguments}) AS u;
    PERFORM keep_resources(i.folder, ARRAY[i.id], ARRAY[its_name], tags, sizes, ARRAY[its_class], now, seen,
        %{resources arrays});
    RETURN seen;
END $$;

-- `expected`: NULL for any, '' for nothing, '*' for something, else the tag of what is there.
CREATE FUNCTION put_resource(
    guid uuid, folder bigint, wanted text, expected bytea, unique_uid boolean, new_class text, now bigint, tags bytea[],
    %{resources parameters},
    rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters},
    OUT item bigint, OUT is_new boolean, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
    r resources;
    ids bigint[];
BEGIN
    SELECT * INTO r FROM resources o WHERE o.folder = f.id AND o.name = wanted;
    is_new := NOT FOUND;
    PERFORM check_tag(r, expected);
    IF unique_uid THEN
        PERFORM check_uids(f.id, resources_uid, ARRAY[coalesce(r.item, 0)]);
    END IF;
    IF NOT is_new THEN
        item := r.item;
        change := keep_other(guid, item_of(m, r.item), wanted, new_class, -1, now, tags,
            %{resources arrays},
            rendering, hashes, sizes, datas, %{arguments});
        RETURN;
    END IF;
    SELECT c.ids, c.change INTO ids, change FROM create_items(
        guid, folder, ARRAY[1::bigint], ARRAY[1::bigint], ARRAY[now], ARRAY[new_class], sizes[1], 0, 0,
        rendering, hashes, sizes, datas, %{arguments}) AS c;
    item := ids[1];
    PERFORM keep_resources(f.id, ids, ARRAY[wanted], tags, sizes, ARRAY[new_class], now, change,
        %{resources arrays});
END $$;

CREATE FUNCTION check_tag(r resources, expected bytea) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (CASE expected WHEN '' THEN r.item IS NOT NULL WHEN '*' THEN r.item IS NULL
        ELSE expected IS NOT NULL AND r.tag IS DISTINCT FROM expected END)
    THEN
        RAISE EXCEPTION 'The resource is another than was expected' USING ERRCODE = 'PM009';
    END IF;
END $$;

-- The first parameters are those of `create_items`; `which` says which content each new item has.
CREATE FUNCTION add_resources(
    guid uuid, folder bigint, which bigint[], flags bigint[], dates bigint[], classes text[], total bigint,
    unseen_count bigint, deleted_count bigint, names text[], unique_uids boolean, now bigint, tags bytea[],
    %{resources parameters},
    rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters}, OUT ids bigint[], OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    f folders := folder_of(lock_mailbox(guid), folder);
BEGIN
    IF EXISTS (
        SELECT FROM unnest(names) AS w(name) CROSS JOIN LATERAL (
            SELECT FROM resources o WHERE o.folder = f.id AND o.name = w.name OFFSET 0) AS r
    ) THEN
        RAISE EXCEPTION 'The name is taken' USING ERRCODE = 'PM002';
    END IF;
    IF unique_uids THEN
        PERFORM check_uids(f.id, resources_uid, '{}');
    END IF;
    SELECT c.ids, c.change INTO ids, change FROM create_items(
        guid, folder, which, flags, dates, classes, total, unseen_count, deleted_count,
        rendering, hashes, sizes, datas, %{arguments}) AS c;
    PERFORM keep_resources(f.id, ids, names, tags, (SELECT array_agg(sizes[w.place] ORDER BY w.n)
        FROM unnest(which) WITH ORDINALITY AS w(place, n)), classes, now, change,
        %{resources arrays});
END $$;

-- Gives item `wanted` another content. Without a name so far it gets `new_name`.
CREATE FUNCTION replace_resource(
    guid uuid, wanted bigint, new_name text, new_class text, limit_change bigint, now bigint, tags bytea[],
    %{resources parameters},
    rendering bigint, hashes bytea[], sizes bigint[], datas bytea[], %{parameters}
) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN keep_other(guid, item_of(lock_mailbox(guid), wanted), new_name, new_class, limit_change, now, tags,
        %{resources arrays},
        rendering, hashes, sizes, datas, %{arguments});
END $$;

CREATE FUNCTION resource_of(f folders, wanted text) RETURNS resources LANGUAGE plpgsql AS $$
DECLARE
    r resources;
BEGIN
    SELECT * INTO r FROM resources o WHERE o.folder = f.id AND o.name = wanted;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No such resource' USING ERRCODE = 'PM001';
    END IF;
    RETURN r;
END $$;

CREATE FUNCTION remove_resource(guid uuid, folder bigint, wanted text, expected bytea) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
    r resources := resource_of(f, wanted);
    place bigint;
BEGIN
    PERFORM check_tag(r, expected);
    SELECT i.uid INTO place FROM items i WHERE i.id = r.item;
    PERFORM take_out(m, f, m.change + 1, ARRAY[place], ARRAY[place], 0);
    RETURN m.change + 1;
END $$;

-- Moves or copies a resource to another folder, another name or both.
CREATE FUNCTION place_resource(
    guid uuid, folder bigint, wanted text, target bigint, new_name text, move boolean, overwrite boolean, unique_uid boolean,
    OUT item bigint, OUT tag bytea, OUT is_new boolean, OUT change bigint
) LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(guid);
    f folders := folder_of(m, folder);
    t folders := folder_of(m, target);
    r resources := resource_of(f, wanted);
    old resources;
    place bigint;
BEGIN
    tag := r.tag;
    SELECT * INTO old FROM resources o WHERE o.folder = t.id AND o.name = new_name;
    is_new := NOT FOUND;
    IF old.item = r.item THEN
        RAISE EXCEPTION 'The resource is there already' USING ERRCODE = 'PM003';
    END IF;
    IF NOT is_new AND NOT overwrite THEN
        RAISE EXCEPTION 'The name is taken' USING ERRCODE = 'PM002';
    END IF;
    IF unique_uid THEN
        PERFORM check_uids(t.id, ARRAY[r.uid], ARRAY[coalesce(old.item, 0), CASE WHEN move THEN r.item ELSE 0 END]);
    END IF;
    IF NOT is_new THEN
        SELECT i.uid INTO place FROM items i WHERE i.id = old.item;
        PERFORM take_out(m, t, m.change + 1, ARRAY[place], ARRAY[place], 0);
        m := lock_mailbox(guid);
    END IF;
    item := r.item;
    IF move AND t.id = f.id THEN
        change := m.change + 1;
        UPDATE resources o SET name = new_name, changed = m.change + 1 WHERE o.item = r.item;
        INSERT INTO expunged (folder, modseq, uids, names) VALUES (f.id, m.change + 1, '{}', ARRAY[r.name]);
        UPDATE folders o SET highest_modseq = m.change + 1 WHERE o.id = f.id;
        UPDATE mailboxes o SET change = m.change + 1 WHERE o.id = m.id;
        RETURN;
    END IF;
    SELECT i.uid INTO place FROM items i WHERE i.id = r.item;
    SELECT c.change INTO change FROM copy_items(guid, f.id, ARRAY[place], ARRAY[place], t.id, move) AS c;
    IF NOT move THEN
        -- It has the last UID of the folder.
        SELECT i.id INTO item FROM items i WHERE i.folder = t.id AND i.uid >= t.uid_next ORDER BY i.uid DESC LIMIT 1;
    END IF;
    UPDATE resources o SET name = new_name WHERE o.item = place_resource.item;
END $$;

-- What becomes of names when items leave a folder as the change `at`: for good, into another folder, or as copies. The callers
-- ask only where there is an item that is not mail.

CREATE FUNCTION forget_resources(of_folder bigint, at bigint, gone bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH removed AS (
        DELETE FROM resources r WHERE r.item = ANY (gone) RETURNING r.name
    )
    UPDATE expunged e SET names = s.names FROM (SELECT array_agg(removed.name) AS names FROM removed) AS s
    WHERE e.folder = of_folder AND e.modseq = at AND s.names IS NOT NULL;
END $$;

CREATE FUNCTION move_resources(of_folder bigint, target bigint, at bigint, moved bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE expunged e SET names = s.names
    FROM (SELECT array_agg(r.name) AS names FROM resources r WHERE r.item = ANY (moved)) AS s
    WHERE e.folder = of_folder AND e.modseq = at AND s.names IS NOT NULL;
    UPDATE resources r SET folder = target, name = free_name(target, r.name), changed = at WHERE r.item = ANY (moved);
END $$;

-- `sources[n]` was copied to the UID first_uid + n - 1.
CREATE FUNCTION copy_resources(target bigint, first_uid bigint, at bigint, sources bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO resources (item, folder, name, uid, tag, size, class, created, modified, changed, content,
        starts, ends, expands, busy, private, status, organizer, reminds, addresses)
    SELECT i.id, target, free_name(target, r.name), r.uid, r.tag, r.size, r.class, i.created, r.modified, at, r.content,
        r.starts, r.ends, r.expands, r.busy, r.private, r.status, r.organizer, r.reminds, r.addresses
    FROM unnest(sources) WITH ORDINALITY AS s(id, n)
    CROSS JOIN LATERAL (SELECT * FROM resources o WHERE o.item = s.id OFFSET 0) AS r
    CROSS JOIN LATERAL (SELECT * FROM items o WHERE o.folder = target AND o.uid = first_uid + s.n - 1 OFFSET 0) AS i;
END $$;
