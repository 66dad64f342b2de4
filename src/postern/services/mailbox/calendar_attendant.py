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
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.items.calendar_object import CalendarObject, organizer_of
from postern.items.imip import invitation_in
from postern.model.directory import Directory, DirectoryUnavailable, MailboxOwners, Recipient, RecipientType
from postern.model.domains import fold
from postern.model.mailbox import MailboxError
from postern.protocols.ical.values import address_of
from postern.services.mailbox import schedule_inbox
from postern.services.mailbox.authorship import proven_author
from postern.services.mailbox.owners_copy import FOLDERS, AttendedStore, Left, changed, copy_of, land
from postern.services.mailbox.resource_booking import ResourceBooking
from postern.telemetry.attempts import attempting_in_thread_if, forget, given_up, strike
from postern.telemetry.log import Event, log

TRIES = 3
"""Times that a message is applied anew at once, because somebody else changed the calendar meanwhile."""
_OF_ORGANIZERS = frozenset({"REQUEST", "ADD", "CANCEL"})
_METHODS = _OF_ORGANIZERS | {"REPLY"}
"""Methods that are applied. Counter proposals and published appointments are for the owner to decide about."""
_OVERTAKEN = frozenset({"MODIFIED", "UIDEXISTS", "ALREADYEXISTS"})


class OwnersDirectory(Directory, MailboxOwners, Protocol):
    """The directory as it knows the owners of mailboxes and their addresses."""


class Outcome(Enum):
    """The results of a look at a message."""

    APPLIED = "applied"
    LEFT = "left"
    """It stays mail, and is not looked at again."""
    SET_ASIDE = "set aside"
    """Looking at it failed too often."""
    ELSEWHERE = "elsewhere"
    """Another process has finished it."""
    LATER = "later"


class _Meeting(NamedTuple):
    """An iTIP message of a proven author. `speaker` is the address for which it speaks."""

    message: CalendarObject
    author: str
    speaker: str


class CalendarAttendant:
    """Attends the calendars of one database. `names` gives the names of our servers and domains, in lower case. `booking` answers
    requests to rooms; without it they land as those to people do."""

    def __init__(
        self,
        store: AttendedStore,
        directory: OwnersDirectory,
        names: Callable[[], Collection[str]],
        clock: Callable[[], float] = time.time,
        booking: ResourceBooking | None = None,
    ) -> None:
        self._booking = booking
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
        except Left as left:
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
        if not await self._store.finish_meeting(mailbox, message):
            return Outcome.ELSEWHERE
        log(Event.MEETING_LEFT, mailbox=str(mailbox), item=message, why=why)
        return Outcome.LEFT

    async def _attend(self, key: str, mailbox: UUID, message: int) -> str | None:
        """Applies the meeting in a message. Returns why there is nothing to do, else None. Raises Left."""
        items = await self._store.get(mailbox, [message], content=True)
        if not items or items[0].content is None:
            return "the message is gone"
        content, names = items[0].content, self._names()
        meeting = await attempting_in_thread_if(True, key, _meeting, content, names)
        owner = await self._owner(mailbox)
        me = frozenset(map(fold, (owner.primary, *owner.addresses)))
        await self._check_speaker(meeting, me)
        for _ in range(TRIES):
            try:
                if not await self._is_booked(key, mailbox, message, meeting.message, owner, me):
                    await self._apply(key, mailbox, message, meeting.message, me)
                log(Event.MEETING_APPLIED, mailbox=str(mailbox), item=message, method=meeting.message.method)
                return None
            except MailboxError as error:
                if error.code not in _OVERTAKEN:
                    return _reason(error)
                overtaken = error
        raise overtaken

    async def _is_booked(
        self, key: str, mailbox: UUID, message: int, calendar: CalendarObject, owner: Recipient, me: frozenset[str]
    ) -> bool:
        """Has a room answer a request. False: it is none, or one that lands as those to people do."""
        if self._booking is None or owner.type is not RecipientType.ROOM:
            return False
        if calendar.method != "REQUEST" or calendar.kind != "VEVENT":
            return False
        return await self._booking.book(key, mailbox, message, calendar, owner, me)

    async def _owner(self, mailbox: UUID) -> Recipient:
        primary = (await self._directory.mailbox_owners([mailbox])).get(mailbox)
        owner = await self._directory.recipient(fold(primary)) if primary else None
        if owner is None:
            raise Left("the mailbox has no owner")
        return owner

    async def _check_speaker(self, meeting: _Meeting, me: Collection[str]) -> None:
        """Raises Left unless the author is the one for whom the message speaks, be it under another address of the same."""
        if meeting.message.method in _OF_ORGANIZERS and meeting.speaker in me:
            raise Left("the owner's own meeting")
        if meeting.author != meeting.speaker:
            known = await self._directory.recipients([meeting.author, meeting.speaker])
            author, speaker = known.get(meeting.author), known.get(meeting.speaker)
            if author is None or speaker is None or author.guid != speaker.guid:
                raise Left("the sender is not the one for whom it speaks")

    async def _apply(self, key: str, mailbox: UUID, message: int, calendar: CalendarObject, me: frozenset[str]) -> None:
        """Applies the message to the copy as it is now. Raises Left, and MailboxError where somebody else was quicker."""
        copy, folder = await copy_of(self._store, mailbox, calendar)
        octets = copy.content if copy is not None else None
        change = await attempting_in_thread_if(True, key, changed, octets, calendar, me, int(self._clock()))
        await land(self._store, mailbox, message, calendar, copy, folder, change)
        # Programs that see it look into the calendar. A crash before it leaves the inbox without a message, and nothing else.
        await schedule_inbox.keep(self._store, mailbox, message, calendar, int(self._clock()))


def _reason(error: MailboxError) -> str:
    """Says why the calendar does not take the meeting, in our words. Raises UNAVAILABLE, which is no reason."""
    if error.code == "UNAVAILABLE":
        raise error
    return f"the calendar does not take it: {error}"


def _meeting(content: bytes, names: Collection[str]) -> _Meeting:
    """Reads the meeting in a mail. Raises Left where there is none that may be applied."""
    message = invitation_in(content)
    if message is None:
        raise Left("no meeting")
    if message.method not in _METHODS or message.kind not in FOLDERS or not message.uid:
        raise Left("nothing to apply")
    author = proven_author(content, names)
    if not author:
        raise Left("nothing proves who sent it")
    speakers = {_speaker(message, number) for number in range(len(message.parts))}
    if len(speakers) != 1 or "" in speakers:
        raise Left("it does not speak for one person")
    return _Meeting(message, author, fold(speakers.pop()))


def _speaker(message: CalendarObject, number: int) -> str:
    """The address for which a component speaks; "" if it is not clear."""
    part = message.parts[number]
    if message.method in _OF_ORGANIZERS:
        return organizer_of(part)
    attendees = {address_of(entry.value) for entry in part.lines("ATTENDEE")}
    return attendees.pop() if len(attendees) == 1 else ""
