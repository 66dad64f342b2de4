-- Items with names, beside the mail (docs/decisions/0003): appointments, tasks, contacts, documents. Nothing here reads or writes
-- what grows with the mail, and the tables of mail have only one new column, with a constant default.

-- One row for each item that has a name. All that a listing, a synchronization or a calendar view asks for is here, so that none
-- of these reads items or contents.
CREATE TABLE resources (
    item      bigint PRIMARY KEY,
    folder    bigint NOT NULL,
    name      text NOT NULL,
    -- The UID of the iCalendar object or the vCard; '' where it has none.
    uid       text NOT NULL,
    -- The first 16 octets of the content's SHA-256.
    tag       bytea NOT NULL,
    size      bigint NOT NULL,
    class     text NOT NULL,
    created   bigint NOT NULL,
    modified  bigint NOT NULL,
    -- The mailbox's change number that last touched content, name or folder.
    changed   bigint NOT NULL,
    -- Outer bounds of what the item occupies: NULL in no time, an end of 2^62 for a series without end. With `expands` the content
    -- says where the occurrences are.
    starts    bigint,
    ends      bigint,
    expands   boolean NOT NULL,
    busy      bigint NOT NULL,
    private   boolean NOT NULL,
    status    text NOT NULL,
    organizer text NOT NULL,
    reminds   bigint,
    addresses text[] NOT NULL,
    UNIQUE (folder, name)
) WITH (fillfactor = 90);
CREATE INDEX resources_changed ON resources (folder, changed);
CREATE INDEX resources_uid ON resources (folder, uid) WHERE uid <> '';
-- By the end first: most calendars are asked about the present, and most of what they hold is over.
CREATE INDEX resources_span ON resources (folder, ends, starts) WHERE starts IS NOT NULL;
CREATE INDEX resources_reminds ON resources (reminds) WHERE reminds IS NOT NULL;
CREATE INDEX resources_addresses ON resources (folder) WHERE addresses <> '{}';

-- The names of what left the folder, where it had some: DAV tells its clients names.
ALTER TABLE expunged ADD COLUMN names text[] NOT NULL DEFAULT '{}';

-- What is said of a folder beyond its name and class, as `properties` says it of an item.
CREATE TABLE folder_properties (
    folder bigint NOT NULL REFERENCES folders ON DELETE CASCADE,
    tag    bigint NOT NULL,
    value  bytea NOT NULL,
    PRIMARY KEY (folder, tag)
);

-- Which well-known folders the mailbox has: 0 those with mail, 1 Calendar and its like too. The next logon makes what is missing.
ALTER TABLE mailboxes ADD COLUMN furnished bigint NOT NULL DEFAULT 0;

CREATE INDEX folder_rights_grantee ON folder_rights (grantee);
