"""A member server of the tests' Samba domain: its machine account with keytab and NT hash, a Locator, a logon broker on a unix
socket, and an Authenticator that asks it. Accounts have names of their own, so that other tests are not disturbed."""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from postern.directory.ad.adapter import DomainDirectory
from postern.directory.ldap.tickets import MachineTickets, environment
from postern.model.directory import DomainController, NtlmLogon
from postern.model.organization import ActiveDirectory, Profile
from postern.net.door import Door
from postern.net.tunnel import tunnel
from postern.paths.table import settle
from postern.protocols.dcerpc.interfaces.logon_broker import LOGON_BROKER
from postern.services.netlogon.broker import BrokerClient, LogonBroker
from postern.services.netlogon.client import NetlogonClient
from postern.services.rpc.client import RpcClient, RpcTarget
from postern.services.rpc.server import RpcServer
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from postern.trust.host import HostCredentials
from postern.trust.kerberos.passwords import KerberosPasswords
from postern.trust.ntlm.handshake import NtlmAcceptor, NtlmInitiator, Proof, nt_hash
from tests.directory.samba import Domain

ROWS = settle(Profile.PRACTICAL)
PASSWORD = "Postern-demo-1"


class Locate:
    """A Locator over some controllers; `failures` are the names of those that were told to have failed."""

    def __init__(self, controllers: Sequence[DomainController]) -> None:
        self.known = list(controllers)
        self.failures: list[str] = []

    async def controllers(self) -> Sequence[DomainController]:
        return tuple(self.known)

    def failed(self, controller: DomainController) -> None:
        self.failures.append(controller.fqdn)
        if controller in self.known:
            self.known.remove(controller)
            self.known.append(controller)


class Member:
    """`name` is the server's ("trust1"), whose account is TRUST1$."""

    def __init__(self, domain: Domain, name: str = "trust1") -> None:
        self.domain = domain
        self.name = name
        self.account = f"{name.upper()}$"
        self.fqdn = f"{name}.{domain.name}"
        self.keytab = domain.computer(name, (f"smtp/{name}.{domain.name}", f"imap/{name}.{domain.name}"))
        self.row, self.local = ROWS["hub-to-ad"], ROWS["ad-topology"]
        self.observed = Observed(None)

    def nt_hash(self) -> bytes:
        """As the controller's own database has it."""
        which = f"(sAMAccountName={self.account})"
        said = self.domain.run("dc1", ["ldbsearch", "-H", "/var/lib/samba/private/sam.ldb", which, "unicodePwd"])
        found = re.search(r"unicodePwd:: (\S+)", said)
        assert found is not None
        return base64.b64decode(found[1])

    def channel(self, locator: Locate, secret: bytes | None = None) -> NetlogonClient:
        known = self.nt_hash() if secret is None else secret
        return NetlogonClient(self.row, locator, self.domain.netbios, self.account, lambda: known, self.observed)

    def directory(self, locator: Locate) -> DomainDirectory:
        active = ActiveDirectory(self.domain.name, self.domain.netbios)
        tickets = MachineTickets(self.account, self.domain.realm, self.keytab)
        return DomainDirectory.open(self.row, active, locator, tunnel, tickets, self.observed)

    def passwords(self) -> KerberosPasswords:
        return KerberosPasswords(self.domain.realm, str(self.keytab), f"host/{self.fqdn}")

    @asynccontextmanager
    async def broker(self, locator: Locate, directory: DomainDirectory) -> AsyncIterator[BrokerClient]:
        """The broker behind its unix socket, and a client of it."""
        with tempfile.TemporaryDirectory(prefix="br-", dir="/tmp") as folder:
            socket = Path(folder) / "broker"
            service = LogonBroker(self.local, self.channel(locator))
            acceptors = Authenticator(directory, HostCredentials(self.name, self.domain.name))
            server = RpcServer([service], acceptors, lambda identity, row: True, self.observed, self.account)
            door = Door([self.local], self.local.port("ncalrpc"), server.session, None)
            await door.open_local(socket)
            target = RpcTarget(self.local, "127.0.0.1", self.fqdn, 0, None, (socket,))
            client = BrokerClient(RpcClient(LOGON_BROKER, target, self.observed), self.passwords())
            try:
                yield client
            finally:
                await client.close()
                await door.close(0.5)
                await service.close()

    async def answer(self, user: str, password: str, domain: str = "CORP", secret: bytes | None = None) -> NtlmLogon:
        """A client's answer to our challenge, as it would be passed on. `secret`: an NT hash instead of the password."""
        taken: list[NtlmLogon] = []

        async def prove(logon: NtlmLogon) -> Proof | None:
            taken.append(logon)
            return None

        acceptor = NtlmAcceptor(HostCredentials(self.name, self.domain.name, self.domain.netbios), prove)
        client = NtlmInitiator(user, domain, nt_hash(password) if secret is None else secret)
        await acceptor.authenticate(client.authenticate(acceptor.negotiate(client.negotiate())))
        return taken[0]


@contextmanager
def kerberos(domain: Domain, keytab: Path) -> Iterator[None]:
    """This process's Kerberos is the domain's; replay caches are the tests' own."""
    wanted = {**environment(keytab, domain.krb5_conf), "KRB5RCACHEDIR": str(domain.folder)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
