"""The pool: callers that give up, a server that goes away and comes back."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import struct
import tempfile
import threading
from pathlib import Path
from uuid import uuid4

import pytest
import uvloop

from postern.host.engines.postgres import PrivateCluster
from postern.model.items import NewItem
from postern.model.mailbox import MailboxError, MailboxErrorCode
from postern.store import wire
from postern.store.connection import Connection, Pool, Rejected
from postern.store.database import MailboxDatabase
from postern.store.migrations import functions
from tests.store.conftest import message

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


def test_more_callers_than_connections(postgres_dsn: str) -> None:
    async def scene() -> None:
        pool = Pool(postgres_dsn, 2, "test")
        rows = await asyncio.gather(*[pool.run("SELECT $1::bigint", [wire.int8(n)]) for n in range(50)])
        assert [wire.to_int8(row[0][0]) for row in rows] == list(range(50))
        assert pool._open <= 2
        await pool.close()

    asyncio.run(scene())


def test_callers_that_give_up_cost_no_connection(postgres_dsn: str) -> None:
    async def scene() -> None:
        pool = Pool(postgres_dsn, 2, "test")
        for _ in range(5):
            tasks = [asyncio.create_task(pool.run("SELECT pg_sleep(0.05)")) for _ in range(6)]
            await asyncio.sleep(0.02)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        rows = await asyncio.gather(*[pool.run("SELECT $1::bigint", [wire.int8(n)]) for n in range(10)])
        assert [wire.to_int8(row[0][0]) for row in rows] == list(range(10))
        assert pool._open <= 2
        await pool.close()

    asyncio.run(scene())


def test_what_is_read_for_nobody_is_ended_and_nothing_else(postgres_dsn: str) -> None:
    """A request to end a statement must not meet the next one of its connection; what is written goes on to its end."""

    async def scene() -> None:
        pool = Pool(postgres_dsn, 2, "test")
        await pool.run("CREATE TABLE written (n bigint)")
        freed = asyncio.Semaphore(0)
        for n in range(12):
            # Some end by themselves at the moment when they are asked to end.
            reading = asyncio.create_task(
                pool.read(f"SELECT pg_sleep({(60, 0.1, 0.102, 0.104)[n % 4]})", ended=freed.release)
            )
            waiting = asyncio.create_task(pool.read("SELECT pg_sleep(60)", ended=freed.release))
            await asyncio.sleep(0.01)
            reading.cancel()
            waiting.cancel()
            # They wait for a connection.
            rows = await asyncio.gather(*[pool.run("SELECT $1::bigint", [wire.int8(n)]) for n in range(10)])
            assert [wire.to_int8(row[0][0]) for row in rows] == list(range(10))
        writing = asyncio.create_task(pool.run("INSERT INTO written SELECT 1 FROM pg_sleep(0.5)"))
        await asyncio.sleep(0.05)
        writing.cancel()
        async with asyncio.timeout(20):
            while True:
                if await pool.run("SELECT n FROM written") == [(wire.int8(1),)]:
                    break
                await asyncio.sleep(0.01)
        for _ in range(24):
            await freed.acquire()
        assert pool._open <= 2
        await pool.close()

    asyncio.run(asyncio.wait_for(scene(), 50))


def test_an_error_leaves_the_connection_usable(postgres_dsn: str) -> None:
    async def scene() -> None:
        pool = Pool(postgres_dsn, 1, "test")
        with pytest.raises(Rejected) as caught:
            await pool.run("SELECT 1 / $1::bigint", [wire.int8(0)])
        assert caught.value.sqlstate == "22012"
        with pytest.raises(Rejected):
            await pool.run("SELEKT")
        assert wire.to_int8((await pool.run("SELECT 5::bigint"))[0][0]) == 5
        await pool.close()

    asyncio.run(scene())


def test_a_large_parameter_and_a_large_answer(postgres_dsn: str) -> None:
    async def scene() -> None:
        pool = Pool(postgres_dsn, 1, "test")
        data = bytes(range(256)) * 200_000
        assert (await pool.run("SELECT $1::bytea", [data]))[0][0] == data
        await pool.close()

    asyncio.run(scene())


def test_a_request_that_a_dying_server_did_not_read_is_answered() -> None:
    """The socket then has the server's last words and an error at once, and uvloop tells of an error only once."""
    last_words = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"
    asked = threading.Event()

    def serve(door: socket.socket) -> None:
        link, _ = door.accept()
        link.recv(4096)
        link.sendall(struct.pack("!cii", b"R", 8, 0) + struct.pack("!cic", b"Z", 5, b"I"))  # authenticated, ready
        asked.wait(10)
        link.sendall(struct.pack("!ci", b"E", 4 + len(last_words)) + last_words)
        link.close()

    async def scene() -> None:
        connection = await Connection.open(f"host={folder} user=x dbname=x", "test")
        request = asyncio.create_task(connection.run("SELECT 1", prepare=False))
        await asyncio.sleep(0)
        asked.set()
        server.join()  # the loop sees nothing of it before all of it has happened
        async with asyncio.timeout(10):
            with pytest.raises(MailboxError):
                await request
        assert connection.broken

    with (
        tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder,
        socket.socket(socket.AF_UNIX) as door,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        door.bind(f"{folder}/.s.PGSQL.5432")
        door.listen()
        server = threading.Thread(target=serve, args=(door,))
        server.start()
        runner.run(scene())


def test_the_server_goes_away_and_comes_back() -> None:
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    folder.chmod(0o711)
    cluster = PrivateCluster(folder / "data", folder / "s", folder / "log", connections=20)
    try:
        cluster.start()
        cluster.create_database("mail")

        async def scene() -> None:
            database = await MailboxDatabase.open(cluster.conninfo("mail"), connections=3)
            guid = uuid4()
            change = (await database.logon(guid)).change
            inbox = next(f.id for f in await database.folders(guid) if f.path == ("INBOX",))
            waiting = asyncio.create_task(database.wait({guid: change}, 60))
            running = [asyncio.create_task(database._pool.run("SELECT pg_sleep(30)")) for _ in range(2)]
            await asyncio.sleep(0.2)
            cluster.stop()
            for result in await asyncio.gather(*running, return_exceptions=True):
                assert isinstance(result, MailboxError) and result.code == "UNAVAILABLE"
            with pytest.raises(MailboxError) as caught:
                await database.append(guid, inbox, [NewItem(message())])
            assert caught.value.code == "UNAVAILABLE"
            with pytest.raises(MailboxError):
                await MailboxDatabase.open(cluster.conninfo("mail"))
            cluster.start()
            await database.append(guid, inbox, [NewItem(message())])
            assert await waiting == {guid: change + 1}
            await database.close()

        asyncio.run(scene())
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_every_refusal_of_our_functions_has_its_number() -> None:
    raised = set(re.findall(r"ERRCODE = '(PM\d+)'", functions()))
    assert raised and raised <= {f"PM{code:03}" for code in MailboxErrorCode}
