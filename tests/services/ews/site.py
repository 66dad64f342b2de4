"""Exchange Web Services for the tests: two users with mailboxes in memory, asked through ASGI or at a door in TLS."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast
from uuid import UUID
from xml.etree import ElementTree

import httpx

from postern.model.folders import FolderKind
from postern.model.security import Identity, Mechanism, Peer, PrincipalKind, Seal
from postern.protocols.ews.names import MESSAGES, TYPES
from postern.protocols.ews.versions import NEWEST, Version, version_of
from postern.services.access.availability import FreeBusy
from postern.services.access.changes import MailboxChanges
from postern.services.access.sharing import Sharing
from postern.services.ews.access import EwsAccess, EwsServer
from postern.services.ews.application import KINDS, METHODS, EwsApplication
from postern.services.ews.operations.every import OPERATIONS
from postern.services.http.site import Caller, Receive, Scope, Send
from postern.services.mailbox.availability import MailboxAvailability
from tests.services.dav.site import ALICE, BOB, Recipients, guid_of, recipient_of
from tests.services.ews.schema import faults_of
from tests.services.fake_assistant_store import FakeAssistantStore
from tests.services.http.doors import ROWS, WebDoor

ROW = ROWS["availability"]
PATH = "/EWS/Exchange.asmx"
NAMES = {"m": MESSAGES, "t": TYPES, "s": "http://schemas.xmlsoap.org/soap/envelope/"}
ASKED = re.compile(rb"""RequestServerVersion[^>]*?Version=["']([^"']+)""")
T = TypeVar("T")


def envelope(body: str, version: str = "Exchange2013", header: str = "") -> bytes:
    """A request; `body` is in the prefixes m and t."""
    declarations = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in NAMES.items())
    return (
        f"<s:Envelope {declarations}><s:Header>"
        f'<t:RequestServerVersion Version="{version}"/>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>'
    ).encode()


def free_busy_of(recipients: Recipients, sharing: Sharing, mailboxes: FakeAssistantStore) -> FreeBusy:
    """Asks the mailboxes without a remote call."""
    calendars = MailboxAvailability(cast(Any, mailboxes))
    return FreeBusy(cast(Any, recipients), sharing, lambda database: calendars)


class EwsSite:
    """An application and its mailboxes, asked as a user whom the door has proven."""

    def __init__(self) -> None:
        self.mailboxes = FakeAssistantStore()
        self.recipients = Recipients(ALICE, BOB)
        directory = cast(Any, self.recipients)
        self.sharing = Sharing(directory, lambda database: self.mailboxes, lambda: [self.mailboxes])
        server = EwsServer(self.mailboxes, self.mailboxes, MailboxChanges(self.mailboxes))
        self.access = EwsAccess(
            directory,
            lambda database: server,
            self.sharing,
            "mail.example.test",
            domains=lambda: {"example.test"},
            free_busy=free_busy_of(self.recipients, self.sharing, self.mailboxes),
        )
        self.application = EwsApplication(self.access, OPERATIONS)

    async def ask(self, body: str, address: str = ALICE, version: str = "Exchange2013", header: str = "") -> Answer:
        """The answer to one request."""
        identity = Identity(PrincipalKind.USER, address, Mechanism.NTLM, guid_of(address))
        caller = Caller(identity, ROW, Peer("192.0.2.1", 40_000), Seal("TLSv1.3", "TLS_AES_128_GCM_SHA256"))

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await self.application({**scope, "extensions": {"postern": caller}}, receive, send)

        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="https://mail.example.test") as client:
            headers = {"content-type": "text/xml; charset=utf-8"}
            response = await client.post(PATH, content=envelope(body, version, header), headers=headers)
            return Answer(response, version_of(version) or NEWEST)

    async def folder(self, kind: FolderKind, address: str = ALICE) -> int:
        """The number of a well-known folder of a mailbox, which is opened."""
        guid = guid_of(address)
        await self.mailboxes.logon(guid)
        return next(node.id for node in await self.mailboxes.tree(guid) if node.kind is kind)


class Answer:
    """An answer: its status, and its document, which is held to the schema of its version."""

    def __init__(self, response: httpx.Response, version: Version) -> None:
        self.status = response.status_code
        self.text = response.text
        self.root = ElementTree.fromstring(response.content)
        body = self.root.find("s:Body", NAMES)
        assert body is not None
        self.content = body[0]
        faults = faults_of(response.content, version)
        assert not faults, "\n".join([*faults, self.text[:2_000]])

    @property
    def messages(self) -> list[ElementTree.Element]:
        found = self.content.find("m:ResponseMessages", NAMES)
        return list(found) if found is not None else []

    @property
    def codes(self) -> list[str]:
        """The response code of each message; that of a fault alone."""
        if self.fault:
            return [self.fault]
        return [message.findtext("m:ResponseCode", "", NAMES) for message in self.messages]

    @property
    def fault(self) -> str:
        return self.content.findtext(".//{http://schemas.microsoft.com/exchange/services/2006/errors}ResponseCode", "")

    def find(self, path: str) -> ElementTree.Element:
        element = self.content.find(path, NAMES)
        assert element is not None, self.text
        return element

    def all(self, path: str) -> list[ElementTree.Element]:
        return self.content.findall(path, NAMES)

    def texts(self, path: str) -> list[str]:
        return [element.text or "" for element in self.all(path)]


class Held:
    """An application whose answers are held to the schema of their version. `faults` are those of all answers."""

    def __init__(self, application: EwsApplication) -> None:
        self._application = application
        self.faults: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked: list[bytes] = []
        pieces: list[bytes] = []

        async def receiving() -> dict[str, Any]:
            message = await receive()
            asked.append(message.get("body", b""))
            return message

        async def sending(message: dict[str, Any]) -> None:
            pieces.append(message.get("body", b""))
            await send(message)

        await self._application(scope, receiving, sending)
        named = ASKED.search(b"".join(asked))
        version = version_of(named[1].decode()) if named is not None else Version.V2007
        # An answer that streams has several documents.
        for document in b"".join(pieces).split(b"<?xml"):
            if document:
                self.faults += faults_of(b"<?xml" + document, version or NEWEST)


class EwsDoor(WebDoor):
    """A door to Exchange Web Services; alice and bob have the password "wonderland". Its answers are held to the schema."""

    def __init__(self) -> None:
        super().__init__()
        self.people.add(BOB, "wonderland")
        self.mailboxes = FakeAssistantStore()
        self.recipients = Recipients()
        for address in (ALICE, BOB):
            self.recipients.known[address] = recipient_of(address, self.people.accounts[address].guid)
        directory = cast(Any, self.recipients)
        self.sharing = Sharing(directory, lambda database: self.mailboxes, lambda: [self.mailboxes])
        server = EwsServer(self.mailboxes, self.mailboxes, MailboxChanges(self.mailboxes))
        self.ews = EwsAccess(
            directory,
            lambda database: server,
            self.sharing,
            "mail.example.test",
            domains=lambda: {"example.test"},
            free_busy=free_busy_of(self.recipients, self.sharing, self.mailboxes),
        )
        self.application = EwsApplication(self.ews, OPERATIONS)

    def guid(self, address: str) -> UUID:
        return self.people.accounts[address].guid

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}{PATH}"

    @asynccontextmanager
    async def opened_to_ews(self) -> AsyncIterator[EwsDoor]:
        held = Held(self.application)
        route = self.route(PATH.lower(), held, (ROW,), METHODS, body=64 << 20, kinds=KINDS)
        async with self.opened(route):
            yield self
        assert not held.faults, "\n".join(held.faults[:20])

    async def beside(self, work: Callable[[], T]) -> T:
        """Does work of a client that blocks, in a thread, while the door serves."""
        return await asyncio.to_thread(work)
