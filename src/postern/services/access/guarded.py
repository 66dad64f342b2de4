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
from typing import Any, NoReturn
from uuid import UUID

from postern.items.properties import Type, tagged
from postern.items.property_values import encoded
from postern.model.folders import MAIL, FolderChanges, FolderNode, Right
from postern.model.item_store import FoundItems, ItemChanges, ItemColumns, PropertyName, RenderedItem, StoredItem
from postern.model.items import Column, NewItem
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import MailboxItems
from postern.model.resources import ABSENT, FolderState, NewResource, Put, Resource, ResourceChanges, Resources
from postern.model.search import EVERYTHING, SearchTerm, SortKey

_EVERY = 10_000_000
"""More items than a folder has."""
MAKER = tagged("PidTagCreatorEntryId", 0x3FF9, Type.BINARY)
"""The property with the directory id of whoever made an item in another's mailbox (MS-OXCMSG section 2.2.1.31)."""
MAKER_TAG = MAKER.id << 16 | MAKER.type
_EDIT = Right.EDIT_ANY, Right.EDIT_OWNED
_DELETE = Right.DELETE_ANY, Right.DELETE_OWNED


class AccessDenied(Exception):
    """The caller has not the right to what he wants to do."""


class GuardedItems:
    """The store of one request in one mailbox. `rights` returns those of the caller in a folder, `caller` is the caller's
    directory id. It raises what `_denied` and `_missing` return."""

    def __init__(self, store: MailboxItems, rights: Callable[[int], Right], caller: UUID | None = None) -> None:
        self._store = store
        self._rights = rights
        self._maker = encoded(MAKER.type, caller.bytes) if caller is not None else None
        self._private: dict[int, frozenset[int]] = {}

    def _denied(self) -> Exception:
        return AccessDenied("access is denied")

    def _missing(self) -> Exception:
        """Returns the error for a folder that is not there for the caller."""
        return MailboxError("NONEXISTENT", "No such folder")

    def __getattr__(self, name: str) -> NoReturn:
        raise self._denied()

    def _demand(self, folder: int, right: Right) -> None:
        if not self._rights(folder) & right:
            raise self._denied()

    async def _hidden(self, mailbox: UUID, folder: int) -> frozenset[int]:
        """The ids of the items of a folder that the caller may not see although he reads the others."""
        if self._rights(folder) & Right.OWNER:
            return frozenset()
        if folder not in self._private:
            self._private[folder] = frozenset(await self._store.private_resources(mailbox, folder))
        return self._private[folder]

    async def _seen(self, mailbox: UUID, resources: Resources) -> Resources:
        """Returns those of these resources that the caller may read."""
        folders = [folder for folder in set(resources.folders) if self._rights(folder) & Right.READ_ANY]
        hidden = {folder: await self._hidden(mailbox, folder) for folder in folders}
        if len(folders) == len(set(resources.folders)) and not any(hidden.values()):
            return resources
        return _columns(each for each in resources if each.folder in hidden and each.id not in hidden[each.folder])

    # Reading

    async def tree(self, mailbox: UUID) -> list[FolderNode]:
        return [node for node in await self._store.tree(mailbox) if self._rights(node.id)]

    async def folder_changes(self, mailbox: UUID, since: int) -> FolderChanges:
        """Does as the store does. What the caller may not see is told as removed, for it may have been seen before."""
        told = await self._store.folder_changes(mailbox, since)
        hidden = [node.id for node in told.changed if not self._rights(node.id)]
        return FolderChanges(
            told.change,
            [node for node in told.created if self._rights(node.id)],
            [node for node in told.changed if self._rights(node.id)],
            sorted([*told.removed, *hidden]),
        )

    async def folder_states(self, mailbox: UUID, folders: Sequence[int] = ()) -> dict[int, FolderState]:
        states = await self._store.folder_states(mailbox, folders)
        return {folder: state for folder, state in states.items() if self._rights(folder)}

    async def folder_properties(self, mailbox: UUID, folders: Sequence[int]) -> dict[int, dict[int, bytes]]:
        return await self._store.folder_properties(mailbox, [folder for folder in folders if self._rights(folder)])

    async def property_names(self, mailbox: UUID) -> dict[int, PropertyName]:
        return await self._store.property_names(mailbox)

    async def property_ids(self, mailbox: UUID, names: Sequence[PropertyName], create: bool = False) -> list[int]:
        return await self._store.property_ids(mailbox, names, create)

    async def bags(self, mailbox: UUID, items: Sequence[int]) -> dict[int, dict[int, bytes]]:
        return await self._store.bags(mailbox, [item.id for item in await self.get(mailbox, items)])

    async def resources(self, mailbox: UUID, folder: int, after: str = "", most: int = 10_000) -> Resources:
        while True:
            page = await self._store.resources(mailbox, folder, after, most)
            seen = await self._seen(mailbox, page)
            # An empty page is the end, and a page of hidden items alone is none.
            if len(seen) or not len(page) or not self._rights(folder) & Right.READ_ANY:
                return seen
            after = page.names[-1]

    async def named(self, mailbox: UUID, folder: int, names: Sequence[str], content: bool = False) -> Resources:
        return await self._seen(mailbox, await self._store.named(mailbox, folder, names, content))

    async def with_ids(self, mailbox: UUID, ids: Sequence[int], content: bool = False) -> Resources:
        return await self._seen(mailbox, await self._store.with_ids(mailbox, ids, content))

    async def with_uids(self, mailbox: UUID, folder: int | None, uids: Sequence[str]) -> Resources:
        return await self._seen(mailbox, await self._store.with_uids(mailbox, folder, uids))

    async def resource_changes(self, mailbox: UUID, folder: int, since: int, most: int = 10_000) -> ResourceChanges:
        """Does as the store does. What is hidden is told as gone, for it may have been seen before."""
        changes = await self._store.resource_changes(mailbox, folder, since, most)
        if not self._rights(folder) & Right.READ_ANY:
            return ResourceChanges(changes.change, Resources(), (), changes.more)
        seen = await self._seen(mailbox, changes.there)
        if len(seen) == len(changes.there):
            return changes
        kept = set(seen.ids)
        hidden = [each.name for each in changes.there if each.id not in kept] if since else []
        return ResourceChanges(changes.change, seen, [*changes.gone, *hidden], changes.more)

    async def overlapping(
        self, mailbox: UUID, folder: int, starts: int, ends: int, after: int = 0, most: int = 10_000
    ) -> dict[int, RenderedItem]:
        if not self._rights(folder) & Right.READ_ANY:
            return {}
        while True:
            page = await self._store.overlapping(mailbox, folder, starts, ends, after, most)
            hidden = await self._hidden(mailbox, folder)
            seen = {number: values for number, values in page.items() if number not in hidden}
            if seen or not page:
                return seen
            after = max(page)

    async def get(self, mailbox: UUID, ids: Sequence[int], content: bool = False) -> list[StoredItem]:
        return await self._readable(mailbox, await self._store.get(mailbox, ids, content))

    async def columns(self, mailbox: UUID, ids: Sequence[int], columns: Column) -> ItemColumns:
        seen = [item.id for item in await self.get(mailbox, ids)]
        return await self._store.columns(mailbox, seen, columns)

    async def walk(
        self, mailbox: UUID, folder: int, after: int, most: int, columns: Column, until: int = 0
    ) -> ItemColumns:
        """Does as the store does: fewer than `most` are the last ones."""
        self._demand(folder, Right.READ_ANY)
        hidden = await self._hidden(mailbox, folder)
        pages: list[ItemColumns] = []
        wanted = most
        while wanted > 0:
            page = await self._store.walk(mailbox, folder, after, wanted, columns, until)
            kept = [place for place, item in enumerate(page.items) if item.id not in hidden]
            pages.append(page if len(kept) == len(page.items) else _chosen(page, kept))
            if len(page.items) < wanted:
                break
            after = page.items[-1].uid
            wanted -= len(kept)
        return pages[0] if len(pages) == 1 else _joined(pages)

    async def _readable(self, mailbox: UUID, items: list[StoredItem]) -> list[StoredItem]:
        """Returns those of these items that the caller may read."""
        folders = {item.folder for item in items if self._rights(item.folder) & Right.READ_ANY}
        hidden = {folder: await self._hidden(mailbox, folder) for folder in folders}
        return [item for item in items if item.folder in hidden and item.id not in hidden[item.folder]]

    async def find(
        self,
        mailbox: UUID,
        folder: int,
        order: Sequence[SortKey],
        offset: int,
        most: int,
        term: SearchTerm = EVERYTHING,
    ) -> FoundItems:
        """Does as the store does, without what is hidden: a part of the order is counted without it."""
        self._demand(folder, Right.READ_ANY)
        hidden = await self._hidden(mailbox, folder)
        if not hidden:
            return await self._store.find(mailbox, folder, order, offset, most, term)
        every = await self._store.find(mailbox, folder, order, 0, _EVERY, term)
        seen = [number for number in every.ids if number not in hidden]
        return FoundItems(seen[max(0, offset) : max(0, offset) + max(0, most)], len(seen))

    async def changes(self, mailbox: UUID, folder: int | None, since: int, most: int = 10_000) -> ItemChanges:
        """Does as the store does, in one folder. What is hidden is told as removed, for it may have been seen before."""
        if folder is None:
            raise self._denied()
        self._demand(folder, Right.READ_ANY)
        told = await self._store.changes(mailbox, folder, since, most)
        hidden = await self._hidden(mailbox, folder)
        if not hidden:
            return told
        gone = [number for number in told.changed if number in hidden] if since else []
        return replace(
            told,
            created=[number for number in told.created if number not in hidden],
            changed=[number for number in told.changed if number not in hidden],
            removed=sorted([*told.removed, *gone]),
        )

    # Changes

    async def create(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> list[int]:
        self._demand(folder, Right.CREATE)
        return await self._made(mailbox, await self._store.create(mailbox, folder, items))

    async def add(
        self, mailbox: UUID, folder: int, resources: Sequence[NewResource], unique_uids: bool = False
    ) -> list[int]:
        self._demand(folder, Right.CREATE)
        return await self._made(mailbox, await self._store.add(mailbox, folder, resources, unique_uids))

    async def _made(self, mailbox: UUID, ids: list[int]) -> list[int]:
        """The caller has made these items: they know it from now on."""
        if self._maker is not None:
            for number in ids:
                try:
                    await self._store.set_properties(mailbox, number, {MAKER_TAG: self._maker})
                except MailboxError as error:
                    # Where the bag is full, or the item is gone already, only the rights over one's own are lost.
                    if error.code not in ("LIMIT", "NONEXISTENT"):
                        raise
        return ids

    async def update(
        self, mailbox: UUID, item: int, content: bytes, item_class: str = "", unchanged_since: int | None = None
    ) -> StoredItem:
        (stored,) = await self._changeable(mailbox, [item], *_EDIT)
        return await self._store.update(mailbox, stored.id, content, item_class, unchanged_since)

    async def replace(
        self,
        mailbox: UUID,
        item: int,
        content: bytes,
        rendered: RenderedItem,
        item_class: str = "",
        unchanged_since: int | None = None,
    ) -> Put:
        (stored,) = await self._changeable(mailbox, [item], *_EDIT)
        return await self._store.replace(mailbox, stored.id, content, rendered, item_class, unchanged_since)

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
        await self._made(mailbox, list(copies.values()))
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
        if any(self._maker is None or bags.get(number, {}).get(MAKER_TAG) != self._maker for number in unsure):
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
        expected = await self._may_put(mailbox, folder, name, expected)
        put = await self._store.put(mailbox, folder, name, content, item_class, rendered, expected, unique_uid)
        await self._made(mailbox, [put.id] if put.is_new else [])
        return put

    async def put_sending(
        self,
        mailbox: UUID,
        letters: Sequence[int],
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        expected: bytes | None = None,
        unique_uid: bool = False,
    ) -> Put:
        expected = await self._may_put(mailbox, folder, name, expected)
        put = await self._store.put_sending(
            mailbox, letters, folder, name, content, item_class, rendered, expected, unique_uid
        )
        await self._made(mailbox, [put.id] if put.is_new else [])
        return put

    async def _may_put(self, mailbox: UUID, folder: int, name: str, expected: bytes | None) -> bytes | None:
        """Returns what has to be there still, so that it is what was judged."""
        old = await self._there(mailbox, folder, name)
        if old is None:
            self._demand(folder, Right.CREATE)
        else:
            await self._demand_each(mailbox, {old.id: folder}, *_EDIT)
        if expected is not None:
            return expected
        return ABSENT if old is None else old.tag

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
        # Who made an item is not for its maker to say.
        kept = {tag: value for tag, value in values.items() if tag != MAKER_TAG}
        await self._store.set_properties(mailbox, stored.id, kept)

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


def _parts(page: ItemColumns) -> tuple[Sequence[Any], ...]:
    return page.items, page.envelopes, page.structures, page.headers, page.others


def _chosen(page: ItemColumns, places: Sequence[int]) -> ItemColumns:
    return ItemColumns(*([column[place] for place in places] if column else () for column in _parts(page)))


def _joined(pages: Sequence[ItemColumns]) -> ItemColumns:
    columns = zip(*map(_parts, pages), strict=True) if pages else ()
    return (
        ItemColumns(*([value for column in each for value in column] for each in columns)) if pages else ItemColumns([])
    )


def _columns(resources: Iterable[Resource]) -> Resources:
    rows = list(resources)
    if not rows:
        return Resources()
    ids, folders, names, uids, tags, sizes, classes, created, modified, contents = zip(*rows, strict=True)
    if not any(each is not None for each in contents):
        contents = ()
    return Resources(ids, folders, names, uids, tags, sizes, classes, created, modified, contents)
