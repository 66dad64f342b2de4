"""A connection whose octets a library reads and writes in clear text, while they are sealed on the wire: libldap speaks into one
end of a socket pair, and what comes out of the other end is sealed and sent.

The library looks up no name, chooses no address, and waits for no connection or handshake: all that is done here, on the event
loop. The caller passes the functions that seal and unseal; the row and its port are checked here as everywhere.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from postern.paths.row import Path, Port, Wire

Seal = Callable[[bytes], bytes]
"""Seals octets that go out, or unseals octets that come in. If it raises ValueError, the connection ends."""


class Tunnel:
    """A connection of a row. The handshake comes first, by `send` and `receive`; then `start` returns the library's end."""

    def __init__(self, outside: _Outside) -> None:
        self._outside = outside

    @property
    def address(self) -> str:
        return self._outside.address

    def send(self, data: bytes) -> None:
        self._outside.write(data)

    async def receive(self) -> bytes:
        """Returns what came, at least one octet. Raises ConnectionError."""
        return await self._outside.receive()

    async def start(self, outgoing: Seal, incoming: Seal) -> int:
        """Lets octets through from now on, and returns the library's end: a non-blocking descriptor. The caller must close it,
        which ends the connection."""
        ours, theirs = socket.socketpair()
        try:
            theirs.setblocking(False)
            await asyncio.get_running_loop().create_connection(lambda: _Inside(self._outside, outgoing), sock=ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        self._outside.open_seal(incoming)
        return theirs.detach()

    def close(self) -> None:
        self._outside.end()


async def tunnel(row: Path, port: Port, host: str, timeout: float = 2.0) -> Tunnel:
    """Connects to `host` (an address literal) on `port` of `row`. It is a port of another program, so it is not shifted. Raises
    OSError, TimeoutError, and ValueError where the row has no such port."""
    if port not in row.ports or port.wire is not Wire.TCP or port.number is None:
        raise ValueError(f"{row.id} has no port {port}")
    async with asyncio.timeout(timeout):
        _, outside = await asyncio.get_running_loop().create_connection(_Outside, host, port.number)
    return Tunnel(outside)


class _End(asyncio.Protocol):
    """One of two connections that feed each other. While one is full, the other is not read; when one ends, both do."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a stream's, as create_connection makes it

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def end(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.end()


class _Outside(_End):
    """The wire."""

    def __init__(self) -> None:
        super().__init__()
        self.address = ""
        self._seal: Seal | None = None
        self._early = bytearray()
        self._waiting: asyncio.Future[None] | None = None
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.address = str((transport.get_extra_info("peername") or ("",))[0])

    async def receive(self) -> bytes:
        if not self._early and not self._lost:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        if not self._early:
            raise ConnectionResetError("the connection was lost")
        data = bytes(self._early)
        self._early.clear()
        return data

    def open_seal(self, seal: Seal) -> None:
        self._seal = seal
        if self._early:
            data = bytes(self._early)
            self._early.clear()
            self.data_received(data)
        if self._lost and self.other is not None:
            self.other.end()

    def data_received(self, data: bytes) -> None:
        if self._seal is None:
            self._early += data
            self._wake()
            return
        try:
            clear = self._seal(data)
        except ValueError:
            self.end()
            return
        if clear and self.other is not None:
            self.other.write(clear)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._wake()
        super().connection_lost(exc)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Inside(_End):
    """The connection to the library, over the socket pair."""

    def __init__(self, outside: _Outside, seal: Seal) -> None:
        super().__init__()
        self._seal = seal
        self.other = outside
        outside.other = self

    def data_received(self, data: bytes) -> None:
        assert self.other is not None
        try:
            self.other.write(self._seal(data))
        except ValueError:
            self.end()
