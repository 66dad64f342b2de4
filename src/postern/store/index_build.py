"""Builds the unique index of item ids beside the work, in a database that had items before it (migration 6).

A migration has half a minute, and an index of many items takes longer. `CREATE INDEX CONCURRENTLY` lets deliveries go on. A
build that was interrupted leaves an index that is not valid, which the next build drops first.
"""

from __future__ import annotations

from postern.store import wire
from postern.store.connection import Connection, Pool
from postern.telemetry.log import Event, log

_LOCK = 0x496E6478  # "Indx": any number that nobody else in this database uses
_IS_THERE = """
    SELECT coalesce((SELECT i.indisvalid::int FROM pg_index i WHERE i.indexrelid = to_regclass('items_id')), -1)::int8
"""
"""1: the index is there; 0: an interrupted build left one that is not valid; -1: there is none."""


async def build(pool: Pool, conninfo: str) -> bool:
    """Returns True when the index is there, False when another process builds it. Raises MailboxError UNAVAILABLE."""
    if await _state(pool) == 1:
        return True
    connection = await Connection.open(conninfo, "postern-index")
    try:
        if not await connection.try_lock(_LOCK):
            return False
        state = await _state(connection)
        if state == 0:
            await connection.script("DROP INDEX CONCURRENTLY IF EXISTS items_id")
        if state < 1:
            log(Event.INDEX_BEGUN, index="items_id")
            await connection.script("CREATE UNIQUE INDEX CONCURRENTLY items_id ON items (id)")
            log(Event.INDEX_BUILT, index="items_id")
        return True
    finally:
        connection.close()


async def _state(connection: Pool | Connection) -> int:
    return wire.to_int8((await connection.run(_IS_THERE))[0][0])
