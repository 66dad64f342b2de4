-- Items by id, of every class; folders by parent and name; rights; properties (docs/decisions/0003). Nothing here reads or writes
-- what grows with the mail: new columns of items have constant defaults, and where there are items already, the unique index of
-- their ids is made later, beside the work (store/index_build.py).

ALTER TABLE items
    -- The mailbox's change number with which the item came into its folder; 1 for what was there before this column.
    ADD COLUMN arrived bigint NOT NULL DEFAULT 1,
    -- When the item was made, seconds since the epoch; 0 for what was there before: then its internal date says it.
    ADD COLUMN created bigint NOT NULL DEFAULT 0,
    ADD COLUMN class   text NOT NULL DEFAULT 'IPM.Note';

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM items) THEN
        CREATE UNIQUE INDEX items_id ON items (id);
    END IF;
END $$;

-- Ids of what went away, beside the UIDs: of items that left the folder. An item that got a new UID where it is has none here.
ALTER TABLE expunged
    ADD COLUMN ids   bigint[] NOT NULL DEFAULT '{}',
    -- Into another folder of the mailbox.
    ADD COLUMN moved boolean NOT NULL DEFAULT false;

ALTER TABLE folders
    -- 0 at the top. Of a folder whose own parent was deleted, the nearest above that exists.
    ADD COLUMN parent bigint NOT NULL DEFAULT 0,
    ADD COLUMN name   text NOT NULL DEFAULT '',
    ADD COLUMN class  text NOT NULL DEFAULT 'IPF.Note',
    -- The mailbox's change numbers with which the folder itself last changed, and with which it was made.
    ADD COLUMN change bigint NOT NULL DEFAULT 1,
    ADD COLUMN made   bigint NOT NULL DEFAULT 1;

UPDATE folders f SET name = f.path[cardinality(f.path)], parent = coalesce((
    SELECT p.id FROM generate_series(1, cardinality(f.path) - 1) AS d(depth)
    JOIN folders p ON p.mailbox = f.mailbox AND p.path = f.path[:d.depth]
    ORDER BY d.depth DESC LIMIT 1), 0);

CREATE TABLE removed_folders (
    mailbox integer NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    folder  bigint NOT NULL,
    change  bigint NOT NULL,
    PRIMARY KEY (mailbox, change, folder)
);

CREATE TABLE folder_rights (
    folder  bigint NOT NULL REFERENCES folders ON DELETE CASCADE,
    grantee uuid NOT NULL,
    rights  bigint NOT NULL,
    PRIMARY KEY (folder, grantee)
);

-- What an item's content cannot say: by tag, the value in the binary form of MS-OXCDATA section 2.11.
CREATE TABLE properties (
    item  bigint NOT NULL,
    tag   bigint NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (item, tag)
);

-- Named properties, numbered per mailbox from 0x8000 (MS-OXCPRPT section 3.2.5.9). A name is a number or a text: lid -1, or name ''.
CREATE TABLE property_names (
    mailbox integer NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    id      bigint NOT NULL,
    set     uuid NOT NULL,
    lid     bigint NOT NULL,
    name    text NOT NULL,
    PRIMARY KEY (mailbox, id),
    UNIQUE (mailbox, set, lid, name)
);
