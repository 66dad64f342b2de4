"""What every implementation of ReplyStore must do, beside the other interfaces of the same mailbox.

A test module subclasses OutOfOfficeContract and says how to open one; each test has a new mailbox of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import pytest

from postern.model.delivery import Delivery
from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.out_of_office import MAX_TEXT, OofAudience, OofState, OutOfOffice, ReplyStore
from tests.model import item_store_contract, mailboxes_contract
from tests.model.mailboxes_contract import message, refused

ON = OutOfOffice(OofState.ENABLED, OofAudience.ALL, 0, 0, "Away until Monday", "<p>Auf Reisen \U0001f3d6</p>")
TIMED = OutOfOffice(OofState.SCHEDULED, OofAudience.KNOWN, 100, 200, "a", "b")
FAR = 1 << 40
SENDER, OTHER = b"s" * 16, b"t" * 16


class Store(item_store_contract.Store, ReplyStore, Protocol):
    """All interfaces of mailboxes."""


Opened = Callable[[], AbstractAsyncContextManager[Store]]


@dataclass
class Box(item_store_contract.Box):
    store: Store

    async def awaiting(self) -> list[int]:
        return [each.message for each in await self.store.awaiting_replies(most=100_000) if each.mailbox == self.guid]

    async def receive(self, number: int) -> int:
        """Has a message delivered; returns the last one that waits."""
        await self.deliver(f"hub/{number}", message(str(number)))
        return (await self.awaiting())[-1]

    async def letter(self) -> int:
        outbox = self.kinds[FolderKind.OUTBOX]
        return (await self.store.create(self.guid, outbox, [NewItem(message("answer"))]))[0]


def check(opened: Opened, steps: Callable[[Box], Awaitable[None]]) -> None:
    mailboxes_contract.check(opened, steps, 0, Box)


class OutOfOfficeContract:
    """Subclasses give the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    def test_settings_are_kept(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            assert await box.store.out_of_office(box.guid) == OutOfOffice()
            for settings in (ON, TIMED, ON._replace(state=OofState.DISABLED)):
                await box.store.set_out_of_office(box.guid, settings)
                assert await box.store.out_of_office(box.guid) == settings
            await refused("LIMIT", box.store.set_out_of_office(box.guid, ON._replace(internal="x" * (MAX_TEXT + 1))))

        check(opened, steps)

    def test_a_delivered_message_waits_while_answering_is_on(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.deliver("hub/0", message("before"))
            assert await box.awaiting() == []
            await box.store.set_out_of_office(box.guid, ON)
            await box.append(message("appended"))
            first = await box.receive(1)
            (item,) = await box.store.get(box.guid, [first], content=True)
            assert item.content is not None and item.content.endswith(message("1"))
            twice = Delivery("hub/2", message("2"), (box.guid, box.guid))
            await box.store.deliver([twice, Delivery("hub/1", message("1"), (box.guid,)), twice])
            assert len(await box.awaiting()) == 2
            await box.store.set_out_of_office(box.guid, ON._replace(state=OofState.DISABLED))
            await box.deliver("hub/3", message("after"))
            assert len(await box.awaiting()) == 2
            assert await box.store.finish_reply(box.guid, first)
            assert not await box.store.finish_reply(box.guid, first)
            assert first not in await box.awaiting() and len(await box.awaiting()) == 1

        check(opened, steps)

    def test_a_sender_has_one_answer(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.store.set_out_of_office(box.guid, ON)
            first, second, third = [await box.receive(number) for number in range(3)]
            letters = [await box.letter() for _ in range(3)]
            assert not await box.store.was_answered(box.guid, SENDER)
            assert await box.store.send_reply(box.guid, first, letters[0], SENDER, 1)
            assert await box.store.was_answered(box.guid, SENDER)
            assert not await box.store.send_reply(box.guid, first, letters[1], OTHER, 1), "it waits no more"
            assert not await box.store.send_reply(box.guid, second, letters[1], SENDER, 2), "the sender had one"
            assert await box.awaiting() == [third]
            assert len(await box.store.outbox(box.guid)) == 1
            assert await box.store.send_reply(box.guid, third, letters[2], OTHER, 3)
            assert len(await box.store.outbox(box.guid)) == 2

        check(opened, steps)

    def test_an_answer_is_both_or_none(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.store.set_out_of_office(box.guid, ON)
            first = await box.receive(1)
            await refused("NONEXISTENT", box.store.send_reply(box.guid, first, first, SENDER, 1))
            assert await box.awaiting() == [first]
            assert not await box.store.was_answered(box.guid, SENDER)

        check(opened, steps)

    def test_who_had_an_answer_is_forgotten_when_it_is_switched_on_anew(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            off = ON._replace(state=OofState.DISABLED)
            for number, (settings, forgets) in enumerate(
                [
                    (ON, True),
                    (ON._replace(internal="another text"), False),
                    (off, False),
                    (ON, True),
                    (TIMED._replace(ends=FAR), True),
                    (TIMED._replace(ends=FAR, external="another text"), False),
                    (ON, False),
                    (TIMED._replace(ends=FAR), True),
                    (TIMED, True),
                    (ON, True),
                ]
            ):
                await box.store.set_out_of_office(box.guid, settings)
                assert await box.store.was_answered(box.guid, SENDER) is (not forgets), number
                if forgets:
                    assert await box.store.send_reply(
                        box.guid, await box.receive(number), await box.letter(), SENDER, number
                    )

        check(opened, steps)

    def test_an_answer_does_not_go_to_sent_items(self, opened: Opened) -> None:
        async def steps(box: Box) -> None:
            await box.store.set_out_of_office(box.guid, ON)
            assert await box.store.send_reply(box.guid, await box.receive(1), await box.letter(), SENDER, 1)
            (uid,) = await box.store.outbox(box.guid)
            for _ in range(2):
                await box.store.submitted(box.guid, uid)
                assert await box.store.outbox(box.guid) == []
            for kind in (FolderKind.OUTBOX, FolderKind.SENT):
                assert (await box.folder(box.kinds[kind])).messages == 0

        check(opened, steps)
