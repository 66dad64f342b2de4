"""A door for datagrams: a UDP socket exists only for rows of the table that have that port.

Reads rows and addresses, as `door` does. The service that handles a datagram knows what it means and who may send it. That
service counts what it accepted among the observed connections, since a sender's address in a datagram can be forged.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from postern.model.security import Peer, network
from postern.net.door import TOLD_EVERY, bound_socket
from postern.paths.row import Path, Port, Wire
from postern.telemetry.log import Event, log

MAX_SIZE = 65_535
"""Octets of the largest datagram (RFC 768: the length field has 16 bits). A row whose protocol needs less sets less."""
READ_AT_ONCE = HANDLED_AT_ONCE = 64
READ_AGAIN = 1.0
"""Seconds until a door looks again after the system had no room for a datagram."""
_NO_ROOM = frozenset({errno.ENOBUFS, errno.ENOMEM})

Handler = Callable[[bytes, Peer], Awaitable[None]]
"""Handles one datagram of a sender. The next datagram waits until it returns, so a handler with a long wait starts a task."""


@dataclass(slots=True)
class Dropped:
    """Datagrams that were not handled, or not sent, since the door was opened. What the kernel dropped before the door read it is
    in the last column of /proc/net/udp."""

    full: int = 0
    """The door's queue was full, or had enough of that sender."""
    oversize: int = 0
    unsent: int = 0
    """The kernel refused an answer, or too many waited to be sent."""

    @property
    def total(self) -> int:
        return self.full + self.oversize + self.unsent


class UdpDoor:
    """One bound UDP socket of some rows. `handler` gets the datagrams in order, with the sender's address; `send` answers.

    Bounds: `max_queued` datagrams wait for the handler, `max_per_address` of them from one address, and `max_queued` answers
    wait for the kernel. All addresses of a /64 of IPv6 count as one. A datagram has `max_size` octets at most. A datagram beyond
    a bound is dropped and counted, as networks drop datagrams anyway.
    """

    def __init__(
        self,
        rows: Sequence[Path],
        port: Port,
        handler: Handler,
        max_size: int = MAX_SIZE,
        max_queued: int = 1000,
        max_per_address: int = 100,
    ) -> None:
        if not rows or port.wire is not Wire.UDP or any(port not in row.ports for row in rows):
            raise ValueError(f"no row for a UDP door on {port}")
        self.rows = tuple(rows)
        self.port = port
        self.dropped = Dropped()
        self._handler = handler
        self._max_size = max_size
        self._max_queued = max_queued
        self._max_per_address = max_per_address
        self._socket: socket.socket | None = None
        self._queue: deque[tuple[bytes, Peer, str]] = deque()
        self._by_sender: Counter[str] = Counter()
        """Datagrams in the queue, by sender (`model.security.network`)."""
        self._answers: deque[tuple[bytes, Peer]] = deque()
        """Answers that the kernel did not take at once."""
        self._filled = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._told = -TOLD_EVERY
        self._closing = False

    async def open(self, host: str, number: int, shared: bool = True) -> None:
        """Binds a UDP address. With `shared`, several processes may hold the same port (SO_REUSEPORT): datagrams of one sender
        reach one process for as long as no door is opened or closed. Raises OSError."""
        self._socket = bound_socket(Wire.UDP, host, number, shared)
        self._socket.setblocking(False)
        self._working = asyncio.get_running_loop().create_task(self._work())
        self._attend()

    async def close(self, grace: float = 2.0) -> None:
        """Stops listening and forgets the datagrams that wait. The handler has `grace` seconds for the current datagram."""
        if self._socket is None or self._closing:
            return
        self._closing = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        self._queue.clear()
        self._filled.set()
        if self._working is not None:
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(self._working, grace)
        loop.remove_writer(self._socket)
        self._answers.clear()
        self._socket.close()
        self._socket = None

    def send(self, data: bytes, peer: Peer) -> None:
        """Sends a datagram from the door's own port to an address literal. Never waits: a datagram that cannot be sent is dropped
        and counted. Raises ValueError for a host that is no address of the door's family."""
        sock = self._socket
        if sock is None:
            self.dropped.unsent += 1
            return
        try:
            socket.inet_pton(sock.family, peer.host.partition("%")[0])
        except OSError:
            raise ValueError(f"{peer.host} is no address that this door can send to") from None
        if self._answers:
            self._keep(data, peer)
        elif not self._sent(sock, data, peer):
            self._keep(data, peer)
            asyncio.get_running_loop().add_writer(sock, self._flush)

    # Coming in

    def _attend(self) -> None:
        if self._socket is not None and not self._closing:
            asyncio.get_running_loop().add_reader(self._socket, self._read, self._socket)

    def _read(self, sock: socket.socket) -> None:
        """Takes the datagrams that wait, a bounded number at a time, so that others of this process have their turn too."""
        for _ in range(READ_AT_ONCE):
            try:
                # One octet more than may come: the kernel cuts off the rest of a larger one.
                data, address = sock.recvfrom(self._max_size + 1)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    loop = asyncio.get_running_loop()
                    loop.remove_reader(sock)
                    loop.call_later(READ_AGAIN, self._attend)
                    return
                continue  # an error that the network reports of an earlier answer
            self._take(data, Peer(address[0], address[1]))

    def _take(self, data: bytes, peer: Peer) -> None:
        sender = network(peer.host)
        if len(data) > self._max_size:
            self.dropped.oversize += 1
            self._tell(peer)
        elif len(self._queue) >= self._max_queued or self._by_sender[sender] >= self._max_per_address:
            self.dropped.full += 1
            self._tell(peer)
        else:
            self._queue.append((data, peer, sender))
            self._by_sender[sender] += 1
            self._filled.set()

    async def _work(self) -> None:
        handled = 0
        while not self._closing:
            if not self._queue:
                self._filled.clear()
                await self._filled.wait()
                continue
            handled += 1
            if handled % HANDLED_AT_ONCE == 0:
                await asyncio.sleep(0)  # a handler need not wait for anything itself
                continue
            data, peer, sender = self._queue.popleft()
            self._by_sender[sender] -= 1
            if not self._by_sender[sender]:
                del self._by_sender[sender]
            try:
                await self._handler(data, peer)
            except Exception as error:
                log(Event.CONVERSATION_FAILED, conversation="datagram", error=repr(error), exc_info=error)

    # Going out

    def _sent(self, sock: socket.socket, data: bytes, peer: Peer) -> bool:
        """Whether the kernel took the datagram, or never will."""
        try:
            sock.sendto(data, (peer.host, peer.port))
        except (BlockingIOError, InterruptedError):
            return False
        except (OSError, OverflowError):  # no route, a firewall's refusal, too large, no such port
            self.dropped.unsent += 1
            self._tell(peer)
        return True

    def _keep(self, data: bytes, peer: Peer) -> None:
        if len(self._answers) >= self._max_queued:
            self.dropped.unsent += 1
            self._tell(peer)
        else:
            self._answers.append((data, peer))

    def _flush(self) -> None:
        sock = self._socket
        if sock is None:
            return
        for _ in range(READ_AT_ONCE):
            if not self._answers:
                asyncio.get_running_loop().remove_writer(sock)
                return
            if not self._sent(sock, *self._answers[0]):
                return
            self._answers.popleft()

    def _tell(self, peer: Peer) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._told + TOLD_EVERY:
            self._told = now
            paths, counts = [row.id for row in self.rows], self.dropped
            log(
                Event.DATAGRAMS_DROPPED,
                paths=paths,
                peer=peer.host,
                full=counts.full,
                oversize=counts.oversize,
                unsent=counts.unsent,
            )
