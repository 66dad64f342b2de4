"""What somebody makes in another's folder knows its maker from the moment in which it is there.

covers: guarded
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest

from postern.items.property_values import encoded
from postern.model.edits import Beside
from postern.model.folders import FolderKind, Right
from postern.model.item_store import RenderedItem
from postern.model.items import Flag, NewItem
from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT, PRESENT, NewResource
from postern.services.access.guarded import MAKER, MAKER_TAG, GuardedItems
from postern.services.access.guarded_reading import AccessDenied
from tests.services.fake_resource_store import FakeResourceStore

OWNER, CALLER, OTHER = uuid4(), uuid4(), uuid4()
CLASS = "IPM.Appointment"


def made_by(who: UUID) -> dict[int, bytes]:
    return {MAKER_TAG: encoded(MAKER.type, who.bytes)}


@dataclass
class Shared:
    """A calendar, as its owner has it (`store`), and as an author has it who changes his own items (`guarded`)."""

    store: FakeResourceStore
    guarded: GuardedItems
    folder: int

    async def put(self, name: str, expected: bytes | None = None, content: bytes = b"x") -> int:
        values = RenderedItem()
        return (await self.guarded.put(OWNER, self.folder, name, content, CLASS, values, expected)).id


def work(steps: Callable[[Shared], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        store = FakeResourceStore()
        await store.logon(OWNER)
        folder = next(node.id for node in await store.tree(OWNER) if node.kind is FolderKind.CALENDAR)
        rights = Right.CREATE | Right.READ_ANY | Right.EDIT_OWNED | Right.DELETE_OWNED
        await steps(Shared(store, GuardedItems(store, lambda folder: rights, CALLER), folder))

    asyncio.run(all_steps())


def test_new_items_know_their_maker_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(it: Shared) -> None:
        async def nothing_else(*change: object) -> None:
            raise MailboxError("UNAVAILABLE", "The machine has failed")

        monkeypatch.setattr(it.store, "set_properties", nothing_else)
        guarded, forged = it.guarded, {5: b"x", **made_by(OTHER)}
        ids = [
            await it.put("a.ics"),
            *await guarded.create(OWNER, it.folder, [NewItem(b"a"), NewItem(b"b")]),
            *await guarded.add(OWNER, it.folder, [NewResource(b"x", CLASS)]),
        ]
        assert await it.store.bags(OWNER, ids) == {number: made_by(CALLER) for number in ids}
        ids = [
            *await guarded.create_with(OWNER, it.folder, [NewItem(b"a")], forged),
            *await guarded.add_with(OWNER, it.folder, [NewResource(b"x", CLASS)], forged),
        ]
        assert await it.store.bags(OWNER, ids) == {number: {5: b"x", **made_by(CALLER)} for number in ids}

    work(steps)


def test_nobody_edits_what_another_made_or_says_who_made_it() -> None:
    async def steps(it: Shared) -> None:
        (mine,) = await it.guarded.create(OWNER, it.folder, [NewItem(b"a")])
        (theirs,) = await it.store.create_with(OWNER, it.folder, [NewItem(b"b")], made_by(OTHER))
        forged = Beside(Flag.FLAGGED, {5: b"x", **made_by(OTHER)})
        await it.guarded.edit(OWNER, mine, forged, b"c")
        (stored,) = await it.store.get(OWNER, [mine], True)
        assert (stored.content, stored.flags) == (b"c", Flag.FLAGGED)
        for content in (None, b"c"):
            with pytest.raises(AccessDenied):
                await it.guarded.edit(OWNER, theirs, forged, content)
        assert await it.store.bags(OWNER, [mine, theirs]) == {
            mine: {5: b"x", **made_by(CALLER)},
            theirs: made_by(OTHER),
        }

    work(steps)


def test_what_came_meanwhile_is_not_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else puts an item of this name, between the look at the right to it and the put."""

    async def steps(it: Shared) -> None:
        put_with = it.store.put_with

        async def late(*change: object) -> object:
            monkeypatch.setattr(it.store, "put_with", put_with)
            await it.store.put(OWNER, it.folder, "a.ics", b"theirs", CLASS, RenderedItem())
            return await put_with(*change)  # type: ignore[arg-type]  # as they came

        for expected in (None, ABSENT, PRESENT):
            monkeypatch.setattr(it.store, "put_with", late)
            with pytest.raises(MailboxError, match="another"):
                await it.put("a.ics", expected)
            for there in await it.store.named(OWNER, it.folder, ["a.ics"], True):
                assert there.content == b"theirs" and await it.store.properties(OWNER, there.id) == {}
                await it.store.remove(OWNER, it.folder, "a.ics")

    work(steps)


def test_a_put_over_ones_own_item_keeps_its_maker() -> None:
    async def steps(it: Shared) -> None:
        number = await it.put("a.ics")
        for expected in (None, PRESENT):
            assert await it.put("a.ics", expected, b"y") == number
        with pytest.raises(MailboxError):
            await it.put("a.ics", ABSENT)
        assert await it.store.properties(OWNER, number) == made_by(CALLER)

    work(steps)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "LIMIT"])
def test_copies_that_are_made_are_no_failure_where_their_maker_cannot_be_kept(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def steps(it: Shared) -> None:
        async def refused(*change: object) -> None:
            raise MailboxError(code, "The store is away, or the bag is full")

        ids = await it.guarded.create(OWNER, it.folder, [NewItem(b"a"), NewItem(b"b")])
        monkeypatch.setattr(it.store, "set_properties", refused)
        copies = await it.guarded.copy_items(OWNER, ids, it.folder)
        assert len(copies) == len(ids)
        # An error would have whoever asks again make them twice.
        assert copies.keys() == set(ids) and len(it.store._folder(OWNER, it.folder).items) == 4

    work(steps)
