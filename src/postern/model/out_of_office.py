"""Out-of-office settings of mailboxes, and the delivered messages that wait for the answer of an absent owner."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol
from uuid import UUID


class OofState(IntEnum):
    """Whether messages are answered: never, always, or from one time to another (MS-OXWOOF section 2.2.4.1)."""

    DISABLED = 0
    ENABLED = 1
    SCHEDULED = 2


class OofAudience(IntEnum):
    """The senders outside of the organization who get the external text: nobody, contacts of the owner, or everybody."""

    NONE = 0
    KNOWN = 1
    ALL = 2


class OutOfOffice(NamedTuple):
    """The settings of a mailbox. `starts` and `ends` are seconds since the epoch, and count while the state is SCHEDULED. The
    texts are plain, or HTML that was made harmless; `internal` is for senders inside the organization."""

    state: OofState = OofState.DISABLED
    audience: OofAudience = OofAudience.NONE
    starts: int = 0
    ends: int = 0
    internal: str = ""
    external: str = ""

    def is_away(self, now: float) -> bool:
        """Whether messages are answered at this time."""
        if self.state is OofState.SCHEDULED:
            return self.starts <= now < self.ends
        return self.state is OofState.ENABLED

    @property
    def tells_outsiders(self) -> bool:
        """Whether somebody outside of the organization would be answered."""
        return self.audience is not OofAudience.NONE and bool(self.external.strip())

    @property
    def has_answer(self) -> bool:
        """Whether anybody would be answered: nobody gets an empty text."""
        return bool(self.internal.strip()) or self.tells_outsiders


MAX_TEXT = 65_536
"""Characters of each of the texts."""


class OutOfOfficeStore(Protocol):
    """Keeps the settings."""

    async def out_of_office(self, mailbox: UUID) -> OutOfOffice:
        """Returns the settings of a mailbox; those of the default for one that never set any, or was never opened."""
        ...

    async def set_out_of_office(self, mailbox: UUID, settings: OutOfOffice) -> None:
        """Keeps settings. Where answering is switched on, or is scheduled for another time, those who had an answer get one
        again. Raises MailboxError: NONEXISTENT; LIMIT for a text longer than MAX_TEXT."""
        ...


class AwaitingReply(NamedTuple):
    """A message that was delivered while the state of its mailbox was not DISABLED, by the id of its item."""

    mailbox: UUID
    message: int


class ReplyStore(OutOfOfficeStore, Protocol):
    """The durable list of messages that wait for an answer. `DeliveryStore.deliver` puts a message on it in the transaction of
    the delivery; one that is appended or copied is not put on it."""

    async def awaiting_replies(self, after: int = 0, most: int = 100) -> Sequence[AwaitingReply]:
        """Up to `most` of the messages of all mailboxes whose ids are higher than `after`, in the order of their ids. Some may
        not exist any more."""
        ...

    async def was_answered(self, mailbox: UUID, sender: bytes) -> bool:
        """Returns whether a sender had an answer since answering was switched on. `sender` is a digest of the address."""
        ...

    async def send_reply(self, mailbox: UUID, message: int, letter: int, sender: bytes, now: int) -> bool:
        """Takes a message off the list, and submits a letter, which is an item of the outbox, in one transaction. Returns False,
        and submits nothing, where the message is not on the list, or the sender had an answer. The letter does not go to Sent
        Items. Of each mailbox the last 10,000 senders are remembered. Raises MailboxError NONEXISTENT without such a letter."""
        ...

    async def finish_reply(self, mailbox: UUID, message: int) -> bool:
        """Takes a message off the list without an answer. Returns whether it was on it."""
        ...
