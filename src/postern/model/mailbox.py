"""A mailbox as a whole: its size, quota and change number, the wait for changes, and the errors of its interfaces.

The interfaces of its contents stand in `folders`, `items`, `item_store` and `delivery`; `mailbox_server` puts them together.
Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol
from uuid import UUID

KEEP_QUOTA = -1
"""Stands for the quota that the mailbox has already; a new mailbox then has none."""


@dataclass(frozen=True, slots=True)
class MailboxInfo:
    """A mailbox when it is opened. `used` and `quota` are octets; a quota of 0 is none. `change` is the mailbox's change number,
    which grows with every change in it."""

    mailbox: UUID
    used: int
    quota: int
    items: int
    change: int


@dataclass(frozen=True, slots=True)
class DisconnectedMailbox:
    """A mailbox whose owner the directory no longer has. `owner` is the address of the former owner ("" if it is not
    known), `since` the time when the removal was noticed."""

    mailbox: UUID
    owner: str
    since: int
    items: int
    used: int


class MailboxErrorCode(IntEnum):
    """The reasons for which a request is refused: IMAP's response codes, and TOOBIG. The RPC interfaces use the same numbers, and
    so do the store's SQLSTATEs PM001 to PM010."""

    NONEXISTENT = 1
    ALREADYEXISTS = 2
    CANNOT = 3
    OVERQUOTA = 4
    LIMIT = 5
    UNAVAILABLE = 6
    TOOBIG = 7
    BADCHARSET = 8
    MODIFIED = 9
    """The item has changed since the change number that the caller named."""
    UIDEXISTS = 10
    """Another item of the folder has the UID of the iCalendar object or vCard."""


class MailboxError(Exception):
    """A request that is refused; `code` is the name of a `MailboxErrorCode`. Every method of every interface of mailboxes may
    raise it; UNAVAILABLE means: try again later."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Logon(Protocol):
    """Opens mailboxes."""

    async def logon(self, mailbox: UUID, quota: int = KEEP_QUOTA) -> MailboxInfo:
        """Opens a mailbox, creating it with its well-known folders the first time. `quota` counts from now on: octets,
        0 for no bound."""
        ...


class Changes(Protocol):
    """Waits for changes of mailboxes."""

    async def wait(self, mailboxes: dict[UUID, int], timeout: float) -> dict[UUID, int]:
        """Those of `mailboxes` (by mailbox, the change number that the caller knows) that have a higher change number, each with
        the new one; {} after `timeout` seconds."""
        ...
