"""`Mailboxes` in memory, for tests of the services that need no database. Single mailbox server, no limits but the quota."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import zip_longest
from uuid import UUID

from postern.model.mailbox import (
    KEEP_QUOTA,
    KEYWORD_BASE,
    MAX_KEYWORDS,
    Column,
    CopyResult,
    Delivery,
    DeliveryStatus,
    FetchedItems,
    Flag,
    FlagChange,
    FlagResult,
    Folder,
    FolderKind,
    Index,
    MailboxError,
    MailboxInfo,
    NewItem,
    SearchResult,
    SearchTerm,
    SortKey,
)
from postern.protocols.mime.message import render
from tests.services.fake_folders import FakeFolder, FakeMailbox, Item, matches, sizes, sort_value

WELL_KNOWN = {
    "INBOX": FolderKind.INBOX,
    "Sent Items": FolderKind.SENT,
    "Drafts": FolderKind.DRAFTS,
    "Deleted Items": FolderKind.DELETED,
    "Junk E-mail": FolderKind.JUNK,
    "Outbox": FolderKind.OUTBOX,
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
                self._add(box, (name,), kind)
                box.subscribed.add((name,))
        box = self._mailboxes[mailbox]
        box.quota = box.quota if quota == KEEP_QUOTA else quota
        items = [item for folder in box.folders.values() for item in folder.items.values()]
        return MailboxInfo(mailbox, sum(len(i.content) for i in items), box.quota, len(items), box.change)

    def _add(self, box: FakeMailbox, path: tuple[str, ...], kind: FolderKind) -> FakeFolder:
        folder = FakeFolder(box.next_id, path, kind, box.next_validity)
        box.folders[folder.id] = folder
        box.next_id += 1
        box.next_validity += 1
        return folder

    def _said(self, box: FakeMailbox, f: FakeFolder) -> Folder:
        items = f.items.values()
        return Folder(
            f.id,
            f.path,
            f.kind,
            f.uid_validity,
            f.uid_next,
            f.modseq,
            len(items),
            sum(not i.flags & Flag.SEEN for i in items),
            sum(bool(i.flags & Flag.DELETED) for i in items),
            sum(len(i.content) for i in items),
            f.recent_uid,
            f.path in box.subscribed,
            tuple(f.keywords),
        )

    async def folders(self, mailbox: UUID) -> list[Folder]:
        self.calls.append("folders")
        box = self._mailbox(mailbox)
        return [self._said(box, folder) for folder in box.folders.values()]

    async def folder(self, mailbox: UUID, folder: int, claim_recent: bool = False) -> Folder:
        self.calls.append("folder")
        f = self._folder(mailbox, folder)
        said = self._said(self._mailbox(mailbox), f)
        if claim_recent:
            f.recent_uid = f.uid_next
        return said

    async def create_folder(self, mailbox: UUID, path: Sequence[str], kind: FolderKind = FolderKind.USER) -> Folder:
        box = self._mailbox(mailbox)
        path = tuple(path)
        if any(f.path == path for f in box.folders.values()):
            raise MailboxError("ALREADYEXISTS", "The folder exists")
        for depth in range(1, len(path)):
            if not any(f.path == path[:depth] for f in box.folders.values()):
                self._add(box, path[:depth], FolderKind.USER)
        await self._moved(mailbox)
        return self._said(box, self._add(box, path, kind))

    async def rename_folder(self, mailbox: UUID, folder: int, path: Sequence[str]) -> None:
        box, f, path = self._mailbox(mailbox), self._folder(mailbox, folder), tuple(path)
        if any(other.path == path for other in box.folders.values()):
            raise MailboxError("ALREADYEXISTS", "The folder exists")
        if f.kind is FolderKind.INBOX:
            created = await self.create_folder(mailbox, path)
            await self.copy(mailbox, folder, [(1, 0xFFFFFFFF)], created.id, move=True)
            return
        if f.kind not in (FolderKind.USER, FolderKind.ARCHIVE):
            raise MailboxError("CANNOT", "A well-known folder keeps its name")
        old = f.path
        if path[: len(old)] == old:
            raise MailboxError("CANNOT", "A folder cannot move below itself")
        for other in box.folders.values():
            if other.path[: len(old)] == old:
                other.path = path + other.path[len(old) :]

    async def delete_folder(self, mailbox: UUID, folder: int) -> None:
        f = self._folder(mailbox, folder)
        box = self._mailbox(mailbox)
        if f.kind not in (FolderKind.USER, FolderKind.ARCHIVE):
            raise MailboxError("CANNOT", "A well-known folder stays")
        del box.folders[folder]
        await self._moved(mailbox)

    async def subscriptions(self, mailbox: UUID) -> list[tuple[str, ...]]:
        return sorted(self._mailbox(mailbox).subscribed)

    async def subscribe(self, mailbox: UUID, path: Sequence[str], subscribed: bool) -> None:
        box = self._mailbox(mailbox)
        (box.subscribed.add if subscribed else box.subscribed.discard)(tuple(path))

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
            [b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"] * len(items) if columns & Column.ENVELOPE else (),
            [render(i.content).structure for i in items] if columns & Column.BODYSTRUCTURE else (),
            [render(i.content).body_structure for i in items] if columns & Column.BODY else (),
            [i.header for i in items] if columns & Column.HEADER else (),
            [i.content for i in items] if columns & Column.CONTENT else (),
        )

    def _touch(self, f: FakeFolder) -> int:
        f.modseq += 1
        return f.modseq

    async def _moved(self, mailbox: UUID) -> None:
        self._mailbox(mailbox).change += 1
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
        f = self._folder(mailbox, folder)
        modseq = self._touch(f)
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
                item.modseq = modseq
            changed.append(item)
        await self._moved(mailbox)
        return FlagResult([i.uid for i in changed], [i.flags for i in changed], [i.modseq for i in changed], modified)

    def _put(self, f: FakeFolder, content: bytes, flags: int, date: int, modseq: int) -> int:
        uid = f.uid_next
        f.uid_next += 1
        f.items[uid] = Item(uid, flags, modseq, date, content)
        return uid

    async def append(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> CopyResult:
        f = self._folder(mailbox, folder)
        info = await self.logon(mailbox, self._mailbox(mailbox).quota)
        if info.quota and info.used + sum(len(i.content) for i in items) > info.quota:
            raise MailboxError("OVERQUOTA", "The mailbox is full")
        modseq = self._touch(f)
        now = int(time.time())
        uids = [
            self._put(f, i.content, i.flags, now if i.internal_date is None else i.internal_date, modseq) for i in items
        ]
        await self._moved(mailbox)
        return CopyResult(f.uid_validity, (), uids)

    async def copy(
        self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]], target: int, move: bool = False
    ) -> CopyResult:
        source, f = self._folder(mailbox, folder), self._folder(mailbox, target)
        items = self._within(source, uids)
        info = await self.logon(mailbox)
        if not move and info.quota and info.used + sum(len(i.content) for i in items) > info.quota:
            raise MailboxError("OVERQUOTA", "The mailbox is full")
        modseq = self._touch(f)
        mapping = []
        for item in items:
            names = [n for i, n in enumerate(source.keywords) if item.flags >> (KEYWORD_BASE + i) & 1]
            bits = (item.flags & 0xFF) | await self.keywords(mailbox, target, names, True)
            mapping.append(self._put(f, item.content, bits, item.date, modseq))
        if move:
            gone = self._touch(source)
            for item in items:
                del source.items[item.uid]
                source.vanished.append((item.uid, gone))
        await self._moved(mailbox)
        return CopyResult(f.uid_validity, [i.uid for i in items], mapping)

    async def expunge(self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]] | None = None) -> list[int]:
        f = self._folder(mailbox, folder)
        modseq = self._touch(f)
        gone = [i.uid for i in self._within(f, [(1, 0xFFFFFFFF)] if uids is None else uids) if i.flags & Flag.DELETED]
        for uid in gone:
            del f.items[uid]
            f.vanished.append((uid, modseq))
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
        return b"".join(b"(%d)" % uid for uid in (await self.search(mailbox, folder, term)).uids)

    # Delivery and submission

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
        for delivery in deliveries:
            for mailbox, quota in zip_longest(delivery.mailboxes, delivery.quotas, fillvalue=KEEP_QUOTA):
                await self.logon(mailbox, quota)
                inbox = next(f for f in self._mailboxes[mailbox].folders.values() if f.path == ("INBOX",))
                await self.append(mailbox, inbox.id, [NewItem(delivery.content, 0, delivery.received or None)])
        return [[DeliveryStatus.DELIVERED] * len(d.mailboxes) for d in deliveries]

    async def used(self, mailboxes: Sequence[UUID]) -> list[int]:
        return [(await self.logon(one)).used if one in self._mailboxes else 0 for one in mailboxes]

    async def submit(self, mailbox: UUID, uid: int) -> None:
        self._mailbox(mailbox).submitted.append(uid)

    async def outbox(self, mailbox: UUID) -> list[int]:
        return list(self._mailbox(mailbox).submitted)

    async def submitted(self, mailbox: UUID, uid: int) -> None:
        self._mailbox(mailbox).submitted.remove(uid)

    async def wait(self, mailboxes: dict[UUID, int], timeout: float) -> dict[UUID, int]:
        def moved() -> dict[UUID, int]:
            return {m: box.change for m, c in mailboxes.items() if (box := self._mailboxes[m]).change > c}

        try:
            async with asyncio.timeout(timeout), self._changed:
                await self._changed.wait_for(moved)
        except TimeoutError:
            return {}
        return moved()
