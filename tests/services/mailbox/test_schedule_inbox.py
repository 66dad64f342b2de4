"""The schedule inbox of CalDAV has the messages that changed the calendar (RFC 6638 section 2.2)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject
from postern.items.stored import values_of
from postern.model.item_store import RenderedItem
from postern.services.mailbox import schedule_inbox
from postern.services.mailbox.schedule_inbox import INBOX_CLASS, keep
from tests.services.fake_resource_store import FakeResourceStore


def _message(uid: str = "m1") -> CalendarObject:
    lines = ("BEGIN:VCALENDAR", "METHOD:REQUEST", "BEGIN:VEVENT", f"UID:{uid}", "DTSTART:20300101T120000Z")
    alarm = ("BEGIN:VALARM", "TRIGGER:-PT5M", "END:VALARM", "END:VEVENT", "END:VCALENDAR", "")
    read = calendar_object.read("\r\n".join((*lines, *alarm)).encode())
    assert isinstance(read, CalendarObject)
    return read


def work(steps: Callable[[FakeResourceStore, UUID], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        store, mailbox = FakeResourceStore(), uuid4()
        await store.logon(mailbox)
        await steps(store, mailbox)

    asyncio.run(all_steps())


def test_a_mailbox_without_one_gets_none() -> None:
    async def steps(store: FakeResourceStore, mailbox: UUID) -> None:
        before = await store.tree(mailbox)
        await keep(store, "key", mailbox, 1, _message(), 0)
        assert await store.tree(mailbox) == before

    work(steps)


def test_a_message_is_there_once_and_rings_never() -> None:
    async def steps(store: FakeResourceStore, mailbox: UUID) -> None:
        inbox = await store.create_in(mailbox, 0, "Inbox of meetings", INBOX_CLASS)
        for _ in range(2):
            await keep(store, "key", mailbox, 7, _message(), 0)
        await keep(store, "key", mailbox, 8, _message(), 0)
        there = await store.resources(mailbox, inbox.id)
        assert list(there.names) == ["7.ics", "8.ics"] and list(there.uids) == ["m1", "m1"]
        (first,) = await store.named(mailbox, inbox.id, ["7.ics"], content=True)
        assert first.content == _message().root.octets()
        assert await store.reminders(1 << 40) == []

    work(steps)


def test_a_message_of_many_parts_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers write it, so it is worked on in a thread, as on its way into the calendar."""
    threads: list[int] = []

    def rendered(*arguments: Any) -> RenderedItem:
        threads.append(threading.get_ident())
        return values_of(*arguments)

    monkeypatch.setattr(schedule_inbox, "values_of", rendered)

    async def steps(store: FakeResourceStore, mailbox: UUID) -> None:
        await store.create_in(mailbox, 0, "Inbox of meetings", INBOX_CLASS)
        await keep(store, "key", mailbox, 7, _message(), 0)
        assert len(threads) == 1 and threads[0] != threading.get_ident()

    work(steps)


def test_a_full_mailbox_has_no_message_and_goes_on() -> None:
    async def steps(store: FakeResourceStore, mailbox: UUID) -> None:
        inbox = await store.create_in(mailbox, 0, "Inbox of meetings", INBOX_CLASS)
        await store.logon(mailbox, 1)
        await keep(store, "key", mailbox, 7, _message(), 0)
        assert len(await store.resources(mailbox, inbox.id)) == 0

    work(steps)


def test_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_inbox, "MAX_KEPT", 3)

    async def steps(store: FakeResourceStore, mailbox: UUID) -> None:
        inbox = await store.create_in(mailbox, 0, "Inbox of meetings", INBOX_CLASS)
        for number in (100, 20, 3, 9, 50):
            await keep(store, "key", mailbox, number, _message(), 0)
        assert sorted((await store.resources(mailbox, inbox.id)).names) == ["3.ics", "50.ics", "9.ics"]

    work(steps)
