"""A mailbox as one request works with it: that of the caller, or another that `shared` opens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol
from uuid import UUID

from postern.model.address_book import AddressBook
from postern.model.directory import Directory, Recipient
from postern.model.folders import FolderKind, FolderNode, FolderStore, Right
from postern.model.mailbox import Logon, MailboxError, MailboxInfo
from postern.model.mailbox_server import MailboxItems
from postern.model.resources import Resources
from postern.model.security import Identity
from postern.model.sharing import EVERY_RIGHT
from postern.services.access.logon import home_of, not_opened
from postern.services.access.sharing import Grants, Shares, Sharing
from postern.services.dav import remembered
from postern.services.dav.ahead import one_ahead
from postern.services.dav.places import Place, Space, home_path, path_in
from postern.services.dav.remembered import KeptProperties, KnownTags, ListState, RecentMailboxes
from postern.services.dav.request import Refusal
from postern.trust.acceptor import Cause, Failure

MAX_RESOURCE = 16_777_216
"""Octets of an appointment, a contact or a document: what `items` reads at most."""


class DavDirectory(Directory, AddressBook, Protocol):
    """A directory that is an address book, too."""


class OpenMailboxes(Logon, FolderStore, Protocol):
    """Opens mailboxes, and removes folders."""


@dataclass(frozen=True, slots=True)
class DavServer:
    """The mailboxes of one server, by the two interfaces that it has for clients."""

    mailboxes: OpenMailboxes
    items: MailboxItems


@dataclass(frozen=True, slots=True)
class DavAccess:
    """The state that all requests share. `server` returns the server of a database (Recipient.database). `sharing` judges the
    rights in others' mailboxes. `quota` is that of mailboxes whose owner has none of his own, in octets; 0 for none. `domains`
    gives the domains, in A-labels, in which nobody else than the organization has mailboxes."""

    directory: DavDirectory
    server: Callable[[str], DavServer | None]
    sharing: Sharing
    quota: int = 0
    domains: Callable[[], Collection[str]] = frozenset
    opened: RecentMailboxes = field(init=False, default_factory=RecentMailboxes)
    kept: KeptProperties = field(init=False, default_factory=KeptProperties)
    tags: KnownTags = field(init=False, default_factory=KnownTags)
    swept: RecentMailboxes = field(init=False, default_factory=lambda: RecentMailboxes(remembered.SWEEP_SECONDS))
    list_state: ListState = field(init=False, default_factory=ListState)


@dataclass(slots=True)
class OwnMailbox:
    """A mailbox as its owner has it. The tree of folders is asked for once a request, and again after a change of it. `info` is
    there after `measure`, `shares` and `grants` after `look`, which names the grantees, `list_state` and `is_listed` after their
    functions in `address_list`."""

    server: DavServer
    recipient: Recipient
    access: DavAccess
    quota: int
    info: MailboxInfo | None = None
    shares: Shares = field(default_factory=Shares)
    grants: Grants | None = None
    names: dict[UUID, str] = field(default_factory=dict)
    list_state: str = ""
    is_listed: bool = False
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

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses of the owner, the primary one first."""
        return tuple(dict.fromkeys((self.address, *self.recipient.addresses)))

    @property
    def me(self) -> OwnMailbox:
        """The mailbox of the caller."""
        return self

    @property
    def is_open(self) -> bool:
        """Whether the caller may know that the mailbox is there."""
        return True

    @property
    def is_whole(self) -> bool:
        """Whether the caller may do everything in the mailbox."""
        return True

    @property
    def sharers(self) -> frozenset[str]:
        """The addresses of those who share something with the caller, as `look` found it."""
        shares = self.me.shares
        return frozenset([*(each.owner for each in shares.folders), *(owner for owner, _ in shares.mailboxes)])

    @property
    def whole(self) -> OwnMailbox:
        """The mailbox with what the server itself keeps in it, whatever the caller may see."""
        return self

    async def may_send(self) -> bool:
        """Whether the caller may send mail as, or on behalf of, the owner of this mailbox."""
        return True

    def rights(self, node: FolderNode) -> Right:
        """The rights of the caller in a folder."""
        return EVERY_RIGHT

    @property
    def calendar_addresses(self) -> frozenset[str]:
        """All addresses of the owner as they are compared."""
        return self.recipient.folded_addresses

    def is_mine(self, address: str) -> bool:
        """Whether an address in a path belongs to the owner of this mailbox."""
        return address.lower() in self.addresses

    def inner(self, place: Place) -> Place | None:
        """Returns a place in this mailbox by the address of its owner; None for a place elsewhere."""
        return place if self.is_mine(place.address) else None

    def path_of(self, place: Place) -> str:
        """Returns the path of a place in this mailbox, without a slash at the end."""
        return path_in(place, self.address)

    def collection_path(self, space: Space, segment: str) -> str:
        return f"{home_path(space, self.address)}{segment}/"

    def ask_when_busy(self) -> None:
        """The request asks for nothing but when the owner is busy."""

    async def look(self, grants: bool = False, shares: bool = False) -> None:
        """Asks what was granted in this mailbox, and what others share with the caller."""
        sharing = self.access.sharing
        if shares:
            self.me.shares = await sharing.shared(self.me.id)
        if grants:
            self.grants = await sharing.grants(self.recipient)
            guids = {guid for entries in self.grants.folders.values() for guid in entries}
            self.names = await sharing.addresses(guids)

    async def measure(self) -> None:
        """Asks how large the mailbox is now."""
        self.info = await self.server.mailboxes.logon(self.id, self.quota)

    async def tree(self) -> list[FolderNode]:
        """The folders, without those that lie in the trash."""
        if self._tree is None:
            nodes = await self.server.items.tree(self.id)
            gone = {node.id for node in nodes if node.kind is FolderKind.DELETED}
            above = {node.id: node.parent for node in nodes}
            self._tree = [node for node in nodes if not _is_below(node.id, gone, above)]
        return self._tree

    async def demand_edit(self, item: int) -> None:
        """Raises Refusal where the caller may not change this item, of a folder in which he may change some."""

    def forget(self) -> None:
        """The folders have changed."""
        self._tree = None

    async def pages(self, folder: int, size: int) -> AsyncGenerator[Resources, None]:
        """Gives the resources of a folder in the order of their names, `size` of them at a time."""

        def ask(page: Resources | None) -> Coroutine[Any, Any, Resources] | None:
            if page is not None and not page:
                return None
            return self.store.resources(self.id, folder, "" if page is None else page.names[-1], size)

        async with aclosing(one_ahead(ask)) as pages:
            async for page in pages:
                if page:
                    yield page

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
    home = await home_of(access.directory, access.server, identity)
    if isinstance(home, Failure):
        raise _refusal(home)
    recipient, server = home
    box = OwnMailbox(server, recipient, access, recipient.quota or access.quota)
    if not access.opened.is_recent(box.id, box.quota):
        try:
            await box.measure()
        except MailboxError as error:
            raise _refusal(not_opened(error)) from None
        access.opened.add(box.id, box.quota)
    return box


async def whole_mailbox(access: DavAccess, address: str) -> OwnMailbox | None:
    """Opens the mailbox with this address as its owner has it; None where nobody has it. The caller of this function judges what
    another user may hear of what is in it. Raises DirectoryUnavailable."""
    owner = await access.sharing.mailbox(address)
    server = access.server(owner.database) if owner is not None else None
    return OwnMailbox(server, owner, access, 0) if server is not None and owner is not None else None


def _refusal(failure: Failure) -> Refusal:
    return unavailable() if failure.cause is Cause.UNAVAILABLE else Refusal(HTTPStatus.FORBIDDEN, text=failure.text)


def unavailable() -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, fields=[(b"retry-after", b"5")])
