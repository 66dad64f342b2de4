"""Full access to mailboxes."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from postern.model.mailbox import MailboxError
from postern.store import wire
from postern.store.connection import Pool
from postern.store.folder_tree import MAX_GRANTEES
from postern.store.notices import Notices

_MOST_ACCESSIBLE = 10_000
"""Mailboxes that `accessible` finds at most: more than anybody works in."""
_HOLDERS = """
    SELECT a.grantee FROM mailboxes m LEFT JOIN full_access a ON a.mailbox = m.id WHERE m.guid = $1::uuid ORDER BY a.grantee
"""
_ACCESSIBLE = """
    SELECT DISTINCT m.guid FROM full_access a JOIN mailboxes m ON m.id = a.mailbox
    WHERE a.grantee = ANY ($1::uuid[]) AND m.disconnected = 0 ORDER BY m.guid LIMIT $2::bigint
"""


async def full_access(pool: Pool, mailbox: UUID) -> list[UUID]:
    rows = await pool.read(_HOLDERS, [mailbox.bytes])
    if not rows:
        raise MailboxError("NONEXISTENT", "No such mailbox")
    return [UUID(bytes=grantee) for (grantee,) in rows if grantee is not None]


async def set_full_access(pool: Pool, notices: Notices, mailbox: UUID, grantee: UUID, is_granted: bool) -> None:
    parameters = [mailbox.bytes, grantee.bytes, wire.boolean(is_granted), wire.int8(MAX_GRANTEES)]
    rows = await pool.run("SELECT set_full_access($1::uuid, $2::uuid, $3::boolean, $4::bigint)", parameters)
    notices.changed(mailbox, wire.to_int8(rows[0][0]))


async def accessible(pool: Pool, grantees: Sequence[UUID]) -> list[UUID]:
    rows = await pool.read(_ACCESSIBLE, [wire.uuids(grantees), wire.int8(_MOST_ACCESSIBLE)])
    return [UUID(bytes=guid) for (guid,) in rows if guid is not None]
