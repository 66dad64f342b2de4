"""Contents that an older version rendered are rendered anew, behind open doors and by whoever meets them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest

from postern.host.postgres import PrivateCluster
from postern.model.mailbox import Column, FolderKind, NewItem, SearchTerm
from postern.protocols.mime.message import RENDERING, Rendered, render
from postern.store import renewal
from postern.store.database import MailboxDatabase
from postern.store.renewal import walk
from postern.telemetry.log import Event
from tests.store.conftest import fresh, message

pytestmark = pytest.mark.slow


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
            assert await database.search(guid, 1, SearchTerm("body", text="words 299")) == [300]
        finally:
            await database.close()

    asyncio.run(read())
    assert _left(dsn) == 0


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
    assert asyncio.run(walk(dsn, rest=0))
    assert _left(dsn) == 1
