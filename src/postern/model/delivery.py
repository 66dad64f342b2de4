"""Delivery into mailboxes, and the outboxes of those who send."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol
from uuid import UUID


class Delivery(NamedTuple):
    """One message for some mailboxes of one database. A hub that has to send it again repeats the `delivery_id`: a mailbox that
    already has the message then drops the duplicate and answers DUPLICATE. `quotas`, if not empty, are the octets that each
    mailbox may hold from now on, in the order of `mailboxes`: 0 for no bound, KEEP_QUOTA for the quota that is set."""

    delivery_id: str
    content: bytes
    mailboxes: Sequence[UUID]
    return_path: str = ""
    received: int = 0
    quotas: Sequence[int] = ()


class DeliveryStatus(IntEnum):
    DELIVERED = 0
    DUPLICATE = 1
    OVER_QUOTA = 2
    NO_MAILBOX = 3
    TEMPORARY = 4
    POISON = 5
    """The message twice brought a worker of the mailbox server down, or made it raise: it is not to be sent again unchanged."""


class DeliveryStore(Protocol):
    """Takes messages for mailboxes."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
        """Delivers a batch in one commit: per delivery one status per mailbox, in order. Returns after the commit."""
        ...

    async def used(self, mailboxes: Sequence[UUID]) -> list[int]:
        """The octets that each of these mailboxes holds, in order; 0 for one that is not there (yet)."""
        ...


class Outbox(Protocol):
    """The outbox of each mailbox: a client submits an item, and a hub takes it and reports that it did."""

    async def submit(self, mailbox: UUID, uid: int) -> None:
        """Marks an item of the outbox as ready; the Mail Submission Service then notifies a hub. Raises MailboxError
        NONEXISTENT."""
        ...

    async def outbox(self, mailbox: UUID) -> list[int]:
        """UIDs of submitted items that no hub has finished."""
        ...

    async def submitted(self, mailbox: UUID, uid: int) -> None:
        """The hub has queued the item: it moves to Sent Items. A second call does nothing. Properties in the item's bag may say
        otherwise (MS-OXOMSG section 2.2.3): with PidTagDeleteAfterSubmit it goes for good; else PidTagSentMailEntryId has the
        id of the folder that it moves to, in eight octets."""
        ...
