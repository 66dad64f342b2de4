"""One wait for many watchers."""

from __future__ import annotations

import asyncio
import uuid

from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.mailbox import MailboxError
from postern.services.access.changes import MailboxChanges
from tests.services.fake_mailboxes import FakeMailboxes


class Counted(FakeMailboxes):
    """Counts waiting calls, and fails the first `failures` of them."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__()
        self.waits: list[set[uuid.UUID]] = []
        self.failures = failures

    async def wait(self, mailboxes: dict[uuid.UUID, int], timeout: float) -> dict[uuid.UUID, int]:
        self.waits.append(set(mailboxes))
        if self.failures:
            self.failures -= 1
            raise MailboxError("UNAVAILABLE", "not now")
        return await super().wait(mailboxes, timeout)


async def touch(store: FakeMailboxes, mailbox: uuid.UUID) -> None:
    inbox = next(folder for folder in await store.folders(mailbox) if folder.kind is FolderKind.INBOX)
    await store.append(mailbox, inbox.id, [NewItem(b"x")])


def test_many_watchers_share_a_call_and_each_is_told() -> None:
    async def run() -> None:
        store = Counted()
        changes = MailboxChanges(store)
        mailboxes = [uuid.uuid4() for _ in range(20)]
        heard: dict[uuid.UUID, asyncio.Event] = {m: asyncio.Event() for m in mailboxes}
        for mailbox in mailboxes:
            info = await store.logon(mailbox)
            changes.watch(mailbox, info.change, heard[mailbox].set)
        async with asyncio.timeout(10):
            for mailbox in mailboxes:
                await touch(store, mailbox)
                await heard[mailbox].wait()
                heard[mailbox].clear()
                await touch(store, mailbox)
                await heard[mailbox].wait()
        assert store.waits[0] == set(mailboxes)
        await changes.close()

    asyncio.run(run())


def test_a_change_before_the_watch_is_told_too() -> None:
    async def run() -> None:
        store, mailbox, heard = Counted(), uuid.uuid4(), asyncio.Event()
        info = await store.logon(mailbox)
        await touch(store, mailbox)
        changes = MailboxChanges(store)
        changes.watch(mailbox, info.change, heard.set)
        async with asyncio.timeout(10):
            await heard.wait()
            # a second watcher with an older number is told from what is known already
            again = asyncio.Event()
            changes.watch(mailbox, info.change, again.set)
            await again.wait()
        await changes.close()

    asyncio.run(run())


def test_who_stopped_watching_hears_nothing() -> None:
    async def run() -> None:
        store, mailbox = Counted(), uuid.uuid4()
        info = await store.logon(mailbox)
        changes = MailboxChanges(store)
        calls: list[str] = []
        heard = asyncio.Event()
        gone = changes.watch(mailbox, info.change, lambda: calls.append("gone"))
        changes.watch(mailbox, info.change, heard.set)
        gone.close()
        gone.close()
        async with asyncio.timeout(10):
            await touch(store, mailbox)
            await heard.wait()
        assert calls == []
        await changes.close()

    asyncio.run(run())


def test_a_server_that_fails_is_asked_again(monkeypatch) -> None:
    monkeypatch.setattr("postern.services.access.changes.RETRY", 0.01)

    async def run() -> None:
        store, mailbox, heard = Counted(failures=2), uuid.uuid4(), asyncio.Event()
        info = await store.logon(mailbox)
        changes = MailboxChanges(store)
        changes.watch(mailbox, info.change, heard.set)
        async with asyncio.timeout(10):
            await touch(store, mailbox)
            await heard.wait()
        assert len(store.waits) == 3
        await changes.close()

    asyncio.run(run())
