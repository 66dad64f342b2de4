"""The mailbox assistants of one process of the mailbox role look at delivered messages that wait for them, at reminders that are
due, and at messages to people who are away.

A delivery in this process wakes them. One process of each host also looks by itself, so that nothing depends on being woken.
Messages of a mailbox are attended in the order of their arrival.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol, cast
from uuid import UUID

from postern.model.assistants import AssistantState, AssistantStore
from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import Mailboxes
from postern.services.mailbox.answering import Answering, OutgoingMailboxes
from postern.services.mailbox.calendar_attendant import CalendarAttendant, Outcome, OwnersDirectory
from postern.services.mailbox.out_of_office import AwayStore, OutOfOfficeAssistant
from postern.services.mailbox.owners_copy import AttendedStore
from postern.services.mailbox.reminders import Reminders
from postern.services.mailbox.resource_booking import PolicyOf, ResourceBooking, default_policy
from postern.services.mailbox.speakers import ActsFor
from postern.telemetry.metrics import Metric, count, put
from postern.telemetry.rounds import rounds

INTERVAL = 5.0
"""Seconds between two looks for waiting messages: each is one question about a short list."""
PAGE = 100
MOST_AT_ONCE = 1_000
"""Messages that one look attends. Those behind them are attended in the next."""
MAX_NOTED = 10_000
"""Mailboxes that are noted to be looked at. Those beyond are found when the assistants look by themselves."""


class AnsweringMailboxes(OutgoingMailboxes, AwayStore, Protocol):
    """The mailboxes as all kinds of answers are sent from them."""


class MailboxAssistants:
    """Attends the messages that wait in `store`. With `looks` it also looks by itself, every `interval` seconds, and attends the
    reminders, and with `away` the messages to people who are away."""

    def __init__(
        self,
        store: AssistantStore,
        attendant: CalendarAttendant,
        reminders: Reminders,
        looks: bool,
        interval: float = INTERVAL,
        away: OutOfOfficeAssistant | None = None,
    ) -> None:
        self._store = store
        self._attendant = attendant
        self._reminders = reminders
        self._looks = looks
        self._away = away
        self._interval = interval
        self._noted: dict[UUID, None] = {}
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._done: Counter[Outcome] = Counter()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        expected = (MailboxError, DirectoryUnavailable)
        self._tasks = [
            asyncio.create_task(rounds(0.0, self._attend_noted, "woken assistants", expected=expected, at_once=True))
        ]
        if self._looks:
            acts = [(self._look, "assistants"), (self._reminders.attend, "reminders")]
            if self._away is not None:
                acts.append((self._away.attend, "out-of-office"))
            for act, name in acts:
                work = rounds(self._interval, act, name, expected=expected, at_once=True)
                self._tasks.append(asyncio.create_task(work))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def note(self, mailbox: UUID) -> None:
        """Has the assistants look at this mailbox soon."""
        if len(self._noted) < MAX_NOTED:
            self._noted[mailbox] = None
        self._wake.set()

    async def state(self) -> AssistantState:
        waiting = len(await self._store.waiting_meetings(most=MOST_AT_ONCE))
        counts = (self._done[outcome] for outcome in (Outcome.APPLIED, Outcome.LEFT, Outcome.SET_ASIDE))
        return AssistantState(waiting, *counts)

    async def _look(self) -> None:
        await self.attend()
        put(Metric.MEETINGS_WAITING, len(await self._store.waiting_meetings(most=MOST_AT_ONCE)))

    async def _attend_noted(self) -> None:
        await self._wake.wait()
        self._wake.clear()
        while self._noted:
            mailbox = next(iter(self._noted))
            del self._noted[mailbox]
            await self.attend(mailbox)

    async def attend(self, mailbox: UUID | None = None) -> None:
        """Attends the waiting messages of a mailbox, or of all. A message that must wait on holds up those behind it in its
        mailbox. Raises MailboxError UNAVAILABLE, DirectoryUnavailable."""
        async with self._turn:
            held: set[UUID] = set()
            after = 0
            for _ in range(MOST_AT_ONCE // PAGE):
                page = await self._store.waiting_meetings(mailbox, after, PAGE)
                for waiting in page:
                    after = waiting.message
                    if waiting.mailbox not in held:
                        outcome = await self._attendant.attend(*waiting)
                        self._done[outcome] += 1
                        count(Metric.MEETINGS, outcome.value)
                        if outcome is Outcome.LATER:
                            held.add(waiting.mailbox)
                if len(page) < PAGE:
                    return


def assistants_of(
    store: AttendedStore,
    outgoing: AnsweringMailboxes,
    directory: OwnersDirectory,
    names: Callable[[], Collection[str]],
    acts_for: ActsFor,
    looks: bool,
    policy_of: PolicyOf = default_policy,
) -> MailboxAssistants:
    """The assistants of a process: `outgoing` sends their mails, the rest is as `CalendarAttendant`, `ResourceBooking` and
    `MailboxAssistants` take it."""
    answering = Answering(store, outgoing)
    booking = ResourceBooking(store, answering, directory, policy_of)
    attendant = CalendarAttendant(store, directory, names, answering, acts_for, booking=booking)
    away = OutOfOfficeAssistant(outgoing, directory, names)
    return MailboxAssistants(store, attendant, Reminders(store, directory), looks, away=away)


class _Delivering:
    """Mailboxes that call `delivered` for each that got a message which may hold a meeting."""

    def __init__(self, mailboxes: Mailboxes, delivered: Callable[[UUID], None]) -> None:
        self._mailboxes = mailboxes
        self._delivered = delivered

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mailboxes, name)

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
        statuses = await self._mailboxes.deliver(deliveries)
        for delivery in deliveries:
            # Other spellings are found when the assistants look by themselves.
            if b"text/calendar" in delivery.content:
                for mailbox in delivery.mailboxes:
                    self._delivered(mailbox)
        return statuses


def waking(mailboxes: Mailboxes, delivered: Callable[[UUID], None]) -> Mailboxes:
    """Wraps mailboxes so that `delivered` is told of each that got a message which may hold a meeting."""
    return cast(Mailboxes, _Delivering(mailboxes, delivered))
