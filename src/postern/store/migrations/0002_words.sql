-- What SEARCH, SORT and THREAD read: text decoded from any charset and folded for comparison.

ALTER TABLE contents
    ADD COLUMN sent         bigint NOT NULL DEFAULT 0,
    ADD COLUMN sent_day     bigint NOT NULL DEFAULT 0,
    ADD COLUMN subject      text NOT NULL DEFAULT '',
    ADD COLUMN base_subject text NOT NULL DEFAULT '',
    ADD COLUMN is_reply     boolean NOT NULL DEFAULT false,
    ADD COLUMN sort_from    text NOT NULL DEFAULT '',
    ADD COLUMN sort_to      text NOT NULL DEFAULT '',
    ADD COLUMN sort_cc      text NOT NULL DEFAULT '',
    ADD COLUMN display_from text NOT NULL DEFAULT '',
    ADD COLUMN display_to   text NOT NULL DEFAULT '',
    ADD COLUMN message_id   text NOT NULL DEFAULT '',
    ADD COLUMN refs         text NOT NULL DEFAULT '';
-- What was stored before has the number of its older rendering, and so is rendered anew.

CREATE TABLE texts (
    content bigint PRIMARY KEY,
    -- "\nname:value" of each header field.
    fields  text COMPRESSION lz4 NOT NULL,
    body    text COMPRESSION lz4 NOT NULL
);
ALTER TABLE texts ALTER COLUMN fields SET STORAGE MAIN, ALTER COLUMN body SET STORAGE MAIN;

-- The outbox: items that their owner has sent and no hub has taken yet.
CREATE TABLE outbox (
    mailbox integer NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    uid     bigint NOT NULL,
    PRIMARY KEY (mailbox, uid)
);
