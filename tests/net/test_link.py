"""Links and doors on the loopback: TLS in the middle of a connection, bounds, and no door without a row.

covers: door
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import trustme
import uvloop

from postern.net.door import Door, dial
from postern.net.link import Link
from postern.paths.row import Port
from postern.paths.table import TABLE
from tests.support.ports import free_port

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


def test_nothing_listens_or_dials_beside_its_row() -> None:
    async def test() -> None:
        with pytest.raises(ValueError, match="no row"):
            Door([ROW], Port(26), lambda: Upgrading(None), None)
        with pytest.raises(ValueError, match="no row"):
            Door([], ROW.ports[0], lambda: Upgrading(None), None)
        with pytest.raises(ValueError, match="no port"):
            await dial(ROW, Upgrading(None), "127.0.0.1", 1, Port(26))

    asyncio.run(test())
