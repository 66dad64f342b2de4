"""Recipient update and the administrator's commands on Samba: by a server's rights, and by an administrator's.
covers: administration, address_policies, server_objects
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from postern.directory import entries
from postern.directory.ad import names
from postern.directory.ad import servers as ad_servers
from postern.directory.ad.adapter import DomainDirectory
from postern.directory.ad.address_policy import AddressPolicy
from postern.directory.ad.administration import PASSWORD, DomainAdministration
from postern.directory.ad.forest import Executor, read, root
from postern.directory.ad.recipient_update import RecipientUpdate
from postern.directory.ad.server_objects import ServerObjects
from postern.directory.ldap.client import BASE, REPLACE, SUBTREE
from postern.directory.listing import Listing
from postern.directory.settings import AdministrationError
from postern.model.directory import RecipientType
from postern.model.organization import AcceptedDomain, ActiveDirectory, Database, DomainType, Role, Server
from tests.directory.contract import DirectoryContract, Opened, Writer
from tests.directory.domain_reader import Prepared, prepared
from tests.directory.samba import Domain
from tests.directory.samba_writing import DomainWriter, SystemClient

pytestmark = [pytest.mark.slow, pytest.mark.root]
__all__ = ["prepared"]

DOMAIN = ActiveDirectory(Domain.name, Domain.netbios)


class AsAdministrator(DomainAdministration):
    """The contract's Writer: what Active Directory does in a way of its own is done so here."""

    def __init__(self, client: SystemClient, place: str) -> None:
        super().__init__(client, DOMAIN, place)
        self.client = client

    async def add_user(self, address: str, verifiers: Mapping[str, str], *more: Any, **named: Any) -> UUID:
        password = {PASSWORD: "Some-pass-1"} if verifiers else {}
        return await super().add_user(address, password, *more, **named)

    async def set_verifiers(self, name: str, verifiers: Mapping[str, str]) -> None:
        await super().set_verifiers(name, {PASSWORD: "Another-pass-1"})

    async def remove(self, name: str, kind: RecipientType) -> Listing:
        """The account goes too: that is Active Directory's administrator's part."""
        entry = await self._find(name)
        listing = await super().remove(name, kind)
        await self.client.delete(entry.dn)
        return listing

    async def ensure_server(self, server: Server, verifiers: Mapping[str, str]) -> None:
        at = await root(self.client)
        executor = Executor(self.client, at)
        forest = await read(self.client, at, (server,))
        for step in ad_servers.steps(forest, server, secret_is_known=True):
            await executor.carry_out(step)


@asynccontextmanager
async def _opened(found: Prepared) -> AsyncIterator[tuple[DomainDirectory, Writer]]:
    async with found.opened() as (directory, writer):
        for computer in ("CN=HUB1,CN=Computers",):
            if await writer.client.search(f"{computer},{Domain.base}", BASE, "(objectClass=*)", ("cn",)):
                await writer.client.delete(f"{computer},{Domain.base}")
        yield directory, AsAdministrator(writer.client, writer.unit)  # type: ignore[arg-type]  # it is a SystemClient


class TestAsAdministrator(DirectoryContract):
    netbios = Domain.netbios
    keeps_verifiers = False
    logons_only = True

    @pytest.fixture
    def opened(self, prepared: Prepared) -> Opened:
        return lambda: _opened(prepared)


Steps = Callable[[DomainWriter, RecipientUpdate, DomainAdministration], Awaitable[None]]


def as_server(prepared: Prepared, steps: Steps) -> None:
    """Recipient update and commands with a server's own rights; accounts are made by the system."""

    async def run() -> None:
        async with prepared.opened() as (_, writer):
            client = prepared.client(timeout=30.0)
            try:
                await steps(writer, RecipientUpdate(client, DOMAIN, "hub-to-ad"), DomainAdministration(client, DOMAIN))
            finally:
                await client.close()

    asyncio.run(run())


async def person(writer: DomainWriter, name: str, **values: str) -> str:
    dn = f"CN={name},{writer.unit}"
    attributes = {"objectClass": [b"user"], "sAMAccountName": [name.encode()], "userAccountControl": [b"544"]}
    await writer.client.add(dn, attributes | {key: [value.encode()] for key, value in values.items()})
    return dn


async def values_of(writer: DomainWriter, dn: str) -> entries.Values:
    (entry,) = await writer.client.search(dn, BASE, "(objectClass=*)", ("*",))
    return entry.attributes


def test_a_recipient_gets_all_that_is_missing_and_the_second_look_changes_nothing(prepared: Prepared) -> None:
    async def steps(writer: DomainWriter, update: RecipientUpdate, _: DomainAdministration) -> None:
        await update.changed()
        dn = await person(writer, "jane", mailNickname="jane", givenName="Jane", sn="Doe")
        done = await update.changed()
        assert done.changed >= 1 and not done.failed
        values = await values_of(writer, dn)
        assert values["proxyAddresses"] == [b"SMTP:jane@corp.test"] and values["mail"] == [b"jane@corp.test"]
        assert values["displayName"] == [b"Jane Doe"] and b"cn=Recipients" in values["legacyExchangeDN"][0]
        lists = {value.decode().partition(",")[0] for value in values["showInAddressBook"]}
        assert lists == {"CN=All Users", "CN=Default Global Address List"}
        again = await update.changed()
        assert again.changed == 0
        assert (await update.changed()).seen == 0

    as_server(prepared, steps)


def test_two_of_one_name_get_different_addresses(prepared: Prepared) -> None:
    async def steps(writer: DomainWriter, update: RecipientUpdate, _: DomainAdministration) -> None:
        first = await person(writer, "kim1", mailNickname="kim")
        second = await person(writer, "kim2", mailNickname="kim")
        assert (await update.these(["kim"])).changed == 2
        found = {entries.primary_of(await values_of(writer, dn)) for dn in (first, second)}
        assert found == {"kim@corp.test", "kim2@corp.test"}
        assert (await update.these(["kim"])).changed == 0

    as_server(prepared, steps)


def test_a_new_policy_counts_at_once_and_takes_nothing_away(prepared: Prepared) -> None:
    async def steps(writer: DomainWriter, update: RecipientUpdate, _: DomainAdministration) -> None:
        dn = await person(writer, "lee", mailNickname="lee", givenName="Ann", sn="Lee", department="Sales")
        await update.changed()
        one = AddressPolicy("Sales", 10, "(department=Sales)", ("%g.%s@corp.test",))
        assert [p.after for p in await update.preview(one, ["lee"])] == [("ann.lee@corp.test", "lee@corp.test")]
        assert entries.primary_of(await values_of(writer, dn)) == "lee@corp.test", "a preview changes nothing"
        await update.policies.add(one)
        try:
            await update.changed()
            assert entries.addresses_of(await values_of(writer, dn)) == ("ann.lee@corp.test", "lee@corp.test")
        finally:
            await update.policies.remove("sales")
        with pytest.raises(AdministrationError, match="no address policy"):
            await update.policies.remove("sales")

    as_server(prepared, steps)


def test_who_is_hidden_is_in_no_list(prepared: Prepared) -> None:
    async def steps(writer: DomainWriter, update: RecipientUpdate, _: DomainAdministration) -> None:
        dn = await person(writer, "ghost", mailNickname="ghost")
        await update.changed()
        await writer.client.modify(dn, [(REPLACE, "msExchHideFromAddressLists", [b"TRUE"])])
        await update.changed()
        assert "showInAddressBook" not in await values_of(writer, dn)

    as_server(prepared, steps)


def test_an_account_that_is_there_is_given_mail_and_keeps_the_rest(prepared: Prepared) -> None:
    async def steps(writer: DomainWriter, update: RecipientUpdate, write: DomainAdministration) -> None:
        dn = await person(writer, "mia", telephoneNumber="1", userPrincipalName="mia@corp.test")
        guid = await write.add_user(
            "mia@corp.test", {}, aliases=["m@corp.test"], database=Database("mbx1", "mbx1"), quota=10240
        )
        values = await values_of(writer, dn)
        assert entries.guid_of(values) == guid and values["telephoneNumber"] == [b"1"]
        assert entries.addresses_of(values) == ("mia@corp.test", "m@corp.test")
        shown = await write.show("mia")
        assert (shown.database, shown.quota, shown.name) == ("mbx1", 10240, "mia@corp.test")
        with pytest.raises(AdministrationError, match="already"):
            await write.add_user("mia@corp.test", {})
        await write.add_alias("mia", "mm@corp.test")
        await write.remove("mia@corp.test", RecipientType.USER)
        values = await values_of(writer, dn)
        assert "proxyAddresses" not in values and "mailNickname" not in values
        assert values["userPrincipalName"] == [b"mia@corp.test"], "the account is Active Directory's"

    as_server(prepared, steps)


def test_what_a_server_may_not_says_who_may(prepared: Prepared) -> None:
    async def steps(writer: DomainWriter, update: RecipientUpdate, write: DomainAdministration) -> None:
        await person(writer, "noa", userPrincipalName="noa@corp.test")
        await write.add_user("noa@corp.test", {})
        await writer.add_group("staff@corp.test")
        attempts: list[tuple[Awaitable[Any], str]] = [
            (write.add_user("new@corp.test", {PASSWORD: "Some-pass-1"}), "there is no user new@corp.test"),
            (write.set_verifiers("noa", {PASSWORD: "Some-pass-1"}), "passwords are Active Directory's"),
            (write.set_verifiers("noa", {"argon2id": "x"}), "its own way"),
            (write.set_enabled("noa", False), "may not make, enable or disable"),
            (write.add_member("staff@corp.test", "noa"), "may not change a group's members"),
            (write.add_contact("out@corp.test", "a@elsewhere.test"), "there is no contact"),
            (write.ensure_server(Server("x", "x.corp.test", frozenset({Role.HUB}), ()), {}), "setup ad"),
            (write.enable_verifier("nt"), "judges NTLM"),
            (write.enable_verifier("digest", "example.test"), "hands out no hashes for Digest"),
        ]
        for attempt, words in attempts:
            with pytest.raises(AdministrationError, match=words):
                await attempt

    as_server(prepared, steps)


def test_accepted_domains_and_the_servers_own_entry(prepared: Prepared) -> None:
    async def steps(writer: DomainWriter, update: RecipientUpdate, write: DomainAdministration) -> None:
        await write.add_domain(AcceptedDomain("Y.test", DomainType.INTERNAL_RELAY))
        with pytest.raises(AdministrationError, match="already"):
            await write.add_domain(AcceptedDomain("y.test"))
        assert await update.policies.domains() == ["y.test"]
        await write.remove_domain("y.test")
        await write.seed()
        place = f"CN=reader,{names.SERVERS},{Domain.configuration}"
        await writer.client.add(place, {"objectClass": [names.SERVER_CLASS.encode()]})
        client = prepared.client()
        try:
            for _ in range(2):
                await ServerObjects(client).register("reader", "1.0", {"attendant": "works"})
            found = await values_of(writer, place)
            assert (found[names.VERSION], found[names.STATE]) == ([b"1.0"], [b'{"attendant": "works"}'])
        finally:
            await client.close()
            await writer.client.delete(place)
        assert not await writer.client.search(
            f"{names.SERVERS},{Domain.configuration}", SUBTREE, "(cn=reader)", ("cn",)
        )

    as_server(prepared, steps)


def test_send_on_behalf_needs_an_attribute_of_exchange(prepared: Prepared) -> None:
    async def steps(writer: DomainWriter, update: RecipientUpdate, write: DomainAdministration) -> None:
        for name in ("judy", "kurt"):
            await person(writer, name, mailNickname=name)
        await update.changed()
        with pytest.raises(AdministrationError, match="not supported here"):
            await write.add_delegate("judy@corp.test", "kurt@corp.test")
        assert (await write.show("judy@corp.test")).delegates == ()

    as_server(prepared, steps)
