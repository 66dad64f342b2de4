"""A world of mailboxes for the tests of the calendar attendant: people, a room, and mails with meetings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4

from postern.items.booking import Policy
from postern.items.calendar_object import read
from postern.items.imip import Letter, invitation_in, mail
from postern.items.rendered import answer_of
from postern.model.assistants import AssistantState
from postern.model.delivery import Delivery
from postern.model.directory import DirectoryUnavailable, Recipient, RecipientType
from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.items import Column
from postern.model.resources import ABSENT, Resource
from postern.services.mailbox.answering import Answering
from postern.services.mailbox.assistants import MailboxAssistants
from postern.services.mailbox.calendar_attendant import CalendarAttendant, OwnersDirectory
from postern.services.mailbox.reminders import Reminders
from postern.services.mailbox.resource_booking import ResourceBooking
from tests.model.assistant_store_contract import Store
from tests.services.fake_assistant_store import FakeAssistantStore

NAMES = frozenset({"hub1.corp.test", "corp.test"})
ANN, BOB, CAROL, ROOM = "ann@away.test", "bob@corp.test", "carol@corp.test", "room@corp.test"
STRANGER = (
    b"Received: from x ([192.0.2.9])\r\n\tby hub1.corp.test (Postern) with ESMTPS;\r\n\tnow\r\n"
    b"Authentication-Results: hub1.corp.test; dkim=pass header.d=away.test\r\n"
)
USER = b"Received: from mailbox by hub1.corp.test (Postern) with MAPI;\r\n\tnow\r\n"
NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z."""
Opened = Callable[[], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def opened_in_memory() -> AsyncIterator[Store]:
    yield FakeAssistantStore()


def meeting(
    method: str,
    sequence: int = 0,
    start: str = "20270301T100000Z",
    organizer: str = ANN,
    attendee: str = f";PARTSTAT=NEEDS-ACTION:mailto:{BOB}",
    more: str = "",
    stamp: str = "20270101T000000Z",
) -> str:
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:{method}\r\nBEGIN:VEVENT\r\nUID:meeting-1\r\nDTSTAMP:{stamp}\r\n"
        f"SEQUENCE:{sequence}\r\nDTSTART:{start}\r\nDURATION:PT1H\r\nSUMMARY:Talk {sequence}\r\n"
        f"ORGANIZER:mailto:{organizer}\r\nATTENDEE{attendee}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def letter(text: str, sender: str = ANN, trace: bytes = STRANGER) -> bytes:
    message = read(text.encode())
    assert not isinstance(message, tuple)
    return trace + mail(Letter(sender, (BOB,), "", f"{uuid4().hex}@x.test", 0), message)


class People:
    """The owners of mailboxes: bob, who has two addresses, carol, and a room."""

    def __init__(self) -> None:
        self.down = False
        self.delegates: set[tuple[UUID, str]] = set()
        self.contacts: set[str] = set()
        self.guids = {BOB: uuid4(), CAROL: uuid4(), ROOM: uuid4()}
        self.addresses = {BOB: (BOB, "robert@corp.test"), CAROL: (CAROL,), ROOM: (ROOM,)}

    def add(self, address: str) -> None:
        self.guids[address], self.addresses[address] = uuid4(), (address,)

    async def acts_for(self, user: UUID, owner: Recipient) -> bool:
        return (user, owner.primary) in self.delegates

    async def mailbox_owners(self, guids: Sequence[UUID]) -> dict[UUID, str]:
        if self.down:
            raise DirectoryUnavailable
        return {guid: address for address, guid in self.guids.items() if guid in guids}

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        answers = {address: await self.recipient(address) for address in addresses}
        return {address: recipient for address, recipient in answers.items() if recipient is not None}

    async def recipient(self, address: str) -> Recipient | None:
        for primary, addresses in self.addresses.items():
            if address in addresses:
                kind = RecipientType.ROOM if primary == ROOM else RecipientType.USER
                kind = RecipientType.CONTACT if primary in self.contacts else kind
                return Recipient(self.guids[primary], kind, "", primary, addresses, "db")
        return None


class Crash(BaseException):
    """Ends the attendant as a signal ends a process: nothing catches it."""


class Crashing:
    """A store that crashes before its call of this number, or with `after` behind it."""

    def __init__(self, store: Store, at: int, after: bool) -> None:
        self._store, self._left, self._after = store, at, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Crash
            result = await method(*arguments, **named)
            if self._left == 0:
                raise Crash
            return result

        return call


@dataclass
class World:
    store: Store
    people: People = field(default_factory=People)
    number: int = 0
    policy: Policy = field(default_factory=Policy)
    now: float = NOW

    async def policy_of(self, room: Recipient) -> Policy:
        assert room.primary == ROOM
        return self.policy

    def assistants(self, store: Any = None, looks: bool = False) -> MailboxAssistants:
        store = store or self.store
        directory = cast(OwnersDirectory, self.people)
        answering = Answering(store, store)
        booking = ResourceBooking(store, answering, directory, self.policy_of, lambda: NOW)
        attendant = CalendarAttendant(
            store, directory, lambda: NAMES, answering, self.people.acts_for, lambda: NOW, booking
        )
        return MailboxAssistants(store, attendant, self.reminders(store), looks, interval=0.01)

    def reminders(self, store: Any = None) -> Reminders:
        return Reminders(store or self.store, cast(OwnersDirectory, self.people), lambda: self.now)

    async def deliver(self, content: bytes, owner: str = BOB, store: Any = None) -> None:
        self.number += 1
        mailbox = self.people.guids[owner]
        await (store or self.store).deliver([Delivery(f"{mailbox}/{self.number}", content, (mailbox,))])

    async def attend(self, *contents: bytes, owner: str = BOB) -> AssistantState:
        for content in contents:
            await self.deliver(content, owner)
        assistants = self.assistants()
        await assistants.attend()
        return await assistants.state()

    async def copies(self, owner: str = BOB) -> list[Resource]:
        guid = self.people.guids[owner]
        ids = (await self.store.with_uids(guid, None, ["meeting-1"])).ids
        return list(await self.store.with_ids(guid, ids, content=True))

    async def text(self, owner: str = BOB) -> str:
        (copy,) = await self.copies(owner)
        assert copy.content is not None
        return copy.content.decode().replace("\r\n ", "")

    async def put(self, text: str, owner: str = BOB) -> None:
        guid = self.people.guids[owner]
        calendar = next(node.id for node in await self.store.tree(guid) if node.kind is FolderKind.CALENDAR)
        rendered = RenderedItem(uid="meeting-1")
        await self.store.put(guid, calendar, "own.ics", text.encode(), "IPM.Appointment", rendered, ABSENT)

    async def answers(self) -> list[str]:
        """The messages that the room has submitted, as their reader sees them, in the order of sending."""
        invitations = [invitation_in(content) for content in await self.sent()]
        return [f"{it.method} {answer_of(it.main, {ROOM})} {it.main.value('SEQUENCE')}" for it in invitations if it]

    async def sent(self, owner: str = ROOM) -> list[bytes]:
        """The messages that wait in an outbox and are submitted, in the order of sending."""
        guid = self.people.guids[owner]
        outbox = next(folder for folder in await self.store.folders(guid) if folder.kind is FolderKind.OUTBOX)
        sent = await self.store.outbox(guid)
        if not sent:
            return []
        return list((await self.store.fetch(guid, outbox.id, [(uid, uid) for uid in sent], Column.CONTENT)).contents)


def booking_of(sequence: int = 0, start: str = "20270301T100000Z", uid: str = "meeting-1", more: str = "") -> bytes:
    text = meeting("REQUEST", sequence, start, BOB, f";PARTSTAT=NEEDS-ACTION:mailto:{ROOM}", more)
    return letter(text.replace("meeting-1", uid), BOB, USER)


def own(text: str) -> str:
    return text.replace("METHOD:REQUEST\r\n", "")


def check(opened: Opened, steps: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened() as store:
            world = World(store)
            for guid in world.people.guids.values():
                await store.logon(guid)
            await steps(world)

    asyncio.run(asyncio.wait_for(run(), 120))
