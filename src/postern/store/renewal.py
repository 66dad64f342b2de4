"""Renders anew what an older version rendered: slowly in the background, and at once where a reader meets it.

One process at a time walks through all contents, portion by portion, and writes down how far it is; another one, or the next
start, goes on there. Until the walk is done, readers first have the old ones among their items rendered (`Renewal.of_items`).
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
"""The rest after a portion, in multiples of the time that the portion took."""
TOLD_EVERY = 60.0
"""Seconds between events of the walk."""
ASKED_EVERY = 30.0
"""Seconds after which a reader asks again whether the walk is done."""
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
    """The readers' side of the walk, one for each process. `pending` is false once nothing old is left."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._asked = float("-inf")
        self._turn = asyncio.Lock()
        self.pending = True

    async def ask(self) -> bool:
        """Returns whether the walk is still to be done. Asks the database now and then."""
        if self.pending and time.monotonic() - self._asked >= ASKED_EVERY:
            rows = await self._pool.run("SELECT rendered FROM schema_version")
            self._asked = time.monotonic()
            self.pending = wire.to_int8(rows[0][0]) < RENDERING
        return self.pending

    async def of_items(self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]]) -> None:
        """Renders anew the old ones among these items.

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
            looked_at = [tuple(map(wire.to_int8, row)) for row in rows]
            old = {
                content: size
                for uid, content, size, version in looked_at
                if version < RENDERING and uid <= highs[bisect_right(lows, uid) - 1]
            }
            for portion in _portions(list(old.items())):
                # A second reader then finds less that is old: no message is rendered once for each of many readers.
                async with self._turn:
                    await _renew(self._pool.run, portion)
            if len(looked_at) < _LOOKED_AT:
                return
            start = looked_at[-1][0] + 1
            place = bisect_left(highs, start)
            if place == len(highs):
                return
            start = max(start, lows[place])


async def walk(conninfo: str, rest: float = REST) -> bool:
    """Renders anew all that is old. Returns True when that is done, False when another process does it. Raises MailboxError."""
    connection = await Connection.open(conninfo, "postern-renewal")
    try:
        if not await connection.try_lock(_LOCK):
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
        # All contents are looked at, old or not, so that the work of a statement is bounded.
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
    """Divides contents (ids and sizes) into lists of ids, few and small enough to be in memory together."""
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
    """Renders the old ones among these contents and stores the renderings. Returns how many it rendered. A content that cannot
    be rendered keeps its former rendering."""
    rows = await run(
        "SELECT b.content, b.data FROM contents c JOIN bodies b ON b.content = c.id"
        " WHERE c.id = ANY ($1::bigint[]) AND c.rendering < $2::bigint ORDER BY c.id",
        [wire.int8s(ids), wire.int8(RENDERING)],
    )
    renewed, items, unended = [], [], []
    for row in rows:
        number, data = wire.to_int8(row[0]), row[1] or b""
        if data and not data.endswith(b"\r\n"):
            unended.append(number)
        with contextlib.suppress(Unrenderable):
            items.append(await made(f"rendering/{number}", render, data, in_thread=len(data) > AT_ONCE))
            renewed.append(number)
        await asyncio.sleep(0)
    if items or unended:
        parameters = [wire.int8s(renewed), wire.int8(RENDERING), wire.int8s(unended), *columns.arrays(items)]
        await run(_STORE, parameters)
    return len(items)


_ARRAYS = ", ".join(f"${place}::{column.type}[]" for place, column in enumerate(columns.COLUMNS, 4))
_KEPT = ", ".join(f"{column.name} = {column.kept('g.' + column.parameter)}" for column in columns.of_table("contents"))
_TEXTS = ", ".join("g." + column.parameter for column in columns.of_table("texts"))
# Locks rows in the order of their ids, and only those that are still there and still old: readers and the walk may meet.
_STORE = columns.filled(f"""
WITH given AS (
    SELECT * FROM unnest($1::bigint[], {_ARRAYS}) AS g(id, %{{arguments}})
), old AS (
    SELECT c.id FROM contents c WHERE c.id = ANY ($1::bigint[] || $3::bigint[]) AND c.rendering < $2::bigint ORDER BY c.id
    FOR NO KEY UPDATE
), g AS (
    SELECT given.* FROM old JOIN given ON given.id = old.id
), t AS (
    INSERT INTO texts (content, %{{texts columns}}) SELECT g.id, {_TEXTS} FROM g
    ON CONFLICT (content) DO UPDATE SET %{{texts updates}}
), u AS (
    INSERT INTO unended SELECT old.id FROM old WHERE old.id = ANY ($3::bigint[]) ON CONFLICT (content) DO NOTHING
)
UPDATE contents c SET rendering = $2::bigint, {_KEPT} FROM g WHERE c.id = g.id
""")  # noqa: S608 (our own words)
