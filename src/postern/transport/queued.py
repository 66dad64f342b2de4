"""A message in the queue, as the queue, the dispatcher and the reports see it. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from postern.model.mail import Content, Envelope, EnvelopeRecipient, Origin
from postern.paths.table import FROM_STRANGERS

NEVER = 1e18
"""A due time for what waits for a person (held)."""


class State(IntEnum):
    """The state of one recipient. PENDING, HELD, REPORTING and POISON have something before them."""

    PENDING = 0
    DELIVERED = 1
    FAILED = 2
    HELD = 3
    EXPANDED = 4
    """A group, a forwarding or a contact: other recipients of the same message stand for it."""
    REPORTING = 5
    """Failed, and the report to the sender is not safe yet; after a crash it is tried once more."""
    POISON = 6
    """Handling the message failed badly, twice: it is not tried until an administrator says so (`poison`). When the recipient is
    due, its sender is told that it failed."""


class Location(NamedTuple):
    """The place of a body: its frame starts at `offset` of segment number `segment`; `size` are the body's bytes."""

    segment: int
    offset: int
    size: int


@dataclass(slots=True)
class QueuedRecipient:
    """The state of one recipient of a message. `due` is when to try next (epoch seconds), `hop` the last next hop tried, as
    "kind:destination"; `status` and `error` are the last attempt's enhanced code and text. `expanded` tells that the address
    came out of the categorizer: it is final and is not expanded again. `warned` tells that a delay report was sent."""

    number: int
    address: str
    notify: frozenset[str] = frozenset()
    original: str = ""
    state: State = State.PENDING
    attempts: int = 0
    due: float = 0.0
    hop: str = ""
    status: str = ""
    error: str = ""
    expanded: bool = False
    warned: bool = False

    def envelope_recipient(self) -> EnvelopeRecipient:
        return EnvelopeRecipient(self.address, self.notify, self.original)


@dataclass(slots=True)
class QueuedMessage:
    """One message that the queue holds. While it is in memory its `recipients` are the truth; the file follows.

    `flying` counts the parcels of it that are with hops now; `hold` and `drop` are an administrator's wish that is obeyed when
    the last of them is back.
    """

    id: int
    queue_id: str
    message_id: str
    envelope: Envelope
    origin: Origin
    received: float
    location: Location
    content: Content
    recipients: list[QueuedRecipient]
    flying: int = 0
    hold: bool = False
    drop: bool = False

    @property
    def is_authenticated(self) -> bool:
        """Whether its sender proved who it is. A caller that brings strangers' mail has proven that for itself alone."""
        return bool(self.origin.identity) and self.origin.path not in FROM_STRANGERS

    def pending(self, now: float) -> list[QueuedRecipient]:
        """Recipients to try now."""
        return [r for r in self.recipients if r.state is State.PENDING and r.due <= now]

    @property
    def next_due(self) -> float | None:
        """The time at which the next pending or poisonous recipient is due; NEVER if only held ones remain; None when all is
        done."""
        dues = [r.due for r in self.recipients if r.state in (State.PENDING, State.POISON)]
        if dues:
            return min(dues)
        return NEVER if any(r.state is State.HELD for r in self.recipients) else None


@dataclass(slots=True)
class Change:
    """A change of a message, to be written to the file. `done`: it is finished and forgotten. Otherwise these recipients are
    written anew; with `due` None it stays in memory, else it leaves memory until then."""

    message: QueuedMessage
    done: bool = False
    due: float | None = None
    recipients: list[QueuedRecipient] = field(default_factory=list)


def initial_recipients(envelope: Envelope) -> list[QueuedRecipient]:
    return [
        QueuedRecipient(number, recipient.address, recipient.notify, recipient.original)
        for number, recipient in enumerate(envelope.recipients)
    ]
