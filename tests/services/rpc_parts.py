"""What the RPC tests share: a directory of machine accounts in memory, settled rows, doors on free ports and unix sockets."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path as FilePath
from uuid import UUID, uuid5

from postern.model.directory import UNKNOWN, Account, Recipient
from postern.model.mailbox_server import Mailboxes
from postern.model.organization import AcceptedDomain, Organization, Profile, Role, Server
from postern.model.security import Identity
from postern.net.door import Door
from postern.paths.row import Path
from postern.paths.table import settle
from postern.protocols.dcerpc.interfaces.endpoint import Endpoint
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.services.rpc.client import RpcTarget
from postern.services.rpc.endpoint_mapper import EndpointMapper
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.server import RpcServer, RpcService
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from postern.trust.host import HostCredentials
from postern.trust.initiators import Initiators
from postern.trust.ntlm.handshake import nt_hash
from tests.support.ports import free_port

DOMAIN = "example.test"
PASSWORDS = {
    "HUB1$": "hub-secret",
    "CAS1$": "cas-secret",
    "MBX1$": "mbx-secret",
    "HUB2$": "hub2-secret",
    "alice": "alice-secret",
}
ROLES = {"HUB1$": Role.HUB, "CAS1$": Role.CLIENT_ACCESS, "MBX1$": Role.MAILBOX, "HUB2$": Role.HUB}
ROWS = settle(Profile.PRACTICAL)
MAILBOX = UUID("11111111-2222-3333-4444-555555555555")
SERVER = Server("mbx1", f"mbx1.{DOMAIN}", frozenset({Role.MAILBOX, Role.HUB}), ("127.0.0.1",))


class MachineDirectory:
    """Accounts by name (any case, with or without DOMAIN\\ or @domain), with NT hashes."""

    def __init__(self) -> None:
        self.removed: set[str] = set()
        self.disabled: set[str] = set()
        self.recipients_by_address: dict[str, Recipient] = {}

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        return {a: self.recipients_by_address[a] for a in addresses if a in self.recipients_by_address}

    async def recipient(self, address: str) -> Recipient | None:
        return self.recipients_by_address.get(address)

    def cached_recipient(self, address: str):
        return UNKNOWN

    async def account(self, name: str) -> Account | None:
        plain = name.rpartition("\\")[2].partition("@")[0].lower()
        for known in PASSWORDS:
            if known.lower() == plain:
                guid = uuid5(MAILBOX, known)
                return Account(guid, known, known not in self.disabled, known.endswith("$"), "1")
        return None

    async def accounts_by_guid(self, guids: Sequence[UUID]) -> dict[UUID, Account]:
        found = [await self.account(name) for name in PASSWORDS if name not in self.removed]
        return {account.guid: account for account in found if account is not None and account.guid in guids}

    async def verifier(self, account: Account, kind: str) -> str | None:
        return nt_hash(PASSWORDS[account.name]).hex() if kind == "nt" else None


def may_call(identity: Identity, row: Path) -> bool:
    role = ROLES.get(identity.name)
    return role is not None and role.value in {party.value for party in row.caller}


def initiators(account: str = "HUB1$", password: str | None = None) -> Initiators:
    return Initiators(
        account,
        HostCredentials(domain=DOMAIN, netbios="EXAMPLE"),
        nt_hash(PASSWORDS[account] if password is None else password),
    )


@dataclass
class Served:
    """A running mailbox server: over TCP by its endpoint mapper, and over its unix socket."""

    mapper: int
    port: int
    socket: FilePath
    observed: Observed

    def target(self, row: str, account: str = "", password: str | None = None) -> RpcTarget:
        """Over TCP if an account is given, else over the unix socket."""
        if not account:
            return RpcTarget(ROWS[row], "127.0.0.1", SERVER.fqdn, 0, None, (self.socket,))
        return RpcTarget(ROWS[row], "127.0.0.1", SERVER.fqdn, self.mapper, initiators(account, password))


@asynccontextmanager
async def serve(
    mailboxes: Mailboxes,
    extra: Sequence[RpcService] = (),
    acceptors: Authenticator | None = None,
    rows: dict[str, Path] | None = None,
    mapper: int = 0,
    host: str = "127.0.0.1",
    local_account: str = "HUB1$",
) -> AsyncIterator[Served]:
    rows = rows or ROWS
    delivery, access = rows["hub-to-mailbox-mapi"], rows["cas-to-mailbox"]
    services: list[RpcService] = [
        InterfaceService(MAILBOX_ACCESS, access, mailboxes),
        InterfaceService(MAILBOX_DELIVERY, delivery, mailboxes),
        *extra,
    ]
    observed = Observed(None)
    acceptors = acceptors or Authenticator(MachineDirectory(), HostCredentials("mbx1", DOMAIN))
    port = free_port()
    server = RpcServer(services, acceptors, may_call, observed, local_account)
    endpoints = [Endpoint(service.syntax, port, "Postern mailbox") for service in services]
    epm = RpcServer([EndpointMapper(endpoints)], acceptors, may_call, observed, local_account)
    with tempfile.TemporaryDirectory(prefix="rpc-", dir="/tmp") as folder:
        doors = []
        try:
            door = Door([delivery, access], delivery.port("rpc"), server.session, None)
            doors.append(door)
            await door.open(host, port)
            door = Door([delivery, access], delivery.port("epm"), epm.session, None)
            doors.append(door)
            if not mapper:
                mapper = free_port()
            await door.open(host, mapper)
            socket_path = FilePath(folder) / "mailbox"
            if any(p.label == "ncalrpc" for p in delivery.ports):
                door = Door([delivery, access], delivery.port("ncalrpc"), server.session, None)
                doors.append(door)
                await door.open_local(socket_path)
            yield Served(mapper, port, socket_path, observed)
        finally:
            for door in doors:
                await door.close(0.5)


def organization(mapper_offset: int = 0) -> Organization:
    return Organization("test", (AcceptedDomain(DOMAIN),), (SERVER,), offset=mapper_offset)
