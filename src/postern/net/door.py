"""Doors and dials: a listener or a connection exists only for rows of the table.

Reads rows and addresses. The service's LinkSession speaks the protocol, and the guard decides what is allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path as FilePath

from postern.model.security import Mechanism, Peer
from postern.net.by_name import ContextsByName
from postern.net.client_hello import indicated_name
from postern.net.link import HANDSHAKE_TIMEOUT, Link, LinkSession, TlsContext, plain
from postern.net.mutual import Mutual, MutualContext
from postern.net.tls import FromFiles
from postern.paths.row import Path, Port, Tls, Wire
from postern.telemetry.log import Event, log
from postern.telemetry.rounds import rounds

BACKLOG = 1024
MAX_HANDSHAKES = 1000
"""TLS handshakes that may be under way at a door with implicit TLS; one more ends the oldest."""
ACCEPTED_AT_ONCE = 64
ACCEPT_AGAIN = 1.0
"""Seconds until a door looks again after the system had no room for a connection."""
_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of accept(2) that mean too few descriptors or too little memory."""
TOLD_EVERY = 60.0
"""Seconds between two log lines of one kind."""
_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
"""Seconds of silence until the system asks a server whether the connection is still there, seconds between questions, and how
many it may leave unanswered. The protocols' own time-outs are minutes, and a caller has few connections to a server."""
LOOK_EVERY = 3.0
"""Seconds until a door shows a new certificate."""


LINGER = 2.0
"""Seconds that a client has to read why its handshake failed."""

DoorTls = TlsContext | ContextsByName


class Door:
    """One listening socket of some rows. Counts its connections in all and per address, from the moment they are accepted, and
    turns away those beyond its bounds."""

    def __init__(
        self,
        rows: Sequence[Path],
        port: Port,
        new_session: Callable[[], LinkSession],
        tls: DoorTls | None,
        max_connections: int = 5000,
        max_per_address: int = 100,
    ) -> None:
        if not rows or any(port.number not in {p.number for p in row.ports} for row in rows):
            raise ValueError(f"no row for a door on {port}")
        self.rows = tuple(rows)
        self.port = port
        self.links: set[Link] = set()
        self.refused = 0
        self._new_session = new_session
        self._tls = tls
        self._max = max_connections
        self._max_per_address = max_per_address
        self._by_address: Counter[str] = Counter()
        self._server: asyncio.AbstractServer | None = None
        self._emptied = asyncio.Event()
        self._shaking: dict[Link, asyncio.Task[None]] = {}
        """Links in their first TLS handshake, the oldest first."""
        self._listening: socket.socket | None = None
        """The socket of a door with implicit TLS. It accepts connections itself, since a loop's server would show them only
        after their handshake."""
        self._told: dict[Event, float] = {}
        self._renewal: asyncio.Task[None] | None = None

    async def open(self, host: str, number: int, shared: bool = True) -> None:
        """Listens on a TCP address. With `shared`, several processes may hold the same port (SO_REUSEPORT)."""
        sock = bound_socket(Wire.TCP, host, number, shared)
        if isinstance(self._tls, FromFiles):
            self._renewal = asyncio.create_task(rounds(LOOK_EVERY, self.renew, "look at the certificate"))
        if self.port.tls is Tls.IMPLICIT:
            self._listen(sock)
        else:
            self._server = await asyncio.get_running_loop().create_server(self._make, sock=sock, backlog=BACKLOG)

    async def open_local(self, path: FilePath) -> None:
        """Listens on a unix socket (ncalrpc), in place of a former socket file. Mode 0600 lets only our own user connect."""
        if self.port.wire is not Wire.UNIX:
            raise ValueError("a local door needs a row with a unix port")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(old)
        self._server = await asyncio.get_running_loop().create_unix_server(self._make, sock=sock, backlog=BACKLOG)

    async def renew(self) -> None:
        """Shows the certificate as its files are now at the handshakes that follow. Connections that have TLS keep theirs. An
        open door does this by itself every LOOK_EVERY seconds."""
        if not isinstance(self._tls, FromFiles) or (tls := self._tls.renewed()) is self._tls:
            return
        self._tls = tls
        for link in self.links:
            link.offer(tls.usual if isinstance(tls, ContextsByName) else tls)
        log(Event.CERTIFICATE_TAKEN_UP, paths=[row.id for row in self.rows], port=self.port.number)

    async def close(self, grace: float = 2.0) -> None:
        """Stops listening, then closes its connections. Those that are still open after `grace` seconds are aborted."""
        if self._renewal is not None:
            self._renewal.cancel()
        if self._server is not None:
            self._server.close()
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None
        for task in self._shaking.values():
            task.cancel()
        for link in list(self.links):
            link.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self.links:
                    self._emptied.clear()
                    await self._emptied.wait()
        for link in list(self.links):
            link.abort()

    def _make(self) -> Link:
        return Link(
            self._new_session(),
            _usual(self._tls),
            self.port.tls is Tls.IMPLICIT,
            on_open=self._admit,
            on_close=self._forget,
        )

    def _listen(self, sock: socket.socket) -> None:
        _from_the_start(_usual(self._tls))
        sock.setblocking(False)
        sock.listen(BACKLOG)
        self._listening = sock
        self._attend()

    def _attend(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().add_reader(self._listening, self._accept, self._listening)

    def _accept(self, sock: socket.socket) -> None:
        """Takes what waits. Beyond the bounds a connection is closed without a word: words would cost the handshake that is
        refused."""
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, address = sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    continue  # accept(2): it is of this one connection, which is gone, and others wait behind it
                # It is tried again, and must not turn in circles meanwhile.
                loop.remove_reader(sock)
                loop.call_later(ACCEPT_AGAIN, self._attend)
                self._tell_of_want(error)
                return
            peer = Peer(plain(address[0]), address[1])
            if self._is_full(peer.host):
                connection.close()
                continue
            link = Link(self._new_session(), _usual(self._tls), implicit_tls=True, on_close=self._forget)
            link.peer = peer
            self._count(link)
            if len(self._shaking) >= MAX_HANDSHAKES:
                self._shaking.pop(next(iter(self._shaking))).cancel()
            self._shaking[link] = loop.create_task(self._shake(link, connection, self._tls))

    async def _shake(self, link: Link, connection: socket.socket, contexts: DoorTls | None) -> None:
        """Does the handshake, at whose end the session is opened. A connection whose handshake fails is forgotten."""
        try:
            tls = link.tls
            if isinstance(contexts, ContextsByName):
                link.server_name = await self._indicated(connection)
                link.tls = tls = contexts.under(link.server_name)
            if isinstance(tls, MutualContext):
                await self._shake_mutually(link, tls, connection)
            else:
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: link, connection, ssl=tls, ssl_handshake_timeout=HANDSHAKE_TIMEOUT
                )
        except OSError:
            self._forget(link)
        except BaseException:
            self._forget(link)
            raise
        finally:
            self._shaking.pop(link, None)

    async def _indicated(self, connection: socket.socket) -> str:
        """Returns the host name that the client asks for. Raises OSError; the connection is closed then."""
        connection.setblocking(False)
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                return await indicated_name(connection)
        except BaseException:
            connection.close()
            raise

    async def _shake_mutually(self, link: Link, tls: MutualContext, connection: socket.socket) -> None:
        layer = Mutual(tls, link)
        below, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: layer, connection)
        try:
            async with asyncio.timeout(HANDSHAKE_TIMEOUT):
                await layer.start(below)
        except ssl.SSLError:
            if layer.objection:
                log(
                    Event.AUTHENTICATION_FAILED,
                    path="",
                    peer=str(link.peer),
                    mechanism=Mechanism.CERTIFICATE,
                    account="",
                    temporary=False,
                    reason=layer.objection,
                )
            await layer.part(LINGER)
            raise
        except BaseException:
            below.abort()
            raise

    def _is_full(self, host: str) -> bool:
        if len(self.links) < self._max and (host == "local" or not 0 < self._max_per_address <= self._by_address[host]):
            return False
        self.refused += 1
        self._tell(host)
        return True

    def _count(self, link: Link) -> None:
        self.links.add(link)
        self._by_address[link.peer.host] += 1

    def _admit(self, link: Link) -> bool:
        if self._is_full(link.peer.host):
            return False
        self._count(link)
        return True

    def _tell(self, host: str) -> None:
        if self._may_tell(Event.TURNED_AWAY):
            paths = [row.id for row in self.rows]
            log(Event.TURNED_AWAY, paths=paths, peer=host, connections=len(self.links), turned_away=self.refused)

    def _tell_of_want(self, error: OSError) -> None:
        if self._may_tell(Event.DOOR_PAUSED):
            log(Event.DOOR_PAUSED, paths=[row.id for row in self.rows], connections=len(self.links), error=str(error))

    def _may_tell(self, event: Event) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._told.get(event, -TOLD_EVERY) + TOLD_EVERY:
            return False
        self._told[event] = now
        return True

    def _forget(self, link: Link) -> None:
        if link in self.links:
            self.links.discard(link)
            self._emptied.set()
            self._by_address[link.peer.host] -= 1
            if not self._by_address[link.peer.host]:
                del self._by_address[link.peer.host]


def bound_socket(wire: Wire, host: str, number: int, shared: bool) -> socket.socket:
    """Returns a socket of TCP or UDP that is bound to an address, of one family alone. With `shared`, several processes may hold
    the same port (SO_REUSEPORT). Raises OSError, which names the address and the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if wire is Wire.UDP else socket.SOCK_STREAM)
    try:
        if wire is Wire.TCP:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, number))
    except OSError as error:
        sock.close()
        raise OSError(
            error.errno, error.strerror, f"{host} port {number}{'/UDP' if wire is Wire.UDP else ''}"
        ) from None
    return sock


async def dial(
    row: Path,
    session: LinkSession,
    host: str,
    number: int,
    port: Port,
    tls: TlsContext | None = None,
    server_hostname: str | None = None,
    timeout: float = 30.0,
) -> Link:
    """Connects to `host` (an address literal) on `number`, the real port that stands for `port` of `row`.

    With an implicit port TLS is up when this returns; elsewhere `tls` is for a later `start_tls`. Raises OSError,
    ssl.SSLError, TimeoutError.
    """
    if port not in row.ports:
        raise ValueError(f"{row.id} has no port {port}")
    implicit = port.tls is Tls.IMPLICIT
    async with asyncio.timeout(timeout):
        _, link = await asyncio.get_running_loop().create_connection(
            lambda: Link(session, tls, implicit),
            host,
            number,
            ssl=_from_the_start(tls) if implicit else None,
            server_hostname=(server_hostname or host) if implicit else None,
        )
    link.keep_alive(_KEEP_ALIVE)
    return link


async def dial_local(row: Path, session: LinkSession, path: FilePath, timeout: float = 5.0) -> Link:
    """Connects to a unix socket of `row` (ncalrpc). Raises OSError, TimeoutError."""
    if not any(port.wire is Wire.UNIX for port in row.ports):
        raise ValueError(f"{row.id} has no local port")
    async with asyncio.timeout(timeout):
        _, link = await asyncio.get_running_loop().create_unix_connection(lambda: Link(session), str(path))
    return link


def _usual(tls: DoorTls | None) -> TlsContext | None:
    """The context under the names that have none of their own."""
    return tls.usual if isinstance(tls, ContextsByName) else tls


def _from_the_start(tls: TlsContext | None) -> ssl.SSLContext | None:
    """Returns the context for a port with implicit TLS, as asyncio takes it. A MutualContext raises ValueError: it begins a
    connection only under a name for which `ContextsByName` has one."""
    if isinstance(tls, MutualContext):
        raise ValueError("a MutualContext begins no connection but by name")
    return tls
