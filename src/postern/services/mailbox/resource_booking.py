"""Books rooms: decides about a request to a room's mailbox, sends the answer, and keeps the room's calendar.

The answer lies in the room's outbox before it is promised (`AssistantStore.promise`), is sent after that, and the calendar
changes last, in the transaction that finishes the message. A crash between two steps leaves at most an answer in the outbox that
is never sent. The first promise is kept, also by another process, and no answer is sent twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.items import invitations
from postern.items.booking import Booking, Decision, Policy, decide
from postern.items.calendar_object import CalendarObject, organizer_of, read
from postern.items.free_busy import Period, free_busy, merged
from postern.items.imip import Letter, mail
from postern.items.recurrence import DAY
from postern.items.rendered import attendee_of
from postern.items.text import text_of
from postern.model.delivery import Outbox
from postern.model.directory import Directory, Recipient
from postern.model.domains import fold
from postern.model.folders import FolderKind, FolderStore
from postern.model.item_store import Busy
from postern.model.items import Flag, NewItem
from postern.model.mailbox import MailboxError
from postern.protocols.ical.values import address_of
from postern.services.mailbox.owners_copy import AttendedStore, Left, changed, copy_of, land
from postern.telemetry.attempts import attempting_in_thread_if

MAX_LOOKED = 10_000
"""Appointments within the window that are looked at. A room with more is not booked."""
_PAGE = 1_000
_WORDS = {True: "Accepted", False: "Declined"}


class OutgoingMailboxes(FolderStore, Outbox, Protocol):
    """The mailboxes as a room's answers are sent from them."""


class _Answer(NamedTuple):
    """The answer to a request, as a mail."""

    accepted: bool
    content: bytes


class ResourceBooking:
    """Answers requests to rooms by a policy. Only those of this organization may book."""

    def __init__(
        self,
        store: AttendedStore,
        outgoing: OutgoingMailboxes,
        directory: Directory,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._outgoing = outgoing
        self._directory = directory
        self._policy = policy or Policy()
        self._clock = clock

    async def book(
        self, key: str, mailbox: UUID, message: int, request: CalendarObject, room: Recipient, me: frozenset[str]
    ) -> None:
        """Answers one request, and finishes the message. Raises Left where there is nothing to answer, and MailboxError."""
        promise = await self._store.promise(mailbox, message)
        if promise is None:
            promise = await self._promise(
                mailbox, message, await self._decide(key, mailbox, message, request, room, me)
            )
        uid, accepted = promise >> 1, promise & 1 == 1
        try:
            await self._outgoing.submit(mailbox, uid)
        except MailboxError as error:
            if error.code != "NONEXISTENT":  # a hub has taken it already
                raise
        copy, folder = await copy_of(self._store, mailbox, request)
        if copy is None and not accepted:
            await self._store.finish_meeting(mailbox, message)
            return
        octets, now = copy.content if copy is not None else None, int(self._clock())
        status = "ACCEPTED" if accepted else "DECLINED"
        change = await attempting_in_thread_if(True, key, changed, octets, request, me, now, status)
        await land(self._store, mailbox, message, request, copy, folder, change)

    async def _decide(
        self, key: str, mailbox: UUID, message: int, request: CalendarObject, room: Recipient, me: frozenset[str]
    ) -> _Answer:
        organizer = organizer_of(request.main)
        if await self._directory.recipient(fold(organizer)) is None:
            raise Left("rooms are for this organization")
        now = int(self._clock())
        copy, folder = await copy_of(self._store, mailbox, request)
        octets = copy.content if copy is not None else None
        change = await attempting_in_thread_if(True, key, changed, octets, request, me, now)
        taken, contents = await self._others(mailbox, folder, copy.id if copy is not None else 0, now)
        letter = Letter(
            room.primary, (organizer,), "", f"booking.{mailbox.hex}.{message}@{room.primary.rpartition('@')[2]}", now
        )
        return await attempting_in_thread_if(
            True, key, _answer, change.octets, taken, contents, self._policy, me, letter
        )

    async def _others(self, mailbox: UUID, folder: int, own: int, now: int) -> tuple[list[Period], list[bytes]]:
        """The periods within the window in which the room is taken, without the meeting itself, and the objects whose occurrences
        have to be looked for. Raises Left where there are too many."""
        periods: list[Period] = []
        expanding: list[int] = []
        end, after, looked = now + self._policy.window_days * DAY, 0, 0
        while page := await self._store.overlapping(mailbox, folder, now, end, after, _PAGE):
            after, looked = max(page), looked + len(page)
            if looked > MAX_LOOKED:
                raise Left("the room has too many appointments")
            for number, values in page.items():
                if number == own:
                    continue
                if values.expands or values.starts is None or values.ends is None:
                    expanding.append(number)
                else:
                    periods.append(Period(values.starts, values.ends, min(values.busy, Busy.OUT_OF_OFFICE)))
        contents: list[bytes] = []
        for start in range(0, len(expanding), _PAGE):
            for each in await self._store.with_ids(mailbox, expanding[start : start + _PAGE], content=True):
                if each.content is None:
                    raise Left("the room has too large appointments")
                contents.append(each.content)
        return periods, contents

    async def _promise(self, mailbox: UUID, message: int, answer: _Answer) -> int:
        """Puts an answer into the room's outbox, from which nobody sends it yet, and promises it. Returns the promise that holds:
        the UID of the answer, shifted by a bit that says whether the room is booked. Raises MailboxError NONEXISTENT where
        another process has finished the message."""
        folders = await self._outgoing.folders(mailbox)
        outbox = next(folder.id for folder in folders if folder.kind is FolderKind.OUTBOX)
        ids = await self._store.create(mailbox, outbox, [NewItem(answer.content, Flag.SEEN)])
        (item,) = await self._store.get(mailbox, ids)
        own = item.uid << 1 | answer.accepted
        promise = await self._store.promise(mailbox, message, own)
        if promise != own:
            await self._store.delete(mailbox, ids)
        if promise is None:
            raise MailboxError("NONEXISTENT", "The message is finished")
        return promise


def _answer(
    octets: bytes,
    taken: Sequence[Period],
    contents: Sequence[bytes],
    policy: Policy,
    me: frozenset[str],
    letter: Letter,
) -> _Answer:
    """Decides about a request as it would stand in the calendar, and writes the answer. Raises Left for a room that is not among
    the attendees."""
    request = read(octets)
    assert isinstance(request, CalendarObject)
    attendee = attendee_of(request.main, me)
    if attendee is None:
        raise Left("the room is not among the attendees")
    objects = [each for each in map(read, contents) if isinstance(each, CalendarObject)]
    now = letter.date
    periods = free_busy(objects, now, now + policy.window_days * DAY, me=me)
    booking: Booking = decide(request, merged([*taken, *periods]), policy, organizer_of(request.main), now)
    accepted = booking.decision is Decision.ACCEPT
    reply = read(invitations.reply(request, address_of(attendee.value), "ACCEPTED" if accepted else "DECLINED", now))
    assert isinstance(reply, CalendarObject)
    subject = f"{_WORDS[accepted]}: {text_of(request.main.value('SUMMARY'))}"
    text = f"{_WORDS[accepted]}{f': {booking.why}' if booking.why else ''}.\n"
    return _Answer(accepted, mail(letter._replace(subject=subject), reply, text))
