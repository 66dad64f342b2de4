"""Judges, in one place for every protocol, what a user may do in another user's mailbox.

The directory knows users, groups and those who send on behalf; the mailbox servers keep the rights in folders and full access,
and enforce none. A protocol asks `Sharing` before it acts in a mailbox of somebody other than the caller:

    rights = await sharing.rights(identity.guid, recipient)
    if not rights.in_folder(folder.id, folder.kind) & Right.READ_ANY: ...

Rights change while sessions last. Keep no `MailboxRights` longer than one request or command: the next question is answered from
memory for RIGHTS_SECONDS, and then by the mailbox server.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from postern.model.address_book import AddressBook
from postern.model.directory import Directory, Groups, MailboxOwners, Recipient, RecipientType
from postern.model.folders import EVERYBODY, FolderKind, FolderNode, FolderTree, Right, granted
from postern.model.mailbox import MailboxError
from postern.model.sharing import EVERY_RIGHT, FREE_BUSY, MailboxGrants, rights_in
from postern.services.access.grantees import primary_addresses
from postern.services.senders import is_delegate

GROUPS_SECONDS = 60.0
"""Seconds for which the groups of a user are remembered."""
RIGHTS_SECONDS = 3.0
"""Seconds for which the rights on a mailbox are remembered."""
SHARED_SECONDS = 15.0
"""Seconds for which it is remembered what is shared with a user. Rights on a mailbox that is found so are looked at anew."""
MAX_SHARED = 1_000
"""Folders, and mailboxes, that others share with one user and that are told."""
_REMEMBERED = 10_000
"""Answers of a kind that a process remembers."""


class SharingDirectory(Directory, Groups, MailboxOwners, AddressBook, Protocol):
    """The directory as sharing needs it."""


class SharingStore(FolderTree, MailboxGrants, Protocol):
    """The mailboxes of one server as sharing needs them."""


@dataclass(frozen=True, slots=True)
class MailboxRights:
    """A user's rights in one mailbox. `is_full`: the user is its owner, or has full access to it. `entries` are the rights of
    others by folder."""

    mailbox: UUID
    grantees: Sequence[UUID]
    entries: Mapping[int, Mapping[UUID, Right]]
    is_full: bool = False

    def in_folder(self, folder: int, kind: FolderKind = FolderKind.USER) -> Right:
        """Returns the rights in a folder, as `model.sharing.rights_in` judges them."""
        return EVERY_RIGHT if self.is_full else rights_in(self.entries.get(folder, {}), self.grantees, kind)

    @property
    def is_any(self) -> bool:
        """Whether the user has more than free/busy rights in some folder."""
        return self.is_full or any(granted(entries, self.grantees) & ~FREE_BUSY for entries in self.entries.values())


class Grants(NamedTuple):
    """All that was granted in one mailbox: rights by folder and grantee, and those with full access; without the defaults."""

    folders: Mapping[int, Mapping[UUID, Right]]
    full_access: Sequence[UUID]


class Shared(NamedTuple):
    """A folder that its owner shares with a user. `owner` is the primary address, `rights` those of the user in the folder."""

    owner: str
    mailbox: UUID
    folder: FolderNode
    rights: Right


class Shares(NamedTuple):
    """All that others share with a user, by the owners' addresses: single folders, and whole mailboxes (address and id) to which
    the user has full access. A folder of such a mailbox is not among the single ones."""

    folders: tuple[Shared, ...] = ()
    mailboxes: tuple[tuple[str, UUID], ...] = ()


V = TypeVar("V")


class _Recent(Generic[V]):
    """Answers that are remembered for some seconds. Who asks for one that is on its way waits for it."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._answers: OrderedDict[Hashable, tuple[float, asyncio.Future[V]]] = OrderedDict()

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[V]]) -> V:
        known = self._answers.get(key)
        if known is not None and known[0] > self._clock():
            return await asyncio.shield(known[1])
        answer = asyncio.ensure_future(ask())
        self._answers[key] = self._clock() + self._seconds, answer
        self._answers.move_to_end(key)
        answer.add_done_callback(lambda done: self._failed(key, done))
        if len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)
        return await asyncio.shield(answer)

    def forget(self, key: Hashable) -> None:
        self._answers.pop(key, None)

    def clear(self) -> None:
        self._answers.clear()

    def _failed(self, key: Hashable, answer: asyncio.Future[V]) -> None:
        """An error is told to those who wait for it, and not remembered."""
        if not answer.cancelled() and answer.exception() is None:
            return
        known = self._answers.get(key)
        if known is not None and known[1] is answer:
            del self._answers[key]


class Sharing:
    """Judges rights for one process. `store` returns the mailbox server that has a database now (Recipient.database),
    `stores` all of them. Every method raises DirectoryUnavailable, and MailboxError UNAVAILABLE, where it cannot judge."""

    def __init__(
        self,
        directory: SharingDirectory,
        store: Callable[[str], SharingStore | None],
        stores: Callable[[], Collection[SharingStore]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._store = store
        self._stores = stores
        self._groups: _Recent[tuple[UUID, ...]] = _Recent(GROUPS_SECONDS, clock)
        self._rights: _Recent[Grants] = _Recent(RIGHTS_SECONDS, clock)
        self._shared: _Recent[Shares] = _Recent(SHARED_SECONDS, clock)

    async def mailbox(self, address: str) -> Recipient | None:
        """Returns the recipient with a mailbox who has this address."""
        recipient = await self._directory.recipient(address)
        if (
            recipient is None
            or recipient.type not in (RecipientType.USER, RecipientType.ROOM)
            or not recipient.database
        ):
            return None
        return recipient

    async def grantees(self, user: UUID | None) -> tuple[UUID, ...]:
        """Returns the directory id of a user (`Identity.guid`, `Recipient.guid`) and those of the user's groups, as
        `model.folders.granted` takes them: () for nobody."""
        if user is None:
            return ()
        groups = await self._groups.get(user, lambda: self._directory.groups_of(user))
        return (user, *(group for group in groups if group != user))

    async def rights(self, user: UUID | None, owner: Recipient) -> MailboxRights:
        """Returns a user's rights in a mailbox. A mailbox that was never opened grants nothing but the defaults."""
        if user == owner.guid:
            return MailboxRights(owner.guid, (owner.guid,), {}, is_full=True)
        grantees = await self.grantees(user)
        granted_in = await self.grants(owner)
        is_full = not set(granted_in.full_access).isdisjoint(grantees)
        return MailboxRights(owner.guid, grantees, granted_in.folders, is_full)

    async def grants(self, owner: Recipient) -> Grants:
        """Returns all that was granted in a mailbox."""
        return await self._rights.get(owner.guid, lambda: self._grants(owner))

    async def _grants(self, owner: Recipient) -> Grants:
        store = self._store_of(owner)
        try:
            return Grants(await store.mailbox_rights(owner.guid), await store.full_access(owner.guid))
        except MailboxError as error:
            if error.code != "NONEXISTENT":
                raise
            return Grants({}, ())

    async def grantee(self, address: str) -> UUID | None:
        """Returns the directory id of the user or group with this address, to whom something can be granted."""
        recipient = await self._directory.recipient(address)
        if recipient is None or recipient.type not in (RecipientType.USER, RecipientType.GROUP):
            return None
        return recipient.guid

    async def addresses(self, guids: Collection[UUID]) -> dict[UUID, str]:
        """Returns the primary addresses of grantees; one that the directory has no more is missing."""
        return await primary_addresses(self._directory, guids)

    async def shared(self, user: UUID) -> Shares:
        """Returns what others share with a user: folders in which an entry of the user, of a group, or of EVERYBODY grants more
        than free/busy. MAX_SHARED of each at most; those that only EVERYBODY has come last. A server that does not answer is
        left out."""
        return await self._shared.get(user, lambda: self._all_shared(user))

    async def _all_shared(self, user: UUID) -> Shares:
        grantees = await self.grantees(user)
        stores = list(self._stores())
        asked = await asyncio.gather(*(_shared_or_none(store, grantees) for store in stores))
        answers = [answer for answer in asked if answer is not None]
        if stores and not answers:
            raise MailboxError("UNAVAILABLE", "No mailbox server says what is shared")
        mailboxes = [mailbox for answer in answers for mailbox in answer.mailboxes if mailbox != user][:MAX_SHARED]
        without = {user, *mailboxes}
        everything = [each for answer in answers for each in answer.own]
        everything += [each for answer in answers for each in answer.everybodys]
        folders = [each for each in everything if each.mailbox not in without][:MAX_SHARED]
        guids = list(dict.fromkeys([*(each.mailbox for each in folders), *mailboxes]))
        owners = await self._directory.mailbox_owners(guids) if guids else {}
        shared = [each._replace(owner=owners[each.mailbox]) for each in folders if each.mailbox in owners]
        return Shares(
            tuple(sorted(shared, key=lambda each: (each.owner, each.folder.id))),
            tuple(sorted((owners[mailbox], mailbox) for mailbox in mailboxes if mailbox in owners)),
        )

    async def may_send_on_behalf(self, user: UUID | None, owner: Recipient) -> bool:
        """Whether a user may send mail on behalf of a recipient: as one of `Recipient.delegates`, or by a group of them."""
        return user is not None and await is_delegate(self._directory, self.grantees, user, owner)

    # Changes of rights

    async def set_rights(self, owner: Recipient, folder: int, grantee: UUID, rights: Right | None) -> None:
        """Replaces the rights of a grantee in a folder, as `FolderTree.set_rights` does; whoever asks this process next knows."""
        await self._store_of(owner).set_rights(owner.guid, folder, grantee, rights)
        self._forget(owner)

    async def set_full_access(self, owner: Recipient, grantee: UUID, is_granted: bool) -> None:
        await self._store_of(owner).set_full_access(owner.guid, grantee, is_granted)
        self._forget(owner)

    def _forget(self, owner: Recipient) -> None:
        self._rights.forget(owner.guid)
        self._shared.clear()

    def _store_of(self, owner: Recipient) -> SharingStore:
        store = self._store(owner.database)
        if store is None:
            raise MailboxError("UNAVAILABLE", "The mailbox's database is unknown here")
        return store


class _Found(NamedTuple):
    """The shares of one server with a user: folders with an entry of the user or of a group, those that only EVERYBODY has, and
    mailboxes with full access. The folders are without the owners' addresses."""

    own: list[Shared]
    everybodys: list[Shared]
    mailboxes: list[UUID]


async def _shared_or_none(store: SharingStore, grantees: Sequence[UUID]) -> _Found | None:
    """Does what `_shared_in` does. None: the server does not answer now; what others have is told all the same."""
    try:
        return await _shared_in(store, grantees)
    except MailboxError as error:
        if error.code != "UNAVAILABLE":
            raise
        return None


async def _shared_in(store: SharingStore, grantees: Sequence[UUID]) -> _Found:
    """Returns what one server shares with these grantees. EVERYBODY is asked for alone: so many entries as there may be, they
    leave room for others."""
    entries: dict[tuple[UUID, int], dict[UUID, Right]] = {}
    nodes: dict[tuple[UUID, int], FolderNode] = {}
    for asked in (grantees, [EVERYBODY]):
        for mailbox, node, grantee, rights in await store.shared_with(asked):
            nodes[mailbox, node.id] = node
            entries.setdefault((mailbox, node.id), {})[grantee] = rights
    own: list[Shared] = []
    everybodys: list[Shared] = []
    for key, held in entries.items():
        if (rights := granted(held, grantees)) & ~FREE_BUSY:
            (everybodys if held.keys() == {EVERYBODY} else own).append(Shared("", key[0], nodes[key], rights))
    return _Found(own, everybodys, await store.accessible(grantees))
