"""The items of another's mailbox as a caller may read them, with the rights that he has in each folder (`guarded`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NoReturn
from uuid import UUID

from postern.model.folders import FolderChanges, FolderNode, Right
from postern.model.item_store import FoundItems, ItemChanges, ItemColumns, PropertyName, RenderedItem, StoredItem
from postern.model.items import Column
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import MailboxItems
from postern.model.resources import FolderState, Resource, ResourceChanges, Resources
from postern.model.search import EVERYTHING, SearchTerm, SortKey
from postern.model.sharing import sees_private

EVERY = 10_000_000
"""More items than a folder has. Of each, a search has its number alone in memory."""


class AccessDenied(Exception):
    """The caller has not the right to what he wants to do."""


class GuardedReading:
    """The store as a caller may read it in one mailbox. `rights` returns his rights in a folder. It raises what `_denied` and
    `_missing` return."""

    def __init__(self, store: MailboxItems, rights: Callable[[int], Right]) -> None:
        self._store = store
        self._rights = rights
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
        if sees_private(self._rights(folder)):
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
            # A whole page each time, however few are wanted still: of many hidden ones, each would be a call.
            page = await self._store.walk(mailbox, folder, after, most, columns, until)
            kept = [place for place, item in enumerate(page.items) if item.id not in hidden][:wanted]
            pages.append(page if len(kept) == len(page.items) else _chosen(page, kept))
            if len(page.items) < most:
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
        every = await self._store.find(mailbox, folder, order, 0, EVERY, term)
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


def _columns(resources: Iterable[Resource]) -> Resources:
    rows = list(resources)
    if not rows:
        return Resources()
    ids, folders, names, uids, tags, sizes, classes, created, modified, contents = zip(*rows, strict=True)
    if not any(each is not None for each in contents):
        contents = ()
    return Resources(ids, folders, names, uids, tags, sizes, classes, created, modified, contents)


def _parts(page: ItemColumns) -> tuple[Sequence[Any], ...]:
    return page.items, page.envelopes, page.structures, page.headers, page.others


def _chosen(page: ItemColumns, places: Sequence[int]) -> ItemColumns:
    return ItemColumns(*([column[place] for place in places] if column else () for column in _parts(page)))


def _joined(pages: Sequence[ItemColumns]) -> ItemColumns:
    columns = zip(*map(_parts, pages), strict=True) if pages else ()
    return (
        ItemColumns(*([value for column in each for value in column] for each in columns)) if pages else ItemColumns([])
    )
