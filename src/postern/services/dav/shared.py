"""Others' mailboxes, and where a client finds them.

A collection that was shared with a user or a group is listed in the caller's own home, under a segment `~OWNER~SEGMENT`: most
clients look into one home and nowhere else. It is the same collection as at the path of its owner, with the same entity tags. A
mailbox to which the caller has full access is not listed there. Its owner is in `calendar-proxy-write-for` of the caller's
principal, as Apple's programs and DAVx5 know delegates; they find the home of the owner by that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import cast

from postern.model.directory import DirectoryUnavailable
from postern.model.folders import FolderNode, Right
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import MailboxItems
from postern.model.sharing import FREE_BUSY
from postern.services.access.guarded import demand_edit
from postern.services.access.sharing import MailboxRights, Shares
from postern.services.dav import address_list, folders
from postern.services.dav.folders import CALENDARS, OUTBOX, Collection, Kind, kind_of
from postern.services.dav.guarded import DavItems, need_privileges
from postern.services.dav.mailbox import OwnMailbox, unavailable, whole_mailbox
from postern.services.dav.places import Place, Space, home_path
from postern.services.dav.request import Refusal

SHARED = (*CALENDARS, Kind.ADDRESSBOOK)
"""The kinds that are shared by single folders. Documents are for those with full access: their locks lie in one place for all."""
_SCHEDULING = ((Kind.INBOX.segment,), (OUTBOX,))
MARK = "~"
MAX_OWNERS = 100
"""Owners whose collections are listed in one home."""


@dataclass(slots=True)
class SharedMailbox(OwnMailbox):
    """Another's mailbox. `is_mounted`: the request came by the caller's own home."""

    caller: OwnMailbox = field(kw_only=True)
    granted: MailboxRights = field(kw_only=True)
    is_mounted: bool = False
    _only_busy: bool = False
    _kinds: dict[int, FolderNode] = field(default_factory=dict)
    _whole: OwnMailbox | None = field(default=None, repr=False)
    _guard: DavItems | None = field(default=None, repr=False)

    @property
    def me(self) -> OwnMailbox:
        return self.caller

    @property
    def is_open(self) -> bool:
        return self.granted.is_any

    @property
    def is_whole(self) -> bool:
        return self.granted.is_full

    @property
    def whole(self) -> OwnMailbox:
        if self._whole is None:
            self._whole = OwnMailbox(self.server, self.recipient, self.access, self.quota)
        return self._whole

    @property
    def store(self) -> MailboxItems:
        if self.granted.is_full or self._only_busy:
            return self.server.items
        return cast(MailboxItems, self._guarded)

    @property
    def _guarded(self) -> DavItems:
        """One until the folders change, for it remembers what is private."""
        if self._guard is None:
            self._guard = DavItems(self.server.items, self._rights_in, self.caller.id)
        return self._guard

    async def demand_edit(self, item: int) -> None:
        if not self.granted.is_full:
            await demand_edit(self._guarded, self.id, [item])

    async def may_send(self) -> bool:
        return await self.access.sharing.may_send_on_behalf(self.caller.id, self.recipient)

    def rights(self, node: FolderNode) -> Right:
        return self.granted.in_folder(node.id, node.kind)

    def _rights_in(self, folder: int) -> Right:
        """The rights in a folder that DAV shows; those of others are not looked at."""
        node = self._kinds.get(folder)
        return self.rights(node) if node is not None else Right(0)

    def ask_when_busy(self) -> None:
        self._only_busy = True
        self.forget()

    async def tree(self) -> list[FolderNode]:
        """The folders in which the caller has rights. Those to see when the owner is busy count for that question alone."""
        if self.granted.is_full:
            return await self.whole.tree()
        if self._tree is None:
            counts = FREE_BUSY if self._only_busy else ~FREE_BUSY
            try:
                everything = await self.whole.tree()
            except MailboxError as error:
                if error.code != "NONEXISTENT":
                    raise
                everything = []
            self._tree = [node for node in everything if kind_of(node) in SHARED and self.rights(node) & counts]
            self._kinds = {node.id: node for node in self._tree}
        return self._tree

    def forget(self) -> None:
        OwnMailbox.forget(self)
        self.whole.forget()
        self._guard = None

    async def measure(self) -> None:
        """Says nothing of the size of a mailbox in which the caller has single folders."""
        if self.granted.is_full:
            await OwnMailbox.measure(self)

    async def delete_folder(self, folder: int) -> None:
        if not self.granted.is_full:
            raise need_privileges()
        await OwnMailbox.delete_folder(self, folder)

    def inner(self, place: Place) -> Place | None:
        if self.is_mine(place.address):
            return place
        mount = _mount_of(place) if self.is_mounted and self.caller.is_mine(place.address) else None
        if mount is None or not self.is_mine(mount[0]):
            return None
        return Place(place.space, self.address, (mount[1], *place.names[1:]), place.is_slashed)

    def path_of(self, place: Place) -> str:
        if not self.is_mounted or not place.names:
            return OwnMailbox.path_of(self, place)
        return self.collection_path(place.space, "/".join(place.names)).rstrip("/")

    def collection_path(self, space: Space, segment: str) -> str:
        if not self.is_mounted:
            return OwnMailbox.collection_path(self, space, segment)
        return f"{home_path(space, self.caller.address)}{MARK}{self.address}{MARK}{segment}/"


def _mount_of(place: Place) -> tuple[str, str] | None:
    """Returns the owner and the segment that the path of a shared collection in the caller's own home has."""
    if place.space not in (Space.CALENDARS, Space.ADDRESSBOOKS) or not place.names:
        return None
    mark, rest = place.names[0][:1], place.names[0][1:]
    local, at, behind = rest.partition("@")
    domain, second, segment = behind.partition(MARK)
    if mark != MARK or not at or not second or not segment:
        return None
    return f"{local}@{domain}", segment


async def resolve(own: OwnMailbox, place: Place) -> tuple[OwnMailbox, Place]:
    """Returns the mailbox that a place is in, as the caller may work in it, and the place in it. Raises Refusal: 404 for a
    mailbox that is not there, or that grants the caller nothing; 503 where that is not known now."""
    if not place.address or place.space is Space.ATTACHMENTS:
        return own, place  # `managed_attachments` judges who reads an attachment
    if place.space is Space.PRINCIPALS:
        return await _principal(own, place), place
    if own.is_mine(place.address):
        mount = _mount_of(place)
        if mount is None:
            return own, place
        inner = Place(place.space, mount[0], (mount[1], *place.names[1:]), place.is_slashed)
        if (mount[1],) in _SCHEDULING or address_list.holds(inner):
            raise Refusal(HTTPStatus.NOT_FOUND)
        box = await _open(own, mount[0], is_mounted=True)
        return box, replace(inner, address=box.address)
    if address_list.holds(place):
        # Each caller has the list in his own home, and speaks there for himself alone.
        raise Refusal(HTTPStatus.NOT_FOUND)
    box = await _open(own, place.address)
    is_owners = place.space is Space.FILES or (place.space is Space.CALENDARS and place.names[:1] in _SCHEDULING)
    if is_owners and not box.is_whole:
        raise Refusal(HTTPStatus.NOT_FOUND)
    return box, place


async def _principal(own: OwnMailbox, place: Place) -> OwnMailbox:
    """Returns the mailbox of a principal, if the caller may know what is in it. All may read the names of all principals."""
    if own.is_mine(place.address):
        return own
    try:
        box = await _open(own, place.address)
    except (Refusal, MailboxError):
        return own
    return box if box.is_open else own


async def _open(own: OwnMailbox, address: str, is_mounted: bool = False) -> SharedMailbox:
    try:
        whole = await whole_mailbox(own.access, address.lower())
        if whole is None or whole.id == own.id:
            raise Refusal(HTTPStatus.NOT_FOUND)
        owner = whole.recipient
        granted = await own.access.sharing.rights(own.id, owner)
    except DirectoryUnavailable:
        raise unavailable() from None
    quota = owner.quota or own.access.quota
    return SharedMailbox(whole.server, owner, own.access, quota, caller=own, granted=granted, is_mounted=is_mounted)


async def mounted(own: OwnMailbox, space: Space) -> list[tuple[OwnMailbox, list[Collection]]]:
    """Returns the collections that others share with the caller, by their mailboxes: what the caller's own home shows besides
    his. An owner whose mailbox does not answer is left out."""
    if space not in (Space.CALENDARS, Space.ADDRESSBOOKS):
        return []
    shares = await _shares(own)
    asked = [each.owner for each in shares.folders if (kind := kind_of(each.folder)) and kind.space is space]
    boxes = await _opened(own, asked, is_mounted=True)
    answers = await asyncio.gather(*(_collections(box, space) for box in boxes))
    return [answer for answer in answers if answer[1]]


async def _shares(own: OwnMailbox) -> Shares:
    try:
        return await own.access.sharing.shared(own.id)
    except (DirectoryUnavailable, MailboxError):
        return Shares()


async def _opened(own: OwnMailbox, addresses: Sequence[str], is_mounted: bool = False) -> list[SharedMailbox]:
    asked = list(dict.fromkeys(addresses))[:MAX_OWNERS]
    boxes = await asyncio.gather(*(_open_or_none(own, address, is_mounted) for address in asked))
    return [box for box in boxes if box is not None]


async def _open_or_none(own: OwnMailbox, address: str, is_mounted: bool) -> SharedMailbox | None:
    try:
        return await _open(own, address, is_mounted)
    except (Refusal, MailboxError):
        return None


async def _collections(box: SharedMailbox, space: Space) -> tuple[OwnMailbox, list[Collection]]:
    try:
        return box, await folders.collections(box, space)
    except MailboxError:
        return box, []
