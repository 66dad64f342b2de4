-- The number of a change of items that is made now, after the change `last`: no less than the time in microseconds. So the number
-- of an item's last change says when that was (`StoredItem.modified`).
CREATE FUNCTION change_of_now(last bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT greatest(last + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
$$;

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

-- The well-known folders without mail (`model.folders.FOLDER_CLASSES`), which a mailbox of an older version does not have. A folder
-- of the user's own at the top that has the name and the class becomes the well-known one; a name that is taken otherwise gets a
-- number. `names` are those of calendar, contacts, tasks, notes and journal.
CREATE FUNCTION furnish(wanted uuid, names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes := lock_mailbox(wanted);
    known record;
BEGIN
    IF m.furnished > 0 THEN
        RETURN;
    END IF;
    FOR known IN SELECT * FROM (VALUES
        ('calendar', names[1], 'IPF.Appointment'), ('contacts', names[2], 'IPF.Contact'), ('tasks', names[3], 'IPF.Task'),
        ('notes', names[4], 'IPF.StickyNote'), ('journal', names[5], 'IPF.Journal')) AS k(kind, name, class)
    LOOP
        UPDATE folders f SET kind = known.kind, change = (SELECT b.change + 1 FROM mailboxes b WHERE b.id = m.id)
        WHERE f.mailbox = m.id AND f.path = ARRAY[known.name] AND f.class = known.class AND f.kind = 'user';
        IF NOT FOUND THEN
            PERFORM make_folder(m.id, ARRAY[free_top_name(m.id, known.name)], known.kind, known.class);
        ELSE
            UPDATE mailboxes b SET change = b.change + 1 WHERE b.id = m.id;
        END IF;
    END LOOP;
    UPDATE mailboxes b SET furnished = 1 WHERE b.id = m.id;
END $$;

-- Opens a mailbox; the first time with its well-known folders. A `new_quota` below 0 leaves what is set;
-- with another the directory knows the owner, who may be back.
CREATE FUNCTION logon(wanted uuid, new_quota bigint, names text[]) RETURNS mailboxes LANGUAGE plpgsql AS $$
DECLARE
    m mailboxes;
BEGIN
    SELECT * INTO m FROM mailboxes WHERE guid = wanted;
    IF NOT FOUND THEN
        INSERT INTO mailboxes (guid, quota) VALUES (wanted, greatest(new_quota, 0)) ON CONFLICT (guid) DO NOTHING RETURNING * INTO m;
        IF FOUND THEN
            PERFORM make_folder(m.id, path, kind, 'IPF.Note') FROM (VALUES
                (ARRAY['INBOX'], 'inbox'), (ARRAY['Sent Items'], 'sent'), (ARRAY['Drafts'], 'drafts'),
                (ARRAY['Deleted Items'], 'deleted'), (ARRAY['Junk E-mail'], 'junk'), (ARRAY['Outbox'], 'outbox'),
                (ARRAY['Archive'], 'archive')) AS known(path, kind);
            INSERT INTO subscriptions SELECT m.id, f.path FROM folders f WHERE f.mailbox = m.id;
        END IF;
        SELECT * INTO m FROM mailboxes WHERE guid = wanted;
    END IF;
    IF m.furnished < 1 THEN
        PERFORM furnish(wanted, names);
        SELECT * INTO m FROM mailboxes WHERE guid = wanted;
    END IF;
    IF new_quota >= 0 AND (m.quota <> new_quota OR m.disconnected > 1) THEN
        UPDATE mailboxes SET quota = new_quota, disconnected = 0 WHERE guid = wanted RETURNING * INTO m;
    END IF;
    RETURN m;
END $$;
