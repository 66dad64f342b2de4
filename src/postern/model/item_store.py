"""Items by id, of every class: how EWS, ActiveSync, DAV and MAPI work with them (docs/decisions/0003).

An id names an item within its database for the item's life, also when the item moves to another folder of the mailbox or gets
another content. Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.model.items import Column, NewItem
from postern.model.search import EVERYTHING, SearchTerm, SortKey

MAX_PROPERTIES = 512
"""Properties that one item's bag may hold."""
MAX_PROPERTY_OCTETS = 65_536
"""Octets that the values of one item's bag may have together. They do not count against the quota, so they are few: large data
belong into the content."""
FIRST_PROPERTY_NAME = 0x8000
"""The lowest number of a named property (MS-OXCPRPT section 3.2.5.9)."""
_FIRST_TIME = 1_000_000_000_000_000
"""The lowest change number that is a time: one of the year 2001."""
MAX_PROPERTY_NAMES = 8_192
"""Names that one mailbox may have: a quarter of the numbers that there are, and far more than a client of today makes."""


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as it stands. `folder` and `uid` are where IMAP has it; `flags` are system flags and the keyword bits of that
    folder; `change` is the mailbox's change number that last touched it, and `modified` the time of that; `content` is None where
    it was not asked for."""

    id: int
    folder: int
    uid: int
    item_class: str
    size: int
    change: int
    flags: int
    internal_date: int
    created: int
    content: bytes | None = None

    @property
    def modified(self) -> int:
        """The time at which the item was last moved, marked or edited; for one that never was, the time at which it was made.

        A change of an item that is there has a number that is no less than its time in microseconds, and a mailbox never had so
        many changes by themselves. The number of a delivery may be one behind an older change: such a time is before the item was
        made."""
        seconds = self.change // 1_000_000 if self.change >= _FIRST_TIME else 0
        return max(self.created, seconds)


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """Items with what was rendered of them at delivery, in parallel columns; a column that was not asked for is empty. `others`
    has for each item the number of the last change that did more than mark it as read or unread."""

    items: Sequence[StoredItem]
    envelopes: Sequence[bytes] = ()
    structures: Sequence[bytes] = ()
    headers: Sequence[bytes] = ()
    others: Sequence[int] = ()


class FoundItems(NamedTuple):
    """A part of a folder's items in an order, and how many there are in all."""

    ids: Sequence[int]
    total: int


@dataclass(frozen=True, slots=True)
class ItemChanges:
    """Changes of items after a change number. `change` is the number to ask with next, and `more` says that there is more to ask
    for at once.

    In one folder, `created` came into it, `changed` were there before, `removed` exist no more, and `moved` are in another
    folder now. In the whole mailbox a moved item is among `changed`, and `moved` is empty; items that went with their folder
    are not named, for `FolderTree.folder_changes` says that the folder is gone.
    Each list is in the order of ids; items that the caller never saw may be among `removed` and `moved`.
    """

    change: int
    created: Sequence[int]
    changed: Sequence[int]
    removed: Sequence[int]
    moved: Sequence[int]
    more: bool


class PropertyName(NamedTuple):
    """The name of a property: a set's GUID and in it a number (`lid`), or a text where `lid` is None (MS-OXCDATA section 2.6.1).
    For example `PropertyName(PSETID_APPOINTMENT, 0x820D)`."""

    set: UUID
    lid: int | None = None
    name: str = ""


class Busy(IntEnum):
    """Whether an appointment takes up its owner's time: the values of PidLidBusyStatus (MS-OXOCAL section 2.2.1.2)."""

    FREE = 0
    TENTATIVE = 1
    BUSY = 2
    OUT_OF_OFFICE = 3
    ELSEWHERE = 4


FROM_EVER = -(1 << 62)
"""The `RenderedItem.starts` of what has no beginning: a task without any date overlaps each range (RFC 4791 section 9.9)."""


@dataclass(frozen=True, slots=True)
class RenderedItem:
    """The values by which an item that is not mail is looked up. `items` renders them from a content; the store keeps them as
    they are given, in the transaction that stores the content. All may be missing: a note has none.

    `uid` is the UID of the iCalendar object or the vCard. `starts` and `ends` are the outer bounds of everything that the item
    occupies, the end not included: those of one appointment, from the first to the last occurrence of a series, from the start to
    the due date of a task. `starts` None: the item is in no time; `ends` None: a series without end. With `expands` these are
    only bounds, and the content says where the occurrences are: for a series, and for dates and floating times, whose place
    depends on the reader's time zone. `busy` and `is_private` say what free/busy shows. `status` is the STATUS in capitals.
    `organizer` and the `addresses` of a contact are e-mail addresses in lower case; those of an appointment or a task name its
    managed attachments (`items.managed_attachments.keys_of`). `reminds` is the time of the next reminder.
    """

    uid: str = ""
    starts: int | None = None
    ends: int | None = None
    expands: bool = False
    busy: Busy = Busy.FREE
    is_private: bool = False
    status: str = ""
    organizer: str = ""
    reminds: int | None = None
    addresses: tuple[str, ...] = ()


class ItemStore(Protocol):
    """Items of a mailbox by id. A method that takes several ids passes over those that are not in the mailbox; one that takes a
    single id raises MailboxError NONEXISTENT. `ImapItems.change_flags` changes flags, by folder and UID."""

    async def get(self, mailbox: UUID, ids: Sequence[int], content: bool = False) -> list[StoredItem]:
        """These items, in the order of `ids`, with their octets where `content` is asked for."""
        ...

    async def columns(self, mailbox: UUID, ids: Sequence[int], columns: Column) -> ItemColumns:
        """These items in the order of `ids`, with these columns: ENVELOPE, BODYSTRUCTURE and HEADER in columns of their own,
        CONTENT in `StoredItem.content` as `get` has it. Others are not asked for here."""
        ...

    async def walk(
        self, mailbox: UUID, folder: int, after: int, most: int, columns: Column, until: int = 0
    ) -> ItemColumns:
        """Up to `most` items of a folder with a higher UID than `after`, in the order of UIDs, as `columns` gives them; CONTENT
        is not asked for here. With `until`, only items that came into the folder with this change number or an earlier one.
        Raises MailboxError NONEXISTENT for the folder."""
        ...

    async def find(
        self,
        mailbox: UUID,
        folder: int,
        order: Sequence[SortKey],
        offset: int,
        most: int,
        term: SearchTerm = EVERYTHING,
    ) -> FoundItems:
        """Up to `most` items of a folder from the one with the number `offset` on (from 0), in this order; those that match
        `term`. Items that the order does not tell apart are in the order in which they came. Raises MailboxError:
        NONEXISTENT for the folder, CANNOT for a key that there is none of."""
        ...

    async def changes(self, mailbox: UUID, folder: int | None, since: int, most: int = 10_000) -> ItemChanges:
        """The changes of items in a folder, or in all, after the change number `since`; 0: all items that are there, as created.
        The answer ends with the first change that brings it to `most` ids. Raises MailboxError NONEXISTENT for the folder."""
        ...

    async def create(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> list[int]:
        """The ids of new items; all or none. Raises MailboxError: NONEXISTENT for the folder, OVERQUOTA, CANNOT."""
        ...

    async def update(
        self, mailbox: UUID, item: int, content: bytes, item_class: str = "", unchanged_since: int | None = None
    ) -> StoredItem:
        """Gives the item another content, and with `item_class` another class. It keeps its id, folder, flags and dates, and
        gets a new UID. Raises MailboxError: NONEXISTENT, OVERQUOTA, CANNOT, and MODIFIED where the item changed after the
        change number `unchanged_since`."""
        ...

    async def delete(self, mailbox: UUID, ids: Sequence[int]) -> list[int]:
        """Removes the items for good, and says which, in the order of ids."""
        ...

    async def move_items(self, mailbox: UUID, ids: Sequence[int], target: int) -> list[int]:
        """Moves the items to another folder and says which, in the order of ids. Raises MailboxError NONEXISTENT for the
        folder."""
        ...

    async def copy_items(self, mailbox: UUID, ids: Sequence[int], target: int) -> dict[int, int]:
        """Copies the items, with their bags: by id, the id of the copy. Raises MailboxError: NONEXISTENT for the folder,
        OVERQUOTA."""
        ...

    async def properties(self, mailbox: UUID, item: int) -> dict[int, bytes]:
        """The item's bag: by property tag (the id in the upper 16 bits, the type in the lower), the value in the binary form of
        MS-OXCDATA section 2.11, which is opaque here."""
        ...

    async def bags(self, mailbox: UUID, items: Sequence[int]) -> dict[int, dict[int, bytes]]:
        """The bags of several items, by id; items that have none, or are not in the mailbox, are left out. It brings at most
        64 MB of values: items beyond that are left out too, in the order of ids."""
        ...

    async def set_properties(self, mailbox: UUID, item: int, values: Mapping[int, bytes | None]) -> None:
        """Replaces these properties; None takes one out. Raises MailboxError LIMIT beyond MAX_PROPERTIES or
        MAX_PROPERTY_OCTETS."""
        ...

    async def property_ids(self, mailbox: UUID, names: Sequence[PropertyName], create: bool = False) -> list[int]:
        """The number of each name in this mailbox, from FIRST_PROPERTY_NAME on. A new name is numbered with `create`, else it is
        0. Raises MailboxError: CANNOT for a name that is neither a number nor 1 to 255 octets of UTF-8,
        LIMIT beyond MAX_PROPERTY_NAMES."""
        ...

    async def property_names(self, mailbox: UUID) -> dict[int, PropertyName]:
        """All names of the mailbox, by number."""
        ...
