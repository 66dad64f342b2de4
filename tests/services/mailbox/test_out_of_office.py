"""The assistant for out-of-office: who is answered, once, by which text, and what a crash leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any, cast
from uuid import UUID

import pytest

from postern.model.delivery import Delivery
from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.items import Column
from postern.model.mailbox import MailboxError
from postern.model.out_of_office import OofAudience, OofState, OutOfOffice
from postern.model.resources import ABSENT
from postern.services.mailbox.calendar_attendant import OwnersDirectory
from postern.services.mailbox.out_of_office import OutOfOfficeAssistant
from tests.services.fake_resource_store import FakeResourceStore
from tests.services.mailbox.attended import ANN, BOB, CAROL, NAMES, NOW, Crash, Crashing, People

ON = OutOfOffice(OofState.ENABLED, OofAudience.ALL, 0, 0, "for colleagues", "for others")


@dataclass
class Away:
    """Bob is away; others write to him."""

    store: FakeResourceStore = field(default_factory=FakeResourceStore)
    people: People = field(default_factory=People)
    now: float = NOW
    number: int = 0

    @property
    def bob(self) -> UUID:
        return self.people.guids[BOB]

    async def set(self, settings: OutOfOffice) -> None:
        await self.store.logon(self.bob)
        await self.store.set_out_of_office(self.bob, settings)

    async def write(self, sender: str = ANN, more: str = "", path: str | None = None, trace: str = "") -> None:
        self.number += 1
        header = f"From: {sender}\r\nTo: {BOB}\r\nSubject: Lunch\r\nMessage-ID: <{self.number}@x.test>\r\n"
        content = f"{trace}{header}{more}\r\nx\r\n"
        reverse = sender if path is None else path
        await self.store.deliver([Delivery(f"hub/{self.number}", content.encode(), (self.bob,), reverse)])

    async def attend(self, store: Any = None) -> None:
        directory = cast(OwnersDirectory, self.people)
        await OutOfOfficeAssistant(store or self.store, directory, lambda: NAMES, lambda: self.now).attend()

    async def answers(self) -> list[tuple[str, str]]:
        """The recipients and texts of what is submitted, in the order of sending."""
        outbox = next(f.id for f in await self.store.folders(self.bob) if f.kind is FolderKind.OUTBOX)
        uids = await self.store.outbox(self.bob)
        ranges = [(uid, uid) for uid in uids]
        contents = (await self.store.fetch(self.bob, outbox, ranges, Column.CONTENT)).contents if uids else []
        messages = [message_from_bytes(content, policy=policy.default) for content in contents]
        return [(message["To"], message.get_content()) for message in messages]

    async def in_outbox(self) -> int:
        folders = await self.store.folders(self.bob)
        return next(folder.messages for folder in folders if folder.kind is FolderKind.OUTBOX)


def check(steps: Callable[[Away], Awaitable[None]]) -> None:
    asyncio.run(cast(Any, steps(Away())))


def test_each_sender_is_answered_once_by_the_text_for_him() -> None:
    async def steps(away: Away) -> None:
        await away.set(ON)
        for sender in (ANN, CAROL, ANN, CAROL.upper()):
            await away.write(sender)
        await away.attend()
        await away.write(ANN)
        await away.attend()
        assert await away.answers() == [(ANN, "for others"), (CAROL, "for colleagues")]
        assert not await away.store.awaiting_replies() and await away.in_outbox() == 2
        await away.set(ON._replace(state=OofState.DISABLED))
        await away.write(ANN)
        await away.set(ON._replace(external="another"))
        await away.write(ANN)
        await away.attend()
        assert (await away.answers())[2:] == [(ANN, "another")]

    check(steps)


def test_programs_and_lists_are_not_answered() -> None:
    async def steps(away: Away) -> None:
        await away.set(ON)
        await away.write(path="")
        await away.write(more="Auto-Submitted: auto-replied\r\n")
        await away.write(more="List-Id: <x>\r\n")
        await away.write(BOB)
        await away.attend()
        assert await away.answers() == [] and not await away.store.awaiting_replies()

    check(steps)


def test_nobody_is_answered_in_whose_name_another_wrote() -> None:
    received = "Received: from x ([192.0.2.9])\r\n\tby hub1.corp.test (Postern) with ESMTPS;\r\n\tnow\r\n"
    results = received + "Authentication-Results: hub1.corp.test; spf={} smtp.mailfrom={}; dkim={}\r\n"

    async def steps(away: Away) -> None:
        await away.set(ON)
        await away.write("a@away.test", trace=results.format("fail", "a@away.test", "none"))
        await away.write("b@away.test", trace=results.format("fail", "b@away.test", "pass header.d=away.test"))
        await away.write("c@away.test", trace=results.format("none", "c@away.test", "none"))
        # Nobody else's results count.
        await away.write("d@away.test", trace=results.format("fail", "d@away.test", "none").replace("hub1.corp", "x"))
        await away.attend()
        assert [to for to, _ in await away.answers()] == ["b@away.test", "c@away.test", "d@away.test"]

    check(steps)


def test_the_audience_says_who_outside_is_answered() -> None:
    async def steps(away: Away) -> None:
        for audience, answered in ((OofAudience.NONE, False), (OofAudience.KNOWN, False), (OofAudience.ALL, True)):
            await away.set(ON._replace(state=OofState.DISABLED))
            await away.set(ON._replace(audience=audience))
            await away.write()
            await away.attend()
            assert bool(await away.answers()) is answered
        contacts = next(node.id for node in await away.store.tree(away.bob) if node.kind is FolderKind.CONTACTS)
        rendered = RenderedItem(addresses=("eve@away.test",))
        await away.store.put(away.bob, contacts, "eve.vcf", b"BEGIN:VCARD", "IPM.Contact", rendered, ABSENT)
        await away.set(ON._replace(audience=OofAudience.KNOWN))
        await away.write("Eve@away.test")
        await away.write("dave@away.test")
        await away.attend()
        assert [to for to, _ in await away.answers()] == [ANN, "Eve@away.test"]
        await away.set(ON._replace(internal="  "))
        await away.write(CAROL)
        await away.attend()
        assert len(await away.answers()) == 2

    check(steps)


def test_a_schedule_begins_and_ends() -> None:
    async def steps(away: Away) -> None:
        start = int(NOW)
        await away.set(ON._replace(state=OofState.SCHEDULED, starts=start, ends=start + 100))
        for now, count in ((start - 1, 0), (start, 1), (start + 99, 2), (start + 100, 2)):
            away.now = now
            await away.write(f"x{now}@away.test")
            await away.attend()
            assert len(await away.answers()) == count

    check(steps)


def test_a_contact_of_the_organization_is_outside_of_it() -> None:
    async def steps(away: Away) -> None:
        away.people.add("partner@other.test")
        away.people.contacts.add("partner@other.test")
        await away.set(ON)
        await away.write("partner@other.test")
        await away.attend()
        assert await away.answers() == [("partner@other.test", "for others")]

    check(steps)


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_each_step_answers_once(after: bool) -> None:
    async def steps(away: Away) -> None:
        await away.set(ON)
        for at in range(1, 30):
            await away.write(f"x{at}@away.test")
            crashed = False
            try:
                await away.attend(Crashing(cast(Any, away.store), at, after))
            except Crash:
                crashed = True
            await away.attend()
            assert [to for to, _ in await away.answers()] == [f"x{each}@away.test" for each in range(1, at + 1)]
            assert not await away.store.awaiting_replies()
            if not crashed:
                return
        raise AssertionError("it crashes at each step")

    check(steps)


def test_two_assistants_at_once_answer_once() -> None:
    async def steps(away: Away) -> None:
        await away.set(ON)
        for number in range(5):
            await away.write(f"x{number}@away.test")
        await asyncio.gather(away.attend(), away.attend())
        assert len(await away.answers()) == 5
        assert await away.in_outbox() == 5

    check(steps)


def test_what_fails_twice_is_set_aside() -> None:
    class Failing:
        def __init__(self, store: FakeResourceStore) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            if name == "with_addresses":
                raise RuntimeError("no")
            return getattr(self._store, name)

    async def steps(away: Away) -> None:
        await away.set(ON._replace(audience=OofAudience.KNOWN))
        await away.write()
        for _ in range(3):
            await away.attend(Failing(away.store))
        assert not await away.store.awaiting_replies() and await away.answers() == []
        away.store.unavailable = True
        with pytest.raises(MailboxError):
            await away.attend()

    check(steps)
