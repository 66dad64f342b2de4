"""IMAP and POP3 doors on free ports with a directory in memory and a real Authenticator: what the tests of both dial."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

import trustme

from postern.model.address_book import AddressBookEntry
from postern.model.directory import UNKNOWN, Account, Recipient, RecipientType, Unknown
from postern.model.mailbox_server import Mailboxes
from postern.model.organization import AcceptedDomain, Limits, Profile
from postern.net.door import Door
from postern.net.mutual import MutualContext
from postern.net.tls import ServerContext, end_point, names_of
from postern.paths.guard import Guard
from postern.paths.table import settle
from postern.services.access.changes import MailboxChanges
from postern.services.access.logon import ClientAccess, MailboxServer
from postern.services.access.sharing import Sharing, SharingStore
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from postern.trust.passwords.verifiers import verifiers
from tests.support.ports import free_port

PASSWORD = "right horse"
HANGS = 120.0
"""Seconds after which a test is taken to hang. On a busy machine a client with five hundred requests needs more than 30."""


NAMES = ("alice", "bob", "carol")


class MemoryDirectory:
    """Users with the same password."""

    def __init__(self, names: Sequence[str] = NAMES, password: str = PASSWORD) -> None:
        self._verifiers = verifiers(password, ("scram-sha-256",))
        self.accounts: dict[str, Account] = {}
        self.mail: dict[str, Recipient] = {}
        self.groups: dict[uuid.UUID, tuple[uuid.UUID, ...]] = {}
        """The groups that an entry is in."""
        for name in names:
            guid, address = uuid.uuid5(uuid.NAMESPACE_DNS, name), f"{name}@example.test"
            self.accounts[address] = Account(guid, address, True, False, "1", address)
            self.mail[address] = Recipient(guid, RecipientType.USER, name.title(), address, (address,), "MBX1")

    async def recipient(self, address: str) -> Recipient | None:
        return self.mail.get(address.lower())

    async def recipients(self, addresses: Any) -> dict[str, Recipient]:
        return {a: self.mail[a.lower()] for a in addresses if a.lower() in self.mail}

    def cached_recipient(self, address: str) -> Recipient | Literal[Unknown.UNKNOWN] | None:
        return UNKNOWN

    async def account(self, name: str) -> Account | None:
        return self.accounts.get(name.lower()) or self.accounts.get(f"{name.lower()}@example.test")

    async def accounts_by_guid(self, guids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Account]:
        return {account.guid: account for account in self.accounts.values() if account.guid in guids}

    async def groups_of(self, guid: uuid.UUID) -> tuple[uuid.UUID, ...]:
        return self.groups.get(guid, ())

    async def mailbox_owners(self, guids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
        return {known.guid: known.primary for known in self.mail.values() if known.guid in guids}

    async def resolve(self, text: str, most: int = 100) -> list[AddressBookEntry]:
        return []

    async def address_book_entries(self, guids: Sequence[uuid.UUID]) -> dict[uuid.UUID, AddressBookEntry]:
        return {
            known.guid: AddressBookEntry(known.guid, known.type, known.display_name, known.addresses)
            for known in self.mail.values()
            if known.guid in guids and known.type is not RecipientType.USER
        }

    async def enabled_verifiers(self) -> frozenset[str]:
        return frozenset({"scram-sha-256"})

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        return ()

    async def verifier(self, account: Account, kind: str) -> str | None:
        return self._verifiers.get(kind)


class Doors:
    """`authority` signs the certificate that `127.0.0.1`, `::1` and `localhost` show."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        limits: Limits | None = None,
        profile: Profile = Profile.PRACTICAL,
        names: Sequence[str] = NAMES,
        per_address: int = 10_000,
    ) -> None:
        self._per_address = per_address
        self.mailboxes = mailboxes
        self.limits = limits or Limits()
        self.directory = MemoryDirectory(names)
        self.authenticator = Authenticator(self.directory, policy=self.directory)
        self.changes = MailboxChanges(mailboxes)
        self.store = cast(SharingStore, mailboxes)
        """The same mailboxes; those of a test in which nothing is shared need no rights."""
        self.now = 0.0
        """The time for `sharing`, which remembers rights for a moment."""
        self.sharing = Sharing(self.directory, lambda name: self.store, lambda: [self.store], clock=lambda: self.now)
        self.observed = Observed(None)
        self.authority = trustme.CA()
        self.tls: ServerContext | MutualContext = bound_tls(self.authority)
        self.ports: dict[int, int] = {}
        self.only: Sequence[int] = ()
        """The numbers of the ports to open; () for all of the row."""
        self._rows = settle(profile)
        self.doors: list[Door] = []

    def access(self, row: str) -> ClientAccess:
        server = MailboxServer(self.mailboxes, self.changes, self.store)
        return ClientAccess(
            Guard([self._rows[row]], self.authenticator.available),
            self.authenticator,
            self.directory,
            lambda name: server,
            self.observed,
            self.limits,
            "mail.example.test",
            self.sharing,
        )

    async def open(self, row: str, session: Callable[[ClientAccess], Any]) -> None:
        await self.authenticator.refresh()
        access = self.access(row)
        for port in self._rows[row].ports:
            if self.only and port.number not in self.only:
                continue
            door = Door([self._rows[row]], port, lambda: session(access), self.tls, max_per_address=self._per_address)
            number = free_port()
            await door.open("127.0.0.1", number)
            self.doors.append(door)
            self.ports[port.number or 0] = number

    async def close(self) -> None:
        await self.changes.close()
        for door in self.doors:
            await door.close(0.5)
        self.authenticator.close()

    @asynccontextmanager
    async def opened(self, row: str, session: Callable[[ClientAccess], Any]) -> AsyncIterator[Doors]:
        """The doors of this row, for HANGS seconds at most."""
        await self.open(row, session)
        try:
            async with asyncio.timeout(HANGS):
                yield self
        finally:
            await self.close()

    @asynccontextmanager
    async def dialled(
        self, port: int, greeting: bytes
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection to the port of this number, in TLS where TLS comes first; the server's line begins with `greeting`."""
        tls = self.client_tls() if port in (993, 995) else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[port], ssl=tls)
        try:
            assert (await reader.readline()).startswith(greeting)
            yield reader, writer
        finally:
            writer.close()

    def client_tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


def bound_tls(authority: trustme.CA) -> ServerContext:
    """A context for `127.0.0.1`, `::1` and `localhost` that knows its certificate, as `net.tls.server_context` makes it."""
    made = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    own = authority.issue_cert("127.0.0.1", "::1", "localhost", common_name="localhost")
    own.configure_cert(made)
    der = ssl.PEM_cert_to_DER_cert(own.cert_chain_pems[0].bytes().decode())
    made.end_point, made.names = end_point(der), names_of(der)
    return made
