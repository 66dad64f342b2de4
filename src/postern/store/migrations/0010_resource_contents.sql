-- The content of a named item beside its name, so that reading a thousand of them does not look up a thousand items.
ALTER TABLE resources ADD COLUMN content bigint NOT NULL DEFAULT 0;
UPDATE resources r SET content = i.content FROM items i WHERE i.id = r.item;
