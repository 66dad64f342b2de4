"""What every implementation of AssistantStore must do, beside the other interfaces of the same mailbox.

A test module subclasses AssistantStoreContract and says how to open one; each test has a new mailbox of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import pytest

from postern.model.assistants import AssistantStore, WaitingMeeting
from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.resources import ABSENT, Put, content_tag
from tests.model import mailboxes_contract, resource_store_contract
from tests.model.item_store_contract import APPOINTMENT
from tests.model.mailboxes_contract import message, refused
from tests.model.resource_store_contract import event

INVITATION = (
    b"From: a@x.test\r\nSubject: meeting\r\nContent-Type: Text/Calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n"
)


class Store(resource_store_contract.Store, AssistantStore, Protocol):
    """All interfaces of mailboxes."""


Opened = Callable[[], AbstractAsyncContextManager[Store]]


@dataclass
class Box(resource_store_contract.Box):
    store: Store

    async def deliver_meeting(self, number: int) -> int:
        """Delivers a message with a meeting; returns the id of its item."""
        content = b"X-Number: %d\r\n" % number + INVITATION
        (delivered,) = await self.store.deliver([Delivery(f"hub/{number}", content, (self.guid,))])
        assert delivered == [DeliveryStatus.DELIVERED]
        waiting = await self.store.waiting_meetings(self.guid)
        assert waiting[-1].mailbox == self.guid
        return waiting[-1].message

    async def land(self, number: int, name: str = "a.ics", expected: bytes = ABSENT, uid: str = "u1") -> Put:
        rendered = RenderedItem(uid=uid)
        calendar = next(node.id for node in await self.store.tree(self.guid) if node.kind is FolderKind.CALENDAR)
        return await self.store.land_meeting(
            self.guid, number, calendar, name, event(uid, str(number)), APPOINTMENT, rendered, expected
        )

    async def waiting(self) -> list[int]:
        return [waiting.message for waiting in await self.store.waiting_meetings(self.guid)]


def check(opened: Opened, steps: Callable[[Box], Awaitable[None]]) -> None:
    mailboxes_contract.check(opened, steps, 0, Box)


class AssistantStoreContract:
    """Subclasses give the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    def test_a_delivered_meeting_waits_and_other_mail_does_not(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            plain = Delivery("hub/0", message("a"), (box.guid,))
            meeting = Delivery("hub/1", INVITATION, (box.guid,))
            await box.store.deliver([plain, meeting, plain, meeting])
            (waiting,) = await box.store.waiting_meetings(box.guid)
            (item,) = await box.store.get(box.guid, [waiting.message], content=True)
            assert item.content is not None and item.content.endswith(INVITATION)
            assert WaitingMeeting(box.guid, waiting.message) in await box.store.waiting_meetings(most=100_000)

        check(opened, steps)

    def test_pages_are_in_the_order_of_arrival(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            numbers = [await box.deliver_meeting(number) for number in range(3)]
            assert numbers == sorted(numbers) == await box.waiting()
            (first,) = await box.store.waiting_meetings(box.guid, most=1)
            assert first.message == numbers[0]
            rest = await box.store.waiting_meetings(box.guid, after=numbers[0])
            assert [waiting.message for waiting in rest] == numbers[1:]

        check(opened, steps)

    def test_what_is_finished_waits_no_more(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            number = await box.deliver_meeting(1)
            assert await box.store.finish_meeting(box.guid, number)
            assert not await box.store.finish_meeting(box.guid, number)
            assert await box.waiting() == []

        check(opened, steps)

    def test_the_first_promise_holds(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            number = await box.deliver_meeting(1)
            assert await box.store.promise(box.guid, number) is None
            assert await box.store.promise(box.guid, number, 7) == 7
            assert await box.store.promise(box.guid, number, 8) == 7
            assert await box.store.promise(box.guid, number) == 7
            await box.store.finish_meeting(box.guid, number)
            assert await box.store.promise(box.guid, number, 9) is None

        check(opened, steps)

    def test_a_meeting_lands_once(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            number = await box.deliver_meeting(1)
            put = await box.land(number)
            assert put.is_new and put.tag == content_tag(event("u1", str(number)))
            assert await box.waiting() == []
            await refused("NONEXISTENT", box.land(number, expected=put.tag))
            (landed,) = await box.store.with_uids(box.guid, None, ["u1"])
            assert (landed.id, landed.tag) == (put.id, put.tag)

        check(opened, steps)

    def test_a_meeting_that_cannot_land_waits_on(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.land(await box.deliver_meeting(1))
            number = await box.deliver_meeting(2)
            await refused("MODIFIED", box.land(number))
            await refused("UIDEXISTS", box.land(number, "b.ics"))
            assert await box.waiting() == [number]
            assert (await box.land(number, "b.ics", uid="u2")).is_new
            assert await box.waiting() == []

        check(opened, steps)

    def test_a_message_that_was_removed_still_waits(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            number = await box.deliver_meeting(1)
            await box.store.delete(box.guid, [number])
            assert await box.waiting() == [number]
            assert await box.store.finish_meeting(box.guid, number)

        check(opened, steps)
