"""An RPC server that obeys a list of weaknesses: the positive control of every refusal that the verifier asks of RPC rows.

It is our own server, wired strictly; each weakness takes one thing out of it here, for nothing in src can.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import tempfile
import threading
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path
from typing import Any

from postern.model.directory import NtlmLogon
from postern.model.organization import AcceptedDomain, Organization, Role, Server
from postern.model.security import Encryption, Identity, Mechanism, PrincipalKind
from postern.net.door import Door
from postern.paths.guard import Guard
from postern.paths.row import Path as Row
from postern.protocols.dcerpc.interfaces.endpoint import Endpoint
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_DELIVERY
from postern.protocols.dcerpc.protection import AuthType
from postern.protocols.dcerpc.server_events import AuthStep
from postern.services.rpc.call import Call
from postern.services.rpc.endpoint_mapper import EndpointMapper
from postern.services.rpc.server import RpcConversation, RpcServer
from postern.telemetry.observed import Observed
from postern.trust.acceptor import SERVERS, Asking, Denied, Granted
from postern.trust.authenticator import Authenticator
from postern.trust.contexts import SecurityFailure
from postern.trust.exchanges import ByNtlm, ContextExchange
from postern.trust.host import HostCredentials
from postern.trust.ntlm.handshake import Proof, account_name, matches, nt_hash
from postern.verify.sasl_client import Credentials
from postern.verify.subject import Subject
from tests.services.rpc_parts import DOMAIN, PASSWORDS, ROWS, MachineDirectory, may_call
from tests.support.ports import free_port

MACHINE, USER = Credentials("HUB1$", PASSWORDS["HUB1$"]), Credentials(f"alice@{DOMAIN}", PASSWORDS["alice"])
BACKDOOR = "a password that is not the account's"
HERE = Server("mbx1", f"mbx1.{DOMAIN}", frozenset({Role.MAILBOX, Role.HUB}), ("127.0.0.1",))


class RpcWeakness(Enum):
    NO_PROOF = auto()
    LOWER_LEVELS = auto()
    USERS = auto()
    ANY_NAME = auto()
    OTHER_PASSWORD = auto()
    FOREIGN_MECHANISM = auto()
    ANY_INTERFACE = auto()
    MAPPER_SERVES_ALL = auto()
    PORT_OUTSIDE_THE_RANGE = auto()
    WRONG_MAP = auto()
    OPEN_SOCKET = auto()
    OPEN_FOLDER = auto()
    NO_SOCKET = auto()
    REFUSES_EVERYBODY = auto()


class Store:
    """The one operation that the verifier calls, on a store without mailboxes."""

    syntax = MAILBOX_DELIVERY.syntax

    def __init__(self, row: Row) -> None:
        self.row = row

    def procedure(self, opnum: int) -> Any:
        return self._folders if opnum == MAILBOX_DELIVERY.numbers["folders"] else None

    async def _folders(self, call: Call) -> bytearray:
        operation = MAILBOX_DELIVERY.operations[MAILBOX_DELIVERY.numbers["folders"]]
        operation.request.decode(call.stub)
        return operation.reply.encode((*operation.zero, 1))


class _Gate(Guard):
    """Lets everybody in."""

    def row_for(self, identity: Identity, seal: object) -> Row:
        return self.rows[0]


class _ByNtlm(ByNtlm):
    weak: frozenset[RpcWeakness]

    async def _prove(self, logon: NtlmLogon) -> Proof:
        self._account = await self._judge.directory.account(account_name(logon))
        if RpcWeakness.OTHER_PASSWORD in self.weak:
            return _matched(BACKDOOR, logon)
        if RpcWeakness.USERS in self.weak and account_name(logon).startswith("alice"):
            return _matched(USER.password, logon)
        try:
            return await super()._prove(logon)
        except SecurityFailure:
            if RpcWeakness.ANY_NAME in self.weak:
                return _matched(MACHINE.password, logon)
            raise


def _matched(password: str, logon: NtlmLogon) -> Proof:
    proof = matches(nt_hash(password), logon)
    if proof is None:
        raise SecurityFailure("wrong password")
    return proof


class _Exchange(ContextExchange):
    weak: frozenset[RpcWeakness]

    async def _granted(self, answer: bytes) -> Granted | Denied:
        outcome = await super()._granted(answer)
        if isinstance(outcome, Denied) and self.weak & {RpcWeakness.USERS, RpcWeakness.ANY_NAME}:
            return Granted(Identity(PrincipalKind.SERVER, MACHINE.name, self.context.mechanism), answer)
        return outcome


class _Authenticator(Authenticator):
    weak: frozenset[RpcWeakness]

    def begin(self, mechanism: Mechanism, asking: Asking) -> ContextExchange | None:
        exchange = _Exchange(self, asking, self._proving(mechanism, asking))
        exchange.weak = self.weak
        return exchange

    def _proving(self, mechanism: Mechanism, asking: Asking) -> Any:
        if mechanism is not Mechanism.NTLM:
            return super()._proving(mechanism, asking)
        proving = _ByNtlm(self, self._host, asking)
        proving.weak = self.weak
        return proving


class _Server(RpcServer):
    weak: frozenset[RpcWeakness]

    def session(self) -> RpcConversation:
        conversation = super().session()
        machine, service = conversation._machine, next(iter(self.services.values()))

        def take(offer: Any) -> tuple[int, int]:
            machine._contexts[offer.id] = offer.abstract, offer.abstract
            self.services[offer.abstract] = service
            return 0, 0

        def foreign(step: AuthStep) -> ContextExchange | None:
            if step.first and step.association.type not in (AuthType.NTLM, AuthType.SPNEGO):
                asking = Asking(conversation.link.peer, callers=SERVERS, seals=True)
                conversation._exchanges[step.association.id] = self.authenticator.begin(Mechanism.NTLM, asking)
                return conversation._exchanges[step.association.id]
            return known(step)

        known = conversation._exchange
        if RpcWeakness.FOREIGN_MECHANISM in self.weak:
            conversation._exchange = foreign
        if RpcWeakness.ANY_INTERFACE in self.weak:
            machine._result = take
        return conversation


@contextlib.contextmanager
def weak_rpc(row: Row, *weaknesses: RpcWeakness) -> Iterator[Subject]:
    """Serves hub-to-mailbox-mapi until the block ends. `row` is what the verifier goes by; the server's own row is practical's,
    unless a weakness says otherwise."""
    weak = frozenset(weaknesses)
    with tempfile.TemporaryDirectory(prefix="rpc-", dir="/tmp") as folder:
        mapper, port = free_port(), free_port()
        loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
        work = _serve(weak, mapper, port, Path(folder), stop, ready)
        thread = threading.Thread(target=lambda: loop.run_until_complete(work))
        thread.start()
        try:
            assert ready.wait(10)
            outside = RpcWeakness.PORT_OUTSIDE_THE_RANGE in weak
            yield Subject(
                organization=Organization(
                    "test",
                    (AcceptedDomain(DOMAIN),),
                    (HERE,),
                    offset=mapper - 135,
                    rpc_ports=(port + 1, port + 2) if outside else (port, port),
                ),
                here=HERE,
                rows={row.id: row},
                authority=Path("/nonexistent"),
                probe=USER,
                machine=MACHINE,
                service=Credentials("", ""),
                enabled=frozenset({Mechanism.NTLM}),
                sockets=Path(folder),
            )
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()


async def _serve(
    weak: frozenset[RpcWeakness], mapper: int, port: int, folder: Path, stop: asyncio.Event, ready: threading.Event
) -> None:
    row = ROWS["hub-to-mailbox-mapi"]
    authenticator = _Authenticator(MachineDirectory(), HostCredentials("mbx1", DOMAIN))
    authenticator.weak = weak
    server = _Server([Store(row)], authenticator, may_call, Observed(None), MACHINE.name)
    server.weak = weak
    guarded = row
    if RpcWeakness.LOWER_LEVELS in weak:
        guarded = dataclasses.replace(row, encryption=Encryption.OFFERED)
    if RpcWeakness.REFUSES_EVERYBODY in weak:
        guarded = dataclasses.replace(row, supported_auth=())
    gate = _Gate if weak & {RpcWeakness.NO_PROOF, RpcWeakness.MAPPER_SERVES_ALL} else Guard
    server.guards[row.id] = gate([guarded], authenticator.available_to(SERVERS))
    if weak & {RpcWeakness.NO_PROOF, RpcWeakness.MAPPER_SERVES_ALL}:
        server.may_call = lambda identity, row: True
    known = Endpoint(MAILBOX_DELIVERY.syntax, 0 if RpcWeakness.WRONG_MAP in weak else port)
    services: list[Any] = [EndpointMapper([known])]
    epm = RpcServer(services, authenticator, may_call, Observed(None), MACHINE.name)
    if RpcWeakness.MAPPER_SERVES_ALL in weak:
        epm.services.update(server.services)
        epm.guards.update(server.guards)
        epm.may_call = server.may_call
    doors = [Door([row], row.port(key), made.session, None) for key, made in (("rpc", server), ("epm", epm))]
    local = Door([row], row.port("ncalrpc"), server.session, None)
    try:
        await doors[0].open("127.0.0.1", port)
        await doors[1].open("127.0.0.1", mapper)
        if RpcWeakness.NO_SOCKET not in weak:
            await local.open_local(folder / "mailbox.0")
            if RpcWeakness.OPEN_SOCKET in weak:
                os.chmod(folder / "mailbox.0", 0o666)
            if RpcWeakness.OPEN_FOLDER in weak:
                os.chmod(folder, 0o755)
        ready.set()
        await stop.wait()
    finally:
        for door in (*doors, local):
            await door.close(0.5)
