"""Items of a folder as IMAP and POP3 work with them: by UID, in columns.

Numbers are per RFC 9051 (UID, UIDVALIDITY) and RFC 7162 (mod-sequences). Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.model.search import SearchResult, SearchTerm, SortKey


class Flag(IntFlag):
    """System flags as bits of an item's 63-bit flag word; bit KEYWORD_BASE + i is the folder's i-th keyword."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


KEYWORD_BASE = 8
MAX_KEYWORDS = 54


class Index(NamedTuple):
    """A folder's items in UID order, as parallel columns of packed little-endian words: `uids` u32, `flags` u64, `modseqs` u64.

    Asked with `since`, it has only the items that changed after that mod-sequence, and in `vanished` (u32) the UIDs that were
    expunged after it. `recent` are the first and the last UID that `ImapItems.look` found recent; the first is higher where
    none are.
    """

    highest_modseq: int
    uid_next: int
    messages: int
    uids: bytes
    flags: bytes
    modseqs: bytes
    vanished: bytes
    recent: tuple[int, int] = (1, 0)

    @property
    def last_uid(self) -> int:
        """The UID of the last item; 0 where there is none."""
        return int.from_bytes(self.uids[-4:], "little")


class Column(IntFlag):
    """The columns that a fetch may ask for. The store returns each value in the IMAP grammar's own bytes where there are such."""

    FLAGS = 1
    """u64 flag word in `FetchedItems.flags`."""
    MODSEQ = 2
    SIZE = 4
    """RFC822.SIZE in bytes."""
    INTERNAL_DATE = 8
    """Seconds since the epoch."""
    ENVELOPE = 16
    """b'("Mon, ..." "subject" ...)': RFC 9051 section 7.5.2, rendered at delivery."""
    BODYSTRUCTURE = 32
    BODY = 64
    """BODYSTRUCTURE without extension data."""
    HEADER = 128
    """All header lines and the empty line, octets."""
    CONTENT = 256
    """The whole message, octets."""
    LINES_SIZE = 512
    """In `FetchedItems.sizes`: the octets of the message when all its lines end in CRLF, the last one too."""


@dataclass(frozen=True, slots=True)
class FetchedItems:
    """Columns in the order of `uids`; a column not asked for is empty. Items that no longer exist are left out of `uids`."""

    uids: Sequence[int]
    flags: Sequence[int] = ()
    modseqs: Sequence[int] = ()
    sizes: Sequence[int] = ()
    dates: Sequence[int] = ()
    envelopes: Sequence[bytes] = ()
    structures: Sequence[bytes] = ()
    bodies: Sequence[bytes] = ()
    headers: Sequence[bytes] = ()
    contents: Sequence[bytes] = ()


class FlagChange(IntEnum):
    REPLACE = 0
    ADD = 1
    REMOVE = 2


@dataclass(frozen=True, slots=True)
class FlagResult:
    """`uids`, `flags` and `modseqs` of what was changed, in UID order; `modified` failed UNCHANGEDSINCE (RFC 7162 3.1.3)."""

    uids: Sequence[int]
    flags: Sequence[int]
    modseqs: Sequence[int]
    modified: Sequence[int]


MESSAGE = "IPM.Note"
"""The class of items that are mail (MS-OXCMSG section 2.2.1.3); an item has it by default."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to append or create. `flags` are system flags and keyword bits of the target folder. `item_class` counts where
    `ItemStore.create` makes the item; what `ImapItems.append` appends is mail."""

    content: bytes
    flags: int = 0
    internal_date: int | None = None
    item_class: str = MESSAGE


@dataclass(frozen=True, slots=True)
class CopyResult:
    """RFC 4315 COPYUID: `sources[i]` became `targets[i]`."""

    uid_validity: int
    sources: Sequence[int]
    targets: Sequence[int]


class ImapItems(Protocol):
    """Items by folder and UID. Every method raises MailboxError NONEXISTENT for a folder that the mailbox does not have."""

    async def keywords(self, mailbox: UUID, folder: int, names: Sequence[str], create: bool) -> int:
        """The bits of these keywords in this folder; unknown ones are added with `create`, else left out of the bits. Raises
        MailboxError LIMIT where the folder has MAX_KEYWORDS."""
        ...

    async def index(self, mailbox: UUID, folder: int, since: int = 0) -> Index:
        """All items, or with `since` those that changed after that mod-sequence and the UIDs that vanished after it."""
        ...

    async def look(self, mailbox: UUID, folder: int, since: int, next_uid: int, claim_recent: bool) -> Index:
        """The `index`. If there are items from `next_uid` on, it also names the UIDs that are recent: those that no session has
        claimed. With `claim_recent`, this session claims them."""
        ...

    async def first_unseen(self, mailbox: UUID, folder: int) -> int:
        """The sequence number of the first item that is not seen; 0 if there is none."""
        ...

    async def fetch(
        self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]], columns: Column, changed_since: int = 0
    ) -> FetchedItems:
        """Columns of the items in these inclusive UID ranges, in UID order."""
        ...

    async def change_flags(
        self,
        mailbox: UUID,
        folder: int,
        uids: Sequence[tuple[int, int]],
        change: FlagChange,
        flags: int,
        unchanged_since: int | None = None,
    ) -> FlagResult:
        """Changes flags, and returns all items that passed the condition as they stand now. A mod-sequence grows only where a
        flag changed."""
        ...

    async def append(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> CopyResult:
        """Appends all items or none (RFC 3502). `sources` is empty. Raises MailboxError: OVERQUOTA, CANNOT."""
        ...

    async def copy(
        self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]], target: int, move: bool = False
    ) -> CopyResult:
        """Copies the items, or moves them (RFC 6851): moved items keep their ids. Raises MailboxError OVERQUOTA."""
        ...

    async def expunge(self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]] | None = None) -> list[int]:
        """Removes items with the deleted flag, within `uids` unless that is None, and returns their UIDs."""
        ...

    async def search(self, mailbox: UUID, folder: int, term: SearchTerm, sort: Sequence[SortKey] = ()) -> SearchResult:
        """UIDs that match, in UID order, or in the order of `sort`."""
        ...

    async def thread(self, mailbox: UUID, folder: int, term: SearchTerm, algorithm: str) -> bytes:
        """RFC 5256 THREAD answer with UIDs: b"(1)(2 3 (4)(5))"; algorithm "REFERENCES" or "ORDEREDSUBJECT"."""
        ...
