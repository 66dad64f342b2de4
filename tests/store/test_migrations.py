"""The schema: every version can be brought to the newest with what it holds, by many processes at once."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from uuid import uuid4

import psycopg
import pytest

from postern.host.engines.postgres import PrivateCluster
from postern.model.items import Column
from postern.model.search import SearchTerm, SortKey
from postern.store.connection import Connection
from postern.store.database import MailboxDatabase
from postern.store.migrations import SchemaError, migrate, steps
from tests.store.conftest import fresh, message

pytestmark = pytest.mark.slow


def test_steps_are_numbered_without_gaps() -> None:
    assert [number for number, _ in steps()] == list(range(1, len(steps()) + 1))


def test_from_version_1_with_data_to_the_newest(postgres_cluster: PrivateCluster) -> None:
    dsn = fresh(postgres_cluster)
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
            assert list((await database.search(guid, 1, SearchTerm("subject", text="회의 44"))).uids) == [
                45,
                *range(441, 451),
            ]
            assert list(
                (await database.search(guid, 1, SearchTerm("body", text="본문 449"), [SortKey("subject")])).uids
            ) == [450]
        finally:
            await database.close()

    asyncio.run(use_the_newest())


def test_no_step_reads_or_writes_what_grows_with_the_mail(postgres_cluster: PrivateCluster) -> None:
    """A worker takes the steps while it starts, and has half a minute for it: no table of mail is rewritten, and no row of it;
    no index of it is made."""
    dsn = fresh(postgres_cluster)
    tables = ("contents", "bodies", "items", "texts")

    async def to(version: int) -> None:
        connection = await Connection.open(dsn, "test")
        await migrate(connection, until=version)
        connection.close()

    def state() -> dict[str, object]:
        found: dict[str, object] = {}
        with psycopg.connect(dsn) as connection:
            for table in tables:
                if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
                    continue
                found[table] = (
                    connection.execute("SELECT pg_relation_filenode(%s)", (table,)).fetchone(),
                    connection.execute(
                        "SELECT indexdef FROM pg_indexes WHERE tablename = %s ORDER BY 1", (table,)
                    ).fetchall(),
                    connection.execute(f"SELECT ctid::text, xmin::text FROM {table}").fetchall(),
                )
        return found

    asyncio.run(to(1))
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO contents (hash, size, header_size, rendering, envelope, structure, body)"
            " SELECT int4send(n), 5, 1, 1, 'old', 'old', 'old' FROM generate_series(1, 100) AS g(n)"
        )
        connection.execute("INSERT INTO bodies SELECT n, 'A: b' FROM generate_series(1, 100) AS g(n)")
        connection.execute(
            "INSERT INTO items (folder, uid, content, flags, modseq, internal_date, size)"
            " SELECT 1, n, n, 0, 1, 0, 5 FROM generate_series(1, 100) AS g(n)"
        )
    for number, _ in steps()[1:]:
        before = state()
        asyncio.run(to(number))
        after = state()
        assert {table: after[table] for table in before} == before, number

    async def open_and_close() -> None:
        await (await MailboxDatabase.open(dsn, connections=1)).close()

    before = state()
    asyncio.run(open_and_close())
    assert state() == before


def test_an_older_database_s_mailboxes_are_connected_and_can_be_disconnected(postgres_cluster: PrivateCluster) -> None:
    """Version 3's columns: what was there before has an owner, whoever he is."""
    dsn = fresh(postgres_cluster)
    guid = uuid4()

    async def to(version: int) -> None:
        connection = await Connection.open(dsn, "test")
        await migrate(connection, until=version)
        connection.close()

    asyncio.run(to(2))
    with psycopg.connect(dsn) as connection:
        connection.execute("INSERT INTO mailboxes (guid, used, items) VALUES (%s, 9, 1)", (guid,))
    asyncio.run(to(3))
    with psycopg.connect(dsn) as connection:
        columns = connection.execute(
            "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns"
            " WHERE table_name = 'mailboxes' AND column_name IN ('owner', 'disconnected') ORDER BY 1"
        ).fetchall()
        assert columns == [("disconnected", "bigint", "NO", "0"), ("owner", "text", "NO", "''::text")]
        assert connection.execute("SELECT owner, disconnected FROM mailboxes").fetchall() == [("", 0)]
        indexed = connection.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'mailboxes_disconnected'")
        assert "(disconnected) WHERE (disconnected > 0)" in str(indexed.fetchone())

    async def use_the_newest() -> None:
        database = await MailboxDatabase.open(dsn, connections=1)
        try:
            assert await database.disconnected() == []
            await database.disconnect(guid, "gone@x.test")
            (one,) = await database.disconnected()
            assert (one.mailbox, one.owner, one.items, one.used) == (guid, "gone@x.test", 1, 9)
        finally:
            await database.close()

    asyncio.run(use_the_newest())


def test_many_processes_open_a_new_database_at_once(postgres_cluster: PrivateCluster) -> None:
    dsn = fresh(postgres_cluster)

    async def open_all() -> None:
        databases = await asyncio.gather(*[MailboxDatabase.open(dsn, connections=1) for _ in range(6)])
        for database in databases:
            await database.close()

    asyncio.run(open_all())


def test_a_newer_schema_is_left_alone(postgres_cluster: PrivateCluster) -> None:
    dsn = fresh(postgres_cluster)

    async def open_and_close() -> None:
        await (await MailboxDatabase.open(dsn, connections=1)).close()

    asyncio.run(open_and_close())
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE schema_version SET version = 9999")
    with pytest.raises(SchemaError, match="9999"):
        asyncio.run(open_and_close())
