-- Every change of a mailbox begins with its row locked; folders and items are touched after it. A batch locks its
-- mailboxes in the order of their ids. So no two transactions can wait for each other.
CREATE FUNCTION lock_mailbox(wanted uuid) RETURNS mailboxes LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes;
BEGIN
    SELECT * INTO m FROM mailboxes WHERE guid = wanted FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No such mailbox' USING ERRCODE = 'PM001';
    END IF;
    RETURN m;
END $$;

-- The folder as it stands under the mailbox's lock.
CREATE FUNCTION folder_of(m mailboxes, wanted bigint) RETURNS folders LANGUAGE plpgsql AS $$
DECLARE
    f folders;
BEGIN
    SELECT * INTO f FROM folders WHERE id = wanted AND mailbox = m.id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'No such folder' USING ERRCODE = 'PM001';
    END IF;
    RETURN f;
END $$;

-- Opens a mailbox; the first time with its well-known folders. A `new_quota` below 0 leaves what is set;
-- with another the directory knows the owner, who may be back.
CREATE FUNCTION logon(wanted uuid, new_quota bigint) RETURNS mailboxes LANGUAGE plpgsql AS $$
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

-- A new folder. Its UIDVALIDITY is larger than that of any folder the mailbox ever had (RFC 9051 section 6.3.4).
CREATE FUNCTION make_folder(box integer, new_path text[], new_kind text) RETURNS bigint LANGUAGE plpgsql AS $$
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

CREATE FUNCTION create_folder(guid uuid, new_path text[], new_kind text, most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
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

CREATE FUNCTION make_parents(box integer, of_path text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR depth IN 1 .. cardinality(of_path) - 1 LOOP
        IF NOT EXISTS (SELECT FROM folders f WHERE f.mailbox = box AND f.path = of_path[:depth]) THEN
            PERFORM make_folder(box, of_path[:depth], 'user');
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION rename_folder(guid uuid, folder bigint, new_path text[], most bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
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

CREATE FUNCTION delete_folder(guid uuid, folder bigint) RETURNS bigint LANGUAGE plpgsql AS $$
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
