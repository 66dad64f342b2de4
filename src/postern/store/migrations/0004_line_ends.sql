-- Contents whose last line has no end, which POP3 adds (RFC 1939 section 3): their size counts as it is sent. Nearly all mails
-- end in CRLF, so these are few, and a maildrop's sizes need no look at its contents. What was stored before is told by its
-- last octets until it is rendered anew.
CREATE TABLE unended (
    content bigint PRIMARY KEY
);
