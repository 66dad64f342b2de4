"""The caller's mailbox, as one request works with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

from postern.model.directory import Directory, DirectoryUnavailable, Recipient, RecipientType
from postern.model.folders import FolderKind, FolderNode, FolderStore
from postern.model.mailbox import KEEP_QUOTA, Logon, MailboxError, MailboxInfo
from postern.model.mailbox_server import MailboxItems
from postern.model.security import Identity
from postern.services.access.logon import recipient_of
from postern.services.dav.request import Refusal

MAX_RESOURCE = 16_777_216
"""Octets of an appointment, a contact or a document: what `items` reads at most."""


class OpenMailboxes(Logon, FolderStore, Protocol):
    """Opens mailboxes, and removes folders."""


@dataclass(frozen=True, slots=True)
class DavServer:
    """The mailboxes of one server, by the two interfaces that it has for clients."""

    mailboxes: OpenMailboxes
    items: MailboxItems


@dataclass(frozen=True, slots=True)
class DavAccess:
    """The state that all requests share. `server` returns the server of a database (Recipient.database). `quota` is that of
    mailboxes whose owner has none of his own, in octets; 0 for none."""

    directory: Directory
    server: Callable[[str], DavServer | None]
    quota: int = 0


@dataclass(slots=True)
class OwnMailbox:
    """The mailbox of the caller. The tree of folders is asked for once a request, and again after a change of it."""

    server: DavServer
    recipient: Recipient
    info: MailboxInfo
    _tree: list[FolderNode] | None = field(default=None, repr=False)

    @property
    def id(self) -> UUID:
        return self.recipient.guid

    @property
    def store(self) -> MailboxItems:
        return self.server.items

    @property
    def address(self) -> str:
        return self.recipient.primary

    def is_mine(self, address: str) -> bool:
        """Whether an address in a path belongs to the caller."""
        return address.lower() in (self.recipient.primary, *self.recipient.addresses)

    async def tree(self) -> list[FolderNode]:
        """The folders, without those that lie in the trash."""
        if self._tree is None:
            nodes = await self.store.tree(self.id)
            gone = {node.id for node in nodes if node.kind is FolderKind.DELETED}
            above = {node.id: node.parent for node in nodes}
            self._tree = [node for node in nodes if not _is_below(node.id, gone, above)]
        return self._tree

    def forget(self) -> None:
        """The folders have changed."""
        self._tree = None

    async def delete_folder(self, folder: int) -> None:
        """Removes a folder; those below it must be gone already."""
        await self.server.mailboxes.delete_folder(self.id, folder)
        self.forget()


def _is_below(folder: int, gone: set[int], above: dict[int, int]) -> bool:
    seen: set[int] = set()
    while folder and folder not in seen:
        if folder in gone:
            return True
        seen.add(folder)
        folder = above.get(folder, 0)
    return False


async def own_mailbox(access: DavAccess, identity: Identity) -> OwnMailbox:
    """Opens the caller's mailbox. Raises Refusal: 403 for one who has none, 503 where it cannot be reached now."""
    try:
        recipient = await recipient_of(access.directory, identity)
        if recipient is None or recipient.type not in (RecipientType.USER, RecipientType.ROOM):
            raise Refusal(HTTPStatus.FORBIDDEN, text="This account has no mailbox")
        server = access.server(recipient.database)
        if server is None:
            raise Refusal(HTTPStatus.FORBIDDEN, text="The mailbox's database is unknown here")
        info = await server.mailboxes.logon(recipient.guid, recipient.quota or access.quota or KEEP_QUOTA)
    except DirectoryUnavailable:
        raise unavailable() from None
    except MailboxError as error:
        if error.code == "UNAVAILABLE":
            raise unavailable() from None
        raise Refusal(HTTPStatus.FORBIDDEN, text="The mailbox cannot be opened") from None
    return OwnMailbox(server, recipient, info)


def unavailable() -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, fields=[(b"retry-after", b"5")])
