"""Links and doors on the loopback: TLS in the middle of a connection, bounds, and no door without a row.

covers: door
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trustme
import uvloop

from postern.net import door as door_module
from postern.net.door import Door, dial
from postern.net.link import Link
from postern.paths.row import Port
from postern.paths.table import TABLE
from tests.support.ports import free_port
from tests.support.waiting import until

ROW = TABLE["internet-to-hub"]
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


class Upgrading:
    """A session that answers "go" to its first octets and starts TLS; keeps all that comes after."""

    def __init__(self, host: str | None) -> None:
        self.host = host
        self.heard = b""
        self.upgrading = False
        self.sealed = asyncio.get_running_loop().create_future()
        self.told = asyncio.Event()
        self.link: Link | None = None

    def opened(self, link: Link) -> None:
        self.link = link
        if self.host is not None:
            link.write(b"upgrade")

    def received(self, data: bytes) -> None:
        if self.upgrading:
            self.heard += data
            self.told.set()
            return
        self.upgrading = True
        assert self.link is not None
        if self.host is None:
            self.link.write(b"go")
        self.task = asyncio.get_running_loop().create_task(self.upgrade(self.link))

    async def upgrade(self, link: Link) -> None:
        self.sealed.set_result(await link.start_tls(self.host))
        if self.host is not None:
            # In the same moment in which the handshake is done: it may reach the server with its last message.
            link.write(b"hello")

    def closed(self, error: Exception | None) -> None:
        self.told.set()


@contextlib.asynccontextmanager
async def door(
    new_session: Callable[[], Upgrading], per_address: int = 10
) -> AsyncIterator[tuple[Door, int, ssl.SSLContext]]:
    authority = trustme.CA()
    tls, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(tls)
    authority.configure_trust(client)
    opened = Door([ROW], ROW.ports[0], new_session, tls, max_per_address=per_address)
    port = free_port()
    await opened.open("127.0.0.1", port)
    try:
        yield opened, port, client
    finally:
        await opened.close(0.5)


@pytest.mark.parametrize("loop", LOOPS)
def test_what_follows_the_handshake_at_once_is_not_lost(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def test() -> None:
        servers: list[Upgrading] = []

        def new_session() -> Upgrading:
            servers.append(Upgrading(None))
            return servers[-1]

        async with asyncio.timeout(30), door(new_session) as (_, port, tls):
            for _ in range(10):
                client = Upgrading("localhost")
                link = await dial(ROW, client, "127.0.0.1", port, ROW.ports[0], tls)
                seal = await client.sealed
                await servers[-1].told.wait()
                assert servers[-1].heard == b"hello"
                assert seal.protocol == "TLSv1.3"
                link.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(test())


def test_one_address_has_so_many_connections_and_no_more() -> None:
    async def test() -> None:
        async with asyncio.timeout(30), door(lambda: Upgrading(None), per_address=2) as (opened, port, _):
            links = [await dial(ROW, Upgrading(None), "127.0.0.1", port, ROW.ports[0]) for _ in range(2)]
            third = Upgrading(None)
            await dial(ROW, third, "127.0.0.1", port, ROW.ports[0])
            await third.told.wait()
            assert opened.refused == 1 and len(opened.links) == 2
            assert not any(link.is_closed for link in links)

    asyncio.run(test())


IMAPS = TABLE["imap4"]


class Greeting(Upgrading):
    """Says hello once it is opened, and hears what comes."""

    turned_away = b"* BYE too many\r\n"

    def __init__(self) -> None:
        super().__init__(None)

    def opened(self, link: Link) -> None:
        link.write(b"hello " + (link.seal.protocol.encode() if link.seal else b"clear"))

    def received(self, data: bytes) -> None:
        self.heard += data
        self.told.set()


@contextlib.asynccontextmanager
async def implicit(per_address: int = 100) -> AsyncIterator[tuple[Door, int, ssl.SSLContext, list[Greeting]]]:
    """A door with TLS from the first byte."""
    authority = trustme.CA()
    tls, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(tls)
    authority.configure_trust(client)
    sessions: list[Greeting] = []

    def new_session() -> Greeting:
        sessions.append(Greeting())
        return sessions[-1]

    opened = Door([IMAPS], IMAPS.port(993), new_session, tls, max_per_address=per_address)
    port = free_port()
    await opened.open("127.0.0.1", port)
    try:
        yield opened, port, client, sessions
    finally:
        await opened.close(0.5)


def both(test: Callable[[], Awaitable[None]]) -> None:
    for loop in LOOPS:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(asyncio.wait_for(test(), 30))


def test_half_a_handshake_is_a_connection_and_counts() -> None:
    async def test() -> None:
        async with implicit(per_address=2) as (opened, port, tls, _):
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            await until(lambda: len(opened.links) == 2)
            reader, _ = await asyncio.open_connection("127.0.0.1", port)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            assert opened.refused == 1
            for _, writer in silent:
                writer.close()
            await until(lambda: not opened.links)
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
            assert (await reader.read(100)).startswith(b"hello TLSv1.3")
            writer.close()

    both(test)


def test_a_handshake_that_fails_or_takes_too_long_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "HANDSHAKE_TIMEOUT", 0.2)

    async def test() -> None:
        async with implicit() as (opened, port, _, sessions):
            garbage, silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
            await until(lambda: len(opened.links) == 2)
            garbage[1].write(b"GET / HTTP/1.0\r\n\r\n")
            await until(lambda: not opened.links)
            assert not opened._shaking
            assert all(not session.heard for session in sessions)
            silent[1].close()

    both(test)


def test_the_oldest_handshake_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "MAX_HANDSHAKES", 3)

    async def test() -> None:
        async with implicit() as (opened, port, tls, _):
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
            await until(lambda: len(opened._shaking) == 3)
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
            assert (await reader.read(100)).startswith(b"hello TLSv1.3")
            with contextlib.suppress(ConnectionError):
                assert await silent[0][0].read() == b""
            await until(lambda: len(opened.links) == 3)
            for _, one in (*silent, (reader, writer)):
                one.close()

    both(test)


class Failing(socket.socket):
    """A listening socket that has these errors first."""

    def __init__(self, listening: socket.socket, *errors: int) -> None:
        super().__init__(fileno=os.dup(listening.fileno()))
        self.errors = list(errors)

    def accept(self) -> tuple[socket.socket, object]:
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, os.strerror(number))
        return super().accept()


@pytest.mark.parametrize(
    ("number", "pauses"),
    [
        (errno.ECONNABORTED, False),
        (errno.EPERM, False),
        (errno.EPROTO, False),
        (errno.EHOSTUNREACH, False),
        (errno.EMFILE, True),
        (errno.ENFILE, True),
        (errno.ENOBUFS, True),
        (errno.ENOMEM, True),
    ],
)
def test_only_want_of_room_pauses_a_door(number: int, pauses: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """accept(2): other errors are of the one connection, and strangers can make some of them."""
    told: list[str] = []
    monkeypatch.setattr(door_module, "log", lambda event, **fields: told.append(event))

    async def test() -> None:
        told.clear()
        async with implicit() as (opened, port, tls, _):
            assert opened._listening is not None
            asyncio.get_running_loop().remove_reader(opened._listening)
            failing = Failing(opened._listening, number)
            opened._listening.close()
            opened._listening = failing
            pauses_made: list[float] = []
            loop = asyncio.get_running_loop()
            with monkeypatch.context() as patched:
                patched.setattr(door_module, "ACCEPT_AGAIN", 0.01)
                attend = opened._attend
                patched.setattr(opened, "_attend", lambda: (pauses_made.append(loop.time()), attend()))
                attend()
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
                assert (await reader.read(100)).startswith(b"hello TLSv1.3")
            assert bool(pauses_made) is pauses and told == ["door-paused"] * pauses
            writer.close()

    both(test)


def test_a_failed_upgrade_is_forgotten_by_its_door() -> None:
    async def test() -> None:
        async with door(lambda: Upgrading(None)) as (opened, port, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"upgrade")
            assert await reader.read(2) == b"go"
            writer.write(b"this is no TLS at all\r\n")
            await until(lambda: not opened.links)
            writer.close()

    both(test)


def test_what_is_turned_away_hears_why() -> None:
    async def test() -> None:
        async with door(Greeting, per_address=1) as (_, port, _):
            first, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await first.read(100) == b"hello clear"
            second, other = await asyncio.open_connection("127.0.0.1", port)
            assert await second.read() == b"* BYE too many\r\n"
            writer.close()
            other.close()

    both(test)


def test_what_comes_with_the_end_of_the_handshake_meets_an_open_session() -> None:
    async def test() -> None:
        async with implicit() as (_, port, tls, sessions):
            for _ in range(5):
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
                writer.write(b"a1 NOOP\r\n")
                await sessions[-1].told.wait()
                assert sessions[-1].heard == b"a1 NOOP\r\n"
                writer.close()

    both(test)


def test_nothing_listens_or_dials_beside_its_row() -> None:
    async def test() -> None:
        with pytest.raises(ValueError, match="no row"):
            Door([ROW], Port(26), lambda: Upgrading(None), None)
        with pytest.raises(ValueError, match="no row"):
            Door([], ROW.ports[0], lambda: Upgrading(None), None)
        with pytest.raises(ValueError, match="no port"):
            await dial(ROW, Upgrading(None), "127.0.0.1", 1, Port(26))

    asyncio.run(test())


def test_a_door_that_cannot_open_names_its_address_and_port() -> None:
    async def run() -> None:
        door = Door([ROW], ROW.ports[0], lambda: Upgrading(None), None)
        with pytest.raises(OSError, match=r"192\.0\.2\.77 port 25"):
            await door.open("192.0.2.77", 25)

    asyncio.run(run())
