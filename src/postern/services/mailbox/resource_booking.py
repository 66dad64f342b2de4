"""Books rooms: decides about a request to a room's mailbox, sends the answer, and keeps the room's calendar.

What its delegates are to decide is answered tentatively. They get the answer, too, and accept or decline in the room's calendar.

`answering` sends the answer before the calendar changes, in the transaction that finishes the message.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

from postern.items import invitations
from postern.items.booking import Booking, Decision, Policy, decide
from postern.items.calendar_object import CalendarObject, organizer_of, read
from postern.items.copy_changes import STEPS
from postern.items.free_busy import MAX_PERIODS, Period, free_busy, merged
from postern.items.free_busy import STEPS as CALENDAR_STEPS
from postern.items.imip import Letter, invitation_in, mail
from postern.items.occurrence import key_of, occurrence_at
from postern.items.recurrence import DAY
from postern.items.rendered import attendee_of
from postern.items.series import Series
from postern.items.text import readable, text_of
from postern.model.directory import Directory, Recipient
from postern.model.domains import fold
from postern.model.item_store import Busy
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import address_of
from postern.services.mailbox.answering import Answering
from postern.services.mailbox.owners_copy import AttendedStore, changed, copy_of, land
from postern.services.mailbox.speakers import Left, is_ours
from postern.telemetry.attempts import attempting_in_thread_if

MAX_LOOKED = 10_000
"""Appointments within the window that are looked at. A room with more is not booked."""
MAX_OCTETS = 33_554_432
"""Octets of series within the window that are read for one request. A room with more is not booked: its series bring files."""
_PAGE = 1_000
_DECISIONS = (Decision.DECLINE, Decision.ACCEPT, Decision.ASK)
"""The decisions by the marks with which they are promised."""
_STATUS = {Decision.DECLINE: "DECLINED", Decision.ACCEPT: "ACCEPTED", Decision.ASK: "TENTATIVE"}
_WORDS = {Decision.DECLINE: "Declined", Decision.ACCEPT: "Accepted", Decision.ASK: "Tentative"}
_ASKED = "A delegate of the room decides, and answers in the room's calendar."
_MAX_NAMED = 50
"""Declined occurrences of a series that the text for a person names."""

PolicyOf = Callable[[Recipient], Awaitable[Policy]]
"""Gives the policy of a room."""


async def default_policy(room: Recipient) -> Policy:
    """The policy of a room for which nothing was set."""
    return Policy()


class _Answer(NamedTuple):
    """The answer to a request, as a mail."""

    decision: Decision
    content: bytes


class ResourceBooking:
    """Answers requests to rooms, by the policy that `policy_of` has for each."""

    def __init__(
        self,
        store: AttendedStore,
        answering: Answering,
        directory: Directory,
        policy_of: PolicyOf = default_policy,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._answering = answering
        self._directory = directory
        self._policy_of = policy_of
        self._clock = clock

    async def book(
        self, key: str, mailbox: UUID, message: int, request: CalendarObject, room: Recipient, me: frozenset[str]
    ) -> bool:
        """Answers one request, and finishes the message. False: by its policy the room answers none. Raises Left where there is
        nothing to answer, and MailboxError."""
        promise = await self._answering.promised(mailbox, message)
        if promise is None:
            policy = await self._policy_of(room)
            if not policy.automatic:
                return False
            answer = await self._decide(key, mailbox, message, request, room, me, policy)
            mark = _DECISIONS.index(answer.decision)
            promise = await self._answering.promise(mailbox, message, answer.content, mark)
        item, mark = promise
        decision = _DECISIONS[mark]
        sent = await self._answering.send(mailbox, item)
        copy, folder = await copy_of(self._store, mailbox, request)
        if copy is None and decision is Decision.DECLINE:
            await self._store.finish_meeting(mailbox, message)
            return True
        octets, now = copy.content if copy is not None else None, int(self._clock())
        status = _STATUS[decision]
        reply = await attempting_in_thread_if(True, key, invitation_in, sent) if sent is not None else None
        change = await attempting_in_thread_if(True, key, changed, octets, request, me, now, status, reply)
        await land(self._store, mailbox, message, request, copy, folder, change)
        return True

    async def _decide(
        self,
        key: str,
        mailbox: UUID,
        message: int,
        request: CalendarObject,
        room: Recipient,
        me: frozenset[str],
        policy: Policy,
    ) -> _Answer:
        organizer = organizer_of(request.main)
        if not policy.outsiders and not is_ours(await self._directory.recipient(fold(organizer))):
            raise Left("the room is for this organization")
        now = int(self._clock())
        copy, folder = await copy_of(self._store, mailbox, request)
        octets = copy.content if copy is not None else None
        change = await attempting_in_thread_if(True, key, changed, octets, request, me, now)
        taken, contents = await self._others(
            mailbox, folder, copy.id if copy is not None else 0, now, policy.window_days
        )
        letter = Letter(
            room.primary, (organizer,), "", f"booking.{mailbox.hex}.{message}@{room.primary.rpartition('@')[2]}", now
        )
        return await attempting_in_thread_if(True, key, _answer, change.octets, taken, contents, policy, me, letter)

    async def _others(
        self, mailbox: UUID, folder: int, own: int, now: int, days: int
    ) -> tuple[list[Period], list[bytes]]:
        """The periods within the window in which the room is taken, without the meeting itself, and the objects whose occurrences
        have to be looked for. Raises Left where there are too many."""
        periods: list[Period] = []
        expanding: list[int] = []
        end, after, looked = now + days * DAY, 0, 0
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
        octets = 0
        for start in range(0, len(expanding), _PAGE):
            for each in await self._store.with_ids(mailbox, expanding[start : start + _PAGE], content=True):
                octets += len(each.content or b"")
                if each.content is None or octets > MAX_OCTETS:
                    raise Left("the room has too large appointments")
                contents.append(each.content)
        return periods, contents


def _answer(
    octets: bytes,
    taken: Sequence[Period],
    contents: Sequence[bytes],
    policy: Policy,
    me: frozenset[str],
    letter: Letter,
) -> _Answer:
    """Decides about a request as it would stand in the calendar, and writes the answer. Raises Left for a room that is not among
    the attendees, and where it cannot be told when the room is taken."""
    request = read(octets)
    assert isinstance(request, CalendarObject)
    attendee = attendee_of(request.main, me)
    if attendee is None:
        raise Left("the room is not among the attendees")
    # Each is read when it is looked at: all of them at once would be many times their octets.
    objects = (each for each in map(read, contents) if isinstance(each, CalendarObject))
    now = letter.date
    budget = Budget(CALENDAR_STEPS)
    periods = free_busy(objects, now, now + policy.window_days * DAY, budget=budget, me=me)
    if budget.is_spent or budget.is_cut or len(periods) >= MAX_PERIODS:
        raise Left("the room has appointments whose rules are too long to follow")
    organizer = organizer_of(request.main)
    booking = decide(request, merged([*taken, *periods]), policy, organizer, now)
    reply = read(_reply(request, address_of(attendee.value), booking, now))
    assert isinstance(reply, CalendarObject)
    if booking.decision is Decision.ASK:
        letter = letter._replace(recipients=tuple(dict.fromkeys((organizer, *sorted(policy.delegates)))))
    word = _WORDS[booking.decision]
    letter = letter._replace(subject=f"{word}: {text_of(request.main.value('SUMMARY'))}")
    return _Answer(booking.decision, mail(letter, reply, _text(word, booking, policy)))


def _reply(request: CalendarObject, address: str, booking: Booking, now: int) -> bytes:
    """The answer to all parts of the request, and a refusal of the occurrences that are declined alone."""
    status = _STATUS[booking.decision]
    series, budget = Series(request), Budget(STEPS)
    made = (occurrence_at(series, request, when, budget) for when in booking.declined)
    declined = {key_of(request, part): part for part in made if part is not None}
    answered = [(part, status) for part in request.parts if key_of(request, part) not in declined]
    return invitations.replies(request, address, [*answered, *((part, "DECLINED") for part in declined.values())], now)


def _text(word: str, booking: Booking, policy: Policy) -> str:
    lines = [f"{word}{f': {booking.why}' if booking.why else ''}."]
    if booking.decision is Decision.ASK:
        lines.append(_ASKED)
    if booking.declined:
        lines += ["", "Taken already, and declined, are these:"]
        lines += [f"{when.local:%Y-%m-%d %H:%M}" for when in booking.declined[:_MAX_NAMED]]
        lines += [f"and {len(booking.declined) - _MAX_NAMED} more"] if len(booking.declined) > _MAX_NAMED else []
    if policy.response:
        lines += ["", readable(policy.response)]
    return "\n".join(lines) + "\n"
