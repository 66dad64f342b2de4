"""The mailbox database: it implements all interfaces of mailboxes (`model`) on PostgreSQL. Each method calls the module of its
subject, which does the work; what concerns named items, meetings and out-of-office is inherited from the modules that do it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from uuid import UUID

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folder_names import folder_names
from postern.model.folders import MAIL, Folder, FolderChanges, FolderKind, FolderNode, FolderTree, Right, SharedFolder
from postern.model.item_store import FoundItems, ItemChanges, ItemColumns, ItemStore, PropertyName, StoredItem
from postern.model.items import Column, CopyResult, FetchedItems, FlagChange, FlagResult, Index, NewItem
from postern.model.mailbox import KEEP_QUOTA, DisconnectedMailbox, MailboxInfo
from postern.model.mailbox_server import Mailboxes
from postern.model.search import EVERYTHING, SearchResult, SearchTerm, SortKey
from postern.store import (
    delivery,
    disconnected,
    fetching,
    folder_tree,
    folders,
    grants,
    index_build,
    item_reading,
    item_store,
    renewal,
    search,
    transport,
    usage,
    wire,
)
from postern.store import items as item_work
from postern.store.assistants import AssistantDatabase
from postern.store.connection import Connection, Pool
from postern.store.edits import EditDatabase
from postern.store.migrations import migrate
from postern.store.notices import Notices
from postern.store.out_of_office import OutOfOfficeDatabase
from postern.store.transport import Transport

_RENDERED = Column.ENVELOPE | Column.BODYSTRUCTURE | Column.BODY | Column.HEADER
"""The columns that are made by rendering a content."""
REMEMBERED = 7 * 86_400
"""Seconds for which a repeated delivery is recognized: longer than any queue keeps a message."""
RETENTION = 30 * 86_400.0
_SWEEP = 500


class MailboxDatabase(Mailboxes, FolderTree, ItemStore, AssistantDatabase, EditDatabase, OutOfOfficeDatabase):
    """One database of mailboxes. Many processes may open the same one."""

    def __init__(self, conninfo: str, pool: Pool, searches: search.Searches, notices: Notices, language: str) -> None:
        self._conninfo = conninfo
        self._pool = pool
        self._searches = searches
        self._notices = notices
        self._renewal = renewal.Renewal(pool)
        self._names = wire.texts(folder_names(language).values())

    @staticmethod
    async def open(conninfo: str, connections: int = 8, language: str = "en") -> MailboxDatabase:
        """Opens the database, after it brought the schema up to date. This process opens at most `connections` (3 or more), of
        which a quarter and one more are for searches, and two more for notices. Calendar and its like are named in `language`.

        Raises MailboxError("UNAVAILABLE") when the server does not answer, SchemaError when it holds a newer schema.
        """
        connection = await Connection.open(conninfo, "postern-migrate")
        try:
            await migrate(connection)
        finally:
            connection.close()
        searching = max(1, connections // 4)
        searches = search.Searches(conninfo, searching, search.SECONDS)
        pool = Pool(conninfo, max(1, connections - searching - 1), "postern")
        notices = Notices(conninfo, pool)
        await notices.start()
        return MailboxDatabase(conninfo, pool, searches, notices, language)

    async def transport(self) -> Transport:
        """Returns how the database is reached, and how this process authenticated to it."""
        return await transport.transport(self._pool)

    async def octets(self) -> int:
        """Octets that the database takes on disk. Raises MailboxError."""
        return await usage.octets(self._pool)

    async def close(self) -> None:
        await self._notices.close()
        await self._searches.close()
        await self._pool.close()

    async def maintain(self, retention: float | None = RETENTION) -> None:
        """Purges mailboxes that are disconnected for longer than `retention` seconds (None: none of them), frees contents that
        nothing refers to, and forgets old delivery ids. One process should call it every few minutes; it is safe when several
        call it at once."""
        before = int(time.time() - retention) if retention is not None else 0
        await disconnected.purge(self._pool, None, before)
        while await delivery.sweep(self._pool, _SWEEP) == _SWEEP:
            pass
        await delivery.forget_deliveries(self._pool, int(time.time()) - REMEMBERED)

    async def render_anew(self) -> bool:
        """Does the work that the migrations left for later: builds the index of ids, and slowly renders what an older version
        stored. Returns True when all is done, and False at once when another process does it. Readers get right answers
        meanwhile. Raises MailboxError("UNAVAILABLE")."""
        if not await index_build.build(self._pool, self._conninfo):
            return False
        return not await self._renewal.ask() or await renewal.walk(self._conninfo)

    async def waiting_mailboxes(self) -> list[UUID]:
        """All mailboxes with submitted items that no hub has finished."""
        return await delivery.waiting_mailboxes(self._pool)

    async def reconcile(self, find: disconnected.Find) -> None:
        """Disconnects the mailboxes whose owners `find` does not find in the directory, and connects again those that it finds.
        Raises what `find` raises, and IncompleteAnswer where it finds nobody at all."""
        await disconnected.reconcile(self._pool, find, int(time.time()))

    async def disconnect(self, mailbox: UUID, owner: str) -> bool:
        """Disconnects the mailbox of an owner whom the directory has lost; `owner` was the address. Returns whether there was a
        mailbox."""
        return await disconnected.disconnect(self._pool, mailbox, owner, int(time.time()))

    async def disconnected(self) -> list[DisconnectedMailbox]:
        """Returns the disconnected mailboxes, the longest disconnected first."""
        return await disconnected.disconnected(self._pool)

    async def connect(self, mailbox: UUID, heir: UUID) -> None:
        """Gives a disconnected mailbox to `heir`, who may have an empty one. Raises MailboxError: NONEXISTENT, CANNOT."""
        await disconnected.connect(self._pool, mailbox, heir)

    async def purge(self, mailbox: UUID) -> bool:
        """Purges a disconnected mailbox at once. Returns whether there was one."""
        return await disconnected.purge(self._pool, mailbox, int(time.time()) + 1) > 0

    async def logon(self, mailbox: UUID, quota: int = KEEP_QUOTA) -> MailboxInfo:
        return await folders.logon(self._pool, mailbox, quota, self._names)

    async def folders(self, mailbox: UUID) -> list[Folder]:
        return await folders.folders(self._pool, mailbox)

    async def folder(self, mailbox: UUID, folder: int, claim_recent: bool = False) -> Folder:
        return await folders.folder(self._pool, mailbox, folder, claim_recent)

    async def create_folder(self, mailbox: UUID, path: Sequence[str], kind: FolderKind = FolderKind.USER) -> Folder:
        return await folders.create_folder(self._pool, self._notices, mailbox, path, kind)

    async def rename_folder(self, mailbox: UUID, folder: int, path: Sequence[str]) -> None:
        await folders.rename_folder(self._pool, self._notices, mailbox, folder, path)

    async def delete_folder(self, mailbox: UUID, folder: int) -> None:
        await folders.delete_folder(self._pool, self._notices, mailbox, folder)

    async def subscriptions(self, mailbox: UUID) -> list[tuple[str, ...]]:
        return await folders.subscriptions(self._pool, mailbox)

    async def subscribe(self, mailbox: UUID, path: Sequence[str], subscribed: bool) -> None:
        await folders.subscribe(self._pool, mailbox, path, subscribed)

    async def keywords(self, mailbox: UUID, folder: int, names: Sequence[str], create: bool) -> int:
        return await folders.keywords(self._pool, mailbox, folder, names, create)

    async def index(self, mailbox: UUID, folder: int, since: int = 0) -> Index:
        return await item_work.index(self._pool, mailbox, folder, since)

    async def look(self, mailbox: UUID, folder: int, since: int, next_uid: int, claim_recent: bool) -> Index:
        return await item_work.look(self._pool, mailbox, folder, since, next_uid, claim_recent)

    async def first_unseen(self, mailbox: UUID, folder: int) -> int:
        return await folders.first_unseen(self._pool, mailbox, folder)

    async def fetch(
        self,
        mailbox: UUID,
        folder: int,
        uids: Sequence[tuple[int, int]],
        columns: Column,
        changed_since: int = 0,
    ) -> FetchedItems:
        if columns & _RENDERED and self._renewal.pending:
            await self._renewal.of_items(mailbox, folder, uids)
        return await fetching.fetch(self._pool, mailbox, folder, uids, columns, changed_since)

    async def change_flags(
        self,
        mailbox: UUID,
        folder: int,
        uids: Sequence[tuple[int, int]],
        change: FlagChange,
        flags: int,
        unchanged_since: int | None = None,
    ) -> FlagResult:
        """Returns all items that passed the condition, as they stand now. A mod-sequence grows only where a flag changed."""
        return await item_work.change_flags(
            self._pool, self._notices, mailbox, folder, uids, change, flags, unchanged_since
        )

    async def append(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> CopyResult:
        return await item_work.append(self._pool, self._notices, mailbox, folder, items)

    async def copy(
        self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]], target: int, move: bool = False
    ) -> CopyResult:
        return await item_work.copy(self._pool, self._notices, mailbox, folder, uids, target, move)

    async def expunge(self, mailbox: UUID, folder: int, uids: Sequence[tuple[int, int]] | None = None) -> list[int]:
        return await item_work.expunge(self._pool, self._notices, mailbox, folder, uids)

    async def search(self, mailbox: UUID, folder: int, term: SearchTerm, sort: Sequence[SortKey] = ()) -> SearchResult:
        if self._renewal.pending:
            await self._renewal.of_items(mailbox, folder, search.renderings_read(mailbox, folder, term, sort))
        return await search.search(self._searches, mailbox, folder, term, sort)

    async def thread(self, mailbox: UUID, folder: int, term: SearchTerm, algorithm: str) -> bytes:
        if self._renewal.pending:
            await self._renewal.of_items(mailbox, folder, search.within(term))
        return await search.thread(self._searches, mailbox, folder, term, algorithm)

    async def deliver(self, deliveries: Sequence[Delivery]) -> list[list[DeliveryStatus]]:
        return await delivery.deliver(self._pool, self._notices, deliveries)

    async def used(self, mailboxes: Sequence[UUID]) -> list[int]:
        return await delivery.used(self._pool, mailboxes)

    async def submit(self, mailbox: UUID, uid: int) -> None:
        await delivery.submit(self._pool, self._notices, mailbox, uid)

    async def outbox(self, mailbox: UUID) -> list[int]:
        return await delivery.outbox(self._pool, mailbox)

    async def submitted(self, mailbox: UUID, uid: int) -> None:
        await delivery.submitted(self._pool, self._notices, mailbox, uid)

    async def wait(self, mailboxes: dict[UUID, int], timeout: float) -> dict[UUID, int]:
        return await self._notices.wait(mailboxes, timeout)

    async def tree(self, mailbox: UUID) -> list[FolderNode]:
        return await folder_tree.tree(self._pool, mailbox)

    async def create_in(self, mailbox: UUID, parent: int, name: str, folder_class: str = MAIL) -> FolderNode:
        return await folder_tree.create_in(self._pool, self._notices, mailbox, parent, name, folder_class)

    async def move_folder(self, mailbox: UUID, folder: int, parent: int, name: str) -> None:
        await folder_tree.move_folder(self._pool, self._notices, mailbox, folder, parent, name)

    async def folder_changes(self, mailbox: UUID, since: int) -> FolderChanges:
        return await folder_tree.folder_changes(self._pool, mailbox, since)

    async def rights(self, mailbox: UUID, folder: int) -> dict[UUID, Right]:
        return await folder_tree.rights(self._pool, mailbox, folder)

    async def mailbox_rights(self, mailbox: UUID) -> dict[int, dict[UUID, Right]]:
        return await folder_tree.mailbox_rights(self._pool, mailbox)

    async def set_rights(self, mailbox: UUID, folder: int, grantee: UUID, rights: Right | None) -> None:
        await folder_tree.set_rights(self._pool, self._notices, mailbox, folder, grantee, rights)

    async def shared_with(self, grantees: Sequence[UUID]) -> list[SharedFolder]:
        return await folder_tree.shared_with(self._pool, grantees)

    async def full_access(self, mailbox: UUID) -> list[UUID]:
        return await grants.full_access(self._pool, mailbox)

    async def set_full_access(self, mailbox: UUID, grantee: UUID, is_granted: bool) -> None:
        await grants.set_full_access(self._pool, self._notices, mailbox, grantee, is_granted)

    async def accessible(self, grantees: Sequence[UUID]) -> list[UUID]:
        return await grants.accessible(self._pool, grantees)

    async def folder_properties(self, mailbox: UUID, folders: Sequence[int]) -> dict[int, dict[int, bytes]]:
        return await folder_tree.folder_properties(self._pool, mailbox, folders)

    async def set_folder_properties(self, mailbox: UUID, folder: int, values: Mapping[int, bytes | None]) -> None:
        await folder_tree.set_folder_properties(self._pool, self._notices, mailbox, folder, values)

    async def name_folders(self, mailbox: UUID, names: Mapping[FolderKind, str], former: Sequence[str]) -> None:
        await folder_tree.name_folders(self._pool, self._notices, mailbox, names, former)

    async def get(self, mailbox: UUID, ids: Sequence[int], content: bool = False) -> list[StoredItem]:
        return await item_store.get(self._pool, mailbox, ids, content)

    async def columns(self, mailbox: UUID, ids: Sequence[int], columns: Column) -> ItemColumns:
        if self._renewal.pending:
            places: dict[int, list[tuple[int, int]]] = {}
            for item in await item_store.get(self._pool, mailbox, ids, False):
                places.setdefault(item.folder, []).append((item.uid, item.uid))
            for folder, uids in places.items():
                await self._renewal.of_items(mailbox, folder, uids)
        return await item_reading.columns(self._pool, mailbox, ids, columns)

    async def walk(
        self, mailbox: UUID, folder: int, after: int, most: int, columns: Column, until: int = 0
    ) -> ItemColumns:
        if self._renewal.pending:
            there = await item_reading.walk(self._pool, mailbox, folder, after, most, Column(0), until)
            await self._renewal.of_items(mailbox, folder, [(item.uid, item.uid) for item in there.items])
        return await item_reading.walk(self._pool, mailbox, folder, after, most, columns, until)

    async def find(
        self,
        mailbox: UUID,
        folder: int,
        order: Sequence[SortKey],
        offset: int,
        most: int,
        term: SearchTerm = EVERYTHING,
    ) -> FoundItems:
        if self._renewal.pending and item_reading.is_searched(order, term):
            read = search.renderings_read(mailbox, folder, term, order)
            await self._renewal.of_items(mailbox, folder, read)
        return await item_reading.find(self._pool, self._searches, mailbox, folder, order, offset, most, term)

    async def changes(self, mailbox: UUID, folder: int | None, since: int, most: int = 10_000) -> ItemChanges:
        return await item_store.changes(self._pool, mailbox, folder, since, most)

    async def create(self, mailbox: UUID, folder: int, items: Sequence[NewItem]) -> list[int]:
        return await item_store.create(self._pool, self._notices, mailbox, folder, items)

    async def update(
        self, mailbox: UUID, item: int, content: bytes, item_class: str = "", unchanged_since: int | None = None
    ) -> StoredItem:
        return await item_store.update(self._pool, self._notices, mailbox, item, content, item_class, unchanged_since)

    async def delete(self, mailbox: UUID, ids: Sequence[int]) -> list[int]:
        return await item_store.delete(self._pool, self._notices, mailbox, ids)

    async def move_items(self, mailbox: UUID, ids: Sequence[int], target: int) -> list[int]:
        return list(await item_store.place(self._pool, self._notices, mailbox, ids, target, move=True))

    async def copy_items(self, mailbox: UUID, ids: Sequence[int], target: int) -> dict[int, int]:
        return await item_store.place(self._pool, self._notices, mailbox, ids, target, move=False)

    async def properties(self, mailbox: UUID, item: int) -> dict[int, bytes]:
        return await item_store.properties(self._pool, mailbox, item)

    async def bags(self, mailbox: UUID, items: Sequence[int]) -> dict[int, dict[int, bytes]]:
        return await item_store.bags(self._pool, mailbox, items)

    async def set_properties(self, mailbox: UUID, item: int, values: Mapping[int, bytes | None]) -> None:
        await item_store.set_properties(self._pool, self._notices, mailbox, item, values)

    async def property_ids(self, mailbox: UUID, names: Sequence[PropertyName], create: bool = False) -> list[int]:
        return await item_store.property_ids(self._pool, mailbox, names, create)

    async def property_names(self, mailbox: UUID) -> dict[int, PropertyName]:
        return await item_store.property_names(self._pool, mailbox)
