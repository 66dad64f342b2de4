"""A mailbox database and mailboxes in it, driven from ordinary test functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from postern.host.engines.postgres import PrivateCluster
from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.search import SearchTerm
from postern.store.database import MailboxDatabase
from tests.model.mailboxes_contract import message

__all__ = ["message"]

T = TypeVar("T")


@dataclass
class Store:
    """`run` waits for a coroutine on the database's own event loop."""

    database: MailboxDatabase
    loop: asyncio.AbstractEventLoop
    dsn: str

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 60))

    def mailbox(self, quota: int = 0) -> Box:
        guid = uuid4()
        self.run(self.database.logon(guid, quota))
        folders = {folder.kind: folder.id for folder in self.run(self.database.folders(guid))}
        return Box(self, guid, folders)


@dataclass
class Box:
    """One mailbox and the ids of its well-known folders."""

    store: Store
    guid: UUID
    folders: dict[FolderKind, int]

    @property
    def inbox(self) -> int:
        return self.folders[FolderKind.INBOX]

    def append(self, *contents: bytes, folder: int = 0, flags: int = 0, date: int | None = None) -> list[int]:
        items = [NewItem(content, flags, date) for content in contents]
        result = self.store.run(self.store.database.append(self.guid, folder or self.inbox, items))
        return list(result.targets)

    def search(self, key: str, folder: int = 0, **values: Any) -> list[int]:
        term = SearchTerm(key, **values)
        return list(self.store.run(self.store.database.search(self.guid, folder or self.inbox, term)).uids)


@pytest.fixture(scope="module")
def store(postgres_dsn: str) -> Iterator[Store]:
    loop = asyncio.new_event_loop()
    database = loop.run_until_complete(MailboxDatabase.open(postgres_dsn, connections=8))
    yield Store(database, loop, postgres_dsn)
    loop.run_until_complete(database.close())
    loop.close()


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[MailboxDatabase]:
    """A database of its own event loop, with few connections."""
    database = await MailboxDatabase.open(dsn, connections=2)
    try:
        yield database
    finally:
        await database.close()


def fresh(cluster: PrivateCluster) -> str:
    """Names an empty database."""
    name = f"m_{uuid4().hex[:12]}"
    cluster.create_database(name)
    return cluster.conninfo(name)
