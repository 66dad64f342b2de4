"""Folders of a mailbox: by path, as IMAP has them (`FolderStore`), and by parent, name and class (`FolderTree`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from functools import reduce
from operator import or_
from typing import NamedTuple, Protocol
from uuid import UUID


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
    CALENDAR = "calendar"
    CONTACTS = "contacts"
    TASKS = "tasks"
    NOTES = "notes"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder by path. `path` are the names from the top down, as Unicode. `recent_uid` is the first UID that no session has
    claimed as recent."""

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


class FolderStore(Protocol):
    """Folders with mail, by path. Folders of other classes (`FolderTree`) are not among them. The name of a well-known one is
    free here: the folder gets another when somebody creates a folder with mail under it."""

    async def folders(self, mailbox: UUID) -> list[Folder]:
        """All folders with mail. Raises MailboxError NONEXISTENT for a mailbox that was never opened."""
        ...

    async def folder(self, mailbox: UUID, folder: int, claim_recent: bool = False) -> Folder:
        """One folder as it stands. With `claim_recent` its recent_uid is advanced to uid_next; the old one is returned.
        Raises MailboxError NONEXISTENT."""
        ...

    async def create_folder(self, mailbox: UUID, path: Sequence[str], kind: FolderKind = FolderKind.USER) -> Folder:
        """Creates missing parents too. A name used before gets a larger UIDVALIDITY. Raises MailboxError: ALREADYEXISTS,
        CANNOT for a path that no folder can have, LIMIT."""
        ...

    async def rename_folder(self, mailbox: UUID, folder: int, path: Sequence[str]) -> None:
        """Renames the folder, with all that is below it. INBOX: its items move into a new folder and INBOX stays (RFC 9051
        6.3.6). Raises MailboxError: NONEXISTENT, ALREADYEXISTS, CANNOT where a path of the folder or below it could not be, LIMIT
        for missing parents."""
        ...

    async def delete_folder(self, mailbox: UUID, folder: int) -> None:
        """Removes the folder and its items. Folders below it stay where they are by their path (RFC 9051 6.3.5); their parent
        is from then on the nearest folder above that exists. Raises MailboxError: NONEXISTENT, CANNOT for a well-known
        folder."""
        ...

    async def subscriptions(self, mailbox: UUID) -> list[tuple[str, ...]]:
        """Subscribed names, existing or not (RFC 9051 6.3.7)."""
        ...

    async def subscribe(self, mailbox: UUID, path: Sequence[str], subscribed: bool) -> None:
        """Adds the name to the subscriptions, or takes it out. Raises MailboxError CANNOT to add a path that no folder can
        have."""
        ...


MAIL = "IPF.Note"
"""The class of folders with mail (MS-OXOSFLD section 2.2.6). `FolderStore` shows these only."""

SEARCH = "IPF.Search"
"""The class of search folders here. They have no items themselves, and only Exchange Web Services show them."""


def is_class(its_class: str, *bases: str) -> bool:
    """Whether the class of a folder or of an item is one of `bases` or below one, in any case: "IPF.Contact.Company" is
    "IPF.Contact", and "ipm.note.mine" is "IPM.Note", but "IPM.Notebook" is not (MS-OXCMSG section 2.2.1.3)."""
    folded = f"{its_class.lower()}."
    return any(folded.startswith(f"{base.lower()}.") for base in bases)


FOLDER_CLASSES = {
    FolderKind.CALENDAR: "IPF.Appointment",
    FolderKind.CONTACTS: "IPF.Contact",
    FolderKind.TASKS: "IPF.Task",
    FolderKind.NOTES: "IPF.StickyNote",
    FolderKind.JOURNAL: "IPF.Journal",
}
"""The classes of the well-known folders without mail (MS-OXOSFLD section 2.2.1). Each mailbox has one of each kind."""


@dataclass(frozen=True, slots=True)
class FolderNode:
    """A folder in the tree. `parent` is 0 at the top. `change` is the mailbox's change number with which the folder itself last
    changed: created, renamed, moved, or with other rights; a change of its items leaves it."""

    id: int
    parent: int
    name: str
    folder_class: str
    kind: FolderKind
    change: int

    @property
    def is_calendar(self) -> bool:
        """Whether its class is that of calendars."""
        return is_class(self.folder_class, FOLDER_CLASSES[FolderKind.CALENDAR])

    @property
    def is_search(self) -> bool:
        """Whether its class is that of search folders."""
        return is_class(self.folder_class, SEARCH)


@dataclass(frozen=True, slots=True)
class FolderChanges:
    """Changes of folders after a change number. `change` is the number to ask with next; `created` and `changed` are
    folders as they stand now, `removed` the ids of those that are gone."""

    change: int
    created: Sequence[FolderNode]
    changed: Sequence[FolderNode]
    removed: Sequence[int]


class Right(IntFlag):
    """A user's rights in a folder: the bits of PidTagMemberRights (MS-OXCPERM section 2.2.7), and PRIVATE."""

    READ_ANY = 0x1
    CREATE = 0x2
    EDIT_OWNED = 0x8
    DELETE_OWNED = 0x10
    EDIT_ANY = 0x20
    DELETE_ANY = 0x40
    CREATE_SUBFOLDER = 0x80
    OWNER = 0x100
    CONTACT = 0x200
    VISIBLE = 0x400
    FREE_BUSY_SIMPLE = 0x800
    FREE_BUSY_DETAILED = 0x1000
    PRIVATE = 0x1_0000
    """Private items are seen as all others are. It is a setting of delegates (MS-OXWSDLGM section 2.2.4.4), which Outlook keeps
    elsewhere; no client is told the bit."""


EVERYBODY = UUID(int=0)
"""The grantee that stands for all who are logged on and have no entry of their own (MS-OXCPERM: the default user)."""
ANONYMOUS = UUID(int=(1 << 128) - 1)
"""The grantee that stands for those who are not logged on."""


def granted(rights: Mapping[UUID, Right], grantees: Sequence[UUID]) -> Right:
    """The rights that a folder's entries give to a user. `grantees` are the user's directory id and then those of the user's
    groups: the user's own entry counts alone, else those of the groups together, else that of EVERYBODY. Without `grantees`,
    nobody is logged on."""
    if not grantees:
        return rights.get(ANONYMOUS, Right(0))
    user, *groups = grantees
    if user in rights:
        return rights[user]
    entries = [rights[group] for group in groups if group in rights] or [rights.get(EVERYBODY, Right(0))]
    return reduce(or_, entries)


class SharedFolder(NamedTuple):
    """A folder of another's mailbox on which `grantee` has `rights`."""

    mailbox: UUID
    folder: FolderNode
    grantee: UUID
    rights: Right


class FolderTree(Protocol):
    """Folders of every class, by parent and name, with the rights of others on them."""

    async def tree(self, mailbox: UUID) -> list[FolderNode]:
        """All folders, in the order of their ids. Raises MailboxError NONEXISTENT for a mailbox that was never opened."""
        ...

    async def create_in(self, mailbox: UUID, parent: int, name: str, folder_class: str = MAIL) -> FolderNode:
        """A new folder below `parent` (0: at the top). Raises MailboxError: NONEXISTENT, ALREADYEXISTS, CANNOT, LIMIT."""
        ...

    async def move_folder(self, mailbox: UUID, folder: int, parent: int, name: str) -> None:
        """Gives the folder another parent (0: none), another name, or both. Raises MailboxError: NONEXISTENT, ALREADYEXISTS,
        CANNOT for a well-known folder, a parent that is below the folder, or a path that no folder can have."""
        ...

    async def folder_changes(self, mailbox: UUID, since: int) -> FolderChanges:
        """The changes of folders after the change number `since`; 0: all folders, as created."""
        ...

    async def rights(self, mailbox: UUID, folder: int) -> dict[UUID, Right]:
        """The rights of others in the folder, by the grantee's directory id, EVERYBODY or ANONYMOUS. The owner of the mailbox
        has all rights and no entry. Raises MailboxError NONEXISTENT."""
        ...

    async def mailbox_rights(self, mailbox: UUID) -> dict[int, dict[UUID, Right]]:
        """The rights of others in all folders, by folder; folders without an entry are left out."""
        ...

    async def set_rights(self, mailbox: UUID, folder: int, grantee: UUID, rights: Right | None) -> None:
        """Replaces the rights of one grantee; None takes the entry out. An entry without rights denies what EVERYBODY
        is granted. Raises MailboxError: NONEXISTENT, LIMIT."""
        ...

    async def shared_with(self, grantees: Sequence[UUID]) -> list[SharedFolder]:
        """The folders in all mailboxes of the database on which these grantees have an entry, by mailbox and folder. A user has
        it by the directory ids of the user and of the groups; EVERYBODY is one more grantee."""
        ...

    async def folder_properties(self, mailbox: UUID, folders: Sequence[int]) -> dict[int, dict[int, bytes]]:
        """The bags of these folders, by folder: each by property tag, as `ItemStore.properties` has it. Folders that are not in
        the mailbox are left out."""
        ...

    async def set_folder_properties(self, mailbox: UUID, folder: int, values: Mapping[int, bytes | None]) -> None:
        """Replaces these properties of a folder; None takes one out. Raises MailboxError: NONEXISTENT, CANNOT for a tag that is
        none, LIMIT beyond what the bag of an item may hold."""
        ...

    async def name_folders(self, mailbox: UUID, names: Mapping[FolderKind, str], former: Sequence[str]) -> None:
        """Renames the well-known folders without mail that still have one of the `former` names, at the top. A name that is taken
        is left out. Raises MailboxError: NONEXISTENT for the mailbox, CANNOT for a name that no folder can have."""
        ...
