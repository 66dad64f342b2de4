"""The mailboxes whose folders a session knows by name: the user's own, and those of others below "Other Users/" (RFC 2342).

Below that prefix stands the owner's primary address, which is the name that the owner logs on with, and below it the owner's
folders: "Other Users/bob@example.test/INBOX". `services.access.sharing` judges who sees what there; this module turns names into
folders and rights into refusals.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from postern.model.directory import DirectoryUnavailable, Recipient
from postern.model.folders import Folder, FolderKind, FolderTree, Right
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import ClientMailboxes
from postern.model.sharing import EVERY_RIGHT
from postern.protocols.imap.acl import is_known_to_exist
from postern.services.access.changes import MailboxChanges
from postern.services.access.logon import ClientAccess, OpenedMailbox
from postern.services.access.sharing import MailboxRights
from postern.services.imap.failures import CommandFailed, no

Path = tuple[str, ...]
OTHERS = "Other Users"
"""The first level of others' folders. RFC 2342 section 5 has this name in its example, and Cyrus uses it, so clients know it."""
_AT_ONCE = 8
"""Mailboxes whose folders are asked for at the same time."""
_NOT_IN_A_LEVEL = frozenset("/%*")
"""Characters that an address may have and a level of a mailbox name may not, or should not: they mean something in LIST."""


@dataclass(frozen=True, slots=True)
class Home:
    """A mailbox with folders. `prefix` stands before their paths: () for the user's own mailbox. `owner` is there for that of
    somebody else."""

    mailbox: UUID
    mailboxes: ClientMailboxes
    changes: MailboxChanges
    tree: FolderTree
    prefix: Path = ()
    owner: Recipient | None = None

    @property
    def is_own(self) -> bool:
        return self.owner is None


class Place(NamedTuple):
    """A folder with the user's rights in it."""

    home: Home
    folder: Folder
    rights: Right = EVERY_RIGHT

    @property
    def path(self) -> Path:
        """The whole name, as this session has it."""
        return self.home.prefix + self.folder.path

    @property
    def name(self) -> str:
        return "/".join(self.path)

    def require(self, right: Right) -> None:
        """Raises NO without the right."""
        if right & ~self.rights:
            raise refused(self.rights)


def nonexistent() -> CommandFailed:
    return no("Mailbox doesn't exist", "NONEXISTENT")


def refused(rights: Right) -> CommandFailed:
    """The refusal for one who lacks a right. A folder that is not to be seen does not exist (RFC 4314 section 6)."""
    return no("You don't have the right to do that here", "NOPERM") if rights & Right.VISIBLE else nonexistent()


class Homes:
    """The mailboxes that one user reaches. `own` needs no question to anybody; the others are looked up for each command, since
    what is shared changes."""

    def __init__(self, access: ClientAccess, opened: OpenedMailbox) -> None:
        self._access = access
        self._user = opened.identity.guid
        self.own = Home(opened.mailbox, opened.mailboxes, opened.changes, opened.tree)

    async def of(self, path: Path) -> tuple[Home, Path]:
        """Returns the mailbox that a name is in, and the path there. Raises NO for a mailbox that shares nothing with the user:
        whether it is there at all is not told."""
        if path[0] != OTHERS or len(path) < 2:
            return self.own, path
        recipient = await self._access.sharing.mailbox(path[1])
        home = self._home(recipient) if recipient is not None else None
        if home is None or not (await self.rights(home)).is_any:
            raise nonexistent()
        return home, path[2:]

    async def rights(self, home: Home) -> MailboxRights:
        """Returns the user's rights in a mailbox as they are now."""
        if home.owner is None:
            return MailboxRights(home.mailbox, (), {}, is_full=True)
        return await self._access.sharing.rights(self._user, home.owner)

    async def others(self) -> list[Home]:
        """Returns the mailboxes that share something with the user, in the order of their owners' addresses."""
        if self._user is None:
            return []
        shares = await self._access.sharing.shared(self._user)
        owners = {shared.owner for shared in shares.folders} | {owner for owner, _ in shares.mailboxes}
        recipients = await self._access.directory.recipients(sorted(owners))
        homes = [self._home(recipient) for _, recipient in sorted(recipients.items())]
        return [home for home in homes if home is not None]

    def _home(self, recipient: Recipient) -> Home | None:
        """The mailbox of somebody else; None for the user's own, and for one that no name reaches."""
        server = self._access.server(recipient.database)
        if server is None or recipient.guid == self.own.mailbox or _NOT_IN_A_LEVEL.intersection(recipient.primary):
            return None
        prefix = (OTHERS, recipient.primary)
        return Home(recipient.guid, server.mailboxes, server.changes, server.tree, prefix, recipient)

    async def shown(self) -> list[Place]:
        """Returns the folders of others that LIST may show: those with the right `l`. What cannot be asked for now, since a
        server or the directory does not answer, is left out, for the user's own folders are listed with the same command."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def of_home(home: Home) -> list[Place]:
            async with room:
                try:
                    return await self.places(home)
                except (MailboxError, DirectoryUnavailable):
                    return []

        try:
            homes = await self.others()
        except (MailboxError, DirectoryUnavailable):
            return []
        answers = await asyncio.gather(*map(of_home, homes))
        return [place for places in answers for place in places if place.rights & Right.VISIBLE]

    async def places(self, home: Home) -> list[Place]:
        """Returns the folders of a mailbox that the user may know of."""
        folders = await home.mailboxes.folders(home.mailbox)
        if home.is_own:
            return [Place(home, folder) for folder in folders]
        rights = await self.rights(home)
        return [place for folder in folders if (place := placed(home, folder, rights)) is not None]


def placed(home: Home, folder: Folder, rights: MailboxRights) -> Place | None:
    """Returns a folder of a mailbox with the rights in it; None if the user must not know of it. Nobody sees the Outbox of
    another: what is put there is sent in its owner's name."""
    held = rights.in_folder(folder.id, folder.kind)
    if not home.is_own and (folder.kind is FolderKind.OUTBOX or not is_known_to_exist(held)):
        return None
    return Place(home, folder, held)
