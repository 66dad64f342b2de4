"""The times at which the owners of mailboxes are busy, as the mailbox server that has their calendars tells them.

Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, IntFlag
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.model.item_store import Busy

MAX_ASKED = 25
"""Mailboxes that one call asks about: a caller with more makes several calls, so that none holds a connection for long."""
MAX_EVENTS = 1_000
"""Appointments of one mailbox that are told. With more, none is: a list that is cut off would show free time where none is."""
MAX_DAYS = 62
"""Days of a span (MS-OXWAVLS section 3.1.4.1: clients ask for two months at most)."""


class Told(IntEnum):
    """The part of an appointment that its reader may know, each with all before it."""

    NOTHING = 0
    TIME = 1
    DETAILS = 2
    """The subject and the place, too."""
    EVERYTHING = 3
    """The item, too, by its id."""


class EventFlag(IntFlag):
    MEETING = 1
    RECURRING = 2
    EXCEPTION = 4
    REMINDER = 8
    PRIVATE = 16


class BusyEvent(NamedTuple):
    """An appointment, or one occurrence of a series. `flags`, `subject` and `location` are there with `Told.DETAILS` only, and
    `item`, the id of the item, with `Told.EVERYTHING`; a private appointment of somebody else has only its flag."""

    start: int
    end: int
    busy: Busy
    flags: EventFlag = EventFlag(0)
    item: int = 0
    subject: str = ""
    location: str = ""


class State(IntEnum):
    """The result of a question about one mailbox."""

    TOLD = 0
    UNREADABLE = 1
    """The calendar cannot be read now."""
    TOO_MANY = 2
    """The span has more than MAX_EVENTS appointments, or their rules take too long."""


class WhenBusy(NamedTuple):
    """The answer about one mailbox. `hours` are the owner's working hours as `items.working_hours` writes them ("": none were
    set). With Told.NOTHING the caller has no right to know."""

    told: Told
    events: tuple[BusyEvent, ...] = ()
    hours: str = ""
    state: State = State.TOLD


class Asked(NamedTuple):
    """A mailbox, and the addresses of its owner in lower case, by whose answers meetings count."""

    mailbox: UUID
    addresses: tuple[str, ...] = ()


class Span(NamedTuple):
    """A span of time. `zone` has the numbers of a `protocols.ical.bias_zones.BiasZone`, in which dates and times without zone are
    read where the owner has set no zone; () is UTC."""

    start: int
    end: int
    zone: tuple[int, ...] = ()


class AvailabilitySpace(NamedTuple):
    """The people of a domain of another organization, who are asked about at `url` as `user`, whose password is in a file."""

    domain: str
    url: str
    user: str
    password_file: str


class Availability(Protocol):
    """The calendars of one mailbox server, for client access servers."""

    async def when_busy(
        self, asked: Sequence[Asked], grantees: Sequence[UUID], span: Span, details: bool, without: str = ""
    ) -> list[WhenBusy]:
        """Tells, for each mailbox in the order of `asked`, what somebody may know who is these `grantees` (the directory id of
        a user, then those of the user's groups): by the rights in each calendar. `details`: more than the times is wanted.
        The appointment with the UID `without` is left out. Raises MailboxError: CANNOT for too many mailboxes or too long a
        span, UNAVAILABLE."""
        ...
