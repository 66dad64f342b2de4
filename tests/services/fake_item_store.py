"""`ItemStore` and `FolderTree` in memory, on the mailboxes of `fake_mailboxes`; held to `tests/model/item_store_contract.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from postern.model.folders import MAIL, FolderChanges, FolderKind, FolderNode, Right, SharedFolder
from postern.model.item_store import (
    FIRST_PROPERTY_NAME,
    MAX_PROPERTIES,
    MAX_PROPERTY_OCTETS,
    FoundItems,
    ItemChanges,
    ItemColumns,
    PropertyName,
    StoredItem,
)
from postern.model.items import Column, NewItem
from postern.model.mailbox import MailboxError
from postern.model.search import EVERYTHING, SearchTerm, SortKey
from postern.protocols.mime.message import render
from postern.store.folders import checked_path
from postern.store.item_store import check_names, check_tags
from postern.store.items import checked_class
from tests.services.fake_folders import FakeFolder, Item
from tests.services.fake_mailboxes import FakeMailboxes


class FakeItemStore(FakeMailboxes):
    # Items

    def _items(self, mailbox: UUID, ids: Sequence[int]) -> list[tuple[FakeFolder, Item]]:
        there = {
            item.id: (folder, item)
            for folder in self._mailbox(mailbox).folders.values()
            for item in folder.items.values()
        }
        return [there[number] for number in dict.fromkeys(ids) if number in there]

    def _item(self, mailbox: UUID, number: int) -> tuple[FakeFolder, Item]:
        for place in self._items(mailbox, [number]):
            return place
        raise MailboxError("NONEXISTENT", "No such item")

    async def get(self, mailbox: UUID, ids: Sequence[int], content: bool = False) -> list[StoredItem]:
        return [
            StoredItem(
                item.id,
                folder.id,
                item.uid,
                item.item_class,
                len(item.content),
                item.modseq,
                item.flags,
                item.date,
                item.created,
                item.content if content else None,
            )
            for folder, item in self._items(mailbox, ids)
        ]

    async def columns(self, mailbox: UUID, ids: Sequence[int], columns: Column) -> ItemColumns:
        stored = await self.get(mailbox, ids, bool(columns & Column.CONTENT))
        items = [item for _, item in self._items(mailbox, ids)]
        return ItemColumns(
            stored,
            [render(item.content).envelope for item in items] if columns & Column.ENVELOPE else (),
            [render(item.content).structure for item in items] if columns & Column.BODYSTRUCTURE else (),
            [item.header for item in items] if columns & Column.HEADER else (),
            [item.others if item.read == item.modseq else item.modseq for item in items],
        )

    async def walk(
        self, mailbox: UUID, folder: int, after: int, most: int, columns: Column, until: int = 0
    ) -> ItemColumns:
        items = sorted(self._folder(mailbox, folder).items.items())
        ids = [item.id for uid, item in items if uid > after and (not until or item.arrived <= until)]
        return await self.columns(mailbox, ids[: max(0, most)], columns)

    async def find(
        self,
        mailbox: UUID,
        folder: int,
        order: Sequence[SortKey],
        offset: int,
        most: int,
        term: SearchTerm = EVERYTHING,
    ) -> FoundItems:
        uids = (await self.search(mailbox, folder, term, order)).uids
        items = self._folder(mailbox, folder).items
        return FoundItems([items[uid].id for uid in uids[max(0, offset) :][: max(0, most)]], len(uids))

    async def changes(self, mailbox: UUID, folder: int | None, since: int, most: int = 10_000) -> ItemChanges:
        box = self._mailbox(mailbox)
        folders = box.folders.values() if folder is None else [self._folder(mailbox, folder)]
        told: list[tuple[int, int, str]] = []
        for f in folders:
            there = {item.id for item in f.items.values()}
            for item in f.items.values():
                if item.arrived > since:
                    told.append((item.arrived, item.id, "created"))
                elif item.modseq > since:
                    told.append((item.modseq, item.id, "changed"))
            last = {number: (change, moved) for number, change, moved in f.gone if since and change > since}
            for number, (change, moved) in last.items():
                if number not in there and not (folder is None and moved):
                    told.append((change, number, "moved" if moved else "removed"))
        told.sort()
        more = len(told) > most and told[-1][0] > told[most - 1][0]
        end = told[most - 1][0] if more else box.change
        fates: dict[str, list[int]] = {"created": [], "changed": [], "removed": [], "moved": []}
        for change, number, fate in told:
            if change <= end:
                fates[fate].append(number)
        return ItemChanges(end, *map(sorted, fates.values()), more)

    async def create(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> list[int]:
        classes = [checked_class(item.item_class) for item in items]
        f = self._folder(mailbox, folder)
        made = [f.items[uid] for uid in (await self.append(mailbox, folder, items)).targets]
        for item, item_class in zip(made, classes, strict=True):
            item.item_class = item_class
        return [item.id for item in made]

    async def update(
        self, mailbox: UUID, item: int, content: bytes, item_class: str = "", unchanged_since: int | None = None
    ) -> StoredItem:
        _, old = self._item(mailbox, item)
        if item_class:
            checked_class(item_class)
        if old.name:
            raise MailboxError("CANNOT", "The item has rendered values: it is replaced")
        return await self._update(mailbox, item, content, item_class, unchanged_since)

    async def _update(
        self, mailbox: UUID, item: int, content: bytes, item_class: str, unchanged_since: int | None
    ) -> StoredItem:
        box, (f, old) = self._mailbox(mailbox), self._item(mailbox, item)
        if unchanged_since is not None and old.modseq > unchanged_since:
            raise MailboxError("MODIFIED", "The item has changed meanwhile")
        info, more = await self.logon(mailbox), len(content) - len(old.content)
        if more > 0 and info.quota and info.used + more > info.quota:
            raise MailboxError("OVERQUOTA", "The mailbox is full")
        if f.kind is FolderKind.OUTBOX and old.uid in box.submitted:
            raise MailboxError("CANNOT", "The item is being sent")
        former = len(f.gone_names)
        box.remove(f, [old.uid])
        f.gone.pop()
        del f.gone_names[former:]
        self._put(box, f, replace(old, content=content, item_class=item_class or old.item_class))
        await self._moved(mailbox)
        return (await self.get(mailbox, [item]))[0]

    async def delete(self, mailbox: UUID, ids: Sequence[int]) -> list[int]:
        items = self._items(mailbox, ids)
        for folder, item in items:
            self._mailbox(mailbox).remove(folder, [item.uid])
        if items:
            await self._moved(mailbox)
        return sorted(item.id for _, item in items)

    async def _place(self, mailbox: UUID, ids: Sequence[int], target: int, move: bool) -> dict[int, int]:
        """One change for each folder that they come from."""
        f = self._folder(mailbox, target)
        placed = {}
        items = self._items(mailbox, ids)
        for source in {folder.id: folder for folder, _ in items}.values():
            its = sorted((item for folder, item in items if folder is source), key=lambda item: item.uid)
            if move and source is f:
                placed.update((item.id, item.id) for item in its)
                continue
            copied = await self.copy(mailbox, source.id, [(item.uid, item.uid) for item in its], target, move)
            placed.update((item.id, f.items[uid].id) for item, uid in zip(its, copied.targets, strict=True))
        return dict(sorted(placed.items()))

    async def move_items(self, mailbox: UUID, ids: Sequence[int], target: int) -> list[int]:
        return list(await self._place(mailbox, ids, target, move=True))

    async def copy_items(self, mailbox: UUID, ids: Sequence[int], target: int) -> dict[int, int]:
        return await self._place(mailbox, ids, target, move=False)

    async def properties(self, mailbox: UUID, item: int) -> dict[int, bytes]:
        return dict(self._item(mailbox, item)[1].properties)

    async def bags(self, mailbox: UUID, items: Sequence[int]) -> dict[int, dict[int, bytes]]:
        stored = sorted(
            ((item.id, item.properties) for _, item in self._items(mailbox, items)), key=lambda pair: pair[0]
        )
        return {number: dict(sorted(bag.items())) for number, bag in stored if bag}

    async def set_properties(self, mailbox: UUID, item: int, values: Mapping[int, bytes | None]) -> None:
        await self._change_bag(mailbox, item, values)

    async def _change_bag(self, mailbox: UUID, item: int, values: Mapping[int, bytes | None]) -> None:
        folder, stored = self._item(mailbox, item)
        stored.properties = changed_bag(stored.properties, values)
        stored.modseq = folder.modseq = self._mailbox(mailbox).next
        await self._moved(mailbox)

    async def property_ids(self, mailbox: UUID, names: Sequence[PropertyName], create: bool = False) -> list[int]:
        known = self._mailbox(mailbox).names
        check_names(names)
        for name in names:
            if create and name not in known:
                known.append(name)
        return [FIRST_PROPERTY_NAME + known.index(name) if name in known else 0 for name in names]

    async def property_names(self, mailbox: UUID) -> dict[int, PropertyName]:
        return dict(enumerate(self._mailbox(mailbox).names, FIRST_PROPERTY_NAME))

    # Folders

    def _node(self, mailbox: UUID, folder: FakeFolder) -> FolderNode:
        parent = self._mailbox(mailbox).parent(folder)
        return FolderNode(folder.id, parent, folder.path[-1], folder.folder_class, folder.kind, folder.change)

    def _path(self, mailbox: UUID, parent: int, name: str) -> tuple[str, ...]:
        checked = checked_path([name])
        return checked_path([*self._folder(mailbox, parent).path, name]) if parent else checked

    async def tree(self, mailbox: UUID) -> list[FolderNode]:
        return [self._node(mailbox, folder) for _, folder in sorted(self._mailbox(mailbox).folders.items())]

    async def create_in(self, mailbox: UUID, parent: int, name: str, folder_class: str = MAIL) -> FolderNode:
        path = self._path(mailbox, parent, name)
        if any(other.path == path for other in self._mailbox(mailbox).folders.values()):
            raise MailboxError("ALREADYEXISTS", "The folder exists")
        made = await self.create_folder(mailbox, path)
        folder = self._folder(mailbox, made.id)
        folder.folder_class = checked_class(folder_class)
        return self._node(mailbox, folder)

    async def move_folder(self, mailbox: UUID, folder: int, parent: int, name: str) -> None:
        path = self._path(mailbox, parent, name)
        if self._folder(mailbox, folder).kind not in (FolderKind.USER, FolderKind.ARCHIVE):
            raise MailboxError("CANNOT", "A well-known folder keeps its name")
        if any(other.path == path for other in self._mailbox(mailbox).folders.values()):
            raise MailboxError("ALREADYEXISTS", "The folder exists")
        await self.rename_folder(mailbox, folder, path)

    async def folder_changes(self, mailbox: UUID, since: int) -> FolderChanges:
        box = self._mailbox(mailbox)
        nodes = [(folder.made > since, self._node(mailbox, folder)) for _, folder in sorted(box.folders.items())]
        return FolderChanges(
            box.change,
            [node for is_new, node in nodes if is_new],
            [node for is_new, node in nodes if not is_new and node.change > since],
            [folder for folder, change in box.removed if since and change > since],
        )

    async def rights(self, mailbox: UUID, folder: int) -> dict[UUID, Right]:
        return dict(self._folder(mailbox, folder).rights)

    async def mailbox_rights(self, mailbox: UUID) -> dict[int, dict[UUID, Right]]:
        folders = sorted(self._mailbox(mailbox).folders.items())
        return {number: dict(folder.rights) for number, folder in folders if folder.rights}

    async def set_rights(self, mailbox: UUID, folder: int, grantee: UUID, rights: Right | None) -> None:
        f = self._folder(mailbox, folder)
        if rights is None:
            f.rights.pop(grantee, None)
        else:
            f.rights[grantee] = rights
        f.change = self._mailbox(mailbox).next
        await self._moved(mailbox)

    async def shared_with(self, grantees: Sequence[UUID]) -> list[SharedFolder]:
        return [
            SharedFolder(mailbox, self._node(mailbox, folder), grantee, rights)
            for mailbox, box in self._mailboxes.items()
            for _, folder in sorted(box.folders.items())
            for grantee, rights in folder.rights.items()
            if grantee in grantees
        ]

    async def full_access(self, mailbox: UUID) -> list[UUID]:
        return sorted(self._mailbox(mailbox).full_access)

    async def set_full_access(self, mailbox: UUID, grantee: UUID, is_granted: bool) -> None:
        holders = self._mailbox(mailbox).full_access
        (holders.add if is_granted else holders.discard)(grantee)
        await self._moved(mailbox)

    async def accessible(self, grantees: Sequence[UUID]) -> list[UUID]:
        return sorted(mailbox for mailbox, box in self._mailboxes.items() if not box.full_access.isdisjoint(grantees))

    async def folder_properties(self, mailbox: UUID, folders: Sequence[int]) -> dict[int, dict[int, bytes]]:
        there = sorted(self._mailbox(mailbox).folders.items())
        return {number: dict(sorted(folder.properties.items())) for number, folder in there if number in folders}

    async def set_folder_properties(self, mailbox: UUID, folder: int, values: Mapping[int, bytes | None]) -> None:
        f = self._folder(mailbox, folder)
        f.properties = changed_bag(f.properties, values)
        f.change = self._mailbox(mailbox).next
        await self._moved(mailbox)

    async def name_folders(self, mailbox: UUID, names: Mapping[FolderKind, str], former: Sequence[str]) -> None:
        box = self._mailbox(mailbox)
        for kind, name in names.items():
            checked_path([name])
            folder = box.of_kind(kind)
            if len(folder.path) == 1 and folder.path[0] in former and box.free_name(name) == name:
                box.name_anew(folder, name)
        await self._tell()


def changed_bag(bag: Mapping[int, bytes], values: Mapping[int, bytes | None]) -> dict[int, bytes]:
    check_tags(values)
    changed = {tag: value for tag, value in {**bag, **values}.items() if value is not None}
    if len(changed) > MAX_PROPERTIES or sum(map(len, changed.values())) > MAX_PROPERTY_OCTETS:
        raise MailboxError("LIMIT", "There would be too many properties")
    return changed
