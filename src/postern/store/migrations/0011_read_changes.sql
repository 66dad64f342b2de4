-- Which change of an item only marked it as read or unread, as synchronization tells it (MS-OXWSSYNC, ReadFlagChange). The number
-- of the last such change, and of the last change before it that did more; both count only while `read_change` is the item's
-- `modseq`, so nothing else that changes items needs to know these columns. NULL costs an older row nothing.
ALTER TABLE items
    ADD COLUMN read_change bigint,
    ADD COLUMN other_change bigint;
