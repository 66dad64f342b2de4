"""`ResourceStore`, `MeetingStore` and `EditStore` in memory; held to `tests/model/resource_store_contract.py` and
`tests/model/edit_store_contract.py`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from postern.model.edits import Beside
from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.items import KEYWORD_BASE, FlagChange, NewItem
from postern.model.mailbox import MailboxError
from postern.model.resources import (
    ABSENT,
    PRESENT,
    FolderState,
    NewResource,
    Put,
    Reminder,
    ResourceChanges,
    Resources,
    content_tag,
)
from postern.store.resource_checks import (
    checked,
    checked_name,
    checked_rendered,
    checked_resource_class,
    chosen_name,
)
from tests.services.fake_folders import FakeFolder, Item
from tests.services.fake_item_store import changed_bag
from tests.services.fake_out_of_office import FakeOutOfOffice

Place = tuple[FakeFolder, Item]
_SYSTEM = (1 << KEYWORD_BASE) - 1


class FakeResourceStore(FakeOutOfOffice):
    # Look-up

    def _resources(self, mailbox: UUID, folder: int | None) -> list[Place]:
        folders = self._mailbox(mailbox).folders.values() if folder is None else [self._folder(mailbox, folder)]
        return [(f, item) for f in folders for item in f.items.values() if item.name]

    def _resource(self, mailbox: UUID, folder: int, name: str) -> Item | None:
        return next((item for _, item in self._resources(mailbox, folder) if item.name == name), None)

    async def resources(self, mailbox: UUID, folder: int, after: str = "", most: int = 10_000) -> Resources:
        places = [place for place in self._resources(mailbox, folder) if place[1].name.encode() > after.encode()]
        return _columns(sorted(places, key=lambda place: place[1].name.encode())[:most])

    async def named(self, mailbox: UUID, folder: int, names: Sequence[str], content: bool = False) -> Resources:
        by_name = {item.name: (f, item) for f, item in self._resources(mailbox, folder)}
        return _columns((by_name[name] for name in dict.fromkeys(names) if name in by_name), content)

    async def with_ids(self, mailbox: UUID, ids: Sequence[int], content: bool = False) -> Resources:
        return _columns((place for place in self._items(mailbox, ids) if place[1].name), content)

    async def with_uids(self, mailbox: UUID, folder: int | None, uids: Sequence[str]) -> Resources:
        places = [place for place in self._resources(mailbox, folder) if place[1].rendered.uid in uids]
        return _columns(sorted((place for place in places if place[1].rendered.uid), key=lambda place: place[1].id))

    async def overlapping(
        self, mailbox: UUID, folder: int, starts: int, ends: int, after: int = 0, most: int = 10_000
    ) -> dict[int, RenderedItem]:
        items = sorted((item.id, item.rendered) for _, item in self._resources(mailbox, folder) if item.id > after)
        return dict([(number, r) for number, r in items if _overlaps(r, starts, ends)][:most])

    async def private_resources(self, mailbox: UUID, folder: int) -> list[int]:
        return sorted(item.id for _, item in self._resources(mailbox, folder) if item.rendered.is_private)

    async def with_addresses(self, mailbox: UUID, addresses: Sequence[str]) -> dict[str, list[int]]:
        items = sorted((item.id, item.rendered.addresses) for _, item in self._resources(mailbox, None))
        ids = {address: [number for number, its in items if address in its] for address in addresses}
        return {address: numbers for address, numbers in ids.items() if numbers}

    async def folder_states(self, mailbox: UUID, folders: Sequence[int] = ()) -> dict[int, FolderState]:
        box = self._mailbox(mailbox)
        described = [box.described(f) for f in box.folders.values() if not folders or f.id in folders]
        return {f.id: FolderState(f.highest_modseq, f.messages, f.unseen, f.size) for f in described}

    async def resource_changes(self, mailbox: UUID, folder: int, since: int, most: int = 10_000) -> ResourceChanges:
        f = self._folder(mailbox, folder)
        there = sorted((item.named, item.id) for _, item in self._resources(mailbox, folder) if item.named > since)
        gone = [(change, name) for name, change in f.gone_names if since and change > since]
        ats = sorted([change for change, _ in [*there, *gone]])
        more = len(ats) > most and ats[-1] > ats[most - 1]
        end = ats[most - 1] if more else f.modseq
        places = self._items(mailbox, [number for change, number in there if change <= end])
        names = {item.name for item in f.items.values()}
        lost = dict.fromkeys(name for change, name in gone if change <= end and name not in names)
        return ResourceChanges(end, _columns(sorted(places, key=lambda place: place[1].id)), sorted(lost), more)

    # Changes

    def _check_uids(self, mailbox: UUID, folder: int, uids: Iterable[str], but: Sequence[int]) -> None:
        taken = {item.rendered.uid for _, item in self._resources(mailbox, folder) if item.id not in but} - {""}
        if taken & set(uids):
            raise MailboxError("UIDEXISTS", "Another item has this UID")

    def _keep(self, mailbox: UUID, item: int, name: str, rendered: RenderedItem) -> Item:
        _, kept = self._item(mailbox, item)
        kept.name, kept.rendered, kept.named, kept.modified = name, rendered, kept.modseq, int(time.time())
        return kept

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
        checked_name(name), checked_rendered(rendered), checked_resource_class(item_class)
        old = self._resource(mailbox, folder, name)
        _check_condition(old, expected)
        if unique_uid:
            self._check_uids(mailbox, folder, [rendered.uid], [old.id] if old else [])
        if old is None:
            (number,) = await self.add(mailbox, folder, [NewResource(content, item_class, rendered, name)])
        else:
            number = old.id
            await self._update(mailbox, number, content, item_class, None)
            self._keep(mailbox, number, name, rendered)
        return Put(number, content_tag(content), old is None)

    async def add(
        self, mailbox: UUID, folder: int, resources: Sequence[NewResource], unique_uids: bool = False
    ) -> list[int]:
        names = checked(resources, unique_uids)
        if {item.name for _, item in self._resources(mailbox, folder)} & set(names):
            raise MailboxError("ALREADYEXISTS", "The name is taken")
        if unique_uids:
            self._check_uids(mailbox, folder, [new.rendered.uid for new in resources], [])
        items = [NewItem(new.content, new.flags, new.internal_date, new.item_class) for new in resources]
        ids = await self.create(mailbox, folder, items)
        for number, name, new in zip(ids, names, resources, strict=True):
            self._keep(mailbox, number, name, new.rendered)
        return ids

    async def replace(
        self,
        mailbox: UUID,
        item: int,
        content: bytes,
        rendered: RenderedItem,
        item_class: str = "",
        unchanged_since: int | None = None,
    ) -> Put:
        _, old = self._item(mailbox, item)
        checked_rendered(rendered), checked_resource_class(item_class or old.item_class)
        await self._update(mailbox, item, content, item_class, unchanged_since)
        self._keep(mailbox, item, old.name or chosen_name(item_class or old.item_class), rendered)
        return Put(item, content_tag(content), False)

    async def remove(self, mailbox: UUID, folder: int, name: str, expected: bytes | None = None) -> None:
        old = self._resource(mailbox, folder, name)
        if old is None:
            raise MailboxError("NONEXISTENT", "No such resource")
        _check_condition(old, expected)
        await self.delete(mailbox, [old.id])

    async def put_sending(self, mailbox: UUID, letters: Sequence[int], *change: Any, **conditions: Any) -> Put:
        before = list(self._mailbox(mailbox).submitted)
        self._submit(mailbox, letters)
        try:
            return await self.put(mailbox, *change, **conditions)
        except MailboxError:
            self._mailbox(mailbox).submitted[:] = before
            raise

    async def remove_sending(self, mailbox: UUID, letters: Sequence[int], *change: Any, **conditions: Any) -> None:
        before = list(self._mailbox(mailbox).submitted)
        self._submit(mailbox, letters)
        try:
            await self.remove(mailbox, *change, **conditions)
        except MailboxError:
            self._mailbox(mailbox).submitted[:] = before
            raise

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
        box, item, old = self._mailbox(mailbox), self._resource(mailbox, folder, name), None
        if item is None:
            raise MailboxError("NONEXISTENT", "No such resource")
        old = self._resource(mailbox, target, checked_name(new_name))
        if old is item:
            raise MailboxError("CANNOT", "The resource is there already")
        if old is not None and not overwrite:
            raise MailboxError("ALREADYEXISTS", "The name is taken")
        if unique_uid:
            self._check_uids(
                mailbox, target, [item.rendered.uid], [*([item.id] if move else []), *([old.id] if old else [])]
            )
        info = await self.logon(mailbox)
        if not move and info.quota and info.used + len(item.content) - (len(old.content) if old else 0) > info.quota:
            raise MailboxError("OVERQUOTA", "The mailbox is full")
        if old is not None:
            await self.delete(mailbox, [old.id])
        if move and folder == target:
            f = self._folder(mailbox, folder)
            f.gone_names.append((item.name, box.next))
            item.name, item.named, f.modseq = new_name, box.next, box.next
            await self._moved(mailbox)
            number = item.id
        else:
            number = (await self._place(mailbox, [item.id], target, move))[item.id]
            self._item(mailbox, number)[1].name = new_name
        return Put(number, content_tag(item.content), old is None)

    # With what is beside the content

    async def create_with(
        self, mailbox: UUID, folder: int, items: Sequence[NewItem], properties: Mapping[int, bytes]
    ) -> list[int]:
        bag = changed_bag({}, properties)
        return self._filled(mailbox, await self.create(mailbox, folder, items), bag)

    async def add_with(
        self,
        mailbox: UUID,
        folder: int,
        resources: Sequence[NewResource],
        properties: Mapping[int, bytes],
        unique_uids: bool = False,
    ) -> list[int]:
        bag = changed_bag({}, properties)
        return self._filled(mailbox, await self.add(mailbox, folder, resources, unique_uids), bag)

    def _filled(self, mailbox: UUID, ids: list[int], bag: Mapping[int, bytes]) -> list[int]:
        for _, item in self._items(mailbox, ids):
            item.properties = dict(bag)
        return ids

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
        _, old = self._item(mailbox, item)
        _check_unchanged(old, unchanged_since)
        changed_bag(old.properties, beside.properties)
        if content is not None and rendered is not None:
            await self.replace(mailbox, item, content, rendered, item_class)
        elif content is not None:
            await self.update(mailbox, item, content, item_class)
        return await self._set_beside(mailbox, item, beside)

    async def _set_beside(self, mailbox: UUID, item: int, beside: Beside) -> int:
        folder, stored = self._item(mailbox, item)
        if beside.flags is not None:
            flags = stored.flags & ~_SYSTEM | beside.flags & _SYSTEM
            await self.change_flags(mailbox, folder.id, [(stored.uid, stored.uid)], FlagChange.REPLACE, flags)
        if beside.properties:
            await self._change_bag(mailbox, item, beside.properties)
        return stored.modseq

    async def send(
        self,
        mailbox: UUID,
        item: int,
        beside: Beside,
        content: bytes | None = None,
        unchanged_since: int | None = None,
    ) -> int:
        await self.edit(mailbox, item, beside, content, unchanged_since=unchanged_since)
        outbox = self._mailbox(mailbox).of_kind(FolderKind.OUTBOX)
        await self.move_items(mailbox, [item], outbox.id)
        await self.submit(mailbox, self._item(mailbox, item)[1].uid)
        return self._mailbox(mailbox).change

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
        old = self._resource(mailbox, folder, name)
        if old is not None:
            _check_unchanged(old, unchanged_since)
        changed_bag(old.properties if old is not None else {}, beside.properties)
        change = (folder, name, content, item_class, rendered, expected, unique_uid)
        put = await self.put_sending(mailbox, letters, *change)
        await self._set_beside(mailbox, put.id, beside)
        return put

    # Reminders

    async def reminders(self, until: int, most: int = 1_000) -> list[Reminder]:
        due = [
            Reminder(mailbox, item.id, item.rendered.reminds)
            for mailbox in self._mailboxes
            for f, item in self._resources(mailbox, None)
            if item.rendered.reminds is not None and item.rendered.reminds <= until and f.kind is not FolderKind.DELETED
        ]
        return sorted(due, key=lambda reminder: (reminder.at, reminder.item))[:most]

    async def set_reminder(self, mailbox: UUID, item: int, was: int, at: int | None) -> bool:
        _, stored = self._item(mailbox, item)
        if stored.rendered.reminds != was:
            return False
        stored.rendered = replace(stored.rendered, reminds=at)
        return True


def _columns(places: Iterable[Place], content: bool = False) -> Resources:
    rows = [
        (
            item.id,
            f.id,
            item.name,
            item.rendered.uid,
            content_tag(item.content),
            len(item.content),
            item.item_class,
            item.created,
            item.modified,
            item.content,
        )
        for f, item in places
    ]
    return Resources(*list(zip(*rows, strict=True))[: 10 if content else 9]) if rows else Resources()


def _check_condition(old: Item | None, expected: bytes | None) -> None:
    if expected is None:
        return
    if expected == ABSENT:
        is_met = old is None
    else:
        is_met = old is not None and expected in (PRESENT, content_tag(old.content))
    if not is_met:
        raise MailboxError("MODIFIED", "The resource is another than was expected")


def _check_unchanged(old: Item, since: int | None) -> None:
    if since is not None and old.modseq > since:
        raise MailboxError("MODIFIED", "The item has changed meanwhile")


def _overlaps(rendered: RenderedItem, starts: int, ends: int) -> bool:
    if rendered.starts is None or rendered.starts >= ends:
        return False
    if rendered.ends is None or rendered.ends > starts:
        return True
    return rendered.starts == rendered.ends == starts
