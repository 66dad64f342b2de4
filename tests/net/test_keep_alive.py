"""A server that vanishes without a word, as behind a changed firewall, is noticed while its caller waits for it.

covers: door
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from postern.net import door
from postern.net.door import dial
from postern.net.link import Link
from postern.paths.table import TABLE

ROW = TABLE["internet-to-hub"]
TCP_REPAIR = 19
"""linux/tcp.h: a socket in repair is closed without a segment."""


def _can_repair() -> bool:
    with socket.socket() as tried:
        try:
            tried.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        except OSError:
            return False
    return True


class Waiting:
    """A caller that waits for what the server says."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def opened(self, link: Link) -> None:
        pass

    def received(self, data: bytes) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.ended.set_result(error)


async def _dialled(act: Callable[[Link, Waiting, socket.socket], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        waiting = Waiting()
        link = await dial(ROW, waiting, "127.0.0.1", listening.getsockname()[1], ROW.ports[0])
        server, _ = await loop.sock_accept(listening)
        with server:
            await act(link, waiting, server)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_system_asks_within_seconds(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def act(link: Link, waiting: Waiting, server: socket.socket) -> None:
        assert link._transport is not None
        sock = link._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        assert [sock.getsockopt(socket.IPPROTO_TCP, name) for name in options] == [15, 5, 3]
        link.abort()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(_dialled(act))


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not _can_repair(), reason="only root with the right to administer the network can hide a close"
)
def test_a_server_that_vanished_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "_KEEP_ALIVE", ((socket.TCP_KEEPIDLE, 1), *door._KEEP_ALIVE[1:]))

    async def act(link: Link, waiting: Waiting, server: socket.socket) -> None:
        server.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        server.close()
        assert isinstance(await asyncio.wait_for(waiting.ended, 10), ConnectionResetError)

    asyncio.run(_dialled(act))
