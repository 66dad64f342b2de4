"""DAV for the tests: two users with mailboxes in memory, asked through ASGI or at a door."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, cast
from uuid import NAMESPACE_DNS, UUID, uuid5
from xml.etree import ElementTree

import httpx
from starlette.responses import RedirectResponse

from postern.model.address_book import MAX_ENTRIES, AddressBookEntry
from postern.model.directory import Account, DirectoryUnavailable, Recipient, RecipientType
from postern.model.security import Identity, Mechanism, Peer, PrincipalKind, Seal
from postern.services.access.sharing import Sharing
from postern.services.dav.application import METHODS, DavApplication
from postern.services.dav.mailbox import DavAccess, DavServer
from postern.services.http.site import Caller, Receive, Route, Scope, Send
from tests.services.fake_resource_store import FakeResourceStore
from tests.services.http.doors import ROW, WebDoor

ALICE, BOB = "alice@example.test", "bob@example.test"
HOME = f"/dav/calendars/{ALICE}/"
CALENDAR = f"{HOME}calendar/"
TASKS = f"{HOME}tasks/"
CONTACTS = f"/dav/addressbooks/{ALICE}/contacts/"
FILES = f"/dav/files/{ALICE}/"
LIST = f"/dav/addressbooks/{ALICE}/global-address-list/"
PRINCIPAL = f"/dav/principals/users/{ALICE}/"
NAMES = {
    "D": "DAV:",
    "C": "urn:ietf:params:xml:ns:caldav",
    "A": "urn:ietf:params:xml:ns:carddav",
    "S": "http://calendarserver.org/ns/",
    "I": "http://apple.com/ns/ical/",
}
XMLNS = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in NAMES.items())


def guid_of(address: str) -> UUID:
    return uuid5(NAMESPACE_DNS, address)


def recipient_of(address: str, guid: UUID | None = None) -> Recipient:
    name, alias = address.partition("@")[0], f"post.{address}"
    return Recipient(guid or guid_of(address), RecipientType.USER, name.title(), address, (address, alias), "db")


class Recipients:
    """A directory that has recipients alone, all of them in the address list but for those that are `hidden`. `down`: it does
    not answer searches. `listings` counts how often the whole list was read. All accounts send as `send_as`, too."""

    def __init__(self, *addresses: str) -> None:
        self.known = {address: recipient_of(address) for address in addresses}
        self.groups: dict[UUID, tuple[UUID, ...]] = {}
        self.hidden: set[UUID] = set()
        self.more: dict[UUID, AddressBookEntry] = {}
        self.down = False
        self.listings = 0
        self.send_as: tuple[str, ...] = ()

    async def recipient(self, address: str) -> Recipient | None:
        return next((each for each in self.known.values() if address in each.addresses), None)

    def _entries(self) -> list[AddressBookEntry]:
        if self.down:
            raise DirectoryUnavailable("directory")
        shown = {
            each.guid: AddressBookEntry(each.guid, each.type, each.display_name, each.addresses)
            for each in self.known.values()
        }
        return [each for guid, each in (shown | self.more).items() if guid not in self.hidden]

    async def resolve(self, text: str, most: int = 100) -> list[AddressBookEntry]:
        def begins(entry: AddressBookEntry) -> bool:
            names = f"{entry.display_name} {entry.given_name} {entry.surname}".lower().split()
            return all(any(name.startswith(word) for name in names) for word in text.lower().split()) or any(
                address.startswith(text.lower()) for address in entry.addresses
            )

        fitting = sorted(filter(begins, self._entries()), key=lambda entry: entry.display_name)
        return fitting[: min(most, MAX_ENTRIES)]

    async def rooms(self, most: int = 100) -> list[AddressBookEntry]:
        rooms = [each for each in self._entries() if each.type is RecipientType.ROOM]
        return sorted(rooms, key=lambda entry: entry.display_name)[:most]

    async def address_book_entries(self, guids: Sequence[UUID]) -> dict[UUID, AddressBookEntry]:
        return {entry.guid: entry for entry in self._entries() if entry.guid in guids}

    async def everybody(self, page: int = 500) -> AsyncGenerator[list[AddressBookEntry], None]:
        self.listings += 1
        entries = self._entries()
        for start in range(0, len(entries), page):
            yield entries[start : start + page]

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        return {address: self.known[address] for address in addresses if address in self.known}

    async def account(self, name: str) -> Account | None:
        known = self.known.get(name)
        return Account(known.guid, name, True, False, "1", name, self.send_as) if known is not None else None

    async def groups_of(self, guid: UUID) -> tuple[UUID, ...]:
        return self.groups.get(guid, ())

    async def mailbox_owners(self, guids: Sequence[UUID]) -> dict[UUID, str]:
        return {each.guid: each.primary for each in self.known.values() if each.guid in guids}


def event(uid: str, summary: str = "Lunch", start: str = "20260301T120000Z", *more: str, end: str = "") -> bytes:
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//example.test//tests//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART:{start}",
        f"DTEND:{end}" if end else "DURATION:PT1H",
        f"SUMMARY:{summary}",
        *more,
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def todo(uid: str, summary: str = "Write", *more: str) -> bytes:
    return event(uid, summary, "20260301T120000Z", *more).replace(b"VEVENT", b"VTODO")


def card(uid: str, name: str = "Bo Bobson", *more: str) -> bytes:
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"FN:{name}", f"N:{name};;;;", *more, "END:VCARD"]
    return "".join(f"{line}\r\n" for line in lines).encode()


class DavSite:
    """An application, and clients of it without a door."""

    def __init__(self) -> None:
        self.mailboxes = FakeResourceStore()
        self.recipients = Recipients(ALICE, BOB)
        # Of the directory, DAV asks for recipients and accounts, and sharing for groups and names.
        directory = cast(Any, self.recipients)
        self.sharing = Sharing(directory, lambda database: self.mailboxes, lambda: [self.mailboxes])
        self.access = DavAccess(directory, self.server, sharing=self.sharing, domains=lambda: {"example.test"})
        self.application = DavApplication(self.access)

    def server(self, database: str) -> DavServer:
        return DavServer(self.mailboxes, self.mailboxes)

    def client(self, address: str = ALICE) -> httpx.AsyncClient:
        """A client whose every request comes from this user, as the door would have proven."""
        identity = Identity(PrincipalKind.USER, address, Mechanism.BASIC, guid_of(address))
        caller = Caller(identity, ROW, Peer("192.0.2.1", 40_000), Seal("TLSv1.3", "TLS_AES_128_GCM_SHA256"))

        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            assert scope["path"]
            await self.application({**scope, "extensions": {"postern": caller}}, receive, send)

        return httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="https://mail.example.test")


TO_DAV = RedirectResponse("/dav/", HTTPStatus.MOVED_PERMANENTLY)
"""The answer of `services.autodiscover.configuration` at the well-known places (RFC 6764 section 5)"""


class DavDoor(WebDoor):
    """A door to DAV; alice and bob have the password "wonderland"."""

    def __init__(self) -> None:
        super().__init__()
        self.mailboxes = FakeResourceStore()
        self.people.add(BOB, "wonderland")
        recipients = Recipients()
        for address in (ALICE, BOB):
            recipients.known[address] = recipient_of(address, self.people.accounts[address].guid)
        directory = cast(Any, recipients)
        self.sharing = Sharing(directory, lambda database: self.mailboxes, lambda: [self.mailboxes])
        self.recipients = recipients
        access = DavAccess(directory, lambda database: DavServer(self.mailboxes, self.mailboxes), sharing=self.sharing)
        self.application = DavApplication(access)

    @asynccontextmanager
    async def opened_to_dav(self) -> AsyncIterator[DavDoor]:
        routes: list[Route] = [
            self.route("/dav/", self.application, methods=METHODS, body=32 << 20),
            *(self.route(f"/.well-known/{name}", TO_DAV, methods=METHODS) for name in ("caldav", "carddav")),
        ]
        async with self.opened(*routes):
            yield self


class Responses(dict[str, ElementTree.Element]):
    """The responses of a multistatus, by their href."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 207, (answer.status_code, answer.text)
        self.root = ElementTree.fromstring(answer.content)
        super().__init__({part.findtext("D:href", "", NAMES): part for part in self.root.findall("D:response", NAMES)})
        assert len(self) == len(self.root.findall("D:response", NAMES)), "an href is there twice"

    def prop(self, href: str, name: str, status: int = 200) -> ElementTree.Element | None:
        """The property ("D:getetag") of a resource, if it is there with this status."""
        for part in self[href].findall("D:propstat", NAMES):
            if f" {status} " in part.findtext("D:status", "", NAMES):
                element = part.find(f"D:prop/{name}", NAMES)
                if element is not None:
                    return element
        return None

    def text(self, href: str, name: str) -> str | None:
        element = self.prop(href, name)
        return None if element is None else element.text or ""

    def hrefs(self, href: str, name: str) -> list[str]:
        element = self.prop(href, name)
        return [] if element is None else [each.text or "" for each in element.iter(f"{{{NAMES['D']}}}href")]

    def status(self, href: str) -> int:
        """The status of a resource that has no properties here."""
        return int(self[href].findtext("D:status", "", NAMES).split()[1])


def propfind_body(*names: str) -> str:
    return f"<D:propfind {XMLNS}><D:prop>{''.join(f'<{name}/>' for name in names)}</D:prop></D:propfind>"


async def propfind(client: httpx.AsyncClient, path: str, *names: str, depth: str = "0", **more: Any) -> Responses:
    body = propfind_body(*names) if names else ""
    headers: Mapping[str, str] = {"depth": depth, **more}
    return Responses(await client.request("PROPFIND", path, content=body, headers=headers))


async def report(client: httpx.AsyncClient, path: str, body: str, **headers: str) -> httpx.Response:
    """Sends a report whose body is in the prefixes of NAMES."""
    start, _, rest = body.partition(">")
    empty = start.endswith("/")
    text = f"{start.rstrip('/')} {XMLNS}{'/' if empty else ''}>{rest}"
    return await client.request("REPORT", path, content=text, headers=headers)


def failed(answer: httpx.Response) -> str:
    """The precondition that an answer names, as "D:name"."""
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "{DAV:}error", answer.text
    space, _, local = root[0].tag[1:].partition("}")
    return f"{next(prefix for prefix, known in NAMES.items() if known == space)}:{local}"
