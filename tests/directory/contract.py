"""What every directory adapter must answer, whatever server stands behind it. A test module of an adapter subclasses
DirectoryContract and says how to open one: reading by the adapter, writing by whatever that directory is written with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from typing import Any, Protocol, cast
from uuid import UUID, uuid4

import pytest

from postern.model.directory import UNKNOWN, Directory, Groups, RecipientType
from postern.model.organization import Database, Server

VERIFIERS = {"argon2id": "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", "nt": "0" * 32}


class Writer(Protocol):
    """What the contract needs written; `directory.administration.Administration` has this shape."""

    async def add_user(
        self,
        address: str,
        verifiers: Mapping[str, str],
        display_name: str = ...,
        aliases: Sequence[str] = ...,
        database: Database | None = ...,
        quota: int = ...,
        hidden: bool = ...,
        room: bool = ...,
    ) -> UUID: ...
    async def add_group(self, address: str, display_name: str = ..., members: Sequence[str] = ...) -> UUID: ...
    async def add_contact(self, address: str, target: str, display_name: str = ...) -> UUID: ...
    async def add_member(self, group: str, member: str) -> None: ...
    async def set_verifiers(self, name: str, verifiers: Mapping[str, str]) -> None: ...
    async def set_enabled(self, name: str, enabled: bool) -> None: ...
    async def set_forwarding(self, name: str, to: str, keep: bool) -> None: ...
    async def add_alias(self, name: str, alias: str) -> None: ...
    async def remove(self, name: str, kind: RecipientType) -> Any: ...
    async def ensure_server(self, server: Server, verifiers: Mapping[str, str]) -> None: ...


Opened = Callable[[], AbstractAsyncContextManager[tuple[Directory, Writer]]]


def check(opened: Opened, steps: Callable[[Directory, Writer], Any]) -> None:
    async def run() -> None:
        async with opened() as (read, write):
            await steps(read, write)

    asyncio.run(run())


class DirectoryContract:
    """Subclasses give the fixture `opened`: an empty directory whose adapter has no cache to wait for. `netbios` is the domain
    in DOMAIN\\name; `keeps_verifiers` is False where the directory gives out no secrets, to nobody; `logons_only`: an account's
    `change` tells of what concerns its logons, and of nothing else."""

    netbios = "EXAMPLE"
    keeps_verifiers = True
    logons_only = False

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    def test_a_user_is_found_by_every_address_in_any_case(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            guid = await write.add_user(
                "Alice@Example.Test",
                VERIFIERS,
                display_name="Alice 앨리스",
                aliases=["al@example.test", "wonder@other.test"],
                database=Database("mbx1", "mbx1"),
                quota=10_240_000,
            )
            asked = ["ALICE@example.test", "wonder@OTHER.test", "nobody@example.test"]
            found = await read.recipients(asked)
            assert set(found) == set(asked[:2])
            alice = found[asked[0]]
            assert alice == found[asked[1]] == await read.recipient("al@example.test")
            assert (alice.guid, alice.type, alice.display_name) == (guid, RecipientType.USER, "Alice 앨리스")
            assert alice.primary == "alice@example.test"
            assert alice.addresses[0] == alice.primary
            assert set(alice.addresses) == {"alice@example.test", "al@example.test", "wonder@other.test"}
            assert (alice.database, alice.quota) == ("mbx1", 10_240_000)
            assert await read.recipient("nobody@example.test") is None

        check(opened, steps)

    def test_an_address_beyond_ascii_is_an_address(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            await write.add_user("홍길동@example.test", VERIFIERS)
            found = await read.recipient("홍길동@EXAMPLE.test")
            assert found is not None and found.primary == "홍길동@example.test"

        check(opened, steps)

    def test_everybody_is_listed_in_pages_whatever_is_searched_meanwhile(self, opened: Opened) -> None:
        async def steps(read: Any, write: Writer) -> None:
            guids = {await write.add_user(f"user{number}@example.test", VERIFIERS) for number in range(12)}
            guids.add(await write.add_contact("carol@example.test", "carol@elsewhere.test"))
            await write.add_user("secret@example.test", VERIFIERS, hidden=True)
            listed, sizes = [], []
            async with aclosing(read.everybody(5)) as pages:
                async for page in pages:
                    listed += page
                    sizes.append(len(page))
                    # These are searches of pages on the connection that all share.
                    assert len(await read.resolve("user", 3)) == 3
            assert max(sizes) == 5 and len(listed) == 13 and {entry.guid for entry in listed} == guids
            assert await read.address_book_entries(list(guids)) == {entry.guid: entry for entry in listed}
            async with aclosing(read.everybody(5)) as pages:
                assert len(await anext(pages)) == 5

        check(opened, steps)

    @pytest.mark.parametrize(
        "hostile", ["*", "a*@example.test", "*)(objectClass=*", "\\2a", "a\0b", "(|(cn=*))", "é" * 300]
    )
    def test_what_an_address_holds_is_never_part_of_a_filter(self, opened: Opened, hostile: str) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            await write.add_user("alice@example.test", VERIFIERS)
            assert await read.recipients([hostile]) == {}
            assert await read.account(hostile) is None

        check(opened, steps)

    def test_many_addresses_at_once(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            addresses = [f"user{number}@example.test" for number in range(130)]
            for address in addresses:
                await write.add_user(address, {})
            found = await read.recipients([*addresses, "other@example.test"])
            assert sorted(found) == sorted(addresses)
            assert {recipient.primary for recipient in found.values()} == set(addresses)

        check(opened, steps)

    def test_a_group_tells_its_members_addresses(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            await write.add_user("alice@example.test", VERIFIERS, aliases=["a@example.test"])
            await write.add_contact("carol@example.test", "carol@elsewhere.test")
            await write.add_group("inner@example.test", members=["carol@example.test"])
            await write.add_group("all@example.test", members=["a@example.test", "inner@example.test"])
            group = await read.recipient("all@example.test")
            assert group is not None and group.type is RecipientType.GROUP
            assert set(group.members) == {"alice@example.test", "inner@example.test"}

        check(opened, steps)

    def test_the_groups_of_an_entry_are_found_whatever_is_in_what(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            groups = cast(Groups, read)
            alice = await write.add_user("alice@example.test", VERIFIERS)
            bob = await write.add_user("bob@example.test", VERIFIERS)
            inner = await write.add_group("inner@example.test", members=["alice@example.test"])
            outer = await write.add_group("outer@example.test", members=["inner@example.test"])
            both = await write.add_group("both@example.test", members=["alice@example.test", "outer@example.test"])
            await write.add_group("others@example.test", members=["bob@example.test"])
            for member in ("both@example.test", "outer@example.test"):
                await write.add_member("inner@example.test", member)  # a circle
            answer = await groups.groups_of(alice)
            assert set(answer[:2]) == {inner, both} and answer[2:] == (outer,)
            assert set(await groups.groups_of(outer)) == {inner, both, outer}
            assert len(await groups.groups_of(bob)) == 1
            assert await groups.groups_of(uuid4()) == ()

        check(opened, steps)

    def test_who_is_removed_is_a_member_no_more(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            await write.add_user("alice@example.test", VERIFIERS)
            await write.add_user("bob@example.test", VERIFIERS)
            await write.add_group("all@example.test", members=["alice@example.test", "bob@example.test"])
            await write.set_forwarding("bob@example.test", "alice@example.test", keep=True)
            await write.remove("alice@example.test", RecipientType.USER)
            group, bob = await read.recipient("all@example.test"), await read.recipient("bob@example.test")
            assert group is not None and group.members == ("bob@example.test",)
            assert bob is not None and bob.forward_to == ""
            assert await read.account("alice@example.test") is None

        check(opened, steps)

    def test_a_contact_says_where_its_mail_goes(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            await write.add_contact("carol@example.test", "Carol@Elsewhere.test")
            contact = await read.recipient("carol@example.test")
            assert contact is not None
            assert (contact.type, contact.target) == (RecipientType.CONTACT, "carol@elsewhere.test")
            assert await read.account("carol@example.test") is None

        check(opened, steps)

    def test_forwarding_says_to_whom_and_whether_a_copy_stays(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            await write.add_user("alice@example.test", VERIFIERS)
            await write.add_user("bob@example.test", VERIFIERS)
            await write.set_forwarding("alice@example.test", "bob@example.test", keep=True)
            alice = await read.recipient("alice@example.test")
            assert alice is not None and (alice.forward_to, alice.deliver_and_forward) == ("bob@example.test", True)
            await write.set_forwarding("alice@example.test", "", keep=False)
            alice = await read.recipient("alice@example.test")
            assert alice is not None and (alice.forward_to, alice.deliver_and_forward) == ("", False)

        check(opened, steps)

    def test_a_room_has_a_mailbox_and_no_log_on(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            await write.add_user("blue@example.test", {}, room=True)
            room, account = await read.recipient("blue@example.test"), await read.account("blue@example.test")
            assert room is not None and room.type is RecipientType.ROOM
            assert account is not None and not account.enabled

        check(opened, steps)

    def test_an_account_is_found_by_each_of_its_names(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            guid = await write.add_user("alice@example.test", VERIFIERS, aliases=["al@example.test"])
            for name in ("alice@example.test", "ALICE@Example.test", "alice", "Alice", f"{self.netbios}\\alice"):
                account = await read.account(name)
                assert account is not None, name
                assert (account.guid, account.name) == (guid, "alice@example.test")
                assert account.enabled and not account.is_server
                assert account.recipient == "alice@example.test"
            for name in ("al@example.test", "al", "", "alice@", "@example.test", "alic", "x" * 2000):
                assert await read.account(name) is None, name

        check(opened, steps)

    def test_two_users_with_one_local_part_have_different_short_names(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            first = await write.add_user("alice@example.test", VERIFIERS)
            second = await write.add_user("alice@other.test", VERIFIERS)
            short = await read.account("alice")
            assert short is not None and short.guid == first
            by_address = await read.account("alice@other.test")
            assert by_address is not None and by_address.guid == second

        check(opened, steps)

    def test_any_change_of_an_account_shows_at_once(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            await write.add_user("alice@example.test", VERIFIERS)
            seen = set()
            for change in (
                lambda: write.set_enabled("alice@example.test", False),
                lambda: write.set_enabled("alice@example.test", True),
                lambda: write.set_verifiers("alice@example.test", {"argon2id": "other"}),
                lambda: write.add_alias("alice@example.test", "al@example.test"),
            ):
                await change()
                account = await read.account("alice@example.test")
                assert account is not None
                seen.add(account.change)
            assert len(seen) == (3 if self.logons_only else 4) and "" not in seen
            await write.set_enabled("alice@example.test", False)
            account = await read.account("alice@example.test")
            assert account is not None and not account.enabled

        check(opened, steps)

    def test_accounts_are_found_by_what_never_changes_of_them(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            alice = await write.add_user("alice@example.test", VERIFIERS)
            bob = await write.add_user("bob@example.test", VERIFIERS)
            group = await write.add_group("all@example.test", members=["alice@example.test"])
            strangers = [uuid4() for _ in range(120)]
            found = await read.accounts_by_guid([*strangers, alice, group, bob])
            assert found == {
                alice: await read.account("alice@example.test"),
                bob: await read.account("bob@example.test"),
            }
            await write.remove("alice@example.test", RecipientType.USER)
            await write.set_enabled("bob@example.test", False)
            found = await read.accounts_by_guid([alice, bob])
            assert set(found) == {bob} and not found[bob].enabled and not found[bob].locked
            assert await read.accounts_by_guid([]) == {}

        check(opened, steps)

    def test_names_are_resolved_by_how_they_begin(self, opened: Opened) -> None:
        async def steps(read: Any, write: Writer) -> None:
            alice = await write.add_user(
                "alice@example.test", VERIFIERS, display_name="Liddell Alice", aliases=["wonder@other.test"]
            )
            room = await write.add_user("blue@example.test", {}, display_name="Lido", room=True)
            await write.add_user("secret@example.test", VERIFIERS, display_name="Liddell Hidden", hidden=True)
            team = await write.add_group("team@example.test", display_name="리더", members=["alice@example.test"])
            carol = await write.add_contact("carol@example.test", "carol@elsewhere.test", display_name="Carol")
            for text, guids in {
                "LID": [alice, room],
                "liddell  a": [alice],
                "wond": [alice],
                "Wonder@Other": [alice],
                "alice@example.test": [alice],
                "smtp": [],
                "리": [team],
                "car": [carol],
                "ddell": [],
                "secret": [],
                "": [carol, alice, room, team],
                " ": [carol, alice, room, team],
            }.items():
                assert [entry.guid for entry in await read.resolve(text)] == guids, text
            entry, _ = await read.resolve("lid")
            assert (entry.type, entry.display_name) == (RecipientType.USER, "Liddell Alice")
            assert (entry.primary, set(entry.addresses)) == (
                "alice@example.test",
                {"alice@example.test", "wonder@other.test"},
            )
            assert [entry.type for entry in await read.resolve("")] == [
                *(RecipientType.CONTACT, RecipientType.USER, RecipientType.ROOM, RecipientType.GROUP)
            ]
            assert [entry.guid for entry in await read.rooms()] == [room]
            known = await read.address_book_entries([alice, uuid4(), team])
            assert set(known) == {alice, team} and known[alice] == entry

        check(opened, steps)

    def test_a_search_of_names_finds_no_more_than_it_may(self, opened: Opened) -> None:
        async def steps(read: Any, write: Writer) -> None:
            for number in range(12):
                await write.add_user(f"user{number}@example.test", VERIFIERS, display_name=f"User {number}")
            assert len(await read.resolve("user", 12)) == len(await read.resolve("user", 5_000)) == 12
            assert len(await read.resolve("user", 5)) == len(await read.resolve("", 5)) == 5
            assert await read.resolve("user", 0) == []

        check(opened, steps)

    @pytest.mark.parametrize(
        "hostile", ["*", "a*", "*)(objectClass=*", "\\2a", "a\0b", "(|(cn=*))", "=alice", "é" * 300]
    )
    def test_what_a_name_holds_is_never_part_of_a_filter(self, opened: Opened, hostile: str) -> None:
        async def steps(read: Any, write: Writer) -> None:
            await write.add_user("alice@example.test", VERIFIERS, hidden=True)
            await write.add_user("bob@example.test", VERIFIERS)
            assert await read.resolve(hostile) == []

        check(opened, steps)

    def test_owners_of_mailboxes_are_found_by_what_never_changes_of_them(self, opened: Opened) -> None:
        async def steps(read: Any, write: Writer) -> None:
            alice = await write.add_user("alice@example.test", VERIFIERS, aliases=["al@example.test"])
            room = await write.add_user("room@example.test", {}, room=True)
            group = await write.add_group("all@example.test", members=["alice@example.test"])
            contact = await write.add_contact("out@example.test", "someone@elsewhere.test")
            strangers = [uuid4() for _ in range(120)]
            found = await read.mailbox_owners([*strangers, alice, group, contact, room])
            assert found == {alice: "alice@example.test", room: "room@example.test"}
            await write.remove("alice@example.test", RecipientType.USER)
            assert await read.mailbox_owners([alice, room]) == {room: "room@example.test"}
            assert await read.mailbox_owners([]) == {}

        check(opened, steps)

    def test_credentials_change_with_the_password_and_with_nothing_else(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            guid = await write.add_user("alice@example.test", VERIFIERS)

            async def credentials() -> str:
                account = (await read.accounts_by_guid([guid]))[guid]
                assert account == await read.account("alice@example.test")
                assert account.credentials and repr(account) == repr(replace(account, credentials="hidden"))
                return account.credentials

            first = await credentials()
            await write.add_alias("alice@example.test", "al@example.test")
            await write.set_enabled("alice@example.test", False)
            await write.set_enabled("alice@example.test", True)
            assert await credentials() == first
            await write.set_verifiers("alice@example.test", {"argon2id": "other"})
            assert await credentials() != first

        check(opened, steps)

    def test_a_new_password_leaves_nothing_of_the_old_one(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            await write.add_user("alice@example.test", VERIFIERS)
            account = await read.account("alice")
            assert account is not None
            if not self.keeps_verifiers:
                assert [await read.verifier(account, kind) for kind in (*VERIFIERS, "scram-sha-256")] == [None] * 3
                return
            assert await read.verifier(account, "argon2id") == VERIFIERS["argon2id"]
            assert await read.verifier(account, "nt") == VERIFIERS["nt"]
            assert await read.verifier(account, "scram-sha-256") is None
            await write.set_verifiers("alice", {"argon2id": "new"})
            assert await read.verifier(account, "argon2id") == "new"
            assert await read.verifier(account, "nt") is None

        check(opened, steps)

    def test_a_server_has_a_machine_account(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            server = Server("hub1", "hub1.example.test", frozenset(), ("127.0.0.1",))
            await write.ensure_server(server, {"nt": "1" * 32})
            before = await read.account("HUB1$")
            await write.ensure_server(server, {"nt": "1" * 32})
            account = await read.account(f"{self.netbios}\\hub1$")
            assert account is not None and account == before
            assert (account.name, account.is_server, account.enabled) == ("HUB1$", True, True)
            assert await read.verifier(account, "nt") == ("1" * 32 if self.keeps_verifiers else None)
            assert await read.recipient("hub1$") is None

        check(opened, steps)

    def test_a_cache_never_invents_an_answer(self, opened: Opened) -> None:
        async def steps(read: Directory, write: Writer) -> None:
            assert read.cached_recipient("alice@example.test") is UNKNOWN
            await write.add_user("alice@example.test", VERIFIERS)
            assert await read.recipient("alice@example.test") is not None

        check(opened, steps)
