-- Those who work in a mailbox as its owner does (docs/decisions/0015).
CREATE TABLE full_access (
    mailbox integer NOT NULL REFERENCES mailboxes ON DELETE CASCADE,
    grantee uuid NOT NULL,
    PRIMARY KEY (mailbox, grantee)
);
CREATE INDEX full_access_grantee ON full_access (grantee);
