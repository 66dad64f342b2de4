"""Asks how much a mailbox database holds. `usage` does so without opening it for work: makes nothing in it, and brings nothing up
to date.
"""

from __future__ import annotations

from typing import NamedTuple

from postern.model.mailbox import MailboxError
from postern.store import wire
from postern.store.connection import Connection, Pool, Rejected

_SECONDS = 5.0
_OCTETS = "pg_database_size(current_database())"
_USAGE = f"SELECT (SELECT count(*) FROM mailboxes), {_OCTETS}"  # noqa: S608 (our own words)


class Usage(NamedTuple):
    """The contents of a database. `mailboxes` counts disconnected ones too; `size` is in octets on disk."""

    mailboxes: int
    size: int


async def usage(conninfo: str) -> Usage | None:
    """Returns the usage, or None where no server answers or its database holds no mailboxes yet."""
    try:
        connection = await Connection.open(conninfo, "postern-usage", _SECONDS)
    except MailboxError:
        return None
    try:
        ((mailboxes, size),) = await connection.run(_USAGE)
    except (MailboxError, Rejected):
        return None
    finally:
        connection.close()
    return Usage(wire.to_int8(mailboxes), wire.to_int8(size))


async def octets(pool: Pool) -> int:
    """Returns the octets that the pool's database takes on disk. Raises MailboxError."""
    [row] = await pool.run(f"SELECT {_OCTETS}")
    return wire.to_int8(row[0])
