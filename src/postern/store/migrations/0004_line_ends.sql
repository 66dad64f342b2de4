-- What POP3 adds to a message whose last line has no end (RFC 1939 section 3): its size counts as it is sent. Nearly all mails
-- end in CRLF, so the index of those that do not is small, and a maildrop's sizes need no look at its contents.
ALTER TABLE bodies ADD COLUMN added smallint NOT NULL GENERATED ALWAYS AS (
    CASE WHEN data = '' OR substring(data FROM greatest(length(data) - 1, 1)) = '\x0d0a' THEN 0 ELSE 2 END
) STORED;
CREATE INDEX bodies_added ON bodies (content) WHERE added > 0;
