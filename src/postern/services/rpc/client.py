"""RPC clients: a few connections to one server for one interface, over the unix socket of this host or over TCP by way of the
endpoint mapper, authenticated and sealed as the row says.

The row and this host's credentials decide the mechanism; `stub` gives the operations their meaning. Many calls share
a connection; a call that waits for long takes one of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any
from uuid import UUID

from postern.model.security import Encryption, Mechanism, PrincipalKind, Seal
from postern.net.door import dial, dial_local
from postern.net.link import Link
from postern.paths.proving import proofs
from postern.paths.row import Path, Wire
from postern.protocols.dcerpc.client import Bound, ClientMachine, Failed, Fault, Reply
from postern.protocols.dcerpc.interface import Interface, Syntax
from postern.protocols.dcerpc.interfaces.endpoint import ENDPOINT_MAPPER, MAP, map_request, read_map_reply
from postern.protocols.dcerpc.ndr import NdrError
from postern.protocols.dcerpc.protection import Level
from postern.telemetry.observed import Observed
from postern.trust.contexts import SecurityContext, SecurityFailure
from postern.trust.initiators import Initiators

MAX_BACKOFF = 5.0
Stub = bytes | memoryview


class RpcError(Exception):
    """A call did not succeed: no connection, no proof, or a fault. Nothing is known about whether it was executed, unless
    `executed` is False."""

    def __init__(self, text: str, status: int = 0, executed: bool = True) -> None:
        super().__init__(text)
        self.status = status
        self.executed = executed


class OlderServer(RpcError):
    """The server's version of the interface does not have the operation yet."""


@dataclass(frozen=True, slots=True)
class RpcTarget:
    """One server as a caller reaches it on one row.

    `host` is an address literal, `fqdn` the server's name for Kerberos; `mapper` is the real port number of its endpoint
    mapper. `sockets` are the unix sockets of the service's workers if it is on this host: tried in this order where the row
    has them.
    """

    row: Path
    host: str
    fqdn: str
    mapper: int
    initiators: Initiators | None
    sockets: tuple[FilePath, ...] = ()
    object: UUID | None = None
    """The object on the server that the calls are about, where the server has several. Each call names it."""
    kind: PrincipalKind = PrincipalKind.SERVER
    """The kind of account that the caller authenticates with: the machine's, or that of a person who runs a command."""


class RpcConnection:
    """One link with its machine: `bind`, then calls in any number at once."""

    def __init__(self) -> None:
        self.machine = ClientMachine()
        self.link: Link | None = None
        self.alive = False
        self.minor = 0
        """The minor version of the interface that both ends have; set by `bind`."""
        self._context = 0
        self.group = 0
        """The association group of this connection; set by `bind`."""
        self._loop = asyncio.get_running_loop()
        self._calls: dict[int, asyncio.Future[Stub]] = {}
        self._bound: asyncio.Future[Bound] | None = None

    @property
    def load(self) -> int:
        return len(self._calls)

    # net.link.LinkSession

    def opened(self, link: Link) -> None:
        self.link = link
        self.alive = True

    def received(self, data: bytes) -> None:
        self.machine.receive(data)
        while (event := self.machine.next_event()) is not None:
            if isinstance(event, Reply):
                self._settle(event.call_id, event.stub)
            elif isinstance(event, Fault):
                error = RpcError(f"fault {event.status:#x}", event.status, event.executed)
                self._settle(event.call_id, error)
            elif isinstance(event, Bound):
                if self._bound is not None and not self._bound.done():
                    self._bound.set_result(event)
            else:
                assert isinstance(event, Failed)
                self._end(event.reason)

    def closed(self, error: Exception | None) -> None:
        self._end("the connection was lost")

    def _settle(self, call_id: int, outcome: Stub | RpcError) -> None:
        future = self._calls.pop(call_id, None)
        if future is None or future.done():
            return
        if isinstance(outcome, RpcError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def _end(self, reason: str) -> None:
        self.alive = False
        for call_id in list(self._calls):
            self._settle(call_id, RpcError(reason))
        if self._bound is not None and not self._bound.done():
            self._bound.set_exception(RpcError(reason))
        if self.link is not None:
            self.link.abort()

    def close(self) -> None:
        self._end("the connection was closed")

    def _flush(self) -> None:
        if self.link is not None:
            self.link.write(self.machine.outgoing())

    # Calls

    async def bind(
        self,
        syntax: Syntax,
        context: SecurityContext | None,
        level: Level,
        group: int = 0,
        token: bytes | None = None,
    ) -> None:
        """Joins the association group of another connection (`group`), or begins one. `token` is the first token of the
        handshake, if it has been made already. Raises RpcError if the server refuses, SecurityFailure if it does not prove
        itself."""
        if token is None:
            token = await context.step(b"") if context is not None else b""
        versions = syntax.versions()
        self.machine.bind(versions, context.auth_type if context is not None else 0, level, token, group)
        answer = await self._answer()
        self.group = answer.group
        self._accepted(answer, versions)
        if context is None:
            return
        await self._prove(context, answer.token)
        self.machine.secured(context)
        self._flush()

    async def _answer(self) -> Bound:
        """Sends what the machine wrote, and waits for the server's answer to it."""
        self._bound = self._loop.create_future()
        self._flush()
        return await self._bound

    async def _prove(self, context: SecurityContext, token: bytes) -> None:
        """Ends the handshake, of which `token` is the server's first. Raises SecurityFailure if it needs more legs than one."""
        token = await context.step(token)
        if not context.complete:
            raise SecurityFailure("the handshake did not end")
        if token:
            self.machine.auth3(token)

    def _accepted(self, answer: Bound, versions: Sequence[Syntax]) -> None:
        """Takes the newest version of the interface that the server accepted. A server accepts the versions up to its own minor
        version (C706 chapter 6, the version attribute). Raises RpcError if it accepted none."""
        for place, accepted in enumerate(answer.accepted[: len(versions)]):
            if accepted:
                self._context, self.minor = place, versions[place].minor
                return
        raise RpcError("the server does not have this interface", executed=False)

    async def call(self, opnum: int, stub: bytes | bytearray, object_: UUID | None = None) -> Stub:
        """Makes a call. Raises RpcError. When it is cancelled, it tells the server that the answer is not wanted."""
        if not self.alive or self.link is None:
            raise RpcError("the connection was lost", executed=False)
        call_id = self.machine.call(self._context, opnum, stub, object_)
        future: asyncio.Future[Stub] = self._loop.create_future()
        self._calls[call_id] = future
        self.link.write(self.machine.outgoing())
        try:
            return await future
        except asyncio.CancelledError:
            self._calls.pop(call_id, None)
            if self.alive:
                self.machine.orphan(call_id)
                self._flush()
            raise


class RpcClient:
    """Calls of one interface on one server. `connections` share the ordinary calls."""

    def __init__(
        self,
        interface: Interface[Any],
        target: RpcTarget,
        observed: Observed,
        connections: int = 2,
        timeout: float = 60.0,
    ) -> None:
        self.target = target
        self.seal: Seal | None = None
        """The seal of the last connection. This and `mechanism`, by which it was authenticated, are for message tracking."""
        self.mechanism = ""
        self._syntax = interface.syntax
        self._sizes = interface.sizes
        self._operations = {
            operation.name: (number, operation) for number, operation in enumerate(interface.operations)
        }
        self._observed = observed
        self._timeout = timeout
        self._pool: list[RpcConnection | None] = [None] * connections
        self._locks = [asyncio.Lock() for _ in range(connections)]
        self._next = 0
        self._alone: list[RpcConnection] = []
        self._failures = 0
        self._not_before = 0.0

    async def call(self, name: str, values: Sequence[Any], timeout: float | None = None) -> list[Any]:
        """Calls an operation by its name with its [in] parameters; gives the [out] parameters and the returned number.
        Raises RpcError."""
        number, operation = self._operations[name]
        try:
            async with asyncio.timeout(timeout or self._timeout):
                connection = await self._connection()
                self._has(connection, name, number)
                reply = await connection.call(number, operation.request.encode(values), self.target.object)
            return operation.reply.decode(reply)
        except TimeoutError as error:
            raise RpcError("no answer in time") from error
        except NdrError as error:
            raise RpcError(f"parameters: {error}") from error

    async def call_alone(self, name: str, values: Sequence[Any], timeout: float | None) -> list[Any]:
        """Makes the same call on a connection that no other call shares: for calls that wait."""
        number, operation = self._operations[name]
        connection: RpcConnection | None = None
        try:
            async with asyncio.timeout(timeout or self._timeout):
                connection = self._idle() or await self._connect()
                self._has(connection, name, number)
                reply = await connection.call(number, operation.request.encode(values), self.target.object)
            self._alone.append(connection)
            return operation.reply.decode(reply)
        except TimeoutError as error:
            raise RpcError("no answer in time") from error
        except NdrError as error:
            raise RpcError(f"parameters: {error}") from error
        finally:
            if connection is not None and connection not in self._alone:
                connection.close()

    def _has(self, connection: RpcConnection, name: str, number: int) -> None:
        if number >= self._sizes[connection.minor]:
            version = f"{self._syntax.major}.{connection.minor}"
            raise OlderServer(f"{self.target.fqdn} has version {version}, without {name}", executed=False)

    def _idle(self) -> RpcConnection | None:
        """Returns a connection that a waiting call has left and that is still alive."""
        while self._alone:
            connection = self._alone.pop()
            if connection.alive:
                return connection
        return None

    async def close(self) -> None:
        for connection in (*self._pool, *self._alone):
            if connection is not None:
                connection.close()
        self._alone.clear()

    # Connections

    async def _connection(self) -> RpcConnection:
        """Returns a connection without calls if there is one, else the next in turn, made anew where it is gone."""
        self._next = (self._next + 1) % len(self._pool)
        place = self._next
        for i, pooled in enumerate(self._pool):
            if pooled is not None and pooled.alive and pooled.load == 0:
                return pooled
            if pooled is None or not pooled.alive:
                place = i
        connection = self._pool[place]
        if connection is not None and connection.alive:
            return connection
        async with self._locks[place]:
            connection = self._pool[place]
            if connection is None or not connection.alive:
                connection = self._pool[place] = await self._connect()
            return connection

    async def _connect(self) -> RpcConnection:
        now = asyncio.get_running_loop().time()
        if now < self._not_before:
            raise RpcError("the server could not be reached a moment ago", executed=False)
        try:
            connection = await self._dial()
        except (OSError, TimeoutError, RpcError, SecurityFailure) as error:
            self._failures += 1
            self._not_before = asyncio.get_running_loop().time() + min(MAX_BACKOFF, 0.1 * 2 ** min(self._failures, 8))
            raise RpcError(f"no connection to {self.target.fqdn}: {error}", executed=False) from error
        self._failures = 0
        return connection

    async def _dial(self) -> RpcConnection:
        target, row = self.target, self.target.row
        connection = RpcConnection()
        local = bool(target.sockets) and any(port.wire is Wire.UNIX for port in row.ports)
        if local:
            link = await self._dial_local(connection)
            context, level, mechanism, token = None, Level.NONE, Mechanism.PEER, b""
        else:
            context, mechanism, token = await self._handshake()
            level = Level.INTEGRITY if row.encryption is Encryption.NEVER else Level.PRIVACY
            number = await map_port(row, target.host, target.mapper, self._syntax)
            link = await dial(row, connection, target.host, number, row.port("rpc"))
        try:
            await connection.bind(self._syntax, context, level, token=token)
        except BaseException:
            connection.close()
            raise
        seal = link.seal
        if context is not None:
            seal = Seal("RPC privacy", context.cipher) if level == Level.PRIVACY else None
        self.seal, self.mechanism = seal, mechanism
        self._observed.seen(row.id, link.peer.host, mechanism, seal, time.time())
        return connection

    async def _dial_local(self, connection: RpcConnection) -> Link:
        """Connects to the first worker that answers. While a worker starts again, another takes its callers. Raises OSError."""
        *others, last = self.target.sockets
        for socket in others:
            with contextlib.suppress(OSError):
                return await dial_local(self.target.row, connection, socket)
        return await dial_local(self.target.row, connection, last)

    async def _handshake(self) -> tuple[SecurityContext, Mechanism, bytes]:
        """Begins a handshake by the first mechanism of the row that this host has credentials for, and returns its first token,
        too. Raises SecurityFailure."""
        target, initiators = self.target, self.target.initiators
        failure = SecurityFailure(f"{target.row.id} allows nothing that this host can prove itself with")
        for mechanism in proofs(target.row, target.kind, bool(target.sockets)) if initiators is not None else ():
            assert initiators is not None
            try:
                context = initiators.begin(mechanism, target.fqdn)
                if context is not None:
                    return context, mechanism, await context.step(b"")
            except SecurityFailure as error:  # there is no ticket, and nothing has been sent yet
                failure = error
        raise failure


async def map_port(row: Path, host: str, mapper: int, syntax: Syntax) -> int:
    """Asks the endpoint mapper at `host` (real port `mapper`) for an interface's port, of whatever minor version. Raises
    RpcError, OSError, TimeoutError."""
    connection = RpcConnection()
    await dial(row, connection, host, mapper, row.port("epm"))
    try:
        await connection.bind(ENDPOINT_MAPPER, None, Level.NONE)
        towers = read_map_reply(await connection.call(MAP, map_request(replace(syntax, minor=0))))
    except NdrError as error:
        raise RpcError(f"the endpoint mapper's answer: {error}") from error
    finally:
        connection.close()
    for tower in towers:
        if tower.syntax.uuid == syntax.uuid and tower.port:
            return tower.port
    raise RpcError("the endpoint mapper does not know this interface", executed=False)
