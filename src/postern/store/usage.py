"""Asks how much a mailbox database holds, without opening it for work: makes nothing in it, and brings nothing up to date."""

from __future__ import annotations

from typing import NamedTuple

from postern.model.mailbox import MailboxError
from postern.store import wire
from postern.store.connection import Connection, Rejected

_SECONDS = 5.0
_USAGE = "SELECT (SELECT count(*) FROM mailboxes), pg_database_size(current_database())"


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
