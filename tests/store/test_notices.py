"""Waiting for changes: of this process, of another one, and of a mailbox that had changed before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import uuid4

import pytest

from postern.model.items import NewItem
from postern.store.database import MailboxDatabase
from tests.store.conftest import Store, message

pytestmark = pytest.mark.slow


def test_nothing_happens(store: Store) -> None:
    box = store.mailbox()
    change = store.run(store.database.logon(box.guid)).change
    assert store.run(store.database.wait({box.guid: change}, 0.05)) == {}
    assert store.run(store.database.wait({}, 0.05)) == {}
    assert store.run(store.database.wait({uuid4(): 0}, 0.05)) == {}


def test_what_had_changed_before_is_said_at_once(store: Store) -> None:
    box = store.mailbox()
    change = store.run(store.database.logon(box.guid)).change
    assert store.run(store.database.wait({box.guid: change - 1}, 30)) == {box.guid: change}


def _wakes(store: Store, act: Callable[[MailboxDatabase, Awaitable[object]], Awaitable[None]]) -> None:
    box, quiet = store.mailbox(), store.mailbox()

    async def scene() -> None:
        other = await MailboxDatabase.open(store.dsn, connections=2)
        try:
            seen = {guid: (await store.database.logon(guid)).change for guid in (box.guid, quiet.guid)}
            waiting = asyncio.create_task(store.database.wait(seen, 30))
            await asyncio.sleep(0)  # it is registered from its first step on
            assert box.guid in store.database._notices._waiters
            await act(other, other.append(box.guid, box.inbox, [NewItem(message())]))
            assert await waiting == {box.guid: seen[box.guid] + 1}
        finally:
            await other.close()

    store.run(scene())


def test_another_process_changes_a_mailbox(store: Store) -> None:
    async def act(_other: MailboxDatabase, append: Awaitable[object]) -> None:
        await append

    _wakes(store, act)


def test_this_process_changes_a_mailbox(store: Store) -> None:
    box = store.mailbox()

    async def scene() -> None:
        seen = (await store.database.logon(box.guid)).change
        waiters = [asyncio.create_task(store.database.wait({box.guid: seen}, 30)) for _ in range(3)]
        await asyncio.sleep(0)
        await store.database.append(box.guid, box.inbox, [NewItem(message())])
        assert await asyncio.gather(*waiters) == [{box.guid: seen + 1}] * 3
        assert box.guid not in store.database._notices._waiters

    store.run(scene())
