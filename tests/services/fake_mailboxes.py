"""`Mailboxes` in memory, for tests of the services that need no database; held to `tests/model/mailboxes_contract.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from uuid import UUID

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folder_names import folder_names
from postern.model.folders import FOLDER_CLASSES, MAIL, Folder, FolderKind
from postern.model.items import (
    KEYWORD_BASE,
    MAX_KEYWORDS,
    Column,
    CopyResult,
    FetchedItems,
    Flag,
    FlagChange,
    FlagResult,
    Index,
    NewItem,
)
from postern.model.mailbox import KEEP_QUOTA, MailboxError, MailboxInfo
from postern.model.search import SearchResult, SearchTerm, SortKey
from postern.protocols.mime.message import render
from postern.store import threads
from postern.store.delivery import with_return_path
from postern.store.folders import checked_path, normal_path
from tests.services.fake_folders import IDS, FakeFolder, FakeMailbox, Item, in_thread, matches, sizes, sort_value

WELL_KNOWN = {
    "INBOX": FolderKind.INBOX,
    "Sent Items": FolderKind.SENT,
    "Drafts": FolderKind.DRAFTS,
    "Deleted Items": FolderKind.DELETED,
    "Junk E-mail": FolderKind.JUNK,
    "Outbox": FolderKind.OUTBOX,
    "Archive": FolderKind.ARCHIVE,
}


class FakeMailboxes:
    def __init__(self) -> None:
        self._mailboxes: dict[UUID, FakeMailbox] = {}
        self._changed = asyncio.Condition()
        self.unavailable = False
        self.calls: list[str] = []

    # Mailboxes and folders

    def _mailbox(self, mailbox: UUID) -> FakeMailbox:
        if self.unavailable:
            raise MailboxError("UNAVAILABLE", "The database does not answer")
        if mailbox not in self._mailboxes:
            raise MailboxError("NONEXISTENT", "No such mailbox")
        return self._mailboxes[mailbox]

    def _folder(self, mailbox: UUID, folder: int) -> FakeFolder:
        try:
            return self._mailbox(mailbox).folders[folder]
        except KeyError:
            raise MailboxError("NONEXISTENT", "No such folder") from None

    async def logon(self, mailbox: UUID, quota: int = KEEP_QUOTA) -> MailboxInfo:
        self.calls.append("logon")
        if self.unavailable:
            raise MailboxError("UNAVAILABLE", "The database does not answer")
        if mailbox not in self._mailboxes:
            box = self._mailboxes[mailbox] = FakeMailbox()
            for name, kind in WELL_KNOWN.items():
                box.add((name,), kind)
                box.subscribed.add((name,))
            for kind, name in folder_names("en").items():
                box.add((name,), kind, FOLDER_CLASSES[kind])
        box = self._mailboxes[mailbox]
        box.quota = box.quota if quota == KEEP_QUOTA else quota
        items = [item for folder in box.folders.values() for item in folder.items.values()]
        return MailboxInfo(mailbox, sum(len(i.content) for i in items), box.quota, len(items), box.change)

    async def folders(self, mailbox: UUID) -> list[Folder]:
        self.calls.append("folders")
        box = self._mailbox(mailbox)
        return [box.described(f) for f in box.folders.values() if f"{f.folder_class}.".startswith(f"{MAIL}.")]

    async def folder(self, mailbox: UUID, folder: int, claim_recent: bool = False) -> Folder:
        self.calls.append("folder")
        f = self._folder(mailbox, folder)
        said = self._mailbox(mailbox).described(f)
        if claim_recent:
            f.recent_uid = f.uid_next
        return said

    async def create_folder(self, mailbox: UUID, path: Sequence[str], kind: FolderKind = FolderKind.USER) -> Folder:
        box = self._mailbox(mailbox)
        path = tuple(checked_path(path))
        box.make_way(path)
        if any(f.path == path for f in box.folders.values()):
            raise MailboxError("ALREADYEXISTS", "The folder exists")
        box.add_parents(path, others=1)
        made = box.add(path, kind)
        await self._tell()
        return box.described(made)

    async def rename_folder(self, mailbox: UUID, folder: int, path: Sequence[str]) -> None:
        box, f, path = self._mailbox(mailbox), self._folder(mailbox, folder), checked_path(path)
        if f.kind not in (FolderKind.INBOX, FolderKind.USER, FolderKind.ARCHIVE):
            raise MailboxError("CANNOT", "A well-known folder keeps its name")
        box.make_way(path)
        if any(other.path == path for other in box.folders.values()):
            raise MailboxError("ALREADYEXISTS", "The folder exists")
        if f.kind is FolderKind.INBOX:
            created = await self.create_folder(mailbox, path)
            await self.copy(mailbox, folder, [(1, 0xFFFFFFFF)], created.id, move=True)
            return
        old = f.path
        if path[: len(old)] == old:
            raise MailboxError("CANNOT", "A folder cannot move below itself")
        for other in box.folders.values():
            if other.path[: len(old)] == old:
                checked_path(path + other.path[len(old) :])
        box.add_parents(path)
        if any(other.path[: len(path)] == path for other in box.folders.values()):
            raise MailboxError("ALREADYEXISTS", "A folder below that name exists")
        with box.hanging():
            for other in box.folders.values():
                if other.path[: len(old)] == old:
                    other.path = path + other.path[len(old) :]
        f.change = box.next
        await self._moved(mailbox)

    async def delete_folder(self, mailbox: UUID, folder: int) -> None:
        f = self._folder(mailbox, folder)
        box = self._mailbox(mailbox)
        if f.kind not in (FolderKind.USER, FolderKind.ARCHIVE):
            raise MailboxError("CANNOT", "A well-known folder stays")
        with box.hanging():
            del box.folders[folder]
        box.removed.append((folder, box.next))
        await self._moved(mailbox)

    async def subscriptions(self, mailbox: UUID) -> list[tuple[str, ...]]:
        return sorted(self._mailbox(mailbox).subscribed)

    async def subscribe(self, mailbox: UUID, path: Sequence[str], subscribed: bool) -> None:
        box = self._mailbox(mailbox)
        if subscribed:
            box.subscribed.add(checked_path(path))
        else:
            box.subscribed.discard(normal_path(path))

    async def keywords(self, mailbox: UUID, folder: int, names: Sequence[str], create: bool) -> int:
        f = self._folder(mailbox, folder)
        bits = 0
        for name in names:
            lowered = [known.lower() for known in f.keywords]
            if name.lower() not in lowered:
                if not create:
                    continue
                if len(f.keywords) == MAX_KEYWORDS:
                    raise MailboxError("LIMIT", "Too many keywords")
                f.keywords.append(name)
                lowered.append(name.lower())
            bits |= 1 << (KEYWORD_BASE + lowered.index(name.lower()))
        return bits

    # Items

    async def index(self, mailbox: UUID, folder: int, since: int = 0) -> Index:
        self.calls.append("index")
        f = self._folder(mailbox, folder)
        items = [item for _, item in sorted(f.items.items()) if item.modseq > since]
        gone = [uid for uid, modseq in f.vanished if modseq > since] if since else []
        return Index(
            f.modseq,
            f.uid_next,
            len(f.items),
            b"".join(item.uid.to_bytes(4, "little") for item in items),
            b"".join(item.flags.to_bytes(8, "little") for item in items),
            b"".join(item.modseq.to_bytes(8, "little") for item in items),
            b"".join(uid.to_bytes(4, "little") for uid in gone),
        )

    async def look(self, mailbox: UUID, folder: int, since: int, next_uid: int, claim_recent: bool) -> Index:
        f, found = self._folder(mailbox, folder), await self.index(mailbox, folder, since)
        if found.last_uid < next_uid:
            return found
        recent = (f.recent_uid, f.uid_next - 1)
        if claim_recent:
            f.recent_uid = f.uid_next
        return found._replace(recent=recent)

    async def first_unseen(self, mailbox: UUID, folder: int) -> int:
        self.calls.append("first_unseen")
        items = sorted(self._folder(mailbox, folder).items.items())
        return next((at for at, (_, item) in enumerate(items, 1) if not item.flags & Flag.SEEN), 0)

    def _within(self, f: FakeFolder, uids: Sequence[tuple[int, int]]) -> list[Item]:
        return [item for uid, item in sorted(f.items.items()) if any(low <= uid <= high for low, high in uids)]

    async def fetch(
        self,
        mailbox: UUID,
        folder: int,
        uids: Sequence[tuple[int, int]],
        columns: Column,
        changed_since: int = 0,
    ) -> FetchedItems:
        self.calls.append("fetch")
        items = [i for i in self._within(self._folder(mailbox, folder), uids) if i.modseq > changed_since]
        return FetchedItems(
            [i.uid for i in items],
            [i.flags for i in items] if columns & Column.FLAGS else (),
            [i.modseq for i in items] if columns & Column.MODSEQ else (),
            sizes(items, columns),
            [i.date for i in items] if columns & Column.INTERNAL_DATE else (),
            [render(i.content).envelope for i in items] if columns & Column.ENVELOPE else (),
            [render(i.content).structure for i in items] if columns & Column.BODYSTRUCTURE else (),
            [render(i.content).body_structure for i in items] if columns & Column.BODY else (),
            [i.header for i in items] if columns & Column.HEADER else (),
            [i.content for i in items] if columns & Column.CONTENT else (),
        )

    async def _moved(self, mailbox: UUID) -> None:
        self._mailbox(mailbox).change += 1
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def change_flags(
        self,
        mailbox: UUID,
        folder: int,
        uids: Sequence[tuple[int, int]],
        change: FlagChange,
        flags: int,
        unchanged_since: int | None = None,
    ) -> FlagResult:
        f, modseq = self._folder(mailbox, folder), self._mailbox(mailbox).next
        changed, modified = [], []
        for item in self._within(f, uids):
            if unchanged_since is not None and item.modseq > unchanged_since:
                modified.append(item.uid)
                continue
            former = item.flags
            if change is FlagChange.REPLACE:
                item.flags = flags
            elif change is FlagChange.ADD:
                item.flags |= flags
            else:
                item.flags &= ~flags
            if item.flags != former:
                if item.flags ^ former == Flag.SEEN:
                    item.others = item.others if item.read == item.modseq else item.modseq
                    item.read = modseq
                item.modseq = f.modseq = modseq
            changed.append(item)
        if f.modseq == modseq:
            await self._moved(mailbox)
        return FlagResult([i.uid for i in changed], [i.flags for i in changed], [i.modseq for i in changed], modified)

    def _put(self, box: FakeMailbox, f: FakeFolder, item: Item) -> int:
        """Gives the item the next UID of the folder."""
        item.uid, item.modseq, f.modseq = f.uid_next, box.next, box.next
        f.items[f.uid_next] = item
        f.uid_next += 1
        return item.uid

    async def append(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> CopyResult:
        box, f = self._mailbox(mailbox), self._folder(mailbox, folder)
        info = await self.logon(mailbox, box.quota)
        if info.quota and info.used + sum(len(i.content) for i in items) > info.quota:
            raise MailboxError("OVERQUOTA", "The mailbox is full")
        now = int(time.time())
        uids = []
        for new in items:
            date = now if new.internal_date is None else new.internal_date
            uids.append(self._put(box, f, Item(0, new.flags, 0, date, new.content, created=now, arrived=box.next)))
        await self._moved(mailbox)
        return CopyResult(f.uid_validity, (), uids)

    async def copy(
        self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]], target: int, move: bool = False
    ) -> CopyResult:
        box, source, f = self._mailbox(mailbox), self._folder(mailbox, folder), self._folder(mailbox, target)
        items = self._within(source, uids)
        if not items:
            return CopyResult(f.uid_validity, (), ())
        info = await self.logon(mailbox)
        if not move and info.quota and info.used + sum(len(i.content) for i in items) > info.quota:
            raise MailboxError("OVERQUOTA", "The mailbox is full")
        mapping = []
        uids_before = [item.uid for item in items]
        if move:
            box.remove(source, uids_before, moved=True)
            if source is f:
                del source.gone[-len(items) :]
        for item in items:
            names = [n for i, n in enumerate(source.keywords) if item.flags >> (KEYWORD_BASE + i) & 1]
            bits = (item.flags & 0xFF) | await self.keywords(mailbox, target, names, True)
            if move:
                item.flags, item.arrived = bits, item.arrived if source is f else box.next
            else:
                item = replace(item, flags=bits, id=next(IDS), created=int(time.time()), arrived=box.next)
                item.properties = dict(item.properties)
            if not (move and source is f):
                box.settle(f, item)
            mapping.append(self._put(box, f, item))
        await self._moved(mailbox)
        return CopyResult(f.uid_validity, uids_before, mapping)

    async def expunge(self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]] | None = None) -> list[int]:
        f = self._folder(mailbox, folder)
        gone = [i.uid for i in self._within(f, [(1, 0xFFFFFFFF)] if uids is None else uids) if i.flags & Flag.DELETED]
        if not gone:
            return []
        self._mailbox(mailbox).remove(f, gone)
        await self._moved(mailbox)
        return gone

    # Search

    async def search(self, mailbox: UUID, folder: int, term: SearchTerm, sort: Sequence[SortKey] = ()) -> SearchResult:
        self.calls.append("search")
        f = self._folder(mailbox, folder)
        found = [item for _, item in sorted(f.items.items()) if matches(item, term)]
        for key in reversed(sort):
            found.sort(key=lambda item, name=key.key: sort_value(item, name), reverse=key.reverse)
        return SearchResult([item.uid for item in found], f.modseq)

    async def thread(self, mailbox: UUID, folder: int, term: SearchTerm, algorithm: str) -> bytes:
        items = [item for _, item in sorted(self._folder(mailbox, folder).items.items()) if matches(item, term)]
        build = threads.references if algorithm == "REFERENCES" else threads.ordered_subject
        return build([in_thread(item) for item in items])

    # Delivery and submission

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
        return [
            [
                await self._deliver(delivery, mailbox, quota)
                for mailbox, quota in zip_longest(delivery.mailboxes, delivery.quotas, fillvalue=KEEP_QUOTA)
            ]
            for delivery in deliveries
        ]

    async def _deliver(self, delivery: Delivery, mailbox: UUID, quota: int) -> DeliveryStatus:
        if mailbox not in self._mailboxes:
            return DeliveryStatus.NO_MAILBOX
        await self.logon(mailbox, quota)
        box = self._mailbox(mailbox)
        if delivery.delivery_id in box.delivered:
            return DeliveryStatus.DUPLICATE
        inbox = box.of_kind(FolderKind.INBOX)
        try:
            item = NewItem(with_return_path(delivery), 0, delivery.received or None)
            await self.append(mailbox, inbox.id, [item])
        except MailboxError:
            return DeliveryStatus.OVER_QUOTA
        box.delivered.add(delivery.delivery_id)
        return DeliveryStatus.DELIVERED

    async def used(self, mailboxes: Sequence[UUID]) -> list[int]:
        return [(await self.logon(one)).used if one in self._mailboxes else 0 for one in mailboxes]

    async def submit(self, mailbox: UUID, uid: int) -> None:
        box = self._mailbox(mailbox)
        if uid not in box.of_kind(FolderKind.OUTBOX).items:
            raise MailboxError("NONEXISTENT", "No such item in the outbox")
        if uid not in box.submitted:
            box.submitted.append(uid)
        await self._moved(mailbox)

    async def outbox(self, mailbox: UUID) -> list[int]:
        return list(self._mailbox(mailbox).submitted)

    async def submitted(self, mailbox: UUID, uid: int) -> None:
        box = self._mailbox(mailbox)
        if uid in box.submitted:
            box.submitted.remove(uid)
            outbox, sent = box.of_kind(FolderKind.OUTBOX), box.of_kind(FolderKind.SENT)
            bag = outbox.items[uid].properties
            if bag.pop(0x0E01000B, b"") == b"\x01":
                box.remove(outbox, [uid])
                return
            target = int.from_bytes(bag.pop(0x0E0A0102, b"")[4:], "big")
            sent = box.folders.get(target, sent)
            await self.change_flags(mailbox, outbox.id, [(uid, uid)], FlagChange.ADD, Flag.SEEN)
            await self.copy(mailbox, outbox.id, [(uid, uid)], sent.id, move=True)

    async def wait(self, mailboxes: dict[UUID, int], timeout: float) -> dict[UUID, int]:
        def moved() -> dict[UUID, int]:
            return {m: box.change for m, c in mailboxes.items() if (box := self._mailboxes[m]).change > c}

        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(moved)
        except TimeoutError:
            return {}
        return moved()
