"""The schema: every version can be brought to the newest with what it holds, by many processes at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog.testing

from postern.host.postgres import PrivateCluster
from postern.model.mailbox import Column, FolderKind, NewItem, SearchTerm, SortKey
from postern.protocols.mime.message import RENDERING, Rendered, render
from postern.store import renewal
from postern.store.connection import Connection
from postern.store.database import MailboxDatabase
from postern.store.migrations import SchemaError, migrate, steps
from postern.store.renewal import walk
from tests.store.conftest import message

pytestmark = pytest.mark.slow


def _fresh(cluster: PrivateCluster) -> str:
    name = f"m_{uuid4().hex[:12]}"
    cluster.create_database(name)
    return cluster.conninfo(name)


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_steps_are_numbered_without_gaps() -> None:
    assert [number for number, _ in steps()] == list(range(1, len(steps()) + 1))


def test_from_version_1_with_data_to_the_newest(postgres_cluster: PrivateCluster) -> None:
    dsn = _fresh(postgres_cluster)
    guid = uuid4()
    contents = [message(f"회의 {n}", f"본문 {n}", Message_ID=f"<{n}@x>") for n in range(450)]

    async def to_version_1() -> None:
        connection = await Connection.open(dsn, "test")
        await migrate(connection, until=1)
        connection.close()

    asyncio.run(to_version_1())
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO mailboxes (guid, used, items, change) VALUES (%s, 9, %s, 7)", (guid, len(contents))
        )
        connection.execute(
            "INSERT INTO folders (mailbox, path, kind, uid_validity, uid_next, messages, highest_modseq)"
            " VALUES (1, '{INBOX}', 'inbox', 5, %s, %s, 7)",
            (len(contents) + 1, len(contents)),
        )
        for n, content in enumerate(contents, 1):
            connection.execute(
                "INSERT INTO contents (hash, size, header_size, rendering, envelope, structure, body)"
                " VALUES (%s, %s, 1, 1, 'old', 'old', 'old')",
                (sha256(content).digest(), len(content)),
            )
            connection.execute("INSERT INTO bodies VALUES (%s, %s)", (n, content))
            connection.execute(
                "INSERT INTO items (folder, uid, content, flags, modseq, internal_date, size) VALUES (1, %s, %s, 1, 7, 0, %s)",
                (n, n, len(content)),
            )

    async def use_the_newest() -> None:
        database = await MailboxDatabase.open(dsn, connections=2)
        try:
            got = await database.fetch(guid, 1, [(1, 1000)], Column.CONTENT | Column.ENVELOPE | Column.HEADER)
            assert list(got.contents) == contents
            assert all(b"<%d@x>" % n in envelope for n, envelope in enumerate(got.envelopes))
            assert got.headers[3].endswith(b"\r\n\r\n")
            assert await database.search(guid, 1, SearchTerm("subject", text="회의 44")) == [45, *range(441, 451)]
            assert await database.search(guid, 1, SearchTerm("body", text="본문 449"), [SortKey("subject")]) == [450]
        finally:
            await database.close()

    asyncio.run(use_the_newest())


@pytest.fixture
def old_store(postgres_cluster: PrivateCluster) -> tuple[str, UUID]:
    """A database with 300 messages that an older rendering left wrong, and the mailbox that has them in its folder 1."""
    dsn = _fresh(postgres_cluster)
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


def test_a_walk_that_is_killed_is_gone_on_with(old_store: tuple[str, UUID]) -> None:
    dsn, _ = old_store
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
        with structlog.testing.capture_logs() as said:
            assert asyncio.run(walk(dsn, rest=0))
        assert [line["event"] for line in said] == ["rendering-begun", "rendering-done"]
        assert said[0]["behind"] > 0
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


def test_many_processes_open_a_new_database_at_once(postgres_cluster: PrivateCluster) -> None:
    dsn = _fresh(postgres_cluster)

    async def open_all() -> None:
        databases = await asyncio.gather(*[MailboxDatabase.open(dsn, connections=1) for _ in range(6)])
        for database in databases:
            await database.close()

    asyncio.run(open_all())


def test_a_newer_schema_is_left_alone(postgres_cluster: PrivateCluster) -> None:
    dsn = _fresh(postgres_cluster)

    async def open_and_close() -> None:
        await (await MailboxDatabase.open(dsn, connections=1)).close()

    asyncio.run(open_and_close())
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE schema_version SET version = 9999")
    with pytest.raises(SchemaError, match="9999"):
        asyncio.run(open_and_close())
