"""Items that have a name in their folder, as DAV has its resources: appointments, tasks, contacts, documents (decision 0003).

An item that is made here has a name, and the values by which it is looked up (`RenderedItem`), beside what `ItemStore` says of
it. Its octets are kept exactly as they were given. Its class is another than `IPM.Note`. Items of `ItemStore.create` have no
name. Times are seconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.model.item_store import RenderedItem
from postern.model.items import Flag

MAX_NAME = 255
"""Octets of a resource's name in UTF-8."""
MAX_OBJECT_UID = 1_000
"""Octets of the UID of an iCalendar object or a vCard: what a row of an index may hold, and four times what programs make."""
TAG_OCTETS = 16

NOTHING_RENDERED = RenderedItem()
ABSENT = b""
"""The `expected` of what may not be there yet (If-None-Match: *)."""
PRESENT = b"*"
"""The `expected` of what must be there, with any content (If-Match: *)."""


def content_tag(content: bytes) -> bytes:
    """The entity tag of a resource with these octets: the first 16 octets of their SHA-256.

    So it changes exactly when the octets do. Flags, properties, another name or another folder leave it; the same octets put once
    more leave it too.
    """
    return sha256(content).digest()[:TAG_OCTETS]


class Resource(NamedTuple):
    """A named item as it stands. `uid` is the UID of the object (`RenderedItem.uid`), `tag` its `content_tag`, `size` octets;
    `modified` is when its content was last stored. `content` is None where it was not asked for, or did not fit beside others."""

    id: int
    folder: int
    name: str
    uid: str
    tag: bytes
    size: int
    item_class: str
    created: int
    modified: int
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """Named items as parallel columns; iteration gives each as a `Resource`. `contents` is empty where it was not asked for."""

    ids: Sequence[int] = ()
    folders: Sequence[int] = ()
    names: Sequence[str] = ()
    uids: Sequence[str] = ()
    tags: Sequence[bytes] = ()
    sizes: Sequence[int] = ()
    classes: Sequence[str] = ()
    created: Sequence[int] = ()
    modified: Sequence[int] = ()
    contents: Sequence[bytes | None] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Resource]:
        columns = (
            self.ids,
            self.folders,
            self.names,
            self.uids,
            self.tags,
            self.sizes,
            self.classes,
            self.created,
            self.modified,
        )
        if self.contents:
            return map(Resource, *columns, self.contents)
        return map(Resource, *columns)


@dataclass(frozen=True, slots=True)
class NewResource:
    """A named item to add. A name of "" lets the store choose one."""

    content: bytes
    item_class: str
    rendered: RenderedItem = NOTHING_RENDERED
    name: str = ""
    flags: int = Flag.SEEN
    internal_date: int | None = None


class Put(NamedTuple):
    """The result of a `put`. `is_new`: there was nothing of this name before."""

    id: int
    tag: bytes
    is_new: bool


@dataclass(frozen=True, slots=True)
class ResourceChanges:
    """Changes of a folder's resources after a change number: `there` are those that came, or got another content or name;
    `gone` are names that nothing has any more. `change` is the number to ask with next, and `more` says that there is more to
    ask for at once. A `change` below the number that was asked with says that the folder never told that number."""

    change: int
    there: Resources
    gone: Sequence[str]
    more: bool


class FolderState(NamedTuple):
    """The contents of a folder in numbers. `change` is the mailbox's change number that last touched an item in it, and so DAV's
    CTag and sync-token; `size` is octets."""

    change: int
    items: int
    unseen: int
    size: int


class Reminder(NamedTuple):
    """An item whose reminder is due, and since when."""

    mailbox: UUID
    item: int
    at: int


class ResourceStore(Protocol):
    """Named items of a mailbox, by name within their folder. Names are compared octet by octet; one is 1 to 255 octets of UTF-8
    without controls and slashes, and neither "." nor "..".

    Every method raises MailboxError NONEXISTENT for a folder that the mailbox does not have. `ItemStore` moves, copies and
    deletes named items too: one that moves or is copied keeps its name unless that is taken, else the store chooses one. Its
    `update` refuses them with CANNOT, for it would leave the rendered values behind.
    """

    async def resources(self, mailbox: UUID, folder: int, after: str = "", most: int = 10_000) -> Resources:
        """Up to `most` resources of a folder whose names come after `after`, in the order of the octets of their names. The
        store may end a page earlier; an empty page is the end."""
        ...

    async def named(self, mailbox: UUID, folder: int, names: Sequence[str], content: bool = False) -> Resources:
        """The resources of these names, in the order of `names`; names that nothing has are passed over. With `content` they
        come with their octets, at most 64 MB of them: one that does not fit has None, and is asked for alone."""
        ...

    async def with_ids(self, mailbox: UUID, ids: Sequence[int], content: bool = False) -> Resources:
        """Those of these items that have a name, in the order of `ids`; `content` as in `named`."""
        ...

    async def with_uids(self, mailbox: UUID, folder: int | None, uids: Sequence[str]) -> Resources:
        """The resources of a folder, or of all (None), whose objects have these UIDs, in the order of their ids."""
        ...

    async def put(
        self,
        mailbox: UUID,
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        expected: bytes | None = None,
        unique_uid: bool = False,
    ) -> Put:
        """Stores octets under a name: a new item, or another content for the one that has it, which keeps its id, flags and
        properties. `expected` is a condition that holds in the same transaction: None for none, ABSENT, PRESENT, or the tag of
        the content that is to be replaced.

        Raises MailboxError: MODIFIED where the condition does not hold, UIDEXISTS with `unique_uid` where another resource of
        the folder has this UID, OVERQUOTA, CANNOT for what cannot be a name, a UID or a class."""
        ...

    async def add(
        self, mailbox: UUID, folder: int, resources: Sequence[NewResource], unique_uids: bool = False
    ) -> list[int]:
        """The ids of new resources; all or none. Raises MailboxError: ALREADYEXISTS for a name, UIDEXISTS as in `put`,
        OVERQUOTA, CANNOT."""
        ...

    async def replace(
        self,
        mailbox: UUID,
        item: int,
        content: bytes,
        rendered: RenderedItem,
        item_class: str = "",
        unchanged_since: int | None = None,
    ) -> Put:
        """Does what `ItemStore.update` does, with the rendered values; an item without a name gets one. Raises MailboxError:
        NONEXISTENT, OVERQUOTA, CANNOT, and MODIFIED where the item changed after the change number `unchanged_since`."""
        ...

    async def remove(self, mailbox: UUID, folder: int, name: str, expected: bytes | None = None) -> None:
        """Removes the resource for good. Raises MailboxError: NONEXISTENT where there is none, MODIFIED where its tag is not
        `expected`."""
        ...

    async def place(
        self,
        mailbox: UUID,
        folder: int,
        name: str,
        target: int,
        new_name: str,
        move: bool,
        overwrite: bool,
        unique_uid: bool = False,
    ) -> Put:
        """Moves or copies a resource to a folder and a name (RFC 4918 sections 9.8 and 9.9); with `overwrite`, what has the
        name there is removed. A moved item keeps its id. Raises MailboxError: NONEXISTENT for the resource, ALREADYEXISTS
        without `overwrite`, CANNOT for a resource onto itself, UIDEXISTS as in `put`, OVERQUOTA."""
        ...

    async def resource_changes(self, mailbox: UUID, folder: int, since: int, most: int = 10_000) -> ResourceChanges:
        """The changes of a folder's resources after the change number `since`; 0: all that are there. The answer ends with the
        first change that brings it to `most`."""
        ...

    async def folder_states(self, mailbox: UUID, folders: Sequence[int] = ()) -> dict[int, FolderState]:
        """The states of these folders, or of all; ids of folders that are not there are passed over."""
        ...

    async def overlapping(
        self, mailbox: UUID, folder: int, starts: int, ends: int, after: int = 0, most: int = 10_000
    ) -> dict[int, RenderedItem]:
        """The rendered values of up to `most` resources of a folder that may occupy some of the time from `starts` to `ends`
        (not included), by id in the order of ids, from the id behind `after` on. Where one `expands`, its content decides."""
        ...

    async def private_resources(self, mailbox: UUID, folder: int) -> list[int]:
        """The ids of the resources of a folder whose `RenderedItem.is_private` is set, in their order."""
        ...

    async def with_addresses(self, mailbox: UUID, addresses: Sequence[str]) -> dict[str, list[int]]:
        """The ids of the resources that have these `RenderedItem.addresses`, by address; addresses that none has are left
        out."""
        ...

    async def reminders(self, until: int, most: int = 1_000) -> list[Reminder]:
        """Reminders of all mailboxes of the database that are due at `until`, the oldest first."""
        ...

    async def set_reminder(self, mailbox: UUID, item: int, was: int, at: int | None) -> bool:
        """Sets the next reminder of an item, or none, if it still was `was`; else it returns False. This is no change of the
        item."""
        ...
