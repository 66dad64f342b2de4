"""A mailbox as a whole: what it holds, its quota, its change number, who may wait for a change; and how requests are refused.

The interfaces of what is in it stand in `folders`, `items`, `item_store` and `delivery`; `mailbox_server` puts them together.
Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol
from uuid import UUID

KEEP_QUOTA = -1
"""A quota that leaves what is set; a new mailbox then has none."""


@dataclass(frozen=True, slots=True)
class MailboxInfo:
    """`quota` is bytes, 0 for none. `change` is the mailbox's change number: it grows with every change in it."""

    mailbox: UUID
    used: int
    quota: int
    items: int
    change: int


@dataclass(frozen=True, slots=True)
class DisconnectedMailbox:
    """A mailbox whose owner the directory no longer has. `owner` is the address that he had ("" if nobody knew it), `since`
    when that was noticed."""

    mailbox: UUID
    owner: str
    since: int
    items: int
    used: int


class MailboxErrorCode(IntEnum):
    """Why a request is refused: IMAP's response codes, and TOOBIG. The numbers are those of the RPC interfaces, and of the
    store's SQLSTATEs PM001 to PM009."""

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
        """Those mailboxes whose change number is beyond the given one, with the new number; {} after `timeout` seconds."""
        ...
