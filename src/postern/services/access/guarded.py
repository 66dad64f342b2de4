"""The items of another's mailbox, with the rights that the caller has in each folder.

What the caller may not read is as if it were not there; a change without the right to it is refused. Where somebody else owns a
folder, its private items are hidden, and nobody writes over what is hidden. An operation that is not here cannot be done in
another mailbox. Each protocol has a subclass with its own words of refusal.

An item that a caller makes here knows its maker: MAKER in its bag has the caller's directory id. So the rights over the items
that one has made oneself (EDIT_OWNED, DELETE_OWNED) count. An item without it was made by the owner, or by nobody known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from postern.items.properties import Type, tagged
from postern.items.property_values import encoded
from postern.model.edits import Beside
from postern.model.folders import MAIL, FolderNode, Right
from postern.model.item_store import RenderedItem, StoredItem
from postern.model.items import NewItem
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import MailboxItems
from postern.model.resources import ABSENT, PRESENT, NewResource, Put, Resource
from postern.services.access.guarded_reading import GuardedReading

MAKER = tagged("PidTagCreatorEntryId", 0x3FF9, Type.BINARY)
"""The property with the directory id of whoever made an item in another's mailbox (MS-OXCMSG section 2.2.1.31)."""
MAKER_TAG = MAKER.id << 16 | MAKER.type
_EDIT = Right.EDIT_ANY, Right.EDIT_OWNED
_DELETE = Right.DELETE_ANY, Right.DELETE_OWNED
Held = TypeVar("Held", bytes, bytes | None)


def _others(properties: Mapping[int, Held]) -> dict[int, Held]:
    """The properties without MAKER: who made an item is not for its maker to say."""
    return {tag: value for tag, value in properties.items() if tag != MAKER_TAG}


class GuardedItems(GuardedReading):
    """The store of one request in one mailbox. `rights` returns those of the caller in a folder, `caller` is the caller's
    directory id. It raises what `_denied` and `_missing` return."""

    def __init__(self, store: MailboxItems, rights: Callable[[int], Right], caller: UUID | None = None) -> None:
        super().__init__(store, rights)
        self._maker = {MAKER_TAG: encoded(MAKER.type, caller.bytes)} if caller is not None else {}

    async def create(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> list[int]:
        return await self.create_with(mailbox, folder, items, {})

    async def create_with(
        self, mailbox: UUID, folder: int, items: Sequence[NewItem], properties: Mapping[int, bytes]
    ) -> list[int]:
        self._demand(folder, Right.CREATE)
        return await self._store.create_with(mailbox, folder, items, {**_others(properties), **self._maker})

    async def add(
        self, mailbox: UUID, folder: int, resources: Sequence[NewResource], unique_uids: bool = False
    ) -> list[int]:
        return await self.add_with(mailbox, folder, resources, {}, unique_uids)

    async def add_with(
        self,
        mailbox: UUID,
        folder: int,
        resources: Sequence[NewResource],
        properties: Mapping[int, bytes],
        unique_uids: bool = False,
    ) -> list[int]:
        self._demand(folder, Right.CREATE)
        bag = {**_others(properties), **self._maker}
        return await self._store.add_with(mailbox, folder, resources, bag, unique_uids)

    async def _made(self, mailbox: UUID, ids: Iterable[int]) -> None:
        """The caller has made these copies: they know it from now on."""
        if self._maker:
            for number in ids:
                try:
                    await self._store.set_properties(mailbox, number, self._maker)
                except MailboxError:
                    # Where the bag is full, the item is gone already, or the store is away, only the rights over one's own are
                    # lost. The item is there: an error would have it made again.
                    pass

    async def edit(
        self,
        mailbox: UUID,
        item: int,
        beside: Beside,
        content: bytes | None = None,
        rendered: RenderedItem | None = None,
        item_class: str = "",
        unchanged_since: int | None = None,
    ) -> int:
        (stored,) = await self._changeable(mailbox, [item], *_EDIT)
        kept = replace(beside, properties=_others(beside.properties))
        return await self._store.edit(mailbox, stored.id, kept, content, rendered, item_class, unchanged_since)

    async def delete(self, mailbox: UUID, ids: Sequence[int]) -> list[int]:
        items = await self._changeable(mailbox, ids, *_DELETE)
        return await self._store.delete(mailbox, [item.id for item in items])

    async def move_items(self, mailbox: UUID, ids: Sequence[int], target: int) -> list[int]:
        self._demand(target, Right.CREATE)
        items = await self._changeable(mailbox, ids, *_DELETE)
        return await self._store.move_items(mailbox, [item.id for item in items], target)

    async def copy_items(self, mailbox: UUID, ids: Sequence[int], target: int) -> dict[int, int]:
        self._demand(target, Right.CREATE)
        copies = await self._store.copy_items(mailbox, [item.id for item in await self.get(mailbox, ids)], target)
        await self._made(mailbox, copies.values())
        return copies

    async def _changeable(self, mailbox: UUID, ids: Sequence[int], right: Right, owned: Right) -> list[StoredItem]:
        """Returns these items as they stand; all of them may be changed in this way, by `right`, or by `owned` where the caller
        made them. Those that are not there for the caller are left out; where none is, it raises."""
        items = await self.get(mailbox, ids)
        if not items:
            raise MailboxError("NONEXISTENT", "No such item")
        await self._demand_each(mailbox, {item.id: item.folder for item in items}, right, owned)
        return items

    async def _demand_each(self, mailbox: UUID, folders: Mapping[int, int], right: Right, owned: Right) -> None:
        """Raises for items (in these folders, by id) over which the caller has neither `right`, nor `owned` as their maker."""
        unsure = [number for number, folder in folders.items() if not self._rights(folder) & right]
        for number in unsure:
            self._demand(folders[number], owned)
        bags = await self._store.bags(mailbox, unsure) if unsure else {}
        if any(not self._maker or not self._maker.items() <= bags.get(number, {}).items() for number in unsure):
            raise self._denied()

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
        return await self.put_with(
            mailbox, [], folder, name, content, item_class, rendered, Beside(), expected, unique_uid
        )

    async def put_with(
        self,
        mailbox: UUID,
        letters: Sequence[int],
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        beside: Beside,
        expected: bytes | None = None,
        unique_uid: bool = False,
        unchanged_since: int | None = None,
    ) -> Put:
        expected = await self._may_put(mailbox, folder, name, expected)
        bag = {**_others(beside.properties), **(self._maker if expected == ABSENT else {})}
        return await self._store.put_with(
            mailbox,
            letters,
            folder,
            name,
            content,
            item_class,
            rendered,
            replace(beside, properties=bag),
            expected,
            unique_uid,
            unchanged_since,
        )

    async def _may_put(self, mailbox: UUID, folder: int, name: str, expected: bytes | None) -> bytes:
        """Returns what has to be there still, so that it is what was judged: ABSENT only where the item will be new."""
        old = await self._there(mailbox, folder, name)
        if old is None:
            self._demand(folder, Right.CREATE)
            if expected:
                raise MailboxError("MODIFIED", "The resource is another than was expected")
            return ABSENT
        await self._demand_each(mailbox, {old.id: folder}, *_EDIT)
        return old.tag if expected in (None, PRESENT) else expected

    async def remove(self, mailbox: UUID, folder: int, name: str, expected: bytes | None = None) -> None:
        await self._store.remove(mailbox, folder, name, await self._may_remove(mailbox, folder, name, expected))

    async def remove_sending(
        self, mailbox: UUID, letters: Sequence[int], folder: int, name: str, expected: bytes | None = None
    ) -> None:
        expected = await self._may_remove(mailbox, folder, name, expected)
        await self._store.remove_sending(mailbox, letters, folder, name, expected)

    async def _may_remove(self, mailbox: UUID, folder: int, name: str, expected: bytes | None) -> bytes | None:
        old = await self._there(mailbox, folder, name)
        await self._may_remove_one(mailbox, folder, old)
        return expected or (old.tag if old is not None else None)

    async def _may_remove_one(self, mailbox: UUID, folder: int, old: Resource | None) -> None:
        if old is None:
            self._demand(folder, Right.DELETE_ANY | Right.DELETE_OWNED)
        else:
            await self._demand_each(mailbox, {old.id: folder}, *_DELETE)

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
        old = await self._there(mailbox, folder, name)
        self._demand(folder, Right.READ_ANY)
        if move:
            await self._may_remove_one(mailbox, folder, old)
        replaced = await self._there(mailbox, target, new_name)
        self._demand(target, Right.CREATE)
        if replaced is not None and overwrite:
            await self._may_remove_one(mailbox, target, replaced)
        # Without anything there, nothing that comes meanwhile is written over.
        overwrite = overwrite and replaced is not None
        put = await self._store.place(mailbox, folder, name, target, new_name, move, overwrite, unique_uid)
        await self._made(mailbox, [] if move else [put.id])
        return put

    async def set_properties(self, mailbox: UUID, item: int, values: Mapping[int, bytes | None]) -> None:
        (stored,) = await self._changeable(mailbox, [item], *_EDIT)
        await self._store.set_properties(mailbox, stored.id, _others(values))

    async def set_folder_properties(self, mailbox: UUID, folder: int, values: Mapping[int, bytes | None]) -> None:
        self._demand(folder, Right.OWNER)
        await self._store.set_folder_properties(mailbox, folder, values)

    async def move_folder(self, mailbox: UUID, folder: int, parent: int, name: str) -> None:
        self._demand(folder, Right.OWNER)
        node = next(node for node in await self._store.tree(mailbox) if node.id == folder)
        if parent != node.parent:
            raise self._denied()
        await self._store.move_folder(mailbox, folder, parent, name)

    async def create_in(self, mailbox: UUID, parent: int, name: str, folder_class: str = MAIL) -> FolderNode:
        raise self._denied()

    async def _there(self, mailbox: UUID, folder: int, name: str) -> Resource | None:
        """Returns the resource of a name, seen or not. Raises for one that is hidden, and for a folder that is."""
        if not self._rights(folder):
            raise self._missing()
        for resource in await self._store.named(mailbox, folder, [name]):
            if resource.id in await self._hidden(mailbox, folder):
                raise self._denied()
            return resource
        return None


async def demand_edit(items: GuardedItems, mailbox: UUID, ids: Sequence[int]) -> None:
    """Raises for items that the caller may not change."""
    await items._changeable(mailbox, ids, *_EDIT)
