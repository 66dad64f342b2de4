"""Rights on mailboxes as a whole, and the names under which people know the rights in folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from postern.model.folders import EVERYBODY, FolderKind, Right, granted

EVERY_RIGHT = Right(0x1FFB)
"""All rights: those of the owner of a mailbox, and of users with full access to it."""
FREE_BUSY = Right.FREE_BUSY_SIMPLE | Right.FREE_BUSY_DETAILED

DEFAULT_RIGHTS: Mapping[FolderKind, Right] = MappingProxyType({FolderKind.CALENDAR: Right.FREE_BUSY_SIMPLE})
"""The rights of EVERYBODY in a well-known folder that has no entry for EVERYBODY (MS-OXCPERM section 3.2.5.2 leaves them to the
server; Outlook shows these)."""

_REVIEWER = Right.READ_ANY | Right.VISIBLE
_AUTHOR = _REVIEWER | Right.CREATE | Right.EDIT_OWNED | Right.DELETE_OWNED
_EDITOR = _AUTHOR | Right.EDIT_ANY | Right.DELETE_ANY

ROLES: Mapping[str, Right] = MappingProxyType(
    {
        "owner": _EDITOR | Right.CREATE_SUBFOLDER | Right.OWNER | Right.CONTACT | FREE_BUSY,
        "publishing-editor": _EDITOR | Right.CREATE_SUBFOLDER | FREE_BUSY,
        "editor": _EDITOR | FREE_BUSY,
        "publishing-author": _AUTHOR | Right.CREATE_SUBFOLDER | FREE_BUSY,
        "author": _AUTHOR | FREE_BUSY,
        "nonediting-author": _REVIEWER | Right.CREATE | Right.DELETE_OWNED | FREE_BUSY,
        "reviewer": _REVIEWER | FREE_BUSY,
        "contributor": Right.VISIBLE | Right.CREATE,
        "free-busy-details": FREE_BUSY,
        "free-busy": Right.FREE_BUSY_SIMPLE,
        "none": Right(0),
    }
)
"""Rights by the names that Outlook has for them, the widest first."""
_ASIDE = FREE_BUSY | Right.CONTACT


def rights_in(entries: Mapping[UUID, Right], grantees: Sequence[UUID], kind: FolderKind = FolderKind.USER) -> Right:
    """Returns the rights that the entries of a folder give to a user with these grantees (`model.folders.granted`). Without an
    entry for EVERYBODY, a well-known folder has that of DEFAULT_RIGHTS. Who reads all items of a calendar knows when its owner is
    busy."""
    if kind in DEFAULT_RIGHTS and EVERYBODY not in entries:
        entries = {**entries, EVERYBODY: DEFAULT_RIGHTS[kind]}
    rights = granted(entries, grantees)
    return rights | FREE_BUSY if rights & Right.READ_ANY else rights


def sees_private(rights: Right) -> bool:
    """Whether these rights in a folder of somebody else show its private items, too."""
    return bool(rights & (Right.OWNER | Right.PRIVATE))


def role_of(rights: Right) -> str:
    """Returns the role that has these rights, "custom" if none has. Beside others, the rights to see when the owner is busy and
    to be the contact make no difference: no letter of IMAP stands for them. Nor does that to see private items."""
    rights &= ~Right.PRIVATE
    same = [name for name, held in ROLES.items() if held == rights]
    alike = [name for name, held in ROLES.items() if held & ~_ASIDE == rights & ~_ASIDE != Right(0)]
    return (same or alike or ["custom"])[0]


class MailboxGrants(Protocol):
    """Full access to mailboxes: who has it works in them as their owner does. A grantee is a user or a group."""

    async def full_access(self, mailbox: UUID) -> list[UUID]:
        """The directory ids of those with full access, in their order. Raises MailboxError NONEXISTENT for a mailbox that was
        never opened."""
        ...

    async def set_full_access(self, mailbox: UUID, grantee: UUID, is_granted: bool) -> None:
        """Grants full access to one grantee, or takes it back. Raises MailboxError: NONEXISTENT, LIMIT."""
        ...

    async def accessible(self, grantees: Sequence[UUID]) -> list[UUID]:
        """The mailboxes of the database to which one of these grantees has full access, in their order."""
        ...
