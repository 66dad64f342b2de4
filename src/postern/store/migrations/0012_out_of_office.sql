-- Answers while the owner of a mailbox is away.
CREATE TABLE out_of_office (
    mailbox  integer PRIMARY KEY REFERENCES mailboxes ON DELETE CASCADE,
    state    smallint NOT NULL,
    audience smallint NOT NULL,
    starts   bigint NOT NULL,
    ends     bigint NOT NULL,
    internal text NOT NULL,
    external text NOT NULL
);

-- Those who had an answer since answering was switched on, by a digest of the address.
CREATE TABLE answered (
    mailbox integer NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    sender  bytea NOT NULL,
    at      bigint NOT NULL,
    PRIMARY KEY (mailbox, sender)
);

-- Delivered messages that wait for an answer. `deliver` adds a row in the transaction of the delivery.
CREATE TABLE replies (
    item    bigint PRIMARY KEY,
    mailbox integer NOT NULL REFERENCES mailboxes ON DELETE CASCADE
);
CREATE INDEX replies_mailbox ON replies (mailbox);

-- Whether `state` is not 0: a delivery reads this row anyway.
ALTER TABLE mailboxes ADD COLUMN answers boolean NOT NULL DEFAULT false;
-- Whether an item goes to Sent Items when a hub has taken it.
ALTER TABLE outbox ADD COLUMN is_kept boolean NOT NULL DEFAULT true;
