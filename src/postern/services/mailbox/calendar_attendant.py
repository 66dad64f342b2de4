"""The calendar attendant applies the meetings that mails bring (iMIP, RFC 6047) to the calendar of the mailbox's owner.

Requests land tentatively, newer versions and cancellations change what is there, and replies change the organizer's copy. A
message counts only if it is proven to come from whom it speaks for (`authorship`): the organizer, or in a reply the attendee. All
else stays mail, which the owner sees anyway.

A message is taken off the list of waiting ones in the transaction that changes the calendar. So a crash between two steps, or two
attendants at once, do nothing twice and forget nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from enum import Enum
from hashlib import sha256
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.items import calendar_object, scheduling
from postern.items.calendar_object import CalendarObject, Refused, organizer_of
from postern.items.imip import invitation_in
from postern.items.scheduling import Action
from postern.items.stored import class_of, values_of
from postern.model.assistants import AssistantStore
from postern.model.directory import Directory, DirectoryUnavailable, MailboxOwners
from postern.model.domains import fold
from postern.model.folders import FOLDER_CLASSES, FolderKind, FolderTree
from postern.model.item_store import ItemStore, RenderedItem
from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT, Resource, ResourceStore
from postern.protocols.ical.values import address_of
from postern.services.mailbox.authorship import proven_author
from postern.telemetry.attempts import attempting_in_thread_if, forget, given_up, strike
from postern.telemetry.log import Event, log

TRIES = 3
"""Times that a message is applied anew at once, because somebody else changed the calendar meanwhile."""
_FOLDERS = {"VEVENT": FolderKind.CALENDAR, "VTODO": FolderKind.TASKS}
_OF_ORGANIZERS = frozenset({"REQUEST", "ADD", "CANCEL"})
_METHODS = _OF_ORGANIZERS | {"REPLY"}
"""Methods that are applied. Counter proposals and published appointments are for the owner to decide about."""
_OVERTAKEN = frozenset({"MODIFIED", "UIDEXISTS", "ALREADYEXISTS"})


class AttendedStore(AssistantStore, FolderTree, ItemStore, ResourceStore, Protocol):
    """The mailboxes of one database as their assistants use them."""


class OwnersDirectory(Directory, MailboxOwners, Protocol):
    """The directory as it knows the owners of mailboxes and their addresses."""


class Outcome(Enum):
    """The results of a look at a message."""

    APPLIED = "applied"
    LEFT = "left"
    """It stays mail, and is not looked at again."""
    SET_ASIDE = "set aside"
    """Looking at it failed too often."""
    LATER = "later"


class _Meeting(NamedTuple):
    """An iTIP message of a proven author. `speaker` is the address for which it speaks."""

    message: CalendarObject
    author: str
    speaker: str


class _Change(NamedTuple):
    """The new content of the owner's copy."""

    octets: bytes
    item_class: str
    rendered: RenderedItem


class _Left(Exception):
    """The message stays mail; the text says why."""


class CalendarAttendant:
    """Attends the calendars of one database. `names` gives the names of our servers and domains, in lower case."""

    def __init__(
        self,
        store: AttendedStore,
        directory: OwnersDirectory,
        names: Callable[[], Collection[str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._directory = directory
        self._names = names
        self._clock = clock

    async def attend(self, mailbox: UUID, message: int) -> Outcome:
        """Looks at one waiting message. Raises MailboxError UNAVAILABLE and DirectoryUnavailable, after which it waits on."""
        key = f"meeting/{mailbox.hex}/{message}"
        if (struck := given_up(key)) is not None:
            log(Event.SET_ASIDE, mailbox=str(mailbox), item=message, words=struck.why)
            await self._store.finish_meeting(mailbox, message)
            forget(key)
            return Outcome.SET_ASIDE
        try:
            why = await self._attend(key, mailbox, message)
        except _Left as left:
            why = str(left)
        except DirectoryUnavailable:
            raise
        except Exception as error:
            if isinstance(error, MailboxError) and error.code == "UNAVAILABLE":
                raise
            log(Event.CONVERSATION_FAILED, conversation="calendar attendant", error=repr(error), exc_info=error)
            strike(key, error)
            return Outcome.LATER
        if why is None:
            return Outcome.APPLIED
        await self._store.finish_meeting(mailbox, message)
        log(Event.MEETING_LEFT, mailbox=str(mailbox), item=message, why=why)
        return Outcome.LEFT

    async def _attend(self, key: str, mailbox: UUID, message: int) -> str | None:
        """Applies the meeting in a message. Returns why there is nothing to do, else None. Raises _Left."""
        items = await self._store.get(mailbox, [message], content=True)
        if not items or items[0].content is None:
            return "the message is gone"
        content, names = items[0].content, self._names()
        meeting = await attempting_in_thread_if(True, key, _meeting, content, names)
        me = await self._owners_addresses(mailbox)
        await self._check_speaker(meeting, me)
        for _ in range(TRIES):
            try:
                return await self._apply(key, mailbox, message, meeting.message, me)
            except MailboxError as error:
                if error.code not in _OVERTAKEN:
                    return _reason(error)
                overtaken = error
        raise overtaken

    async def _owners_addresses(self, mailbox: UUID) -> frozenset[str]:
        primary = (await self._directory.mailbox_owners([mailbox])).get(mailbox)
        owner = await self._directory.recipient(fold(primary)) if primary else None
        if owner is None:
            raise _Left("the mailbox has no owner")
        return frozenset(map(fold, (owner.primary, *owner.addresses)))

    async def _check_speaker(self, meeting: _Meeting, me: Collection[str]) -> None:
        """Raises _Left unless the author is the one for whom the message speaks, be it under another address of the same."""
        if meeting.message.method in _OF_ORGANIZERS and meeting.speaker in me:
            raise _Left("the owner's own meeting")
        if meeting.author != meeting.speaker:
            known = await self._directory.recipients([meeting.author, meeting.speaker])
            author, speaker = known.get(meeting.author), known.get(meeting.speaker)
            if author is None or speaker is None or author.guid != speaker.guid:
                raise _Left("the sender is not the one for whom it speaks")

    async def _apply(
        self, key: str, mailbox: UUID, message: int, calendar: CalendarObject, me: frozenset[str]
    ) -> str | None:
        """Applies the message to the copy as it is now. Returns why there is nothing to do, else None. Raises _Left, and
        MailboxError where somebody else was quicker."""
        copy, folder = await self._copy(mailbox, calendar)
        octets = copy.content if copy is not None else None
        change = await attempting_in_thread_if(True, key, _changed, octets, calendar, me, int(self._clock()))
        name = copy.name if copy is not None else sha256(calendar.uid.encode()).hexdigest()[:32] + ".ics"
        tag = copy.tag if copy is not None else ABSENT
        await self._store.land_meeting(mailbox, message, folder, name, *change, tag)
        log(Event.MEETING_APPLIED, mailbox=str(mailbox), item=message, method=calendar.method)
        return None

    async def _copy(self, mailbox: UUID, calendar: CalendarObject) -> tuple[Resource | None, int]:
        """The owner's copy of a meeting with its content, and the folder where it is or is to be. A copy in the trash, or among
        mail, is none; one in the well-known folder counts before others. Raises _Left."""
        kind = _FOLDERS[calendar.kind]
        nodes = [node for node in await self._store.tree(mailbox) if node.folder_class == FOLDER_CLASSES[kind]]
        home = next((node.id for node in nodes if node.kind is kind), 0)
        if not home:
            raise _Left("the mailbox has no such folder")
        folders = {node.id for node in nodes}
        copies = [each for each in await self._store.with_uids(mailbox, None, [calendar.uid]) if each.folder in folders]
        if not copies:
            return None, home
        copy = min(copies, key=lambda each: (each.folder != home, each.id))
        for whole in await self._store.with_ids(mailbox, [copy.id], content=True):
            if whole.content is not None:
                return whole, whole.folder
        raise MailboxError("MODIFIED", "The copy has gone meanwhile")


def _reason(error: MailboxError) -> str:
    """Says why the calendar does not take the meeting, in our words. Raises UNAVAILABLE, which is no reason."""
    if error.code == "UNAVAILABLE":
        raise error
    return f"the calendar does not take it: {error}"


def _meeting(content: bytes, names: Collection[str]) -> _Meeting:
    """Reads the meeting in a mail. Raises _Left where there is none that may be applied."""
    message = invitation_in(content)
    if message is None:
        raise _Left("no meeting")
    if message.method not in _METHODS or message.kind not in _FOLDERS or not message.uid:
        raise _Left("nothing to apply")
    author = proven_author(content, names)
    if not author:
        raise _Left("nothing proves who sent it")
    speakers = {_speaker(message, number) for number in range(len(message.parts))}
    if len(speakers) != 1 or "" in speakers:
        raise _Left("it does not speak for one person")
    return _Meeting(message, author, fold(speakers.pop()))


def _speaker(message: CalendarObject, number: int) -> str:
    """The address for which a component speaks; "" if it is not clear."""
    part = message.parts[number]
    if message.method in _OF_ORGANIZERS:
        return organizer_of(part)
    attendees = {address_of(entry.value) for entry in part.lines("ATTENDEE")}
    return attendees.pop() if len(attendees) == 1 else ""


def _changed(stored: bytes | None, message: CalendarObject, me: frozenset[str], now: int) -> _Change:
    """Returns the copy as the message changes it. Raises _Left where it stays as it is."""
    copy = None
    if stored is not None:
        reading = calendar_object.read(stored)
        if isinstance(reading, Refused):
            raise _Left("the copy in the calendar cannot be read")
        copy = reading
        if message.method == "REPLY" and organizer_of(copy.main) not in me:
            raise _Left("an answer to somebody else's meeting")
    applied = scheduling.apply(copy, message, me)
    if applied.action is not Action.STORE:
        raise _Left(applied.why or "the owner decides")
    made = calendar_object.read(applied.octets)
    refused = made if isinstance(made, Refused) else calendar_object.check(made)
    if refused is not None or isinstance(made, Refused):
        assert refused is not None
        raise _Left(refused.why)
    return _Change(applied.octets, class_of(made), values_of(made, now, me))
