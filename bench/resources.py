"""Named items in the store alone: what DAV's requests cost before HTTP and XML.

    python -m bench.resources [items]

Prints the milliseconds of one call, the median of several, and the milliseconds of CPU that it took in this process and in
PostgreSQL, which has a cluster of its own. Needs no peers and no root.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

from bench import accounting
from postern.host.engines.postgres import PrivateCluster
from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.items import Flag, FlagChange
from postern.model.resources import NewResource
from postern.store.database import MailboxDatabase

APPOINTMENT = "IPM.Appointment"
DAY = 86_400
_AT_ONCE = 500


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        folder.chmod(0o755)
        cluster = PrivateCluster(folder / "data", folder / "s", folder / "log")
        cluster.start()
        try:
            cluster.create_database("bench")
            asyncio.run(_measure(cluster.conninfo("bench"), count))
        finally:
            cluster.stop()
    return 0


def _event(number: int) -> NewResource:
    """An event of an hour each day, in the hundred days around each thousand."""
    starts = number * DAY // 4
    content = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:event-{number}@example.test\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T090000Z\r\n"
        f"DTEND:20260101T100000Z\r\nSUMMARY:Event number {number}\r\nDESCRIPTION:{'x' * 300}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    rendered = RenderedItem(f"event-{number}@example.test", starts, starts + 3_600)
    return NewResource(content.encode(), APPOINTMENT, rendered, f"event-{number}.ics")


async def _measure(dsn: str, count: int) -> None:
    database = await MailboxDatabase.open(dsn, connections=4)
    mailbox = uuid4()
    await database.logon(mailbox)
    kinds = {node.kind: node.id for node in await database.tree(mailbox)}
    calendar = kinds[FolderKind.CALENDAR]
    starts = iter(range(0, count, _AT_ONCE))

    async def add() -> None:
        start = next(starts)
        await database.add(mailbox, calendar, [_event(n) for n in range(start, min(count, start + _AT_ONCE))], True)

    await _time(f"add {_AT_ONCE} resources at once", add, len(range(0, count, _AT_ONCE)) - 1)
    names = [f"event-{number}.ics" for number in range(0, count, max(1, count // 1_000))]
    middle = count // 8 * DAY

    async def put_new() -> None:
        new = _event(count + len(puts))
        puts.append(new)
        await database.put(mailbox, calendar, new.name, new.content, APPOINTMENT, new.rendered, b"", True)

    async def put_over() -> None:
        old = _event(len(overs))
        overs.append(old)
        content = old.content + b"X-NEW:1\r\n"
        await database.put(mailbox, calendar, old.name, content, APPOINTMENT, old.rendered, None, True)

    async def synchronize() -> None:
        await put_over()
        number = (await database.folder_states(mailbox, [calendar]))[calendar].change
        said = await database.resource_changes(mailbox, calendar, number - 1)
        assert len(said.there) == 1

    async def synchronize_only() -> None:
        assert len((await database.resource_changes(mailbox, calendar, since)).there) == 1

    puts: list[NewResource] = []
    overs: list[NewResource] = []
    await _time(f"list {count:,} resources", lambda: database.resources(mailbox, calendar, "", count), 20)
    await _time(f"first synchronization of {count:,}", lambda: database.resource_changes(mailbox, calendar, 0), 20)
    await _time(f"multiget of {len(names):,} with content", lambda: database.named(mailbox, calendar, names, True), 20)
    await _time("look-up of one name", lambda: database.named(mailbox, calendar, names[:1]), 500)
    await _time("put of a new resource, UID unique", put_new, 500)
    await _time("put over a resource, UID unique", put_over, 500)
    await _time("a put over it, its folder's number, its synchronization", synchronize, 500)
    since = (await database.folder_states(mailbox, [calendar]))[calendar].change - 1
    await _time("synchronization after one change", synchronize_only, 500)
    await _time("states of all folders", lambda: database.folder_states(mailbox), 500)
    await _time(
        "span of 30 days in the middle", lambda: database.overlapping(mailbox, calendar, middle, middle + 30 * DAY), 50
    )
    await _time(
        "span of 30 days at the end",
        lambda: database.overlapping(mailbox, calendar, 2 * middle - 30 * DAY, 2 * middle),
        50,
    )
    await _time(
        "flags of one item changed",
        lambda: database.change_flags(mailbox, calendar, [(1, 1)], FlagChange.ADD, Flag.SEEN),
        9,
    )
    await database.close()


async def _time(what: str, call: Callable[[], Awaitable[object]], times: int) -> None:
    await call()
    taken = []
    before = accounting.cpu_seconds([os.getpid()])
    for _ in range(times):
        begun = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - begun) * 1_000)
    cpu = (accounting.cpu_seconds([os.getpid()]) - before) * 1_000 / times
    print(f"{what:60} {statistics.median(taken):9.2f} ms {cpu:9.2f} ms CPU")


if __name__ == "__main__":
    sys.exit(main())
