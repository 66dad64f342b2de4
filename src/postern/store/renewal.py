"""Contents that an older version rendered are rendered anew: behind everybody's back at a low pace, and at once where a reader
meets them.

One process at a time walks through all contents, portion by portion, and writes down how far it is; another one, or the next
start, goes on there. Until the walk is done, readers ask first for what is old of the items they want (`Renewal.of_items`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Iterator, Sequence
from uuid import UUID

from postern.protocols.mime.message import RENDERING, render
from postern.store import columns, wire
from postern.store.connection import Connection, Pool, Row
from postern.store.fetching import OWNED
from postern.store.ranges import merged
from postern.store.rendered import AT_ONCE, Unrenderable, made
from postern.telemetry.log import Event, log

REST = 4.0
"""How many times as long as a portion took the walk rests behind it."""
TOLD_EVERY = 60.0
"""Seconds between events of the walk."""
ASKED_EVERY = 30.0
"""Seconds between a reader's looks whether the walk is done."""
_LOOKED_AT = 1000
_PORTION = 50
_PORTION_OCTETS = 1 << 20
_LOCK = 0x506F7375  # any number that nobody else in this database uses

# Items are looked at in the order of their UIDs, old or not, so that a statement's work is bounded.
_ITEMS = (
    "SELECT i.uid, c.id, c.size, c.rendering::int8 FROM (SELECT o.uid, o.content FROM items o"  # noqa: S608 (our own words)
    f" WHERE o.folder = {OWNED} AND o.uid BETWEEN $3::bigint AND $4::bigint ORDER BY o.uid LIMIT $5::bigint) AS i"
    " LEFT JOIN contents c ON c.id = i.content ORDER BY i.uid"
)

Run = Callable[[str, Sequence[wire.Parameter]], Awaitable[list[Row]]]


class Renewal:
    """What the walk means to the readers of one process. `pending` is false once nothing old is left to be met."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asked = float("-inf")
        self._turn = asyncio.Lock()
        self.pending = True

    async def ask(self) -> bool:
        """Whether the walk is still to be done; looks into the database now and then."""
        if self.pending and time.monotonic() - self._asked >= ASKED_EVERY:
            rows = await self._pool.run("SELECT rendered FROM schema_version")
            self._asked = time.monotonic()
            self.pending = wire.to_int8(rows[0][0]) < RENDERING
        return self.pending

    async def of_items(self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]]) -> None:
        """Renders anew what is old of these items.

        Bound: linear in the items of the folder; at most 1,000 of them are looked at and 50 messages or 1 MB (or one larger
        message) rendered between two turns, and by one reader of the process at a time.
        """
        lows, highs = merged(uids)
        if not lows or not await self.ask():
            return
        start = lows[0]
        while True:
            rows = await self._pool.read(
                _ITEMS,
                [mailbox.bytes, *map(wire.int8, (folder, start, highs[-1], _LOOKED_AT))],
            )
            found = [tuple(map(wire.to_int8, row)) for row in rows]
            old = {
                content: size
                for uid, content, size, version in found
                if version < RENDERING and uid <= highs[bisect_right(lows, uid) - 1]
            }
            for portion in _portions(list(old.items())):
                # Who comes second finds less that is old: no message is rendered for each of many readers.
                async with self._turn:
                    await _renew(self._pool.run, portion)
            if len(found) < _LOOKED_AT:
                return
            start = found[-1][0] + 1
            place = bisect_left(highs, start)
            if place == len(highs):
                return
            start = max(start, lows[place])


async def walk(conninfo: str, rest: float = REST) -> bool:
    """Renders anew all that is old. True when that is done; False when another process is at it. Raises MailboxError."""
    connection = await Connection.open(conninfo, "postern-renewal")
    try:
        # It goes with the connection, so also with the process.
        rows = await connection.run("SELECT pg_try_advisory_lock($1::bigint)::int::int8", [wire.int8(_LOCK)])
        if not wire.to_int8(rows[0][0]):
            return False
        row = (await connection.run("SELECT rendered, renewing, reached FROM schema_version"))[0]
        rendered, renewing, reached = (wire.to_int8(value) for value in row)
        if rendered < RENDERING:
            await _walk(connection, reached if renewing == RENDERING else 0, rest)
        return True
    finally:
        connection.close()


async def _walk(connection: Connection, reached: int, rest: float) -> None:
    log(Event.RENDERING_BEGUN, version=RENDERING, behind=reached)
    count, told = 0, time.monotonic()
    while True:
        begun = time.perf_counter()
        # All are looked at, old or not, as above.
        rows = await connection.run(
            "SELECT c.id, c.size, c.rendering::int8 FROM contents c WHERE c.id > $1::bigint ORDER BY c.id LIMIT $2::bigint",
            [wire.int8(reached), wire.int8(_LOOKED_AT)],
        )
        if not rows:
            break
        old = [(wire.to_int8(i), wire.to_int8(size)) for i, size, version in rows if wire.to_int8(version) < RENDERING]
        for portion in _portions(old):
            count += await _renew(connection.run, portion)
            await _write_down(connection, portion[-1])
            if time.monotonic() - told >= TOLD_EVERY:
                told = time.monotonic()
                log(Event.RENDERING_GOES_ON, version=RENDERING, contents=count, behind=portion[-1])
            await asyncio.sleep((time.perf_counter() - begun) * rest)
            begun = time.perf_counter()
        reached = wire.to_int8(rows[-1][0])
        await _write_down(connection, reached)
        await asyncio.sleep((time.perf_counter() - begun) * rest)
    await connection.run("UPDATE schema_version SET rendered = $1::bigint", [wire.int8(RENDERING)])
    log(Event.RENDERING_DONE, version=RENDERING, contents=count)


async def _write_down(connection: Connection, reached: int) -> None:
    await connection.run(
        "UPDATE schema_version SET renewing = $1::bigint, reached = $2::bigint",
        [wire.int8(RENDERING), wire.int8(reached)],
    )


def _portions(contents: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Ids, few and small enough to be in memory together; `contents` are ids and sizes."""
    portion: list[int] = []
    octets = 0
    for number, size in contents:
        if portion and (len(portion) == _PORTION or octets + size > _PORTION_OCTETS):
            yield portion
            portion, octets = [], 0
        portion.append(number)
        octets += size
    if portion:
        yield portion


async def _renew(run: Run, ids: Sequence[int]) -> int:
    """Renders what is old of these contents and stores that; says how many. One that cannot be rendered keeps its former
    rendering."""
    rows = await run(
        "SELECT b.content, b.data FROM contents c JOIN bodies b ON b.content = c.id"
        " WHERE c.id = ANY ($1::bigint[]) AND c.rendering < $2::bigint ORDER BY c.id",
        [wire.int8s(ids), wire.int8(RENDERING)],
    )
    found, items, unended = [], [], []
    for row in rows:
        number, data = wire.to_int8(row[0]), row[1] or b""
        if data and not data.endswith(b"\r\n"):
            unended.append(number)
        with contextlib.suppress(Unrenderable):
            items.append(await made(f"rendering/{number}", render, data, in_thread=len(data) > AT_ONCE))
            found.append(number)
        await asyncio.sleep(0)
    if items or unended:
        parameters = [wire.int8s(found), wire.int8(RENDERING), wire.int8s(unended), *columns.arrays(items)]
        await run(_STORE, parameters)
    return len(items)


_ARRAYS = ", ".join(f"${place}::{column.type}[]" for place, column in enumerate(columns.COLUMNS, 4))
_KEPT = ", ".join(f"{column.name} = {column.kept('g.' + column.parameter)}" for column in columns.of_table("contents"))
_TEXTS = ", ".join("g." + column.parameter for column in columns.of_table("texts"))
_REPLACED = ", ".join(f"{column.name} = excluded.{column.name}" for column in columns.of_table("texts"))
# Rows are locked in the order of their ids, and only what still is old and still there: readers and the walk may meet.
_STORE = columns.filled(f"""
WITH given AS (
    SELECT * FROM unnest($1::bigint[], {_ARRAYS}) AS g(id, %{{arguments}})
), old AS (
    SELECT c.id FROM contents c WHERE c.id = ANY ($1::bigint[] || $3::bigint[]) AND c.rendering < $2::bigint ORDER BY c.id
    FOR NO KEY UPDATE
), g AS (
    SELECT given.* FROM old JOIN given ON given.id = old.id
), t AS (
    INSERT INTO texts (content, %{{texts columns}}) SELECT g.id, {_TEXTS} FROM g ON CONFLICT (content) DO UPDATE SET {_REPLACED}
), u AS (
    INSERT INTO unended SELECT old.id FROM old WHERE old.id = ANY ($3::bigint[]) ON CONFLICT (content) DO NOTHING
)
UPDATE contents c SET rendering = $2::bigint, {_KEPT} FROM g WHERE c.id = g.id
""")  # noqa: S608 (our own words)
