-- Delivered messages that may hold a meeting, until the calendar attendant has finished them. `deliver` adds a row in the
-- transaction of the delivery, so that no message is forgotten and none is looked for.
CREATE TABLE meetings (
    item    bigint PRIMARY KEY,
    mailbox bigint NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    -- What was promised to the sender, in the attendant's own numbers.
    promise bigint
);
CREATE INDEX meetings_mailbox ON meetings (mailbox);
