"""The assistant for reminders keeps the time of each item's next reminder, and sends those that are asked for by mail.

Clients remind by themselves, as those of Exchange 2007 do. The time that the store keeps is advanced here when it has come, and
tells servers of what is due. An alarm with ACTION:EMAIL puts a mail into the inbox of the owner of the item, and nobody else's.

The mail is delivered under an id of its own, and then the time is set if it is still the one that was due. So a crash between the
two, or two assistants at once, deliver no mail twice and lose none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from postern.items import reminder
from postern.items.calendar_object import CalendarObject, read
from postern.items.imip import Letter
from postern.items.reminder import Due
from postern.model.delivery import Delivery, DeliveryStore
from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.model.resources import Reminder, ResourceStore
from postern.services.mailbox.calendar_attendant import OwnersDirectory, owner_of
from postern.telemetry.attempts import attempting_in_thread_if, forget, given_up, strike
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count

PAGE = 100
MOST_AT_ONCE = 1_000
"""Reminders that one look attends; those behind them are attended in the next."""


class ReminderStore(DeliveryStore, ResourceStore, Protocol):
    """The mailboxes of one database as reminders need them."""


class Reminders:
    """Attends the reminders of one database."""

    def __init__(
        self, store: ReminderStore, directory: OwnersDirectory, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock

    async def attend(self) -> None:
        """Attends what is due. Raises MailboxError UNAVAILABLE and DirectoryUnavailable, after which it is due still."""
        for _ in range(MOST_AT_ONCE // PAGE):
            page = await self._store.reminders(int(self._clock()), PAGE)
            advanced = [await self._attend(each) for each in page]
            if not any(advanced):
                return

    async def _attend(self, each: Reminder) -> bool:
        """Attends one reminder. Returns False where it is due still."""
        key = f"reminder/{each.mailbox.hex}/{each.item}/{each.at}"
        try:
            if (struck := given_up(key)) is not None:
                log(Event.SET_ASIDE, mailbox=str(each.mailbox), item=each.item, words=struck.why)
                await self._store.set_reminder(each.mailbox, each.item, each.at, None)
                forget(key)
                return True
            return await self._remind(key, each)
        except DirectoryUnavailable:
            raise
        except Exception as error:
            if isinstance(error, MailboxError) and error.code == "NONEXISTENT":  # removed just now
                return True
            if isinstance(error, MailboxError) and error.code == "UNAVAILABLE":
                raise
            log(Event.CONVERSATION_FAILED, conversation="reminders", error=repr(error), exc_info=error)
            strike(key, error)
            return False

    async def _remind(self, key: str, each: Reminder) -> bool:
        items = list(await self._store.with_ids(each.mailbox, [each.item], content=True))
        content = items[0].content if items else None
        due = Due(None, None)
        if content is not None:
            due = await self._due(key, each, content)
        if due.mail is not None:
            delivery_id = f"reminder/{each.item}/{each.at}"
            await self._store.deliver([Delivery(delivery_id, due.mail, (each.mailbox,), received=each.at)])
        if await self._store.set_reminder(each.mailbox, each.item, each.at, due.next):
            count(Metric.REMINDERS, "mailed" if due.mail is not None else "shown")
            log(Event.REMINDER_DUE, mailbox=str(each.mailbox), item=each.item, mailed=due.mail is not None)
        return True

    async def _due(self, key: str, each: Reminder, content: bytes) -> Due:
        now = int(self._clock())
        owner = await owner_of(self._directory, each.mailbox)
        primary, me = (owner.primary, owner.folded_addresses) if owner is not None else ("", frozenset())
        name = f"reminder.{each.item}.{each.at}@{primary.rpartition('@')[2]}"
        letter = Letter(primary, (primary,), "", name, each.at)
        due = await attempting_in_thread_if(True, key, _due, content, each.at, now, me, letter)
        return due if owner is not None else Due(None, due.next)


def _due(content: bytes, at: int, now: int, me: frozenset[str], letter: Letter) -> Due:
    calendar = read(content)
    return reminder.due(calendar, at, now, me, letter) if isinstance(calendar, CalendarObject) else Due(None, None)
