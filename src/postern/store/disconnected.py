"""Mailboxes whose owner the directory no longer has: listed, connected to another owner, purged."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from postern.model.mailbox import DisconnectedMailbox
from postern.store import wire
from postern.store.connection import Pool

_PORTION = 500
"""Items that one transaction removes: a mailbox of any size holds no lock for long."""


async def reconcile(pool: Pool, owners: Mapping[UUID, str], now: int) -> None:
    """An empty answer of a directory means that something is wrong with it, not that everybody is gone."""
    if owners:
        await pool.run(
            "SELECT reconcile($1::uuid[], $2::text[], $3::bigint)",
            [wire.uuids(owners), wire.texts(owners.values()), wire.int8(now)],
        )


async def disconnect(pool: Pool, mailbox: UUID, owner: str, now: int) -> None:
    await pool.run(
        "UPDATE mailboxes SET owner = $2::text, disconnected = $3::bigint WHERE guid = $1::uuid AND disconnected <> 1",
        [mailbox.bytes, wire.text(owner), wire.int8(now)],
    )


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
    """Purges one mailbox, or all of them, disconnected before that time; and what an interrupted purge left. How many."""
    rows = await pool.run(
        "SELECT begin_purge($1::uuid, $2::bigint)", [mailbox.bytes if mailbox is not None else None, wire.int8(before)]
    )
    while (await pool.run("SELECT purge($1::bigint)::int::bigint", [wire.int8(_PORTION)]))[0][0] != wire.int8(0):
        pass
    return wire.to_int8(rows[0][0])
