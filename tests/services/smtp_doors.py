"""SMTP doors on free ports with a directory in memory, a real Authenticator, and a queue that remembers: what the tests dial.

Run as a program it serves until it is stopped: for foreign clients and measurements by hand.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import trustme

from postern.model.directory import UNKNOWN, Account, DirectoryUnavailable, Recipient, RecipientType, Unknown
from postern.model.mail import Accepted, Content, Envelope, IntakeError, Origin
from postern.model.organization import AcceptedDomain, DomainType, Limits, Profile
from postern.net.door import Door
from postern.net.mutual import MutualContext
from postern.net.tls import ServerContext
from postern.paths.guard import Guard
from postern.paths.row import Path as Row
from postern.paths.row import Port
from postern.paths.table import settle
from postern.services.smtp.receive import ReceiveConversation
from postern.services.smtp.receive_connector import (
    CallerProofs,
    ConnectorPolicy,
    ConnectorStores,
    ReceiveConnector,
    RecipientSources,
    Room,
)
from postern.telemetry.observed import Observed
from postern.telemetry.tracking import Tracker
from postern.trust.authenticator import Authenticator
from postern.trust.passwords.verifiers import verifiers
from tests.services.client_doors import bound_tls
from tests.support.ports import free_port

PASSWORD = "right horse"
FQDN = "hub.example.test"
DOMAINS = (
    AcceptedDomain("example.test"),
    AcceptedDomain("relay.test", DomainType.INTERNAL_RELAY),
    AcceptedDomain("회사.test"),
)


class SmtpDirectory:
    """alice, bob and carol, and kim of 회사.test, all with the same password. alice may send as sales@; carol takes mail from
    authenticated senders only; bob is in the cache. While not `available`, nobody answers."""

    def __init__(self) -> None:
        self._verifiers = verifiers(PASSWORD, ("nt", "scram-sha-256"))
        self.available = True
        self.accounts: dict[str, Account] = {}
        self.mail: dict[str, Recipient] = {}
        for name in ("alice", "bob", "carol", "kim"):
            guid, address = uuid.uuid5(uuid.NAMESPACE_DNS, name), f"{name}@example.test"
            if name == "kim":
                address = "kim@xn--vf4b131b.test"
            also = ("sales@example.test",) if name == "alice" else ()
            self.accounts[name] = Account(guid, address, True, False, "1", address, also)
            kind, title = RecipientType.USER, name.title()
            self.mail[address] = Recipient(
                guid, kind, title, address, (address,), "MBX1", accept_from_authenticated_only=name == "carol"
            )

    async def groups_of(self, guid: uuid.UUID) -> tuple[uuid.UUID, ...]:
        return ()

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        if not self.available:
            raise DirectoryUnavailable
        return {address: self.mail[address] for address in addresses if address in self.mail}

    async def recipient(self, address: str) -> Recipient | None:
        return (await self.recipients([address])).get(address)

    def cached_recipient(self, address: str) -> Recipient | Literal[Unknown.UNKNOWN] | None:
        return self.mail[address] if address == "bob@example.test" else UNKNOWN

    async def account(self, name: str) -> Account | None:
        return self.accounts.get(name.lower().removesuffix("@example.test"))

    async def accounts_by_guid(self, guids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Account]:
        return {account.guid: account for account in self.accounts.values() if account.guid in guids}

    async def verifier(self, account: Account, kind: str) -> str | None:
        return self._verifiers.get(kind)

    async def enabled_verifiers(self) -> frozenset[str]:
        return frozenset({"nt", "scram-sha-256"})

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        return ()


@dataclass
class MemoryQueue:
    """An Intake that keeps what it is given; `broken`: as if the disk were full."""

    taken: list[tuple[Envelope, bytes, Origin]] = field(default_factory=list)
    broken: bool = False

    async def accept(self, envelope: Envelope, content: Content, origin: Origin) -> Accepted:
        if self.broken:
            raise IntakeError("disk full")
        await asyncio.sleep(0)
        data = content.bytes()
        assert len(data) == content.size
        self.taken.append((envelope, data, origin))
        return Accepted(f"Q{len(self.taken)}", "<id@x>")


class SmtpDoors:
    """`port` opens a door for some rows; `authority` signs what localhost and 127.0.0.1 show."""

    def __init__(self, limits: Limits | None = None, profile: Profile = Profile.PRACTICAL) -> None:
        self.limits = limits or Limits()
        self.directory = SmtpDirectory()
        self.authenticator = Authenticator(self.directory, policy=self.directory)
        self.queue = MemoryQueue()
        self.observed = Observed(None)
        self.authority = trustme.CA()
        self.tls: ServerContext | MutualContext = bound_tls(self.authority)
        self.rows: dict[str, Row] = settle(profile)
        self.tracker = Tracker(Path("/nowhere"), "test")  # never flushed: its lines are looked at
        self.spool = tempfile.TemporaryDirectory(prefix="sp-", dir="/tmp")
        self.room: Room | None = None
        self._doors: list[Door] = []

    def connector(self, rows: Sequence[Row]) -> ReceiveConnector:
        return ReceiveConnector(
            Guard(rows, self.authenticator.available),
            FQDN,
            ConnectorPolicy(DOMAINS, self.limits),
            ConnectorStores(self.queue, Path(self.spool.name), self.observed, self.tracker),
            CallerProofs(self.authenticator),
            RecipientSources(self.directory, self.room),
        )

    async def open(self, *names: str, number: int = 25, tls: bool = True, per_address: int = 100) -> int:
        """A door for the rows on their port `number`; the real port that it is on."""
        await self.authenticator.refresh()
        rows = [self.rows[name] for name in names]
        port: Port = next(port for port in rows[-1].ports if port.number == number)
        connector = self.connector(rows)
        door = Door(
            rows, port, lambda: ReceiveConversation(connector), self.tls if tls else None, max_per_address=per_address
        )
        real = free_port()
        await door.open("127.0.0.1", real)
        self._doors.append(door)
        return real

    async def close(self) -> None:
        for door in self._doors:
            await door.close(0.5)
        self.authenticator.close()
        self.spool.cleanup()

    def client_tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


async def serve(folder: Path) -> None:
    """Writes the authority's certificate into `folder`, prints the ports, and serves until killed."""
    doors = SmtpDoors()
    internet = await doors.open("internet-to-hub", "client-to-hub-smtp")
    submission = await doors.open("client-to-hub-smtp", number=587)
    implicit = await doors.open("client-to-hub-smtp", number=465)
    (folder / "ca.pem").write_bytes(doors.authority.cert_pem.bytes())
    print(internet, submission, implicit, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
