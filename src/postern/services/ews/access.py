"""The state that all requests to Exchange Web Services share, and the mailboxes of one request.

A mailbox of somebody else is opened with the rights that the caller has there; `Mailbox.store` then shows what he may read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, cast
from uuid import UUID

from postern.model.address_book import AddressBook
from postern.model.delivery import Outbox
from postern.model.directory import Directory, Groups, MailboxOwners, Recipient
from postern.model.folders import FolderKind, FolderNode, FolderStore, Right
from postern.model.item_store import PropertyName, StoredItem
from postern.model.items import Flag, FlagChange, ImapItems
from postern.model.mailbox import Logon, MailboxError
from postern.model.mailbox_server import MailboxItems
from postern.model.organization import Impersonation
from postern.model.security import Identity
from postern.model.sharing import FREE_BUSY
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import Header
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE, ROOT, SEARCHES, TOP
from postern.protocols.ews.subscriptions import SubscriptionId
from postern.protocols.ical.expansion import Budget
from postern.services.access.availability import FreeBusy
from postern.services.access.changes import MailboxChanges
from postern.services.access.guarded import GuardedItems, demand_edit
from postern.services.access.logon import home_of, not_opened
from postern.services.access.sharing import MailboxRights, Sharing
from postern.services.ews.conversation_index import ConversationIndex
from postern.services.ews.subscriptions import Subscriptions
from postern.trust.acceptor import Cause, Failure


class EwsDirectory(Directory, AddressBook, Groups, MailboxOwners, Protocol):
    """A directory that is an address book, and knows groups and the owners of mailboxes."""


class EwsMailboxes(Logon, FolderStore, ImapItems, Outbox, Protocol):
    """The mailboxes of one server, by folder and UID."""


@dataclass(frozen=True, slots=True)
class EwsServer:
    """The mailboxes of one server: by folder and UID, by id, and the one wait for changes on them."""

    mailboxes: EwsMailboxes
    items: MailboxItems
    changes: MailboxChanges


class Pushing(Protocol):
    """Sends notifications to subscribers."""

    async def begin(self, call: Call, subscription: SubscriptionId, url: str) -> None:
        """Notifies `url` of the events of a subscription from now on. Raises EwsError: ErrorInvalidPushSubscriptionUrl,
        ErrorExceededSubscriptionCount."""
        ...


@dataclass(frozen=True, slots=True)
class EwsAccess:
    """The state that all requests share. `server` returns the server of a database (Recipient.database). `quota` is that of
    mailboxes whose owner has none of his own, in octets; 0 for none. `domains` gives the domains, in A-labels, in which nobody
    else than the organization has mailboxes. `host` is the name of this server. `subscriptions` and `conversations` are those
    that this process knows; `pushing` sends notifications to subscribers (None: this server sends none). `free_busy` asks when
    people are busy. `impersonations` gives who may act in the place of whom now. `message_size` is the most octets that a
    message may have."""

    directory: EwsDirectory
    server: Callable[[str], EwsServer | None]
    sharing: Sharing
    host: str
    quota: int = 0
    domains: Callable[[], Collection[str]] = frozenset
    subscriptions: Subscriptions = field(default_factory=Subscriptions)
    conversations: ConversationIndex = field(default_factory=ConversationIndex)
    pushing: Pushing | None = None
    free_busy: FreeBusy | None = None
    impersonations: Callable[[], Sequence[Impersonation]] = tuple
    message_size: int = 36_700_160


class EwsItems(GuardedItems):
    """The items of another's mailbox; it refuses with ErrorAccessDenied."""

    def _denied(self) -> EwsError:
        return EwsError(Code.ACCESS_DENIED)

    def _missing(self) -> EwsError:
        return EwsError(Code.ITEM_NOT_FOUND)

    async def demand_edit(self, mailbox: UUID, ids: Sequence[int]) -> None:
        """Raises for items that the caller may not change."""
        await demand_edit(self, mailbox, ids)

    async def demand_delete(self, mailbox: UUID, ids: Sequence[int]) -> list[int]:
        """Returns those of these items that the caller sees. Raises where he may not remove one of them, or sees none."""
        return [item.id for item in await self._changeable(mailbox, ids, Right.DELETE_ANY, Right.DELETE_OWNED)]


@dataclass(slots=True)
class Mailbox:
    """A mailbox as one request works with it. `rights` are those of the caller, `caller` is the caller's directory id."""

    recipient: Recipient
    server: EwsServer
    rights: MailboxRights
    quota: int
    caller: UUID | None = None
    _nodes: dict[int, FolderNode] | None = field(default=None, repr=False)
    _numbers: dict[PropertyName, int] = field(default_factory=dict, repr=False)
    _guarded: EwsItems | None = field(default=None, repr=False)
    _trash: int = field(default=0, repr=False)

    @property
    def id(self) -> UUID:
        return self.recipient.guid

    @property
    def is_whole(self) -> bool:
        """Whether the caller may do everything in the mailbox."""
        return self.rights.is_full

    @property
    def store(self) -> MailboxItems:
        """The items as the caller may see and change them. Ask for `nodes` before, for rights are by folder."""
        if self.rights.is_full:
            return self.server.items
        return cast(MailboxItems, self._guard())

    def _guard(self) -> EwsItems:
        if self._guarded is None:
            self._guarded = EwsItems(self.server.items, self._rights_in, self.caller)
        return self._guarded

    async def nodes(self) -> dict[int, FolderNode]:
        """The folders that the caller may see, by their ids. With FREE_BUSY alone one sees no folder."""
        if self._nodes is None:
            try:
                every = await self.server.items.tree(self.id)
            except MailboxError as error:
                if error.code != "NONEXISTENT":
                    raise
                every = []
            self._nodes = {node.id: _placed(node) for node in every if self.rights_in(node) & ~FREE_BUSY}
        return self._nodes

    def forget_nodes(self) -> None:
        """The folders have changed."""
        self._nodes = None

    def add_node(self, node: FolderNode) -> None:
        """A folder has been made, and nothing else has changed."""
        if self._nodes is not None and self.rights_in(node) & ~FREE_BUSY:
            self._nodes[node.id] = node

    async def trash(self) -> int:
        """The folder of deleted items, seen by the caller or not: it is always the same. Raises EwsError ErrorFolderNotFound."""
        if not self._trash:
            tree = await self.server.items.tree(self.id)
            self._trash = next((node.id for node in tree if node.kind is FolderKind.DELETED), 0)
        if not self._trash:
            raise EwsError(Code.FOLDER_NOT_FOUND)
        return self._trash

    async def node(self, folder: int) -> FolderNode:
        """A folder by its id; also those above the tree. Raises EwsError ErrorFolderNotFound."""
        if folder in ABOVE and self.is_whole:
            return _ABOVE[folder]
        node = (await self.nodes()).get(folder)
        if node is None:
            raise EwsError(Code.FOLDER_NOT_FOUND)
        return node

    async def of_kind(self, kind: FolderKind) -> FolderNode:
        """A well-known folder. Raises EwsError ErrorFolderNotFound."""
        for node in (await self.nodes()).values():
            if node.kind is kind:
                return node
        raise EwsError(Code.FOLDER_NOT_FOUND)

    def rights_in(self, node: FolderNode) -> Right:
        rights = self.rights.in_folder(node.id, node.kind)
        # Nothing is put into a search folder.
        return rights & ~(Right.CREATE | Right.CREATE_SUBFOLDER) if node.is_search else rights

    def _rights_in(self, folder: int) -> Right:
        node = (self._nodes or {}).get(folder)
        return self.rights_in(node) if node is not None else Right(0)

    def demand(self, node: FolderNode, right: Right, code: Code = Code.ACCESS_DENIED) -> None:
        """Raises EwsError with this code where the caller has none of these rights in a folder."""
        if not self.rights_in(node) & right:
            raise EwsError(code)

    async def demand_edit(self, ids: Sequence[int]) -> None:
        """Raises EwsError ErrorAccessDenied for items that the caller may not change; MailboxError NONEXISTENT where there is
        none of them."""
        await self.nodes()
        if not self.is_whole:
            await self._guard().demand_edit(self.id, ids)

    async def demand_delete(self, ids: Sequence[int]) -> list[int]:
        """Returns those of these items that are there for the caller. Raises as `demand_edit` does, for the removal."""
        await self.nodes()
        if not self.is_whole:
            return await self._guard().demand_delete(self.id, ids)
        return [item.id for item in await self.store.get(self.id, ids)]

    async def mark(self, items: Sequence[StoredItem], flag: Flag, is_set: bool) -> None:
        """Sets a flag of these items, or takes it away; what other flags they have meanwhile, they keep. Raises EwsError
        ErrorAccessDenied; MailboxError NONEXISTENT where there is none of them."""
        await self.demand_edit([item.id for item in items])
        by_folder: dict[int, list[tuple[int, int]]] = {}
        for item in items:
            if bool(item.flags & flag) is not is_set:
                by_folder.setdefault(item.folder, []).append((item.uid, item.uid))
        change = FlagChange.ADD if is_set else FlagChange.REMOVE
        for folder, uids in by_folder.items():
            await self.server.mailboxes.change_flags(self.id, folder, uids, change, flag)

    async def numbers(self, names: Sequence[PropertyName], create: bool = False) -> dict[PropertyName, int]:
        """The numbers of named properties in this mailbox; names that it has none for are left out."""
        missing = [name for name in dict.fromkeys(names) if not self._numbers.get(name)]
        if missing:
            numbers = await self.store.property_ids(self.id, missing, create)
            self._numbers.update(zip(missing, numbers, strict=True))
        return {name: number for name in names if (number := self._numbers[name])}


_ABOVE = {
    TOP: FolderNode(TOP, ROOT, "Top of Information Store", "IPF.Note", FolderKind.USER, 1),
    ROOT: FolderNode(ROOT, ROOT, "", "IPF", FolderKind.USER, 1),
    SEARCHES: FolderNode(SEARCHES, ROOT, "Finder", "IPF", FolderKind.USER, 1),
}
"""The folders above the tree: what all people see lies in the first, and that in the second; beside the first is that of search
folders (MS-OXOSFLD section 2.2.1)."""


def _placed(node: FolderNode) -> FolderNode:
    """The folder with its parent as it is shown: the store has no folder for search folders, and keeps them at the top."""
    return replace(node, parent=SEARCHES) if node.is_search and node.parent == TOP else node


MAX_STEPS = 300_000
"""Steps of rules of recurrence for one request. A step takes 1 to 10 microseconds, by the rule: these take three seconds at most,
in threads."""


@dataclass(slots=True)
class Call:
    """One request: who asks, and the mailboxes that it has opened. `identity` is the user who acts, after impersonation;
    `impersonator` is the account that proved itself, where that is another. `steps` are those that rules of recurrence may take,
    in all that the request asks for."""

    access: EwsAccess
    identity: Identity
    header: Header = field(default_factory=Header)
    impersonator: Identity | None = None
    steps: Budget = field(default_factory=lambda: Budget(MAX_STEPS), repr=False)
    _own: Mailbox | None = None
    _opened: dict[UUID, Mailbox] = field(default_factory=dict)

    async def own(self) -> Mailbox:
        """The caller's own mailbox. Raises EwsError: ErrorNonExistentMailbox for one who has none,
        ErrorMailboxStoreUnavailable."""
        if self._own is None:
            home = await home_of(self.access.directory, self.access.server, self.identity)
            if isinstance(home, Failure):
                raise _refusal(home)
            recipient, server = home
            quota = recipient.quota or self.access.quota
            try:
                await server.mailboxes.logon(recipient.guid, quota)
            except MailboxError as error:
                raise _refusal(not_opened(error)) from None
            rights = await self.access.sharing.rights(self.identity.guid, recipient)
            self._own = self._opened[recipient.guid] = Mailbox(recipient, server, rights, quota, self.identity.guid)
        return self._own

    async def mailbox(self, address: str) -> Mailbox:
        """The mailbox with this address. Raises EwsError: ErrorNonExistentMailbox for an address that nobody has here."""
        recipient = await self.access.sharing.mailbox(address)
        if recipient is None:
            raise EwsError(Code.NON_EXISTENT_MAILBOX)
        return await self._open(recipient)

    async def mailbox_with(self, guid: UUID) -> Mailbox:
        """The mailbox that an id names. Raises EwsError ErrorItemNotFound for one that is not here."""
        if guid in self._opened:
            return self._opened[guid]
        if guid == self.identity.guid:
            return await self.own()
        owners = await self.access.directory.mailbox_owners([guid])
        recipient = await self.access.sharing.mailbox(owners[guid]) if guid in owners else None
        if recipient is None or recipient.guid != guid:
            raise EwsError(Code.ITEM_NOT_FOUND)
        return await self._open(recipient)

    async def _open(self, recipient: Recipient) -> Mailbox:
        if recipient.guid == self.identity.guid:
            return await self.own()
        if recipient.guid not in self._opened:
            server = self.access.server(recipient.database)
            if server is None:
                raise EwsError(Code.MAILBOX_STORE_UNAVAILABLE)
            rights = await self.access.sharing.rights(self.identity.guid, recipient)
            quota = recipient.quota or self.access.quota
            self._opened[recipient.guid] = Mailbox(recipient, server, rights, quota, self.identity.guid)
        return self._opened[recipient.guid]


def _refusal(failure: Failure) -> EwsError:
    if failure.cause is Cause.UNAVAILABLE:
        return EwsError(Code.MAILBOX_STORE_UNAVAILABLE)
    return EwsError(Code.NON_EXISTENT_MAILBOX)
