PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE identity (name TEXT NOT NULL, generation INTEGER NOT NULL);
INSERT INTO "identity" VALUES('2d912add',1);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    parameters TEXT,
    origin TEXT NOT NULL,
    received REAL NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    size INTEGER NOT NULL,
    due REAL
);
INSERT INTO "messages" VALUES(4294967297,'<m1@remote.test>','bob@remote.test',NULL,'["internet-to-hub", "192.0.2.7", "client.remote.test", "", "Anonymous", "", ""]',1800000000.0,1,0,98,1800000000.5);
INSERT INTO "messages" VALUES(4294967298,'<m1@remote.test>','bob@remote.test',NULL,'["internet-to-hub", "192.0.2.7", "client.remote.test", "", "Anonymous", "", ""]',1800000000.0,1,122,98,1800000000.5);
CREATE TABLE recipients (
    message INTEGER NOT NULL,
    number INTEGER NOT NULL,
    address TEXT NOT NULL,
    notify TEXT NOT NULL,
    original TEXT NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due REAL NOT NULL,
    hop TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT NOT NULL,
    expanded INTEGER NOT NULL,
    warned INTEGER NOT NULL,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;
INSERT INTO "recipients" VALUES(4294967297,0,'alice@example.test','','',0,1,1800000000.5,'mailbox:hub1','4.4.1','no answer',0,0);
INSERT INTO "recipients" VALUES(4294967297,1,'bob@example.test','','',0,1,1800000000.5,'mailbox:hub1','4.4.1','no answer',0,0);
INSERT INTO "recipients" VALUES(4294967298,0,'x@far.test','','',0,1,1800000000.5,'hub:hub2','4.4.1','no answer',0,0);
CREATE INDEX waiting ON messages (due) WHERE due IS NOT NULL;
COMMIT;
