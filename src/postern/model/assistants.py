"""The messages that wait for a mailbox's calendar attendant, which applies meetings in mails to the owner's calendar."""

from __future__ import annotations

from typing import NamedTuple, Protocol
from uuid import UUID

from postern.model.item_store import RenderedItem
from postern.model.resources import Put


class WaitingMeeting(NamedTuple):
    """A delivered message that may hold a meeting (a calendar among its parts), by the id of its item."""

    mailbox: UUID
    message: int


class AssistantStore(Protocol):
    """The durable list of messages that the calendar attendant has not finished. `DeliveryStore.deliver` puts a message on it in
    the transaction of the delivery; a message that is appended or copied is not put on it."""

    async def waiting_meetings(
        self, mailbox: UUID | None = None, after: int = 0, most: int = 100
    ) -> list[WaitingMeeting]:
        """Up to `most` messages of a mailbox, or of all (None), whose ids are higher than `after`, in the order of their ids.
        Some may not exist any more."""
        ...

    async def land_meeting(
        self,
        mailbox: UUID,
        message: int,
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        expected: bytes,
    ) -> Put:
        """Does what `ResourceStore.put` with `unique_uid` does, and takes the message off the list, both or none. Raises what
        `put` raises, and MailboxError NONEXISTENT, too, where the message is not on the list."""
        ...

    async def promise(self, mailbox: UUID, message: int, number: int | None = None) -> int | None:
        """Remembers a number with a message on the list, unless one is remembered already, and returns the one that is. None:
        there is none, or the message is not on the list."""
        ...

    async def finish_meeting(self, mailbox: UUID, message: int) -> bool:
        """Takes the message off the list. Returns whether it was on it."""
        ...


class AssistantState(NamedTuple):
    """The work of the assistants of one process. `waiting` are messages of all mailboxes of the database that nobody has
    finished, of many the first 1,000; the others count since the process started: meetings that were `applied`, messages that
    were `left` as mail, and messages that were `set_aside` because looking at them failed twice."""

    waiting: int
    applied: int
    left: int
    set_aside: int


class Assistants(Protocol):
    """The assistants of a mailbox server's mailboxes, as other servers call them."""

    async def state(self) -> AssistantState:
        """Counts what waits and what was done. Raises MailboxError UNAVAILABLE."""
        ...
