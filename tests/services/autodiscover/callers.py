"""An organization with web services, and requests to its applications as a caller whom the door has proven."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import httpx

from postern.model.directory import Account, Recipient
from postern.model.organization import AcceptedDomain, Organization, Profile, Role, Server
from postern.model.security import NOBODY, Identity, Mechanism, Peer, PrincipalKind, Seal
from postern.paths.row import Path
from postern.paths.table import settle
from postern.services.autodiscover.client_services import ClientServices, client_services
from postern.services.http.site import Application, Caller, Receive, Scope, Send
from tests.transport.world import FakeDirectory, contact, user

SEAL = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")
PEER = Peer("192.0.2.9", 40_000)
MECHANISMS = frozenset({Mechanism.BASIC, Mechanism.KERBEROS})
SERVERS = (
    Server("hub1", "hub1.example.test", frozenset({Role.HUB}), ("10.0.0.1",)),
    Server("cas1", "cas1.example.test", frozenset({Role.CLIENT_ACCESS}), ("10.0.0.2",)),
    Server("mbx1", "mbx1.example.test", frozenset({Role.MAILBOX}), ("10.0.0.3",)),
    Server("all2", "all2.example.test", frozenset({Role.HUB, Role.CLIENT_ACCESS}), ("10.0.1.1",), site="Branch"),
)


def organization(**changes: object) -> Organization:
    values: dict[str, object] = {
        "name": "Example & Sons",
        "domains": (AcceptedDomain("example.test"), AcceptedDomain("회사.test")),
        "servers": SERVERS,
    }
    values.update(changes)
    return Organization(**values)


def rows(*built: str, profile: Profile = Profile.PRACTICAL) -> dict[str, Path]:
    """The settled rows. Of those of the web only these are built."""
    web = {"autodiscover", "client-configuration", "caldav", "carddav", "activesync", "availability"}
    settled = settle(profile)
    return {
        id: replace(row, waits_for="" if id in built else "another day") if id in web else row
        for id, row in settled.items()
    }


def services(*built: str, near: str = "cas1", **changes: object) -> ClientServices:
    values = organization(**changes)
    return client_services(values, rows(*built), MECHANISMS, values.server(near))


ALICE = user("alice", display_name="Alice <A>", addresses=("alice@example.test", "a.liddell@회사.test"))
BOB = user("bob")
GONE = contact("gone", "gone@other.test")


class Accounts(FakeDirectory):
    """A directory with an account for each mailbox, of the same guid."""

    async def account(self, name: str) -> Account | None:
        owner = await self.recipient(name)
        return Account(owner.guid, owner.primary, True, False, "1", owner.primary) if owner is not None else None


def directory() -> Accounts:
    return Accounts(ALICE, BOB, GONE, user("admin", database=""))


def identity(owner: Recipient) -> Identity:
    return Identity(PrincipalKind.USER, owner.primary, Mechanism.BASIC, owner.guid)


def ask(
    application: Application,
    method: str,
    target: str,
    content: bytes = b"",
    headers: Mapping[str, str] | None = None,
    caller: Identity = NOBODY,
    host: str = "cas1.example.test",
    scheme: str = "https",
) -> httpx.Response:
    """The answer to one request, with what the door would have put into its scope."""
    row = rows("client-configuration")["client-configuration" if caller is NOBODY else "autodiscover"]

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})["postern"] = Caller(caller, row, PEER, SEAL)
        await application(scope, receive, send)

    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(app=admitted)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://{host}") as client:
            return await client.request(method, target, content=content, headers=headers)

    return asyncio.run(request())
