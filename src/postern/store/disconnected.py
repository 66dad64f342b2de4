"""Finds, lists and purges mailboxes without an owner in the directory, and connects them to another owner."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from postern.model.directory import IncompleteAnswer
from postern.model.mailbox import DisconnectedMailbox
from postern.store import wire
from postern.store.connection import Pool

Find = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, str]]]
"""Finds the owners among these that the directory has, each with an address or a name."""

_ASKED = 500
"""Mailboxes that the directory is asked about at a time."""
_NEXT = """
SELECT guid, disconnected FROM mailboxes WHERE guid > $1::uuid AND disconnected <> 1 ORDER BY guid LIMIT $2::bigint
"""
_MARK = """
WITH changed AS (
    SELECT m.id, p.owner FROM unnest($1::uuid[], $2::text[]) AS p(guid, owner) JOIN mailboxes m USING (guid)
     WHERE m.disconnected <> 1
       AND CASE WHEN p.owner = '' THEN m.disconnected = 0 ELSE m.owner <> p.owner OR m.disconnected <> 0 END
     ORDER BY m.id FOR NO KEY UPDATE OF m)
UPDATE mailboxes m SET owner = coalesce(nullif(c.owner, ''), m.owner),
                       disconnected = CASE WHEN c.owner = '' THEN $3::bigint ELSE 0 END
  FROM changed c WHERE m.id = c.id
"""
_PORTION = 500
"""Items that one transaction removes: a mailbox of any size holds no lock for long."""


async def reconcile(pool: Pool, find: Find, now: int) -> None:
    """Asks the directory about the owners of all mailboxes, portion by portion. A mailbox whose owner is found is connected,
    under the owner's name, at once. The others are marked as disconnected at `now` (epoch seconds) only after all were asked: if
    `find` raises, no mailbox is disconnected. Raises IncompleteAnswer if mailboxes would be disconnected and nobody at all was
    found: then something is wrong with the directory, for not everybody can be gone."""
    missing: list[UUID] = []
    anybody, last = False, UUID(int=0)
    while True:
        rows = await pool.run(_NEXT, [last.bytes, wire.int8(_ASKED)])
        asked = {UUID(bytes=guid): wire.to_int8(marked) == 0 for guid, marked in rows if guid is not None}
        if not asked:
            break
        last = max(asked, key=lambda guid: guid.bytes)
        owners = await find(list(asked))
        anybody = anybody or bool(owners)
        missing += (guid for guid, connected in asked.items() if connected and guid not in owners)
        if owners:
            await _mark(pool, list(owners), list(owners.values()), now)
    if missing and not anybody:
        raise IncompleteAnswer("the directory knows the owner of no mailbox here")
    for start in range(0, len(missing), _ASKED):
        part = missing[start : start + _ASKED]
        await _mark(pool, part, [""] * len(part), now)


async def _mark(pool: Pool, guids: Sequence[UUID], owners: Sequence[str], now: int) -> None:
    """Writes the owners of mailboxes; the owner "" means that the directory has none. Only rows that change are locked."""
    await pool.run(_MARK, [wire.uuids(guids), wire.texts(owners), wire.int8(now)])


async def disconnect(pool: Pool, mailbox: UUID, owner: str, now: int) -> bool:
    """Disconnects a mailbox. Returns whether there is such a mailbox."""
    rows = await pool.run(
        "UPDATE mailboxes SET owner = $2::text, disconnected = $3::bigint WHERE guid = $1::uuid AND disconnected <> 1 "
        "RETURNING id",
        [mailbox.bytes, wire.text(owner), wire.int8(now)],
    )
    return bool(rows)


async def disconnected(pool: Pool) -> list[DisconnectedMailbox]:
    rows = await pool.run(
        "SELECT guid, owner, disconnected, items, used FROM mailboxes WHERE disconnected > 1 ORDER BY disconnected, id"
    )
    return [
        DisconnectedMailbox(UUID(bytes=guid), (owner or b"").decode(), *map(wire.to_int8, numbers))
        for guid, owner, *numbers in rows
    ]


async def connect(pool: Pool, mailbox: UUID, heir: UUID) -> None:
    await pool.run("SELECT connect_mailbox($1::uuid, $2::uuid)", [mailbox.bytes, heir.bytes])


async def purge(pool: Pool, mailbox: UUID | None, before: int) -> int:
    """Purges one mailbox (or all, None) if disconnected before that time, and what an interrupted purge left. Returns the
    number."""
    rows = await pool.run(
        "SELECT begin_purge($1::uuid, $2::bigint)", [mailbox.bytes if mailbox is not None else None, wire.int8(before)]
    )
    while (await pool.run("SELECT purge($1::bigint)::int::bigint", [wire.int8(_PORTION)]))[0][0] != wire.int8(0):
        pass
    return wire.to_int8(rows[0][0])
