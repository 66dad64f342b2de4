"""Rights in others' mailboxes, judged over the fake store. covers: grantees"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID, uuid4

import pytest

from postern.model.address_book import AddressBookEntry
from postern.model.directory import DirectoryUnavailable, Recipient, RecipientType
from postern.model.folders import EVERYBODY, FolderKind, Right
from postern.model.mailbox import MailboxError
from postern.model.sharing import EVERY_RIGHT, FREE_BUSY, ROLES, role_of
from postern.services.access.sharing import GROUPS_SECONDS, RIGHTS_SECONDS, SHARED_SECONDS, Sharing
from tests.services.fake_item_store import FakeItemStore
from tests.transport.world import FakeDirectory, group, user


class FakeSharingDirectory(FakeDirectory):
    """`groups` are the groups of an entry; `questions` counts what was asked about groups."""

    def __init__(self, *recipients: Recipient) -> None:
        super().__init__(*recipients)
        self.groups: dict[UUID, tuple[UUID, ...]] = {}
        self.questions = 0
        self.hidden: set[UUID] = set()

    async def groups_of(self, guid: UUID) -> tuple[UUID, ...]:
        self.questions += 1
        await asyncio.sleep(0)
        if self.down:
            raise DirectoryUnavailable("nobody is there")
        return self.groups.get(guid, ())

    async def address_book_entries(self, guids: Sequence[UUID]) -> dict[UUID, AddressBookEntry]:
        return {
            r.guid: AddressBookEntry(r.guid, r.type, r.display_name, r.addresses)
            for r in self.entries.values()
            if r.guid in guids and r.guid not in self.hidden
        }

    async def mailbox_owners(self, guids: Sequence[UUID]) -> dict[UUID, str]:
        return {r.guid: r.primary for r in self.entries.values() if r.guid in guids}


class World:
    """Two servers: Alice, whose delegates Bob is among, and the room are on the first, Bob and Carol on the second."""

    def __init__(self) -> None:
        self.alice = user("alice", database="db1", delegates=("bob@example.test", "team@example.test"))
        self.bob, self.carol = user("bob", database="db2"), user("carol", database="db2")
        self.room = user("room", database="db1", type=RecipientType.ROOM)
        self.team = group("team")
        self.directory = FakeSharingDirectory(self.alice, self.bob, self.carol, self.room, self.team)
        self.stores = {"db1": FakeItemStore(), "db2": FakeItemStore()}
        self.now = 0.0
        self.sharing = Sharing(
            self.directory, self.stores.get, lambda: list(self.stores.values()), clock=lambda: self.now
        )

    async def folder(self, owner: Recipient, kind: FolderKind) -> int:
        store = self.stores[owner.database]
        await store.logon(owner.guid)
        return next(node.id for node in await store.tree(owner.guid) if node.kind is kind)

    async def of(self, who: Recipient, owner: Recipient, kind: FolderKind) -> Right:
        rights = await self.sharing.rights(who.guid, owner)
        return rights.in_folder(await self.folder(owner, kind), kind)


def run(steps: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        await steps(World())

    asyncio.run(main())


def test_the_owner_may_do_everything_and_others_see_when_he_is_busy() -> None:
    async def steps(world: World) -> None:
        for kind in (FolderKind.INBOX, FolderKind.CALENDAR, FolderKind.CONTACTS):
            assert await world.of(world.alice, world.alice, kind) == EVERY_RIGHT
        assert await world.of(world.bob, world.alice, FolderKind.CALENDAR) == Right.FREE_BUSY_SIMPLE
        assert await world.of(world.bob, world.alice, FolderKind.INBOX) == Right(0)
        rights = await world.sharing.rights(None, world.alice)
        assert rights.in_folder(await world.folder(world.alice, FolderKind.CALENDAR), FolderKind.CALENDAR) == Right(0)
        assert not (await world.sharing.rights(world.bob.guid, world.alice)).is_any

    run(steps)


def test_an_entry_for_everybody_takes_the_place_of_the_default() -> None:
    async def steps(world: World) -> None:
        calendar = await world.folder(world.alice, FolderKind.CALENDAR)
        await world.sharing.set_rights(world.alice, calendar, EVERYBODY, Right(0))
        assert await world.of(world.bob, world.alice, FolderKind.CALENDAR) == Right(0)
        await world.sharing.set_rights(world.alice, calendar, EVERYBODY, ROLES["reviewer"])
        assert await world.of(world.bob, world.alice, FolderKind.CALENDAR) == ROLES["reviewer"]
        await world.sharing.set_rights(world.alice, calendar, world.bob.guid, Right(0))
        assert await world.of(world.bob, world.alice, FolderKind.CALENDAR) == Right(0)
        assert await world.of(world.carol, world.alice, FolderKind.CALENDAR) == ROLES["reviewer"]

    run(steps)


def test_groups_grant_together_and_reading_tells_free_and_busy() -> None:
    async def steps(world: World) -> None:
        other = uuid4()
        world.directory.groups[world.bob.guid] = (world.team.guid, other)
        inbox = await world.folder(world.alice, FolderKind.INBOX)
        await world.sharing.set_rights(world.alice, inbox, world.team.guid, Right.READ_ANY)
        await world.sharing.set_rights(world.alice, inbox, other, Right.CREATE)
        assert await world.of(world.bob, world.alice, FolderKind.INBOX) == Right.READ_ANY | Right.CREATE | FREE_BUSY
        assert await world.of(world.carol, world.alice, FolderKind.INBOX) == Right(0)
        assert (await world.sharing.rights(world.bob.guid, world.alice)).is_any

    run(steps)


def test_full_access_by_a_group() -> None:
    async def steps(world: World) -> None:
        await world.folder(world.alice, FolderKind.INBOX)
        world.directory.groups[world.bob.guid] = (world.team.guid,)
        await world.sharing.set_full_access(world.alice, world.team.guid, True)
        assert await world.of(world.bob, world.alice, FolderKind.INBOX) == EVERY_RIGHT
        assert await world.of(world.carol, world.alice, FolderKind.INBOX) == Right(0)
        await world.sharing.set_full_access(world.alice, world.team.guid, False)
        assert await world.of(world.bob, world.alice, FolderKind.INBOX) == Right(0)

    run(steps)


def test_rights_are_asked_again_after_seconds() -> None:
    async def steps(world: World) -> None:
        inbox, store = await world.folder(world.alice, FolderKind.INBOX), world.stores["db1"]
        assert await world.of(world.bob, world.alice, FolderKind.INBOX) == Right(0)
        await store.set_rights(world.alice.guid, inbox, world.bob.guid, ROLES["editor"])
        assert await world.of(world.bob, world.alice, FolderKind.INBOX) == Right(0)
        world.now += RIGHTS_SECONDS
        assert await world.of(world.bob, world.alice, FolderKind.INBOX) == ROLES["editor"]
        await store.set_rights(world.alice.guid, inbox, world.bob.guid, None)
        world.now += RIGHTS_SECONDS
        assert await world.of(world.bob, world.alice, FolderKind.INBOX) == Right(0)
        assert world.directory.questions == 1
        world.now += GROUPS_SECONDS
        await world.of(world.bob, world.alice, FolderKind.INBOX)
        assert world.directory.questions == 2

    run(steps)


def test_what_fails_is_not_remembered() -> None:
    async def steps(world: World) -> None:
        world.directory.down = 2
        with pytest.raises(DirectoryUnavailable):
            await world.sharing.grantees(world.bob.guid)
        world.directory.down = 0
        assert (
            await asyncio.gather(*(world.sharing.grantees(world.bob.guid) for _ in range(5))) == [(world.bob.guid,)] * 5
        )
        assert world.directory.questions == 2
        with pytest.raises(MailboxError, match="unknown"):
            await world.sharing.rights(world.bob.guid, user("lost", database="db9"))

    run(steps)


def test_a_mailbox_that_was_never_opened_has_the_defaults() -> None:
    async def steps(world: World) -> None:
        rights = await world.sharing.rights(world.bob.guid, world.alice)
        assert rights.in_folder(7) == Right(0)
        assert rights.in_folder(8, FolderKind.CALENDAR) == Right.FREE_BUSY_SIMPLE

    run(steps)


def test_what_is_shared_over_all_databases() -> None:
    async def steps(world: World) -> None:
        world.directory.groups[world.bob.guid] = (world.team.guid,)
        sharing, bob = world.sharing, world.bob.guid
        inbox = await world.folder(world.alice, FolderKind.INBOX)
        calendar = await world.folder(world.alice, FolderKind.CALENDAR)
        tasks = await world.folder(world.alice, FolderKind.TASKS)
        contacts = await world.folder(world.carol, FolderKind.CONTACTS)
        own = await world.folder(world.bob, FolderKind.CALENDAR)
        in_room = await world.folder(world.room, FolderKind.CALENDAR)
        assert await sharing.shared(bob) == ((), ())
        await sharing.set_rights(world.alice, inbox, bob, ROLES["reviewer"])
        await sharing.set_rights(world.alice, calendar, world.team.guid, ROLES["editor"])
        await sharing.set_rights(world.alice, tasks, bob, ROLES["free-busy"])
        await sharing.set_rights(world.carol, contacts, EVERYBODY, ROLES["reviewer"])
        await sharing.set_rights(world.bob, own, EVERYBODY, ROLES["reviewer"])
        await sharing.set_rights(world.room, in_room, EVERYBODY, ROLES["reviewer"])
        await sharing.set_full_access(world.room, bob, True)
        shares = await sharing.shared(bob)
        assert [(each.owner, each.folder.id, role_of(each.rights)) for each in shares.folders] == [
            ("alice@example.test", inbox, "reviewer"),
            ("alice@example.test", calendar, "editor"),
            ("carol@example.test", contacts, "reviewer"),
        ]
        assert shares.mailboxes == (("room@example.test", world.room.guid),)
        # The user's own entry counts before that of EVERYBODY.
        await sharing.set_rights(world.carol, contacts, bob, ROLES["none"])
        assert [each.folder.id for each in (await sharing.shared(bob)).folders] == [inbox, calendar]
        await world.stores["db1"].set_rights(world.alice.guid, inbox, bob, None)
        assert len((await sharing.shared(bob)).folders) == 2
        world.now += SHARED_SECONDS
        assert [each.folder.id for each in (await sharing.shared(bob)).folders] == [calendar]

    run(steps)


def test_a_server_that_is_away_hides_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(world: World) -> None:
        inbox = await world.folder(world.alice, FolderKind.INBOX)
        await world.sharing.set_rights(world.alice, inbox, world.bob.guid, ROLES["reviewer"])

        async def away(*_: object) -> None:
            raise MailboxError("UNAVAILABLE", "away")

        monkeypatch.setattr(world.stores["db2"], "accessible", away)
        assert [each.folder.id for each in (await world.sharing.shared(world.bob.guid)).folders] == [inbox]
        monkeypatch.setattr(world.stores["db1"], "shared_with", away)
        with pytest.raises(MailboxError):
            await world.sharing.shared(world.carol.guid)

    run(steps)


def test_sending_on_behalf() -> None:
    async def steps(world: World) -> None:
        assert await world.sharing.may_send_on_behalf(world.bob.guid, world.alice)
        assert not await world.sharing.may_send_on_behalf(world.carol.guid, world.alice)
        assert not await world.sharing.may_send_on_behalf(world.alice.guid, world.bob)
        assert not await world.sharing.may_send_on_behalf(None, world.alice)
        world.directory.groups[world.room.guid] = (world.team.guid,)
        assert await world.sharing.may_send_on_behalf(world.room.guid, world.alice)

    run(steps)


def test_mailboxes_by_address() -> None:
    async def steps(world: World) -> None:
        assert await world.sharing.mailbox("alice@example.test") == world.alice
        assert await world.sharing.mailbox("room@example.test") == world.room
        assert await world.sharing.mailbox("team@example.test") is None
        assert await world.sharing.mailbox("nobody@example.test") is None

    run(steps)


def test_names_of_grantees() -> None:
    async def steps(world: World) -> None:
        sharing, bob, team = world.sharing, world.bob, world.team
        assert await sharing.grantee("bob@example.test") == bob.guid
        assert await sharing.grantee("team@example.test") == team.guid
        assert await sharing.grantee("room@example.test") is await sharing.grantee("nobody@example.test") is None
        world.directory.hidden.add(bob.guid)
        addresses = await sharing.addresses([bob.guid, team.guid, EVERYBODY, uuid4()])
        assert addresses == {bob.guid: "bob@example.test", team.guid: "team@example.test"}

    run(steps)


def test_roles_have_the_bits_of_outlook() -> None:
    """The values of Outlook without those of free/busy, which it adds for calendars."""
    values = {name: int(rights & ~FREE_BUSY) for name, rights in ROLES.items()}
    assert values == {
        "owner": 0x7FB,
        "publishing-editor": 0x4FB,
        "editor": 0x47B,
        "publishing-author": 0x49B,
        "author": 0x41B,
        "nonediting-author": 0x413,
        "reviewer": 0x401,
        "contributor": 0x402,
        "free-busy-details": 0,
        "free-busy": 0,
        "none": 0,
    }
    assert ROLES["owner"] == EVERY_RIGHT
    assert all(role_of(rights) == name for name, rights in ROLES.items())
    assert all(role_of(rights & ~FREE_BUSY) == name for name, rights in ROLES.items() if "free-busy" not in name)
    assert role_of(Right.CREATE) == role_of(Right.CONTACT) == role_of(Right.FREE_BUSY_DETAILED) == "custom"
