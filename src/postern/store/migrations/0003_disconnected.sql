-- Mailboxes whose owner the directory no longer has: since when (seconds since the epoch; 0: connected, 1: being purged),
-- and the address that the owner had.
ALTER TABLE mailboxes
    ADD COLUMN owner        text NOT NULL DEFAULT '',
    ADD COLUMN disconnected bigint NOT NULL DEFAULT 0;
CREATE INDEX mailboxes_disconnected ON mailboxes (disconnected) WHERE disconnected > 0;
