"""The calendar attendant applies the meetings that mails bring (iMIP, RFC 6047) to the calendar of the mailbox's owner.

Requests land tentatively, newer versions and cancellations change what is there, and replies and proposals change the organizer's
copy. Attendees who ask for a meeting get it. A message counts only if its author is proven (`authorship`) and may speak for whom
it speaks (`speakers`): the organizer, or in an answer the attendee. All else stays mail, which the owner sees anyway.

A message is taken off the list of waiting ones in the transaction that changes the calendar. So a crash between two steps, or two
attendants at once, do nothing twice and forget nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from enum import Enum
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.items import invitations, organizing
from postern.items.calendar_object import CalendarObject, organizer_of, read
from postern.items.imip import Letter, invitation_in, mail
from postern.items.rendered import attendee_of
from postern.model.directory import Directory, DirectoryUnavailable, MailboxOwners, Recipient, RecipientType
from postern.model.domains import fold
from postern.model.mailbox import MailboxError
from postern.protocols.ical.values import address_of
from postern.services.mailbox import schedule_inbox
from postern.services.mailbox.answering import Answering
from postern.services.mailbox.authorship import proven_author
from postern.services.mailbox.owners_copy import FOLDERS, AttendedStore, changed, copy_of, land, read_copy
from postern.services.mailbox.resource_booking import ResourceBooking
from postern.services.mailbox.speakers import (
    OF_ATTENDEES,
    OF_ORGANIZERS,
    ActsFor,
    Left,
    Speaker,
    Speakers,
    nobody_acts,
)
from postern.telemetry.attempts import attempting_in_thread_if, forget, given_up, strike
from postern.telemetry.log import Event, log

TRIES = 3
"""Times that a message is applied anew at once, because somebody else changed the calendar meanwhile."""
_METHODS = OF_ORGANIZERS | OF_ATTENDEES
"""Methods that are attended. Published appointments are for the owner to decide about."""
_OVERTAKEN = frozenset({"MODIFIED", "UIDEXISTS", "ALREADYEXISTS"})


class OwnersDirectory(Directory, MailboxOwners, Protocol):
    """The directory as it knows the owners of mailboxes and their addresses."""


async def owner_of(directory: OwnersDirectory, mailbox: UUID) -> Recipient | None:
    """Returns the owner of a mailbox; None where the directory has none. Raises DirectoryUnavailable."""
    primary = (await directory.mailbox_owners([mailbox])).get(mailbox)
    return await directory.recipient(fold(primary)) if primary else None


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
    """An iTIP message of a proven author."""

    message: CalendarObject
    author: str


class _Attended(NamedTuple):
    """A waiting message whose meeting is applied. `key` is that of its attempts, `message` its id, `calendar` the iTIP message in
    it; `me` are the owner's addresses, folded."""

    key: str
    mailbox: UUID
    message: int
    calendar: CalendarObject
    owner: Recipient
    me: frozenset[str]
    speaker: Speaker


class CalendarAttendant:
    """Attends the calendars of one database. `names` gives the names of our servers and domains, in lower case. `acts_for`
    tells who may send on behalf of whom. `booking` answers requests to rooms; without it they land as those to people do."""

    def __init__(
        self,
        store: AttendedStore,
        directory: OwnersDirectory,
        names: Callable[[], Collection[str]],
        answering: Answering,
        acts_for: ActsFor = nobody_acts,
        clock: Callable[[], float] = time.time,
        booking: ResourceBooking | None = None,
    ) -> None:
        self._booking = booking
        self._store = store
        self._answering = answering
        self._speakers = Speakers(directory, acts_for)
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
        me = owner.folded_addresses
        speaker = await self._speakers.of(key, meeting.message, meeting.author, me)
        attended = _Attended(key, mailbox, message, meeting.message, owner, me, speaker)
        for _ in range(TRIES):
            try:
                if not await self._is_booked(attended):
                    await self._apply(attended)
                log(Event.MEETING_APPLIED, mailbox=str(mailbox), item=message, method=meeting.message.method)
                return None
            except MailboxError as error:
                if error.code not in _OVERTAKEN:
                    return _reason(error)
                overtaken = error
        raise overtaken

    async def _is_booked(self, attended: _Attended) -> bool:
        """Has a room answer a request. False: it is none, or one that lands as those to people do."""
        key, mailbox, message, calendar, owner, me, speaker = attended
        if self._booking is None or owner.type is not RecipientType.ROOM:
            return False
        if calendar.method != "REQUEST" or calendar.kind != "VEVENT":
            return False
        if speaker.is_delegator:
            raise Left("nobody delegates to a room")
        return await self._booking.book(key, mailbox, message, calendar, owner, me)

    async def _owner(self, mailbox: UUID) -> Recipient:
        owner = await owner_of(self._directory, mailbox)
        if owner is None:
            raise Left("the mailbox has no owner")
        return owner

    async def _apply(self, attended: _Attended) -> None:
        """Applies the message to the copy as it is now. Raises Left, and MailboxError where somebody else was quicker."""
        key, mailbox, message, calendar, _, me, speaker = attended
        copy, folder = await copy_of(self._store, mailbox, calendar)
        octets = copy.content if copy is not None else None
        if calendar.method == "REFRESH" or (calendar.method == "ADD" and octets is None):
            await self._answer(attended, octets)
            return
        now = int(self._clock())
        change = await attempting_in_thread_if(True, key, changed, octets, calendar, me, now, speaker=speaker)
        await land(self._store, mailbox, message, calendar, copy, folder, change)
        # Programs that see it look into the calendar. A crash before it leaves the inbox without a message, and nothing else.
        await schedule_inbox.keep(self._store, key, mailbox, message, calendar, now)

    async def _answer(self, attended: _Attended, copy: bytes | None) -> None:
        """Sends an attendee the meeting for which he asks, or asks the organizer for one that is not there. Raises Left."""
        key, mailbox, message, calendar, owner, me, speaker = attended
        if speaker.is_vouched:
            # Else one mail to all of our users would have each of their servers write to somebody who never wrote to us.
            raise Left("only the author would be answered")
        promise = await self._answering.promised(mailbox, message)
        if promise is None:
            now = int(self._clock())
            name = f"meeting.{mailbox.hex}.{message}@{owner.primary.rpartition('@')[2]}"
            letter = Letter(owner.primary, (speaker.address,), "", name, now)
            content = await attempting_in_thread_if(True, key, _answer_to, calendar, copy, me, speaker, letter)
            promise = await self._answering.promise(mailbox, message, content)
        await self._answering.send(mailbox, promise[0])
        await self._store.finish_meeting(mailbox, message)


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
    return _Meeting(message, author)


def _answer_to(
    calendar: CalendarObject, copy: bytes | None, me: frozenset[str], speaker: Speaker, letter: Letter
) -> bytes:
    """The answer to REFRESH, which is the invitation as it is now, and to an occurrence of what is not there, which is REFRESH
    (RFC 5546 sections 3.2.4 and 3.2.6). Raises Left."""
    if calendar.method == "ADD":
        mine = attendee_of(calendar.main, me)
        if mine is None:
            raise Left("not there")
        octets = invitations.refresh(calendar, address_of(mine.value), letter.date)
    else:
        stored = read_copy(copy) if copy is not None else None
        if stored is None or organizer_of(stored.main) not in me:
            raise Left("not a meeting of the owner")
        octets = organizing.invitation_of(stored, speaker.address, letter.date)
    answer = read(octets) if octets else None
    if not isinstance(answer, CalendarObject):
        raise Left("the meeting does not invite who asks for it")
    return mail(letter, answer)
