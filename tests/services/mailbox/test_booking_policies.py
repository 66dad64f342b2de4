"""The policies of rooms, kept with their calendars."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from postern.items.booking import Policy
from postern.model.folders import FolderKind
from postern.model.mailbox import MailboxError
from postern.services.mailbox.booking_policies import BookingPolicies
from postern.services.mailbox.speakers import Left
from tests.services.fake_resource_store import FakeResourceStore
from tests.transport.world import user

OURS = Policy(
    bookers=None, requesters=frozenset({"a@x.test"}), window_days=30, series=False, response="열쇠 at the desk"
)


def test_a_policy_is_kept_and_taken_back() -> None:
    async def work() -> None:
        store, room, other = FakeResourceStore(), user("room"), uuid4()
        policies = BookingPolicies(store)
        for mailbox in (room.guid, other):
            await store.logon(mailbox)
        assert await policies.of(room) == Policy()
        await policies.write(room.guid, OURS)
        assert await policies.of(room) == await policies.read(room.guid) == OURS
        assert await policies.read(other) == Policy()
        await policies.write(room.guid, Policy())
        assert await policies.of(room) == Policy()
        calendar = next(node.id for node in await store.tree(room.guid) if node.kind is FolderKind.CALENDAR)
        assert await store.folder_properties(room.guid, [calendar]) == {calendar: {}}

    asyncio.run(work())


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"colour": "blue"}', '{"window_days": -1}'])
def test_a_policy_that_cannot_be_read_books_nothing(kept: str) -> None:
    async def work() -> None:
        store, room = FakeResourceStore(), user("room")
        policies = BookingPolicies(store)
        await store.logon(room.guid)
        await policies.write(room.guid, OURS)
        calendar = next(node.id for node in await store.tree(room.guid) if node.kind is FolderKind.CALENDAR)
        (tag,) = (await store.folder_properties(room.guid, [calendar]))[calendar]
        await store.set_folder_properties(room.guid, calendar, {tag: f"{kept}\0".encode("utf-16-le")})
        with pytest.raises(Left, match="cannot be read"):
            await policies.of(room)

    asyncio.run(work())


def test_a_mailbox_that_was_never_opened() -> None:
    async def work() -> None:
        policies = BookingPolicies(FakeResourceStore())
        for attempt in (policies.read(uuid4()), policies.write(uuid4(), OURS)):
            with pytest.raises(MailboxError):
                await attempt

    asyncio.run(work())
