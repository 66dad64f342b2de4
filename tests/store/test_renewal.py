"""Contents that an older version rendered are rendered anew, behind open doors and by whoever meets them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

import psycopg
import pytest

from postern.host.engines.postgres import PrivateCluster
from postern.model.folders import FolderKind
from postern.model.items import Column, NewItem
from postern.model.search import SearchTerm, SortKey
from postern.protocols.mime.message import RENDERING, Rendered, render
from postern.store import renewal
from postern.store.connection import Pool, Row
from postern.store.database import MailboxDatabase
from postern.store.renewal import walk
from postern.telemetry.log import Event
from tests.store.conftest import fresh, message

pytestmark = pytest.mark.slow


_CUT_SHORT = "UPDATE bodies SET data = data || 'end' WHERE content = (SELECT content FROM items WHERE uid = %s)"
_UNENDED = "SELECT i.uid FROM unended u JOIN items i ON i.content = u.content"


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def old_store(postgres_cluster: PrivateCluster) -> tuple[str, UUID]:
    """A database with 300 messages that an older rendering left wrong, and the mailbox that has them in its folder 1."""
    dsn = fresh(postgres_cluster)
    guid = uuid4()

    async def fill() -> None:
        database = await MailboxDatabase.open(dsn, connections=2)
        await database.logon(guid)
        items = [NewItem(message(f"title {n}", f"words {n}", Message_ID=f"<{n}@x>"), 0, None) for n in range(300)]
        inbox = next(f.id for f in await database.folders(guid) if f.kind is FolderKind.INBOX)
        assert inbox == 1
        await database.append(guid, inbox, items)
        await database.close()

    asyncio.run(fill())
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE contents SET rendering = 1, envelope = 'old', subject = 'old', message_id = 'old'")
        connection.execute("UPDATE texts SET fields = 'old', body = 'old'")
        connection.execute("UPDATE schema_version SET rendered = 1")
    return dsn, guid


def _left(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM contents WHERE rendering < %s", (RENDERING,)).fetchone()
        assert row is not None
        return int(row[0])


def test_a_store_of_old_renderings_is_up_at_once_and_reads_what_is_right(old_store: tuple[str, UUID]) -> None:
    dsn, guid = old_store

    async def read() -> None:
        database = await MailboxDatabase.open(dsn, connections=2)
        try:
            assert _left(dsn) == 300
            got = await database.fetch(guid, 1, [(7, 9)], Column.ENVELOPE)
            assert [f"<{n}@x>".encode() in envelope for n, envelope in zip((6, 7, 8), got.envelopes, strict=True)] == [
                True
            ] * 3
            assert _left(dsn) == 297
            assert list((await database.search(guid, 1, SearchTerm("body", text="words 299"))).uids) == [300]
        finally:
            await database.close()

    asyncio.run(read())
    assert _left(dsn) == 0


def test_only_what_a_reader_asks_for_is_rendered(old_store: tuple[str, UUID]) -> None:
    dsn, guid = old_store
    subject = SearchTerm("subject", text="title")
    unseen = SearchTerm("not", terms=(SearchTerm("flag", number=1),))
    few = SearchTerm("uid", uids=((7, 9), (299, 299)))
    small = SearchTerm("smaller", number=1 << 20)

    async def read() -> None:
        database = await MailboxDatabase.open(dsn, connections=2)
        try:
            for term in (unseen, few, small, SearchTerm("and", terms=(unseen, SearchTerm("since", number=1)))):
                assert list((await database.search(guid, 1, term)).uids)
            assert (
                len(list((await database.search(guid, 1, unseen, [SortKey("arrival"), SortKey("size")])).uids)) == 300
            )
            got = await database.fetch(guid, 1, [(1, 300)], Column.FLAGS | Column.SIZE | Column.MODSEQ | Column.CONTENT)
            assert len(got.uids) == 300
            assert _left(dsn) == 300
            assert list((await database.search(guid, 1, SearchTerm("and", terms=(subject, few)))).uids) == [
                7,
                8,
                9,
                299,
            ]
            assert _left(dsn) == 296
            assert len(list((await database.search(guid, 1, few, [SortKey("date")])).uids)) == 4
            assert await database.thread(guid, 1, few, "REFERENCES") == b"(7)(8)(9)(299)"
            assert _left(dsn) == 296
            assert len(list((await database.search(guid, 1, unseen, [SortKey("subject")])).uids)) == 300
            assert _left(dsn) == 0
        finally:
            await database.close()

    asyncio.run(read())


def test_many_readers_render_a_message_once_and_look_at_few_at_a_time(
    old_store: tuple[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn, guid = old_store
    rendered: list[bytes] = []
    looked: list[int] = []

    def counted(content: bytes) -> Rendered:
        rendered.append(content)
        return render(content)

    monkeypatch.setattr(renewal, "render", counted)
    monkeypatch.setattr(renewal, "_LOOKED_AT", 40)

    async def read() -> None:
        pool = Pool(dsn, 4, "test")
        asked = pool.read

        async def read(statement: str, parameters: Sequence[bytes | None] = ()) -> list[Row]:
            rows = await asked(statement, parameters)
            looked.append(len(rows))
            return rows

        monkeypatch.setattr(pool, "read", read)
        every_third = [(n, n) for n in range(1, 200, 3)]
        both = renewal.Renewal(pool)
        for uids in ([(1, 1), (290, 290)], [(250, 290), (295, 4000)], every_third):
            before = _left(dsn)
            await both.of_items(guid, 1, uids)
            wanted = sum(min(high, 300) - low + 1 for low, high in uids)
            assert before - _left(dsn) in (wanted, wanted - 1)  # 290 and 1 are asked for twice
        assert max(looked) == 40 and len(looked) == 2 + 2 + 5
        rendered.clear()
        left = _left(dsn)
        await asyncio.gather(*[both.of_items(guid, 1, [(1, 4000)]) for _ in range(8)])
        assert _left(dsn) == 0 and len(rendered) == left
        await pool.close()

    asyncio.run(read())


def test_sizes_as_lines_are_right_before_anything_is_rendered_anew(old_store: tuple[str, UUID]) -> None:
    """RFC 1939 section 11: what POP3 tells is what it sends."""
    dsn, guid = old_store

    async def sizes(rendered: int) -> None:
        database = await MailboxDatabase.open(dsn, connections=2)
        try:
            got = await database.fetch(guid, 1, [(7, 9)], Column.LINES_SIZE)
            plain = await database.fetch(guid, 1, [(7, 9)], Column.SIZE)
            assert [a - b for a, b in zip(got.sizes, plain.sizes, strict=True)] == [0, 2, 0]
            assert _left(dsn) == 300 - rendered
        finally:
            await database.close()

    with psycopg.connect(dsn) as connection:  # as an older version left it
        connection.execute(_CUT_SHORT, (8,))
        connection.execute("TRUNCATE unended")
    asyncio.run(sizes(0))
    assert asyncio.run(walk(dsn, rest=0))
    asyncio.run(sizes(300))
    with psycopg.connect(dsn) as connection:
        assert connection.execute(_UNENDED).fetchall() == [(8,)]


def test_a_walk_that_is_killed_is_gone_on_with(old_store: tuple[str, UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    dsn, _ = old_store
    said: list[tuple[Event, dict[str, object]]] = []
    monkeypatch.setattr(renewal, "log", lambda event, **values: said.append((event, values)))
    # It rests for an hour behind its first portion.
    program = f"import asyncio; from postern.store.renewal import walk; asyncio.run(walk({dsn!r}, 1e9))"
    with psycopg.connect(dsn, autocommit=True) as watcher:
        with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as child:
            try:
                _wait_until(lambda: watcher.execute("SELECT reached > 0 FROM schema_version").fetchone() == (True,))
                assert asyncio.run(walk(dsn)) is False  # one at a time
            finally:
                child.kill()
        assert 0 < _left(dsn) < 300
        name = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postern-renewal' AND datname = current_database()"
        _wait_until(lambda: watcher.execute(name).fetchone() == (0,))
        assert asyncio.run(walk(dsn, rest=0))
        assert [event for event, _ in said] == [Event.RENDERING_BEGUN, Event.RENDERING_DONE]
        assert said[0][1]["behind"] > 0
        assert _left(dsn) == 0
        assert watcher.execute("SELECT rendered FROM schema_version").fetchone() == (RENDERING,)
        assert watcher.execute("SELECT count(*) FROM texts WHERE body = 'old'").fetchone() == (0,)


def test_a_message_that_cannot_be_rendered_keeps_its_former_rendering(
    old_store: tuple[str, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn, _ = old_store

    def render_or_not(content: bytes) -> Rendered:
        if b"title 17\r\n" in content:
            raise RecursionError
        return render(content)

    monkeypatch.setattr(renewal, "render", render_or_not)
    with psycopg.connect(dsn) as connection:
        connection.execute(_CUT_SHORT, (18,))
        connection.execute("TRUNCATE unended")
    assert asyncio.run(walk(dsn, rest=0))
    assert _left(dsn) == 1
    with psycopg.connect(dsn) as connection:
        assert connection.execute(_UNENDED).fetchall() == [(18,)]
