"""What an administrator may write, and what is refused with words that help. covers: settings, listing"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from postern.directory.administration import Administration
from postern.directory.ldap.client import ADD, REPLACE, SUBTREE
from postern.directory.settings import AdministrationError, checked, checked_domain
from postern.directory.slapd_adapter import SUFFIX, SlapdDirectory
from postern.model.directory import RecipientType
from postern.model.organization import AcceptedDomain, Database, Server
from tests.directory.conftest import RunningSlapd

Steps = Callable[[SlapdDirectory, Administration], Awaitable[None]]


def check(slapd: RunningSlapd, steps: Steps) -> None:
    async def run() -> None:
        async with slapd.opened() as (read, write):
            await steps(read, write)

    asyncio.run(run())


@pytest.mark.parametrize(
    "address", ["", "alice", "@x.test", "a@", "a b@x.test", "a@x@y", "a..b@x.test", ".a@x.test", "a.@x.test", "a\n@x.test",
                "a,b@x.test", "<a@x.test>", "a@x..test", "a@-x.test", "a@x.test.", "a@x-.test",
                "a@192.0.2.1", "a@xn--x.test", "a" * 65 + "@x.test", "a@x_y.test", "a@" + "x" * 300]
)  # fmt: skip
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(AdministrationError, match="no mail address"):
        checked(address)


@pytest.mark.parametrize("address", ["a@x.test", "a.b+c@x.test", "o'neil@x.test", "=?@x.test", "A@X.TEST"])
def test_what_is_one(address: str) -> None:
    assert checked(address) == address.lower()


@pytest.mark.parametrize("domain", ["회사.test", "회사.TEST", "xn--vf4b131b.test", "XN--VF4B131B.test", "회사。test"])
def test_a_domain_is_kept_in_a_labels_however_it_is_written(domain: str) -> None:
    assert checked_domain(domain) == "xn--vf4b131b.test"
    assert checked(f"홍길동@{domain}") == "홍길동@xn--vf4b131b.test"


@pytest.mark.parametrize(
    "domain",
    ["", "org", ".", "example..org", ".example.org", "example.org..", "-a.org", "a-.org", "a_b.org", "a b.org", "192.0.2.1",
     "*.org", "xn--.org", "xn--a.org", "a＠b.org", "x" * 64 + ".org", "x." * 126 + "org"],
)  # fmt: skip
def test_what_is_no_domain(domain: str) -> None:
    with pytest.raises(AdministrationError, match="no domain name"):
        checked_domain(domain)


@pytest.mark.parametrize(
    ("domain", "kept"),
    [("Example.ORG.", "example.org"), ("1und1.example", "1und1.example"), ("☃.test", "xn--n3h.test"),
     ("r3---sn.example.org", "r3---sn.example.org"), ("x." * 125 + "org", "x." * 125 + "org")],
)  # fmt: skip
def test_what_is_a_domain(domain: str, kept: str) -> None:
    assert checked_domain(domain) == kept


@pytest.mark.slow
class TestOnSlapd:
    def test_an_address_belongs_to_one(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_user("alice@x.test", {}, aliases=["al@x.test"])
            await write.add_user("bob@x.test", {})
            for attempt in (
                write.add_user("AL@x.test", {}),
                write.add_user("carol@x.test", {}, aliases=["alice@x.test"]),
                write.add_group("alice@x.test"),
                write.add_contact("al@x.test", "a@elsewhere.test"),
                write.add_alias("bob@x.test", "Alice@x.test"),
                write.add_alias("alice@x.test", "al@x.test"),
            ):
                with pytest.raises(AdministrationError, match=r"taken by alice@x\.test"):
                    await attempt
            assert [one.name for one in await write.listings(RecipientType.USER)] == ["alice@x.test", "bob@x.test"]

        check(empty_slapd, steps)

    def test_who_is_outside_the_accepted_domains_is_found(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_user("alice@x.test", {}, aliases=["al@gone.test"])
            await write.add_user("bob@gone.test", {}, aliases=["bob@x.test"])
            await write.add_user("홍길동@회사.test", {})
            await write.add_user("room@gone.test", {}, room=True)
            await write.add_group("팀@gone.test")
            await write.add_contact("out@x.test", "a@elsewhere.test")
            gone = ["bob@gone.test", "room@gone.test", "팀@gone.test"]
            assert await write.outside(["x.test", "xn--vf4b131b.test"], 10) == gone
            assert len(await write.outside(["x.test", "xn--vf4b131b.test"], 2)) == 2
            assert await write.outside(["x.test", "xn--vf4b131b.test", "gone.test"], 10) == []
            assert len(await write.outside(["test"], 10)) == 6, "x.test is not within test"

        check(empty_slapd, steps)

    def test_slapd_itself_holds_that(self, empty_slapd: RunningSlapd) -> None:
        """Two administrators at the same time both see a free address; one of them must fail."""

        async def steps(read: SlapdDirectory, write: Administration) -> None:
            results = await asyncio.gather(
                *(write.add_user(f"u{number}@x.test", {}, aliases=["shared@x.test"]) for number in range(8)),
                return_exceptions=True,
            )
            failures = [result for result in results if isinstance(result, Exception)]
            assert len(failures) == 7 and {type(failure) for failure in failures} == {AdministrationError}

        check(empty_slapd, steps)

    def test_what_is_not_there(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_user("alice@x.test", {})
            await write.add_group("all@x.test")
            await write.ensure_server(Server("hub1", "hub1.x.test", frozenset(), ()), {"nt": "0" * 32})
            for attempt in (
                write.show("nobody@x.test"),
                write.set_enabled("all@x.test", False),
                write.set_enabled("HUB1$", False),
                write.add_member("alice@x.test", "all@x.test"),
                write.add_member("all@x.test", "nobody@x.test"),
                write.remove("HUB1$", RecipientType.USER),
            ):
                with pytest.raises(AdministrationError, match="there is no"):
                    await attempt
            for attempt, words in (
                (write.remove("all@x.test", RecipientType.USER), "is a group, not a user"),
                (write.remove_alias("alice@x.test", "alice@x.test"), "primary address"),
                (write.remove_alias("alice@x.test", "al@x.test"), "does not have that"),
                (write.remove_member("all@x.test", "alice@x.test"), "does not have that"),
                (write.add_member("all@x.test", "all@x.test"), "member of itself"),
                (write.set_forwarding("alice@x.test", "alice@x.test", False), "forward to itself"),
                (write.remove_domain("y.test"), "postern.toml"),
                (write.add_domain(AcceptedDomain("no domain")), "no domain name"),
                (write.enable_verifier("md5"), "cannot be enabled"),
            ):  # fmt: skip
                with pytest.raises(AdministrationError, match=words):
                    await attempt

        check(empty_slapd, steps)

    def test_forwarding_that_leads_back_is_refused_and_the_way_is_told(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            for name in ("alice", "bob", "carol"):
                await write.add_user(f"{name}@x.test", {})
            await write.add_group("all@x.test", "", ["carol@x.test"])
            await write.set_forwarding("bob@x.test", "carol@x.test", False)
            await write.set_forwarding("alice@x.test", "bob@x.test", False)
            for attempt, words in (
                (write.set_forwarding("bob@x.test", "alice@x.test", False), "bob@x.test → alice@x.test → bob@x.test"),
                (write.set_forwarding("carol@x.test", "alice@x.test", True), "→ bob@x.test → carol@x.test"),
                (write.set_forwarding("carol@x.test", "all@x.test", False), "all@x.test → carol@x.test"),
            ):
                with pytest.raises(AdministrationError, match=words):
                    await attempt
            await write.remove_member("all@x.test", "carol@x.test")
            await write.set_forwarding("carol@x.test", "all@x.test", False)
            with pytest.raises(AdministrationError, match=r"carol@x.test → all@x.test"):
                await write.add_member("all@x.test", "carol@x.test")
            with pytest.raises(AdministrationError, match=r"alice@x.test → bob@x.test → carol@x.test → all@x.test"):
                await write.add_member("all@x.test", "alice@x.test")

        check(empty_slapd, steps)

    def test_groups_have_short_names_too(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_user("all.but@x.test", {})
            await write.add_group("all@x.test")
            await write.add_contact("out@x.test", "me@elsewhere.test")
            await write.add_member("all", "out")
            assert (await write.show("ALL")).members == ("out@x.test",)
            await write.add_group("all@y.test")
            with pytest.raises(AdministrationError, match="more than one"):
                await write.show("all")
            with pytest.raises(AdministrationError, match="there is no"):
                await write.show("al*")

        check(empty_slapd, steps)

    def test_a_short_name_is_nobody_s_alias(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_user("alice@x.test", {}, aliases=["sales@x.test"])
            await write.add_group("all@x.test")
            await write.add_alias("all@x.test", "staff@x.test")
            for name, kind in (("sales", RecipientType.USER), ("staff", RecipientType.GROUP)):
                with pytest.raises(AdministrationError, match=f"there is no entry with the name or address {name}"):
                    await write.remove(name, kind)
            with pytest.raises(AdministrationError, match="there is no"):
                await write.set_enabled("sales", False)
            await write.add_group("sales@y.test")
            assert (await write.show("sales")).primary == "sales@y.test"
            assert (await write.show("sales@x.test")).primary == "alice@x.test", "in full it is hers"
            assert (await write.show("ALICE")).primary == "alice@x.test"

        check(empty_slapd, steps)

    def test_a_domain_in_use_stays(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_domain(AcceptedDomain("y.test"))
            with pytest.raises(AdministrationError, match="already"):
                await write.add_domain(AcceptedDomain("Y.test"))
            await write.add_user("alice@y.test", {})
            with pytest.raises(AdministrationError, match="1 entry still has"):
                await write.remove_domain("y.test")
            await write.remove("alice@y.test", RecipientType.USER)
            await write.remove_domain("Y.test")
            assert await read.accepted_domains() == ()

        check(empty_slapd, steps)

    def test_both_spellings_of_a_domain_are_one(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_domain(AcceptedDomain("회사.test"))
            with pytest.raises(AdministrationError, match="already"):
                await write.add_domain(AcceptedDomain("xn--vf4b131b.test"))
            await write.add_user("kim@회사.test", {}, aliases=["k@회사.test"])
            with pytest.raises(AdministrationError, match="taken"):
                await write.add_group("K@xn--vf4b131b.test")
            for spelling in ("kim@회사.test", "kim@xn--vf4b131b.test"):
                assert (found := await read.recipient(spelling)) is not None
                assert (account := await read.account(spelling)) is not None and account.guid == found.guid
                assert (await write.show(spelling)).name == "kim@회사.test", "people see letters"
            await write.remove_alias("kim@xn--vf4b131b.test", "k@xn--vf4b131b.test")
            with pytest.raises(AdministrationError, match="1 entry still has"):
                await write.remove_domain("회사.test")
            await write.remove("kim@xn--vf4b131b.test", RecipientType.USER)
            await write.remove_domain("회사.test")
            assert await read.accepted_domains() == ()

        check(empty_slapd, steps)

    def test_what_another_program_kept_in_letters_is_found(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_user("kim@x.test", {})
            entry = await write._find("kim@x.test")
            kept = ["smtp:kim@회사.test".encode()]
            await write._client.modify(entry.dn, [(ADD, "proxyAddresses", kept)])
            for spelling in ("kim@회사.test", "kim@xn--vf4b131b.test"):
                assert (await read.recipients([spelling])).keys() == {spelling}
            await write.remove_alias("kim@x.test", "kim@xn--vf4b131b.test")
            assert (await write.show("kim@x.test")).aliases == ()

        check(empty_slapd, steps)

    def test_the_rights_and_limits_of_a_user(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_user("alice@x.test", {"argon2id": "a"}, database=Database("sales", "mbx2"), hidden=True)
            await write.add_send_as("alice", "Sales@x.test")
            await write.set_quota("alice", 1_000_000)
            account, recipient = await read.account("alice"), await read.recipient("alice@x.test")
            assert account is not None and account.send_as == ("sales@x.test",)
            assert recipient is not None and (recipient.quota, recipient.database) == (1_000_448, "sales")
            listing = await write.show("alice@x.test")
            assert listing.hidden and listing.verifiers == ("argon2id",) and listing.send_as == ("sales@x.test",)
            await write.remove_send_as("alice", "sales@x.test")
            await write.set_quota("alice", 0)
            account, recipient = await read.account("alice"), await read.recipient("alice@x.test")
            assert account is not None and account.send_as == ()
            assert recipient is not None and recipient.quota == 0

        check(empty_slapd, steps)

    def test_a_mailbox_from_before_databases_had_names_is_on_its_server(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.add_user("alice@x.test", {"argon2id": "a"}, database=Database("sales", "mbx2"))
            client = empty_slapd.client()
            which = "(userPrincipalName=alice@x.test)"
            (entry,) = await client.search(SUFFIX, SUBTREE, which, ("homeMDB", "msExchHomeServerName"))
            assert entry.attributes["homeMDB"][0].lower().startswith(b"cn=sales,cn=databases,")
            await client.modify(entry.dn, [(REPLACE, "homeMDB", None)])
            recipient = await read.recipient("alice@x.test")
            assert recipient is not None and recipient.database == "mbx2"
            assert (await write.show("alice")).database == "mbx2"

        check(empty_slapd, steps)

    def test_seeding_twice_changes_nothing(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            client = empty_slapd.client()
            before = await client.search(SUFFIX, SUBTREE, "(objectClass=*)", ("entryCSN",))
            await write.seed()
            after = await client.search(SUFFIX, SUBTREE, "(objectClass=*)", ("entryCSN",))
            assert sorted(before) == sorted(after) and len(before) >= 9
            await client.close()

        check(empty_slapd, steps)

    def test_a_server_account_follows_its_server(self, empty_slapd: RunningSlapd) -> None:
        async def steps(read: SlapdDirectory, write: Administration) -> None:
            await write.ensure_server(Server("hub1", "old.x.test", frozenset(), ()), {"nt": "0" * 32})
            await write.ensure_server(Server("hub1", "new.x.test", frozenset(), ()), {"nt": "1" * 32})
            client = empty_slapd.client()
            (entry,) = await client.search(SUFFIX, SUBTREE, "(cn=hub1)", ("dNSHostName", "posternNTHash"))
            assert entry.attributes == {"dNSHostName": [b"new.x.test"], "posternNTHash": [b"1" * 32]}
            await client.close()
            with pytest.raises(AdministrationError, match="rename"):
                long = Server("HUB1", "other.x.test", frozenset(), ())
                await write._client.delete(f"cn=hub1,ou=Servers,{SUFFIX}")
                await write.add_user("hub1@x.test", {})
                await write._client.modify(f"cn=hub1@x.test,ou=Users,{SUFFIX}", [(2, "sAMAccountName", [b"HUB1$"])])
                await write.ensure_server(long, {"nt": "0" * 32})

        check(empty_slapd, steps)
