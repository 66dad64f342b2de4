"""Logging on in a Samba domain as clients and servers do: passwords by Kerberos, NTLM through the broker, tickets with PAC; hubs
among each other; and accounts that are disabled, locked or expired meanwhile.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from postern.directory.ad.adapter import DomainDirectory
from postern.model.directory import Recipient, RecipientType
from postern.model.mail import Action, Content, Envelope, EnvelopeRecipient, HopKind, NextHop, Origin, Parcel
from postern.model.organization import AcceptedDomain, Organization, Role, Server
from postern.model.security import Mechanism, Peer, PrincipalKind, Seal
from postern.net.dns import Resolver
from postern.services.netlogon.broker import BrokerClient
from postern.services.smtp.send import SenderProofs, SmtpSender
from postern.telemetry.observed import Observed
from postern.trust.acceptor import FAILED, Asking, Challenge, Denied, Granted
from postern.trust.authenticator import Authenticator, DomainLogons
from postern.trust.framing import rpc
from postern.trust.framing.sasl import begin
from postern.trust.host import HostCredentials
from postern.trust.initiators import Initiators
from postern.trust.kerberos import passwords as kerberos_passwords
from postern.trust.ntlm.handshake import NtlmInitiator, nt_hash
from postern.trust.passwords.proofs import DomainProofs
from postern.trust.sasl.initiators import sasl_initiators
from tests.directory.samba import Domain
from tests.services.domain_member import PASSWORD, ROWS, Locate, Member, kerberos
from tests.services.smtp_doors import SmtpDoors

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(kerberos_passwords.gssapi is None, reason="the extra postern[kerberos] is not installed"),
]
PEER = Peer("192.0.2.1", 40_000)
TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")
USERS = ("logon-anna", "logon-gone", "logon-locked", "logon-must", "logon-past")


@pytest.fixture(scope="module")
def member(samba_domain: Domain) -> Iterator[Member]:
    made = Member(samba_domain)
    for user in USERS:
        samba_domain.user(user)
    samba_domain.samba_tool("user", "disable", "logon-gone")
    samba_domain.modify(_user(samba_domain, "logon-must"), "pwdLastSet", "0")
    samba_domain.modify(_user(samba_domain, "logon-past"), "accountExpires", "116444736010000000")
    with kerberos(samba_domain, made.keytab):
        yield made


def _user(domain: Domain, name: str) -> str:
    return f"CN={name},CN=Users,{domain.base}"


def credentials(member: Member) -> HostCredentials:
    domain = member.domain
    return HostCredentials(member.name, domain.name, domain.netbios, domain.realm, str(member.keytab))


class Logons:
    """What a process of the member has."""

    def __init__(self, member: Member, directory: DomainDirectory, broker: BrokerClient) -> None:
        self.member, self.directory, self.broker = member, directory, broker
        host = credentials(member)
        judges = DomainLogons(DomainProofs(directory, broker, member.domain.netbios), directory.servers_sid)
        self.authenticator = Authenticator(directory, host, directory, judges)

    async def password(self, name: str, password: str) -> Granted | Denied:
        return await self.authenticator.password(name, password, PEER)

    async def ntlm(self, user: str, secret: bytes) -> Challenge | Granted | Denied:
        server = begin(self.authenticator, "NTLM", Asking(PEER, TLS))
        assert server is not None
        client = NtlmInitiator(user, "CORP", secret)
        outcome = await server.step(client.negotiate())
        assert isinstance(outcome, Challenge)
        return await server.step(client.authenticate(outcome.data))

    async def gssapi(self, client: Any) -> Granted | Denied:
        server = begin(self.authenticator, "GSSAPI", Asking(PEER, TLS))
        assert server is not None
        outcome = await server.step(await asyncio.to_thread(client.step, b""))
        while isinstance(outcome, Challenge):
            outcome = await server.step(await asyncio.to_thread(client.step, outcome.data))
        return outcome


@asynccontextmanager
async def process(member: Member) -> AsyncIterator[Logons]:
    locator = Locate([member.domain.controller("dc1")])
    directory = member.directory(locator)
    async with member.broker(locator, directory) as broker:
        logons = Logons(member, directory, broker)
        try:
            yield logons
        finally:
            logons.authenticator.close()
            await directory.close()


def test_passwords(member: Member) -> None:
    async def steps() -> None:
        async with process(member) as logons:
            assert {Mechanism.NTLM, Mechanism.KERBEROS, Mechanism.BASIC} <= await logons.authenticator.refresh()
            for name in ("logon-anna", "CORP\\logon-anna", "logon-anna@corp.test"):
                outcome = await logons.password(name, PASSWORD)
                assert isinstance(outcome, Granted) and outcome.identity.name == "logon-anna@corp.test"
            for name in ("logon-nobody", "logon-gone", "logon-must", "logon-past"):
                assert await logons.password(name, PASSWORD) == FAILED
            assert await logons.password("logon-anna", "wrong") == FAILED

    asyncio.run(steps())


def test_ntlm(member: Member) -> None:
    async def steps() -> None:
        async with process(member) as logons:
            outcome = await logons.ntlm("logon-anna", nt_hash(PASSWORD))
            assert isinstance(outcome, Granted) and outcome.identity.kind is PrincipalKind.USER
            assert any(group.endswith("-513") for group in outcome.identity.groups)
            for user in ("logon-nobody", "logon-gone", "logon-must", "logon-past"):
                assert await logons.ntlm(user, nt_hash(PASSWORD)) == FAILED
            machine = await logons.ntlm(member.account, member.nt_hash())
            assert isinstance(machine, Granted) and machine.identity.kind is PrincipalKind.SERVER

    asyncio.run(steps())


def test_a_machine_s_ticket(member: Member) -> None:
    async def steps() -> None:
        begin = sasl_initiators(member.account, credentials(member))
        async with process(member) as logons:
            outcome = await logons.gssapi(begin(Mechanism.KERBEROS, member.fqdn))
            assert isinstance(outcome, Granted)
            assert (outcome.identity.name, outcome.identity.kind) == (member.account, PrincipalKind.SERVER)
            assert await logons.directory.servers_sid() in outcome.identity.groups

    asyncio.run(steps())


def test_a_user_s_ticket_counts_only_while_the_account_does(member: Member, tmp_path: Path) -> None:
    gssapi = kerberos_passwords.gssapi
    cache = f"FILE:{tmp_path}/ccache"
    subprocess.run(["kinit", "-c", cache, "logon-anna"], input=PASSWORD, text=True, check=True, capture_output=True)

    class Client:
        """libkrb5's own, with the user's tickets."""

        def __init__(self) -> None:
            self.context = gssapi.SecurityContext(
                name=gssapi.Name(f"imap@{member.fqdn}", gssapi.NameType.hostbased_service),
                creds=gssapi.Credentials(usage="initiate", store={"ccache": cache}),
                usage="initiate",
            )

        def step(self, challenge: bytes) -> bytes:
            if not self.context.complete:
                return bytes(self.context.step(challenge or None) or b"")
            self.context.unwrap(challenge)
            return bytes(self.context.wrap(b"\x01\0\0\0", False).message)

    async def steps() -> None:
        async with process(member) as logons:
            outcome = await logons.gssapi(Client())
            assert isinstance(outcome, Granted) and outcome.identity.name == "logon-anna@corp.test"
            assert outcome.identity.kind is PrincipalKind.USER and outcome.identity.groups
            member.domain.samba_tool("user", "disable", "logon-anna")
            try:
                assert await logons.gssapi(Client()) == FAILED
                assert await logons.password("logon-anna", PASSWORD) == FAILED
                assert await logons.ntlm("logon-anna", nt_hash(PASSWORD)) == FAILED
            finally:
                member.domain.samba_tool("user", "enable", "logon-anna")
            assert isinstance(await logons.gssapi(Client()), Granted)

    asyncio.run(steps())


def test_a_locked_account_is_refused_at_once_also_where_its_password_is_remembered(member: Member) -> None:
    async def steps() -> None:
        async with process(member) as logons:
            assert isinstance(await logons.password("logon-locked", PASSWORD), Granted)
            member.domain.samba_tool("domain", "passwordsettings", "set", "--account-lockout-threshold=3")
            try:
                for _ in range(3):
                    await logons.ntlm("logon-locked", nt_hash("wrong"))
                assert await logons.password("logon-locked", PASSWORD) == FAILED
                assert await logons.ntlm("logon-locked", nt_hash(PASSWORD)) == FAILED
            finally:
                member.domain.samba_tool("domain", "passwordsettings", "set", "--account-lockout-threshold=0")

    asyncio.run(steps())


def test_a_password_stays_remembered_though_logons_move_the_entry(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps() -> None:
        async with process(member) as logons:
            before = await logons.directory.account("logon-anna")
            await logons.ntlm("logon-anna", nt_hash("wrong"))
            assert isinstance(await logons.password("logon-anna", PASSWORD), Granted)
            await logons.ntlm("logon-anna", nt_hash(PASSWORD))
            after = await logons.directory.account("logon-anna")
            assert before is not None and after is not None and before.change == after.change
            member.domain.samba_tool("user", "setpassword", "logon-anna", "--newpassword=Another-demo-2")
            try:
                assert await logons.password("logon-anna", PASSWORD) == FAILED
                assert isinstance(await logons.password("logon-anna", "Another-demo-2"), Granted)
            finally:
                member.domain.samba_tool("user", "setpassword", "logon-anna", f"--newpassword={PASSWORD}")

    asyncio.run(steps())


@pytest.mark.parametrize("mechanism", [Mechanism.NTLM, Mechanism.KERBEROS])
def test_rpc_between_our_servers(member: Member, mechanism: Mechanism) -> None:
    async def steps() -> None:
        initiators = Initiators(member.account, credentials(member), member.nt_hash())
        async with process(member) as logons:
            client = initiators.begin(mechanism, member.fqdn)
            assert client is not None
            server = rpc.begin(logons.authenticator, client.auth_type, PEER)
            assert server is not None
            outcome = await server.step(await client.step(b""))
            while isinstance(outcome, Challenge):
                outcome = await server.step(await client.step(outcome.data))
            assert isinstance(outcome, Granted)
            if outcome.data:
                await client.step(outcome.data)
            assert client.complete and client.session_key == server.context.session_key
            assert (outcome.identity.name, outcome.identity.kind) == (member.account, PrincipalKind.SERVER)

    asyncio.run(steps())


# Over SMTP


@asynccontextmanager
async def submission(member: Member, *rows: str) -> AsyncIterator[tuple[SmtpDoors, int]]:
    """A hub's door for these rows, whose callers the domain knows."""
    async with process(member) as logons:
        doors = SmtpDoors()
        doors.authenticator.close()
        doors.authenticator = logons.authenticator
        doors.directory.mail["logon-anna@corp.test"] = Recipient(
            uuid4(), RecipientType.USER, "Anna", "logon-anna@corp.test", ("logon-anna@corp.test",)
        )
        anna = await logons.directory.account("logon-anna")
        assert anna is not None
        doors.directory.accounts["logon-anna@corp.test"] = replace(anna, recipient="logon-anna@corp.test")
        try:
            yield doors, await doors.open(*rows)
        finally:
            await doors.close()


async def _run(*argv: str, given: bytes = b"") -> str:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(given)
    return said.decode(errors="replace")


MAIL = b"From: logon-anna@corp.test\nTo: bob@example.test\nSubject: x\n\nhello\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.parametrize(
    ("user", "code"),
    [("logon-anna", "235"), ("logon-anna@corp.test", "235"), ("CORP\\logon-anna", "235"), ("logon-gone", "535")],
)
def test_curl_by_ntlm(member: Member, user: str, code: str, tmp_path: Path) -> None:
    async def steps() -> None:
        async with submission(member, "internet-to-hub", "client-to-hub-smtp") as (doors, port):
            (tmp_path / "mail").write_bytes(MAIL.replace(b"\n", b"\r\n"))
            said = await _run(
                *("curl", "-sv", "-k", "--ssl-reqd", f"smtp://127.0.0.1:{port}", "--login-options", "AUTH=NTLM"),
                *("--user", f"{user}:{PASSWORD}", "--mail-from", "logon-anna@corp.test"),
                *("--mail-rcpt", "bob@example.test", "-T", str(tmp_path / "mail")),
            )
            assert f"< {code} " in said, said
            assert len(doors.queue.taken) == (code == "235"), said
            seen = {(path, mechanism) for path, _, mechanism, *_ in doors.observed._counts}
            assert (("client-to-hub-smtp", "NTLM") in seen) == (code == "235")

    asyncio.run(steps())


@pytest.mark.skipif(shutil.which("msmtp") is None, reason="no msmtp")
def test_msmtp_by_a_ticket(member: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(
        ["kinit", "-c", f"FILE:{tmp_path}/cc", "logon-anna"], input=PASSWORD, text=True, check=True, capture_output=True
    )
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/cc")
    member.domain.samba_tool("spn", "add", "smtp/localhost", member.account, check=False)

    async def steps() -> None:
        async with submission(member, "internet-to-hub", "client-to-hub-smtp") as (doors, port):
            said = await _run(
                *("msmtp", "--host=localhost", f"--port={port}", "--tls=on", "--tls-certcheck=off", "--auth=gssapi"),
                *("--user=logon-anna", "--from=logon-anna@corp.test", "-v", "bob@example.test"),
                given=MAIL,
            )
            assert "235 " in said and len(doors.queue.taken) == 1, said
            assert {(key[0], key[2]) for key in doors.observed._counts} >= {("client-to-hub-smtp", "Kerberos")}

    asyncio.run(steps())


def test_a_hub_sends_to_a_hub_by_kerberos(member: Member) -> None:
    async def steps() -> None:
        async with submission(member, "internet-to-hub", "hub-to-hub", "client-to-hub-smtp") as (doors, port):
            there = Server(member.name, member.fqdn, frozenset({Role.HUB}), ("127.0.0.1",))
            organization = Organization("test", (AcceptedDomain("example.test"),), (there,), offset=port - 25)
            observed = Observed(None)
            sender = SmtpSender(
                *(ROWS, organization, Resolver(ROWS["any-server-to-dns"], ["127.0.0.1"]), observed),
                SenderProofs(member.fqdn, initiator=sasl_initiators(member.account, credentials(member))),
            )
            envelope = Envelope("x@remote.test", (EnvelopeRecipient("bob@example.test"),))
            parcel = Parcel("Q1", "<1@x>", envelope, Content.of(MAIL.replace(b"\n", b"\r\n")), _ORIGIN, 0.0)
            outcomes = await sender.carry(NextHop(HopKind.HUB, (member.name,), "hub-to-hub"), [parcel])
            assert [outcome.action for outcome in outcomes[0]] == [Action.RELAYED], outcomes
            assert {(key[0], key[2]) for key in doors.observed._counts} >= {("hub-to-hub", "Kerberos")}
            assert {(key[0], key[2]) for key in observed._counts} == {("hub-to-hub", "Kerberos")}

    asyncio.run(steps())


_ORIGIN = Origin("internet-to-hub", "127.0.0.1")
