"""RPC servers: the connections of a door. The row of the interface decides about each call; then a service answers it.

The services (`RpcService`) carry out operations, and `trust` reads tokens. A bounded number of calls of one connection runs side
by side. A caller that is not admitted gets RPC's own refusals: bind_nak, nca_s_fault_access_denied.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from postern.model.security import NOBODY, Identity, Mechanism, PrincipalKind, Seal
from postern.net.link import Link
from postern.net.turns import turns_of
from postern.paths.guard import Guard, Refusal
from postern.paths.row import Path
from postern.protocols.dcerpc.groups import Groups
from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.interfaces.management import (
    INQ_IF_IDS,
    IS_SERVER_LISTENING,
    MANAGEMENT,
    inq_if_ids_reply,
    is_server_listening_reply,
)
from postern.protocols.dcerpc.ndr import NdrError
from postern.protocols.dcerpc.pdu import Nak, Status
from postern.protocols.dcerpc.protection import Association, AuthType, Level
from postern.protocols.dcerpc.server import ServerMachine
from postern.protocols.dcerpc.server_events import AuthStep, Cancel, Closing, Event, PdusHandled, Request
from postern.services.conversation import Conversation
from postern.services.rpc.call import Call, Caller, Procedure, RpcFault
from postern.telemetry import log as telemetry
from postern.telemetry.metrics import Metric, count, observe
from postern.telemetry.observed import Observed
from postern.trust.acceptor import SERVERS, Challenge, Denied, Granted, failed
from postern.trust.authenticator import Authenticator
from postern.trust.exchanges import ContextExchange
from postern.trust.framing.rpc import MECHANISMS, begin

MAX_CALLS = 64
"""Calls of one connection at the same time. While there are as many, its bytes are not read."""
LONG = 1_048_576
"""Octets of an answer from which on it waits for a turn before it is cut into fragments: dozens of milliseconds of work."""
STRANGERS_CALLS = 1
"""Calls at the same time before the caller has authenticated: each call is a task of its own, which has a turn of the loop."""
TRUSTED_IDLE = 3600.0
TICKET_GRACE = 20.0
"""Seconds after the end of its ticket in which a connection finishes the calls that are under way."""
REQUEST_LIMIT = 134_217_728
"""Bytes of a trusted caller's unfinished requests."""


class RpcService(Protocol):
    """An interface that is served. `row` is None where anyone may call, as with the endpoint mapper."""

    @property
    def syntax(self) -> Syntax: ...

    @property
    def row(self) -> Path | None: ...

    def procedure(self, opnum: int) -> Procedure | None:
        """Returns the procedure of an operation; None if there is none. A procedure may raise NdrError, ValueError (bad stub) or
        RpcFault."""
        ...


class Management:
    """The management interface over the services of one door."""

    syntax = MANAGEMENT
    row = None

    def __init__(self, syntaxes: Sequence[Syntax]) -> None:
        self._syntaxes = (*syntaxes, MANAGEMENT)

    def procedure(self, opnum: int) -> Procedure | None:
        return {INQ_IF_IDS: self._interfaces, IS_SERVER_LISTENING: self._listening}.get(opnum)

    async def _interfaces(self, call: Call) -> bytes:
        return inq_if_ids_reply(self._syntaxes)

    async def _listening(self, call: Call) -> bytes:
        return is_server_listening_reply()


class RpcServer:
    """The state that the connections of one door share. `may_call` says whether an identity is a server of a role that the
    row names as caller. `account` is this host's machine account: its own processes have that identity over a unix socket.
    `callers` are the kinds of accounts that may authenticate here."""

    def __init__(
        self,
        services: Sequence[RpcService],
        authenticator: Authenticator,
        may_call: Callable[[Identity, Path], bool],
        observed: Observed,
        account: str,
        callers: frozenset[PrincipalKind] = SERVERS,
    ) -> None:
        everything: list[RpcService] = [*services, Management([service.syntax for service in services])]
        self.services = {service.syntax: service for service in everything}
        self.authenticator = authenticator
        self.callers = callers
        self.groups = Groups(secrets.randbits(32))
        self.local_groups = Groups(secrets.randbits(32))
        """The association groups of the unix sockets. A connection over TCP cannot join them, and the other way about."""
        self.may_call = may_call
        self.observed = observed
        self.account = account
        rows = [service.row for service in services if service.row is not None]
        self.listed = frozenset(mechanism for row in rows for mechanism in row.supported_auth)
        self.guards = {row.id: Guard([row], authenticator.available_to(callers)) for row in rows}

    def session(self) -> RpcConversation:
        """For `Door(..., new_session=server.session)`."""
        return RpcConversation(self)


class RpcConversation(Conversation):
    """One connection of a door."""

    idle_timeout = 60.0
    """Seconds without a call until the caller is trusted; then TRUSTED_IDLE counts."""

    def __init__(self, server: RpcServer) -> None:
        super().__init__()
        self._server = server
        self._machine = ServerMachine(server.services, groups=server.groups)
        self._exchanges: dict[int, ContextExchange] = {}
        self._identities: dict[int, Identity] = {}
        self._callers: dict[tuple[Syntax, int], Caller | None] = {}
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._local: Identity | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._is_outlived = False
        self._most_calls = STRANGERS_CALLS
        self.feed = self._machine.receive  # type: ignore[method-assign]  # one call less for each read
        self.outgoing = self._machine.outgoing  # type: ignore[method-assign]  # the same

    def opened(self, link: Link) -> None:
        if link.seal is not None and link.seal.protocol == "local":
            if link.peer.uid != os.getuid():
                telemetry.log(telemetry.Event.REFUSED, peer=str(link.peer.uid), reason="another user's process")
                link.abort()
                return
            self._machine.groups = self._server.local_groups
            self._local = Identity(PrincipalKind.SERVER, self._server.account, Mechanism.PEER)
            self._trust()
        else:
            self._machine.address = str(link.local.port)
        super().opened(link)

    def next_event(self) -> Event | None:
        if len(self._calls) >= self._most_calls or self._is_outlived:
            if self.link is not None:
                self.link.pause()
            return None
        return self._machine.next_event()

    def handle(self, event: Event) -> Awaitable[None] | None:
        if isinstance(event, Request):
            self._begin(event)
        elif isinstance(event, AuthStep):
            return self._authenticate(event)
        elif isinstance(event, Cancel):
            task = self._calls.get(event.call_id)
            if task is not None and event.orphaned:
                task.cancel()
        elif not isinstance(event, PdusHandled):
            assert isinstance(event, Closing)
            peer = str(self.link.peer) if self.link is not None else ""
            telemetry.log(telemetry.Event.REFUSED, peer=peer, reason=event.reason)
            self._close()
        return None

    def ended(self) -> None:
        for task in self._calls.values():
            task.cancel()
        for timer in self._timers:
            timer.cancel()
        for context in self._machine.ended():
            try:
                context.rundown()
            except Exception as error:
                telemetry.log(
                    telemetry.Event.CONVERSATION_FAILED,
                    conversation="rpc",
                    operation="rundown",
                    error=repr(error),
                    exc_info=error,
                )

    def _trust(self) -> None:
        self._machine.request_limit = REQUEST_LIMIT
        self.idle_timeout = TRUSTED_IDLE
        self._most_calls = MAX_CALLS

    # Who calls

    async def _authenticate(self, step: AuthStep) -> None:
        association = step.association
        exchange = self._exchange(step)
        if exchange is None:
            self._refused(association, Denied(reason="mechanism not listed"))
            self._machine.auth_refused(Nak.AUTH_TYPE)
            self._close()
            return
        outcome = await exchange.step(step.token)
        if isinstance(outcome, Challenge):
            self._machine.auth_reply(outcome.data, None)
        elif isinstance(outcome, Granted):
            self._identities[association.id] = outcome.identity
            self._stays(outcome.identity, exchange.context.lifetime)
            self._trust()
            self._machine.auth_reply(outcome.data, exchange.context)
        else:
            self._refused(association, outcome)
            self._machine.auth_refused(Nak.LOCAL_LIMIT if outcome.temporary else Nak.NOT_SPECIFIED)
            if self._machine.is_refused:
                self._close()

    def _stays(self, identity: Identity, lifetime: float | None) -> None:
        """Limits the connection to the time that the account allows, and to the ticket's (RFC 4120 section 5.3: endtime)."""
        self.watch(self._server.authenticator.reauthorization, identity)
        if lifetime is not None:
            self._timers.append(self._loop.call_later(lifetime, self._outlived))

    def _outlived(self) -> None:
        self._is_outlived = True
        self._timers.append(self._loop.call_later(TICKET_GRACE if self._calls else 0.0, self.revoke))

    def _exchange(self, step: AuthStep) -> ContextExchange | None:
        if not step.first:
            return self._exchanges.get(step.association.id)
        kind, link = step.association.type, self.link
        listed = kind == AuthType.SPNEGO or MECHANISMS.get(kind) in self._server.listed
        if not listed or link is None:
            return None
        exchange = begin(self._server.authenticator, kind, link.peer, self._server.callers)
        if exchange is not None:
            self._exchanges[step.association.id] = exchange
        return exchange

    def _refused(self, association: Association, denied: Denied) -> None:
        """Logs and counts a proof that was refused, on the path of the first interface that the client bound."""
        if self.link is not None:
            rows = [self._server.services[syntax].row for syntax in self._machine.bound]
            path = next((row.id for row in rows if row is not None), "")
            mechanism = MECHANISMS.get(association.type, Mechanism.NEGOTIATE)
            failed(path, self.link.peer, mechanism, denied)

    def _caller(self, service: RpcService, association: Association | None) -> Caller | None:
        """The caller of a service under a security context; None if the row does not admit it. The answer is remembered."""
        key = (service.syntax, association.id if association is not None else -1)
        if key not in self._callers:
            self._callers[key] = self._judge(service, association)
        return self._callers[key]

    def _judge(self, service: RpcService, association: Association | None) -> Caller | None:
        link = self.link
        assert link is not None
        identity, seal = NOBODY, None
        if association is not None:
            identity = self._identities.get(association.id, NOBODY)
            if association.level == Level.PRIVACY:
                seal = Seal("RPC privacy", self._exchanges[association.id].context.cipher)
        elif self._local is not None:
            identity, seal = self._local, link.seal
        if service.row is None:
            return Caller(identity, link.peer, link.local, None, seal)
        row = self._server.guards[service.row.id].row_for(identity, seal)
        if isinstance(row, Refusal) or not self._server.may_call(identity, row):
            reason = row.reason if isinstance(row, Refusal) else "not a caller of this path"
            count(Metric.REFUSALS, service.row.id, reason)
            telemetry.log(
                telemetry.Event.REFUSED,
                path=service.row.id,
                peer=str(link.peer),
                identity=identity.name,
                reason=reason,
            )
            return None
        telemetry.log(
            telemetry.Event.AUTHENTICATED,
            path=row.id,
            peer=str(link.peer),
            identity=identity.name,
            mechanism=identity.mechanism,
            cipher=seal.cipher if seal is not None else "",
        )
        self._server.observed.seen(row.id, link.peer.host, identity.mechanism, seal, time.time())
        return Caller(identity, link.peer, link.local, row, seal)

    # Calls

    def _begin(self, request: Request) -> None:
        service = self._server.services[request.syntax]
        caller = self._caller(service, request.association)
        if caller is None:
            return self._machine.fault(request, Status.ACCESS_DENIED)
        procedure = service.procedure(request.opnum)
        if procedure is None:
            return self._machine.fault(request, Status.OP_RANGE)
        if request.call_id in self._calls:
            return self._machine.fault(request, Status.PROTOCOL)
        task = self._loop.create_task(self._run(request, procedure, caller))
        self._calls[request.call_id] = task
        # A call that is cancelled before it began runs nothing of `_run`.
        task.add_done_callback(lambda _: self._end(request.call_id))

    async def _run(self, request: Request, procedure: Procedure, caller: Caller) -> None:
        link, group = self.link, self._machine.group
        assert link is not None and group is not None
        begun, outcome = time.perf_counter(), "fault"
        try:
            try:
                stub = await procedure(Call(request.stub, caller, group, request.object, request.minor))
                if len(stub) > LONG:
                    await turns_of(self._loop).come()
                self._machine.reply(request, stub)
                outcome = "reply"
            except (NdrError, ValueError):
                self._machine.fault(request, Status.BAD_STUB, True)
            except RpcFault as refusal:
                self._machine.fault(request, refusal.status, True)
            except Exception as error:
                telemetry.log(
                    telemetry.Event.CONVERSATION_FAILED,
                    conversation="rpc",
                    operation=f"{request.syntax} {request.opnum}",
                    error=repr(error),
                    exc_info=error,
                )
                self._machine.fault(request, Status.UNSPECIFIED, True)
            self.flush()
            if link.congested:
                await link.drained()
        finally:
            row = caller.row.id if caller.row is not None else ""
            observe(Metric.RPC_SECONDS, time.perf_counter() - begun, row, outcome)

    def _end(self, call_id: int) -> None:
        """Forgets a call that has ended, and reads on if there were too many."""
        del self._calls[call_id]
        if self._is_outlived and not self._calls:
            self.revoke()
        if len(self._calls) != self._most_calls - 1 or self._task is not None:
            return
        if self.link is not None and not self.link.is_closed:
            self.link.resume()
            self._pump()
