-- Mailboxes, folders, items and their content. All text is compared bytewise (the database's locale is C).

CREATE TABLE mailboxes (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    guid          uuid NOT NULL UNIQUE,
    quota         bigint NOT NULL DEFAULT 0,
    used          bigint NOT NULL DEFAULT 0,
    items         bigint NOT NULL DEFAULT 0,
    -- Grows with every change in the mailbox; an item's mod-sequence is the change that last touched it.
    change        bigint NOT NULL DEFAULT 1,
    last_validity bigint NOT NULL DEFAULT extract(epoch FROM now())::bigint
) WITH (fillfactor = 50);

CREATE TABLE folders (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mailbox        integer NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    path           text[] NOT NULL,
    kind           text NOT NULL,
    uid_validity   bigint NOT NULL,
    uid_next       bigint NOT NULL DEFAULT 1,
    highest_modseq bigint NOT NULL DEFAULT 1,
    messages       bigint NOT NULL DEFAULT 0,
    unseen         bigint NOT NULL DEFAULT 0,
    deleted        bigint NOT NULL DEFAULT 0,
    size           bigint NOT NULL DEFAULT 0,
    recent_uid     bigint NOT NULL DEFAULT 1,
    keywords       text[] NOT NULL DEFAULT '{}',
    UNIQUE (mailbox, path)
) WITH (fillfactor = 50);

CREATE TABLE subscriptions (
    mailbox integer NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    path    text[] NOT NULL,
    PRIMARY KEY (mailbox, path)
);

-- One row per different message of the database. What IMAP asks for most is rendered here once, at delivery.
CREATE TABLE contents (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash        bytea NOT NULL UNIQUE,
    size        bigint NOT NULL,
    header_size bigint NOT NULL,
    rendering   smallint NOT NULL,
    envelope    bytea NOT NULL,
    structure   bytea NOT NULL,
    body        bytea NOT NULL
);

-- Kept beside, so that reading ten thousand envelopes does not drag ten thousand messages through memory.
CREATE TABLE bodies (
    content bigint PRIMARY KEY,
    data    bytea COMPRESSION lz4 NOT NULL
);
ALTER TABLE bodies ALTER COLUMN data SET STORAGE MAIN;

CREATE SEQUENCE item_ids;

CREATE TABLE items (
    folder        bigint NOT NULL,
    uid           bigint NOT NULL,
    -- Stable for the item's life, also when it moves.
    id            bigint NOT NULL DEFAULT nextval('item_ids'),
    content       bigint NOT NULL,
    flags         bigint NOT NULL,
    modseq        bigint NOT NULL,
    internal_date bigint NOT NULL,
    size          bigint NOT NULL,
    PRIMARY KEY (folder, uid)
) WITH (fillfactor = 90);
CREATE INDEX items_modseq ON items (folder, modseq);
CREATE INDEX items_content ON items (content);

-- RFC 7162: which UIDs went away with which change. One row per operation.
CREATE TABLE expunged (
    folder bigint NOT NULL,
    modseq bigint NOT NULL,
    uids   bigint[] NOT NULL,
    PRIMARY KEY (folder, modseq)
);

-- Contents that lost an item and may have none left.
CREATE TABLE orphans (
    content bigint NOT NULL
);

-- What was delivered lately, so that a hub may say it again.
CREATE TABLE delivered (
    mailbox     integer NOT NULL,
    delivery_id text NOT NULL,
    at          bigint NOT NULL,
    PRIMARY KEY (mailbox, delivery_id)
);
