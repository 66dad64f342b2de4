-- Which rendering all contents have at least, which one they are being brought to, and up to which id that is done.
ALTER TABLE schema_version
    ADD COLUMN rendered bigint NOT NULL DEFAULT 0,
    ADD COLUMN renewing bigint NOT NULL DEFAULT 0,
    ADD COLUMN reached  bigint NOT NULL DEFAULT 0;
