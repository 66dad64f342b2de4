"""A link: one connection on a row, which owns the connection's bytes and TLS.

A service gives net a LinkSession. Net calls it with the bytes that come and keeps none: the session keeps those that it has not
consumed. From the call of `start_tls` on, no clear text reaches the session. The session forgets in the same step what came
before (RFC 3207 section 4.2: clear text sent behind STARTTLS must not be obeyed after the handshake).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from postern.model.security import Channel, Peer, Seal
from postern.net.mutual import Mutual, MutualContext
from postern.net.tls import ServerContext
from postern.net.turns import FULL_READ, turns_of

TlsContext = ssl.SSLContext | MutualContext
"""The context of a link's TLS: for the loop's own layer, or for the layer that looks at any certificate (`net.mutual`)."""


HANDSHAKE_TIMEOUT = 15.0
"""Seconds that a TLS handshake may take at a door."""
WRITE = 262_144
"""Octets that the transport gets at once. To encrypt many more would hold up the loop's other connections."""


class LinkSession(Protocol):
    """One conversation, as a service implements it. Its methods are called on the loop's thread; they must not raise or block.

    A session may have an attribute `turned_away` (bytes): the protocol's answer to a connection beyond a door's bounds.
    """

    def opened(self, link: Link) -> None:
        """The connection is there (and, on an implicit TLS port, the handshake is done)."""
        ...

    def received(self, data: bytes) -> None: ...

    def closed(self, error: Exception | None) -> None:
        """Called once, last. `error` is None after an orderly end."""
        ...


class Link(asyncio.Protocol):
    """The transport end of one LinkSession. The guard judges by `peer` and `seal`."""

    __slots__ = (
        "_closed",
        "_deaf",
        "_drained",
        "_full",
        "_leaving",
        "_loop",
        "_on_close",
        "_on_open",
        "_paused",
        "_resting",
        "_transport",
        "_unwritten",
        "_upgrading",
        "implicit_tls",
        "local",
        "peer",
        "seal",
        "server_name",
        "session",
        "tls",
    )

    def __init__(
        self,
        session: LinkSession,
        tls: TlsContext | None = None,
        implicit_tls: bool = False,
        on_open: Callable[[Link], bool] | None = None,
        on_close: Callable[[Link], None] | None = None,
    ) -> None:
        self.session = session
        self.tls = tls
        self.implicit_tls = implicit_tls
        self.server_name = ""
        """The host name that the client asked for, where a door's names differ in how clients prove themselves; else empty."""
        self.peer = Peer("", 0)
        self.local = Peer("", 0)
        self.seal: Seal | None = None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._on_open = on_open
        self._on_close = on_close
        self._upgrading = False
        self._deaf = False
        self._closed = False
        self._paused = False
        self._resting = False
        self._full = False
        self._leaving = False
        self._unwritten: deque[memoryview] | None = None
        """Data that the transport gets in its turn; None while it has everything."""
        self._drained: asyncio.Future[None] | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._upgrading:
            self._upgrading = False
            return
        self.peer, self.local = _addresses(transport)
        self.seal = _seal(transport)
        if self._on_open is not None and not self._on_open(self):
            self._turn_away()
        else:
            self.session.opened(self)

    def _turn_away(self) -> None:
        """Ends a connection beyond the door's bounds, with the protocol's answer if it has one."""
        assert self._transport is not None
        self._deaf = True
        answer: bytes = getattr(self.session, "turned_away", b"")
        if answer:
            self._transport.write(answer)
            self._transport.close()
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self._deaf:
            self.session.received(data)
            if len(data) >= FULL_READ and not self._resting:
                self._resting = True
                self._read_or_not()
                turns_of(self._loop).wait(self._rested)

    def _rested(self) -> None:
        self._resting = False
        self._read_or_not()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._closed:
            return
        self._closed = True
        self._unwritten = None
        self._settle()
        if self._on_close is not None:
            self._on_close(self)
        self.session.closed(exc)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._unwritten is None:
            self._settle()
        else:
            turns_of(self._loop).wait(self._write_on)

    def _settle(self) -> None:
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    def _write_on(self) -> None:
        """Gives the transport the next piece, if it has room for one."""
        if self._unwritten is None or self._transport is None or self._full:
            return
        data = self._unwritten.popleft()
        if len(data) > WRITE:
            self._unwritten.appendleft(data[WRITE:])
        last = not self._unwritten
        if last:
            self._unwritten = None
        self._transport.write(data[:WRITE])
        if last and self._leaving:
            self._transport.close()
        elif not self._full:
            self.resume_writing()

    # What a session may do

    def write(self, data: bytes) -> None:
        if self._transport is None or self._closed or self._leaving:
            return
        if self._unwritten is not None:
            self._unwritten.append(memoryview(data))
        elif len(data) <= WRITE:
            self._transport.write(data)
        else:
            self._unwritten = deque((memoryview(data),))
            self._write_on()

    async def drained(self) -> None:
        """Waits until the peer has taken most of what was written. Sessions call it between the pieces of a large answer."""
        if self.congested:
            if self._drained is None:
                self._drained = self._loop.create_future()
            await asyncio.shield(self._drained)

    @property
    def congested(self) -> bool:
        """Whether the peer does not read (more than the transport's high-water mark waits), or not all was written yet."""
        return (self._full or self._unwritten is not None) and not self._closed

    def pause(self) -> None:
        """Stops reading, for a session that has enough to do."""
        self._paused = True
        self._read_or_not()

    def resume(self) -> None:
        if self._paused:
            self._paused = False
            self._read_or_not()

    def _read_or_not(self) -> None:
        transport = self._transport
        if transport is None or self._closed or self._upgrading:
            return
        if self._paused or self._resting:
            if transport.is_reading():
                transport.pause_reading()
        elif not transport.is_reading() and not transport.is_closing():
            transport.resume_reading()

    def close(self) -> None:
        """Sends what is written, then closes."""
        self._deaf = True
        if self._unwritten is not None:
            self._leaving = True
        elif self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        self._deaf = True
        self._unwritten = None
        if self._transport is not None:
            self._transport.abort()

    @property
    def is_closed(self) -> bool:
        return self._closed or self._leaving or self._transport is None or self._transport.is_closing()

    def keep_alive(self, options: Sequence[tuple[int, int]]) -> None:
        """Lets the system ask the peer, while nothing is sent, whether the connection is still there. One that is gone ends with
        an error: a restarted host or a changed firewall says nothing by itself. `options` are those of IPPROTO_TCP."""
        sock = self._transport.get_extra_info("socket") if self._transport is not None else None
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in options:
                sock.setsockopt(socket.IPPROTO_TCP, name, value)

    async def start_tls(self, server_hostname: str | None = None) -> Seal:
        """Upgrades to TLS with `self.tls`.

        Before the call the session must write its last clear-text answer and clear its own buffer: from the call on
        nothing in clear text reaches it. It receives what the peer sends right behind its last handshake message before this
        returns, and must keep that.
        Raises ssl.SSLError or OSError; the link is then closed.
        """
        if self._transport is None or self.tls is None or self.seal is not None:
            raise RuntimeError("start_tls: no transport, no certificate, or TLS already")
        for data in self._unwritten or ():
            self._transport.write(data)
        self._unwritten = None
        self._upgrading = True
        try:
            transport = await self._layered(self._transport, self.tls, server_hostname)
        except BaseException as error:
            self.abort()
            # A transport whose handshake fails does not report its end, but the door and the session must know of it.
            self.connection_lost(error if isinstance(error, Exception) else None)
            raise
        if transport is None or self._closed:
            raise ConnectionResetError("connection lost during the TLS handshake")
        self._transport = transport
        self._upgrading = False
        self._read_or_not()
        self.seal = _seal(transport)
        assert self.seal is not None
        return self.seal

    async def _layered(
        self, transport: asyncio.Transport, tls: TlsContext, server_hostname: str | None
    ) -> asyncio.Transport | None:
        if isinstance(tls, MutualContext):
            if tls.server is not (server_hostname is None):
                raise RuntimeError("start_tls: the context is of the other side")
            layer = Mutual(tls, self, server_hostname)
            await layer.start(transport)
            return layer
        return await self._loop.start_tls(
            transport,
            self,
            tls,
            server_side=server_hostname is None,
            server_hostname=server_hostname,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT,
        )

    def offer(self, tls: TlsContext) -> None:
        """Takes another context for a later `start_tls`. TLS that is up or under way keeps its own."""
        if self.seal is None and not self._upgrading and not self.implicit_tls:
            self.tls = tls

    @property
    def binds(self) -> bool:
        """Whether there is a channel that mechanisms can bind to."""
        tls = self.tls
        return self.seal is not None and isinstance(tls, ServerContext | MutualContext) and bool(tls.end_point)

    def channel(self) -> Channel:
        """Returns the channel binding for mechanisms, and the names that a client may have dialled us by."""
        tls = self.tls
        names = frozenset({"localhost", self.local.host.lower()})
        if not isinstance(tls, ServerContext | MutualContext):
            return Channel(b"", names)
        exported = self._transport.exported() if isinstance(self._transport, Mutual) else b""
        return Channel(tls.end_point if self.seal is not None else b"", names | tls.names, exported)

    def peer_chain(self) -> tuple[bytes, ...]:
        """Returns all certificates that the peer showed, in DER, its own first; () for TLS without `net.mutual`."""
        return self._transport.chain if isinstance(self._transport, Mutual) else ()

    def client_certificate(self) -> bytes:
        """Returns the certificate that the client showed, in DER, if the handshake has validated it (`ClientAuthorities`); b""
        for none."""
        chain = self.peer_chain()
        return chain[0] if chain and isinstance(self.tls, MutualContext) and self.tls.validates else b""


def _seal(transport: asyncio.BaseTransport) -> Seal | None:
    if isinstance(transport, Mutual):
        return transport.seal
    tls = transport.get_extra_info("ssl_object")
    if tls is not None:
        cipher = tls.cipher()
        return Seal(tls.version() or "", cipher[0] if cipher else "")
    if isinstance(transport.get_extra_info("peername"), tuple):
        return None
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_UNIX:
        return Seal("local", "SO_PEERCRED")
    return None


def _addresses(transport: asyncio.BaseTransport) -> tuple[Peer, Peer]:
    peer = transport.get_extra_info("peername")
    if isinstance(peer, tuple):
        name = transport.get_extra_info("sockname")
        return Peer(plain(peer[0]), peer[1]), Peer(plain(name[0]), name[1])
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_UNIX:
        pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return Peer("local", 0, uid, pid), Peer("local", 0)
    return Peer("", 0), Peer("", 0)


def plain(host: str) -> str:
    """Makes 192.0.2.1 of ::ffff:192.0.2.1: both are one peer."""
    return host.removeprefix("::ffff:") if "." in host else host
