"""A mailbox as its clients see it: folders, items, flags, changes; and `Mailboxes`, the interface that `store` implements
on PostgreSQL and `services.mailbox.client` implements by remote procedure calls on it.

All numbers are per RFC 9051 (UID, UIDVALIDITY) and RFC 7162 (mod-sequences). Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID


class Flag(IntFlag):
    """System flags as bits of an item's 63-bit flag word; bit KEYWORD_BASE + i is the folder's i-th keyword."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


KEYWORD_BASE = 8
MAX_KEYWORDS = 54


class FolderKind(StrEnum):
    """RFC 6154 special uses and the well-known folders of MS-OXOSFLD."""

    INBOX = "inbox"
    SENT = "sent"
    DRAFTS = "drafts"
    DELETED = "deleted"
    JUNK = "junk"
    OUTBOX = "outbox"
    ARCHIVE = "archive"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Folder:
    """`path` are the names from the top down, as Unicode. `recent_uid` is the first UID no session has claimed as recent."""

    id: int
    path: tuple[str, ...]
    kind: FolderKind
    uid_validity: int
    uid_next: int
    highest_modseq: int
    messages: int
    unseen: int
    deleted: int
    size: int
    recent_uid: int
    subscribed: bool
    keywords: tuple[str, ...]


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


class Index(NamedTuple):
    """A folder's items in UID order, as parallel columns of packed little-endian words: `uids` u32, `flags` u64, `modseqs` u64.

    With `since` given, only what changed after that mod-sequence, and `vanished` (u32) what was expunged after it.
    `recent` are the first and the last UID that `Mailboxes.look` found recent; the first is higher where none are.
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
    """What a fetch may ask for of each item. The store returns each as finished bytes of the IMAP grammar where one exists."""

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
    """In `FetchedItems.sizes`: the bytes of the message as lines that all end in CRLF, the last one too."""


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


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item to append. `flags` are system flags and keyword bits of the target folder."""

    content: bytes
    flags: int = 0
    internal_date: int | None = None


@dataclass(frozen=True, slots=True)
class CopyResult:
    """RFC 4315 COPYUID: `sources[i]` became `targets[i]`."""

    uid_validity: int
    sources: Sequence[int]
    targets: Sequence[int]


class Delivery(NamedTuple):
    """One message for some mailboxes of one database. `delivery_id` is the same when the hub has to say it again
    (then a mailbox that already has it drops the duplicate and says delivered). `quotas`, when given, are the octets that
    each mailbox may hold from now on, in the order of `mailboxes`: 0 for no bound, KEEP_QUOTA for what is set."""

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
    """Handling it brought the mailbox server's workers down, or raised, twice: it is not to be sent again as it is."""


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """One node of a SEARCH program (RFC 9051 section 6.4.4).

    `key` is the lower-case search key ("subject", "text", "body", "header", "from", "since", "sentbefore", "larger",
    "uid", "flag" with `number` the flag bits, "modseq", "and", "or", "not", "all"); `text` its string (already decoded to
    Unicode), `name` the header's name, `number` a date (days since the epoch), size or bits; `uids` pairs of first and last.
    """

    key: str
    text: str = ""
    name: str = ""
    number: int = 0
    uids: tuple[tuple[int, int], ...] = ()
    terms: tuple[SearchTerm, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`highest_modseq` is the folder's when it was searched: beyond what a session has seen of the folder, it is behind."""

    uids: Sequence[int]
    highest_modseq: int


@dataclass(frozen=True, slots=True)
class SortKey:
    """RFC 5256 section 3: "arrival", "cc", "date", "from", "size", "subject", "to", also "displayfrom", "displayto"."""

    key: str
    reverse: bool = False


class MailboxErrorCode(IntEnum):
    """Why a request is refused: IMAP's response codes, and TOOBIG. The numbers are those of the RPC interfaces, and of the
    store's SQLSTATEs PM001 to PM008."""

    NONEXISTENT = 1
    ALREADYEXISTS = 2
    CANNOT = 3
    OVERQUOTA = 4
    LIMIT = 5
    UNAVAILABLE = 6
    TOOBIG = 7
    BADCHARSET = 8


class MailboxError(Exception):
    """A request that is refused; `code` is the name of a `MailboxErrorCode`."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Mailboxes(Protocol):
    """Everything a role may ask of mailboxes. Every method may raise MailboxError; UNAVAILABLE means: try again later."""

    async def logon(self, mailbox: UUID, quota: int = KEEP_QUOTA) -> MailboxInfo:
        """Opens a mailbox, creating it with its well-known folders the first time. `quota` counts from now on: octets,
        0 for no bound."""
        ...

    async def folders(self, mailbox: UUID) -> list[Folder]: ...

    async def folder(self, mailbox: UUID, folder: int, claim_recent: bool = False) -> Folder:
        """One folder as it stands. With `claim_recent` its recent_uid is advanced to uid_next; the old one is returned."""
        ...

    async def create_folder(self, mailbox: UUID, path: Sequence[str], kind: FolderKind = FolderKind.USER) -> Folder:
        """Creates missing parents too. A name used before gets a larger UIDVALIDITY."""
        ...

    async def rename_folder(self, mailbox: UUID, folder: int, path: Sequence[str]) -> None:
        """With all that is below it. INBOX: its items move into a new folder and INBOX stays (RFC 9051 6.3.6)."""
        ...

    async def delete_folder(self, mailbox: UUID, folder: int) -> None: ...

    async def subscriptions(self, mailbox: UUID) -> list[tuple[str, ...]]:
        """Subscribed names, existing or not (RFC 9051 6.3.7)."""
        ...

    async def subscribe(self, mailbox: UUID, path: Sequence[str], subscribed: bool) -> None: ...

    async def keywords(self, mailbox: UUID, folder: int, names: Sequence[str], create: bool) -> int:
        """The bits of these keywords in this folder; unknown ones are added with `create`, else left out of the bits."""
        ...

    async def index(self, mailbox: UUID, folder: int, since: int = 0) -> Index: ...

    async def look(self, mailbox: UUID, folder: int, since: int, next_uid: int, claim_recent: bool) -> Index:
        """`index`, and where items from `next_uid` on have come, which UIDs are recent: from those that no session has claimed,
        with `claim_recent` claimed for this one."""
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
    ) -> FlagResult: ...

    async def append(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> CopyResult:
        """All or none (RFC 3502). `sources` is empty."""
        ...

    async def copy(
        self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]], target: int, move: bool = False
    ) -> CopyResult: ...

    async def expunge(self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]] | None = None) -> list[int]:
        """Removes items with the deleted flag (within `uids` if given) and says which UIDs."""
        ...

    async def search(self, mailbox: UUID, folder: int, term: SearchTerm, sort: Sequence[SortKey] = ()) -> SearchResult:
        """UIDs that match, in UID order, or in the order of `sort`."""
        ...

    async def thread(self, mailbox: UUID, folder: int, term: SearchTerm, algorithm: str) -> bytes:
        """RFC 5256 THREAD answer with UIDs: b"(1)(2 3 (4)(5))"; algorithm "REFERENCES" or "ORDEREDSUBJECT"."""
        ...

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
        """Delivers a batch in one commit: per delivery one status per mailbox, in order. Returns after the commit."""
        ...

    async def used(self, mailboxes: Sequence[UUID]) -> list[int]:
        """The octets that each of these mailboxes holds, in order; 0 for one that is not there (yet)."""
        ...

    async def submit(self, mailbox: UUID, uid: int) -> None:
        """Marks an item of the outbox as ready; the Mail Submission Service then notifies a hub."""
        ...

    async def outbox(self, mailbox: UUID) -> list[int]:
        """UIDs of submitted items that no hub has finished."""
        ...

    async def submitted(self, mailbox: UUID, uid: int) -> None:
        """The hub has queued the item: it moves to Sent Items. Said again it does nothing."""
        ...

    async def wait(self, mailboxes: dict[UUID, int], timeout: float) -> dict[UUID, int]:
        """Those mailboxes whose change number is beyond the given one, with the new number; {} after `timeout` seconds."""
        ...
