"""Checks of every RPC row. Over TCP, by way of the endpoint mapper, each listed mechanism succeeds under packet privacy; a call
without proof, with less protection, a wrong password, a user's account or any other mechanism is refused.

The unix socket of this host admits our own account only. The calls change nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast
from uuid import uuid4

from postern.model.organization import HostService, Role, Server
from postern.model.security import Encryption, Mechanism, Seal
from postern.paths.row import Path, Wire
from postern.protocols.dcerpc.interface import Interface, Syntax
from postern.protocols.dcerpc.interfaces.published import part_of
from postern.protocols.dcerpc.protection import AuthType, Level
from postern.services.rpc.client import RpcError
from postern.trust.contexts import SecurityContext, SecurityFailure
from postern.trust.kerberos import contexts as kerberos
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.rpc_probe import Place, Question, SpnegoContext, ask, ask_locally, mapped, refusal
from postern.verify.sasl_client import CannotAuthenticate, Credentials, kerberos_credentials
from postern.verify.subject import Subject
from postern.verify.unix_sockets import check_socket
from postern.verify.waiting import no_realm

_FOREIGN = {14: "Schannel", 17: "DPA", 68: "Netlogon"}
"""Mechanisms of MS-RPCE 2.2.1.1.7 that no row lists."""
_LOWER = {Level.CONNECT: "connect", Level.PACKET: "packet", Level.INTEGRITY: "integrity"}
Begin = Callable[[], SecurityContext]


@dataclass(frozen=True, slots=True)
class RpcRow:
    """Asks every server of an RPC row by a call of its interface. Every admitted caller may make it, and it changes nothing."""

    interface: Interface[Any]
    operation: str
    parameters: Callable[[Subject], tuple[object, ...]] = lambda subject: ()

    def __call__(self, row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
        question = self.question(subject)
        for server in servers:
            try:
                asyncio.run(_Probe(row, server, question, subject, report).run())
            except (OSError, TimeoutError, RpcError, SecurityFailure) as error:
                report.check(f"{server.fqdn} answers", False, f"{type(error).__name__}: {error}")
            if server.name == subject.here.name and any(port.wire is Wire.UNIX for port in row.ports):
                asyncio.run(_local(row, part_of(self.interface), question, subject, report))
        report.settle()

    def question(self, subject: Subject) -> Question:
        return Question(self.interface, self.operation, self.parameters(subject))


class _Probe:
    """The checks of one row on one server, over TCP."""

    def __init__(self, row: Path, server: Server, question: Question, subject: Subject, report: RowReport) -> None:
        self.row, self.server, self.question = row, server, question
        self.subject, self.report = subject, report
        domain = subject.organization.active_directory
        self.domain = domain.netbios if domain is not None else subject.organization.default_domain
        self.waiting = no_realm(subject.organization)
        self.place = Place(row, server.addresses[0], subject.organization.port(135))

    async def run(self) -> None:
        """Raises OSError or RpcError if nobody answers where the table says."""
        number = await mapped(self.place, self.question.interface.syntax)
        first, last = self.subject.organization.rpc_ports
        self.report.ports.append("135/TCP (RPC)")
        inside = first <= number <= last
        self.report.check("the dynamic port is of the organization's range", inside, f"{number} is not")
        if not inside:
            return
        self.place = Place(self.row, self.place.host, self.place.mapper, number)
        self.report.ports.append(f"{number}/TCP (RPC)")
        for mechanism in self.row.supported_auth:
            if mechanism is not Mechanism.PEER:
                self.report.mechanism(await self._succeeds(mechanism))
        await self._unproven()
        for mechanism in self.row.supported_auth:
            if mechanism in _MECHANISMS and not self._waits(mechanism):
                await self._less_protected(mechanism)
                await self._others_accounts(mechanism)
        await self._unlisted()
        await self._elsewhere()

    # What must succeed

    async def _succeeds(self, mechanism: Mechanism) -> MechanismReport:
        if reason := self._waits(mechanism):
            return MechanismReport(mechanism, Verdict.NOT_DEPLOYED, reason)
        level = Level.INTEGRITY if self.row.encryption is Encryption.NEVER else Level.PRIVACY
        try:
            context = self._begin(mechanism, self.subject.machine)
            await ask(self.place, self.question, context, level)
        except (RpcError, SecurityFailure, CannotAuthenticate) as error:
            return MechanismReport(mechanism, Verdict.FAIL, str(error))
        seal = Seal("RPC privacy" if level is Level.PRIVACY else "RPC integrity", context.cipher)
        return MechanismReport(mechanism, Verdict.PASS, "", seal)

    def _waits(self, mechanism: Mechanism) -> str:
        """The reason why the mechanism cannot be there now; "" for NTLM, since every server has a machine account."""
        if mechanism is Mechanism.KERBEROS:
            return self.waiting
        return "" if mechanism is Mechanism.NTLM else "no probe"

    def _begin(self, mechanism: Mechanism, who: Credentials) -> SecurityContext:
        if mechanism is Mechanism.NTLM:
            return SpnegoContext(who, self.domain, self.server.fqdn)
        target = f"host@{self.server.fqdn}"
        organization = self.subject.organization
        if who is self.subject.machine:
            return kerberos.KerberosInitiatorContext(who.name, organization.realm, organization.keytab, target)
        return kerberos.KerberosInitiatorContext(who.name, organization.realm, None, target, kerberos_credentials(who))

    # What must be refused

    async def _refused(self, what: str, begin: Begin | None, level: Level, question: Question | None = None) -> None:
        """Checks that such a call is refused. A handshake that cannot even begin on our side refuses nothing."""
        try:
            context = begin() if begin is not None else None
        except CannotAuthenticate as error:
            self.report.check(f"{what} is refused", False, f"it could not be tried: {error}")
            return
        reason = await refusal(ask(self.place, question or self.question, context, level))
        self.report.check(f"{what} is refused", reason is not None, "the call was answered")

    async def _unproven(self) -> None:
        await self._refused("a call without authentication", None, Level.NONE)

    async def _less_protected(self, mechanism: Mechanism) -> None:
        if self.row.encryption is not Encryption.REQUIRED:
            return
        for level, name in _LOWER.items():
            await self._refused(
                f"{mechanism} at the level {name}", lambda: self._begin(mechanism, self.subject.machine), level
            )

    async def _others_accounts(self, mechanism: Mechanism) -> None:
        probe, machine = self.subject.probe, self.subject.machine
        await self._refused(f"a user's account by {mechanism}", lambda: self._begin(mechanism, probe), Level.PRIVACY)
        if mechanism is Mechanism.NTLM:  # by Kerberos the KDC itself refuses a wrong password
            wrong = Credentials(machine.name, secrets.token_urlsafe(24))
            nobody = Credentials("VERIFY-NOBODY$", machine.password)
            await self._refused("a wrong password by NTLM", lambda: self._begin(mechanism, wrong), Level.PRIVACY)
            await self._refused("an unknown account by NTLM", lambda: self._begin(mechanism, nobody), Level.PRIVACY)

    async def _unlisted(self) -> None:
        """Tries the other mechanisms of Windows' RPC, bare and inside SPNEGO, with the right secret where there is one."""
        machine, host = self.subject.machine, self.server.fqdn
        if Mechanism.NTLM not in self.row.supported_auth:
            await self._refused("NTLM", lambda: self._begin(Mechanism.NTLM, machine), Level.PRIVACY)
            await self._refused(
                "NTLM inside SPNEGO", lambda: SpnegoContext(machine, self.domain, host, AuthType.SPNEGO), Level.PRIVACY
            )
        if Mechanism.KERBEROS not in self.row.supported_auth and not self.waiting:
            await self._refused("Kerberos", lambda: self._begin(Mechanism.KERBEROS, machine), Level.PRIVACY)
        for number, name in _FOREIGN.items():
            await self._refused(name, partial(self._foreign, number), Level.PRIVACY)

    def _foreign(self, number: int) -> SecurityContext:
        """A correct NTLM handshake under another mechanism's number."""
        context = SpnegoContext(self.subject.machine, self.domain, self.server.fqdn)
        context.auth_type = cast(AuthType, number)
        return context

    async def _elsewhere(self) -> None:
        """Tries an interface that nobody serves, and the row's interface on the endpoint mapper's port, which anyone may call."""
        interface = self.question.interface
        unknown: Interface[Any] = Interface(
            "unknown",
            Syntax(uuid4(), 1),
            dict(enumerate(interface.operations)),
            "",
            interface.protocol,
            interface.sizes,
        )
        question = Question(unknown, self.question.operation, self.question.parameters)
        # With a mechanism of the row, so that only the interface can be the reason for a no.
        able = (listed for listed in self.row.supported_auth if listed in _MECHANISMS and not self._waits(listed))
        mechanism = next(able, Mechanism.NTLM)
        await self._refused(
            "an unknown interface", lambda: self._begin(mechanism, self.subject.machine), Level.PRIVACY, question
        )
        there = Place(self.row, self.place.host, self.place.mapper, self.place.mapper)
        reason = await refusal(ask(there, self.question, None, Level.NONE))
        self.report.check(
            "the endpoint mapper's port serves the mapper alone", reason is not None, "it was answered there"
        )


_MECHANISMS = (Mechanism.NTLM, Mechanism.KERBEROS)


async def _local(row: Path, part: Role | HostService, question: Question, subject: Subject, report: RowReport) -> None:
    """Checks the unix sockets (ncalrpc): the kernel tells who calls, so only our own account may open them."""
    files = sorted(subject.sockets.glob(f"{part}.*"))
    if not files:
        report.mechanism(MechanismReport(Mechanism.PEER, Verdict.FAIL, f"{part} has no unix socket on this host"))
        return
    report.ports.append("unix socket (ncalrpc)")
    for file in files:
        try:
            check_socket(file, subject, report)
            reason = await refusal(ask_locally(row, file, question))
        except (OSError, TimeoutError) as error:
            reason = f"{type(error).__name__}: {error}"
        verdict, detail = (Verdict.PASS, "") if reason is None else (Verdict.FAIL, f"{file.name}: {reason}")
        seal = Seal("local", "unix") if reason is None else None
        report.mechanism(MechanismReport(Mechanism.PEER, verdict, detail, seal))
