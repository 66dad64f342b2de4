"""Samba's Active Directory answers as every directory must, and what is Active Directory's own. covers: names"""

from __future__ import annotations

import asyncio

import pytest

from postern.directory.ad import names as ad_names
from postern.directory.ad.adapter import DomainDirectory
from postern.directory.ad.values import sid_of
from postern.directory.ldap.client import DELETE, SUBTREE
from postern.model.directory import CertificateNames, TrustedCertificate
from postern.model.organization import AcceptedDomain, ActiveDirectory, DomainType, Role, Server
from tests.directory.contract import DirectoryContract, Opened, check
from tests.directory.domain_reader import CATALOGUE, Known, Prepared
from tests.directory.samba import Domain
from tests.directory.samba_writing import DomainWriter

pytestmark = [pytest.mark.slow, pytest.mark.root]


class TestDomainDirectory(DirectoryContract):
    netbios = Domain.netbios
    keeps_verifiers = False
    logons_only = True

    @pytest.fixture
    def opened(self, prepared: Prepared) -> Opened:
        return prepared.opened

    def test_a_mailbox_server_of_another_directory_is_none(self, opened: Opened) -> None:
        async def steps(read: DomainDirectory, write: DomainWriter) -> None:
            workstation = Server("ws1", "ws1.corp.test", frozenset(), ("127.0.0.1",))
            await write.ensure_server(workstation, {})
            group = await write.client.search(Domain.base, SUBTREE, "(sAMAccountName=Postern Servers)", ("cn",))
            await write.client.modify(
                group[0].dn, [(DELETE, "member", [f"CN=WS1,CN=Computers,{Domain.base}".encode()])]
            )
            account = await read.account("WS1$")
            assert account is not None and account.enabled and not account.is_server

        check(opened, steps)

    def test_a_certificate_belongs_to_whom_the_domain_says_strongly(self, opened: Opened) -> None:
        async def steps(read: DomainDirectory, write: DomainWriter) -> None:
            for name in ("alice@example.test", "bob@example.test"):
                await write.add_user(name, {})
            value = 'X509:<I>O="Example, Inc.",CN=People (of) *<SR>01'
            await write.change("alice@example.test", "altSecurityIdentities", value)
            alice, bob = await read.account("alice@corp.test"), await read.account("bob@corp.test")
            assert alice is not None and bob is not None
            users = await write.client.search(Domain.base, SUBTREE, "(sAMAccountName=bob)", ("objectSid",))
            sid = sid_of(users[0].attributes)
            for certificate, owner in (
                (CertificateNames((value.upper(),)), alice),
                (CertificateNames((value,), sid=sid), alice),
                (CertificateNames(("X509:<SKI>00",), sid=sid), bob),
                (CertificateNames(("X509:<SKI>00",), "bob@corp.test"), None),
                (CertificateNames(("X509:<SKI>00",), "bob@corp.test", "S-1-5-21-1-2-3-4"), None),
                (CertificateNames(("X509:<SKI>00",), sid="bob"), None),
            ):
                assert await read.account_of_certificate(certificate) == owner, certificate

        check(opened, steps)

    def test_another_domains_users_are_nobody_here(self, opened: Opened) -> None:
        async def steps(read: DomainDirectory, write: DomainWriter) -> None:
            await write.add_user("alice@example.test", {})
            alice = await read.account("corp.test\\alice")
            assert alice is not None and alice == await read.account("ALICE@corp.test") == await read.account(
                "CORP\\Alice"
            )
            assert await read.account("OTHER\\alice") is None
            assert await read.account("alice@other.test") is None

        check(opened, steps)

    def test_an_account_has_a_name_that_it_was_given_and_one_that_follows(self, opened: Opened) -> None:
        async def steps(read: DomainDirectory, write: DomainWriter) -> None:
            guid = await write.add_user("dave@example.test", {})
            await write.change("dave@example.test", "userPrincipalName", "boss@corp.test")
            for name in ("boss@corp.test", "dave@corp.test", "dave@example.test", "CORP\\dave"):
                found = await read.account(name)
                assert found is not None and (found.guid, found.name) == (guid, "boss@corp.test"), name

        check(opened, steps)

    def test_who_is_locked_out_or_expired_may_not_log_on(self, opened: Opened) -> None:
        async def steps(read: DomainDirectory, write: DomainWriter) -> None:
            await write.add_user("alice@example.test", {})
            seen = []
            for attribute, value in (("accountExpires", "130000000000000000"), ("accountExpires", "0")):
                await write.change("alice", attribute, value)
                account = await read.account("alice")
                assert account is not None
                seen.append(account.enabled)
            assert seen == [False, True]

        check(opened, steps)

    def test_the_domain_resolves_given_names_and_surnames(self, opened: Opened) -> None:
        async def steps(read: DomainDirectory, write: DomainWriter) -> None:
            guid = await write.add_user("dave@example.test", {})
            for attribute, value in (("givenName", "Alice"), ("sn", "Liddell")):
                await write.change("dave@example.test", attribute, value)
            for text in ("alic", "lidd", "ali lid", "liddell a"):
                (entry,) = await read.resolve(text)
                assert (entry.guid, entry.given_name, entry.surname) == (guid, "Alice", "Liddell"), text
            assert await read.resolve("alice x") == []

        check(opened, steps)

    def test_a_group_in_ranges(self, opened: Opened) -> None:
        async def steps(read: DomainDirectory, write: DomainWriter) -> None:
            members = [f"u{n}@example.test" for n in range(7)]
            for member in members:
                await write.add_user(member, {})
            await write.add_group("all@example.test", members=members)
            group = await read.controller.search(
                Domain.base, SUBTREE, "(proxyAddresses=smtp:all@*)", ("member;range=0-2",)
            )
            whole = await read._with_all_members(read.controller, group[0])
            assert len(whole.attributes["member"]) == 7

        check(opened, steps)

    def test_what_changes_is_known_before_it_is_forgotten(self, prepared: Prepared) -> None:
        async def run() -> None:
            async with prepared.opened() as (_, write):
                known = Known(prepared.domain.controller())
                domain = ActiveDirectory(Domain.name, Domain.netbios)
                clients = prepared.client(known), prepared.client(known, port=CATALOGUE)
                read = DomainDirectory(domain, *clients, 3600.0, 3600.0, follow=0.05)
                try:
                    assert await read.recipient("alice@example.test") is None
                    await write.add_user("alice@example.test", {})
                    async with asyncio.timeout(10):
                        while (alice := await read.recipient("alice@example.test")) is None:  # noqa: ASYNC110 (only asking tells)
                            await asyncio.sleep(0.02)
                        assert alice.display_name == "alice"
                        await write.change("alice", "displayName", "Alice")
                        while alice is None or alice.display_name == "alice":
                            alice = await read.recipient("alice@example.test")
                            await asyncio.sleep(0.02)
                finally:
                    await read.close()

        asyncio.run(run())

    def test_what_an_administrator_keeps(self, opened: Opened) -> None:
        async def steps(read: DomainDirectory, write: DomainWriter) -> None:
            domains = f"{ad_names.ACCEPTED_DOMAINS},{Domain.configuration}"
            edges = f"{ad_names.EDGE_SUBSCRIPTIONS},{Domain.configuration}"
            entry = {
                "objectClass": [ad_names.ACCEPTED_DOMAIN_CLASS.encode()],
                ad_names.DOMAIN_TYPE: [b"internal-relay"],
            }
            edge = {
                "objectClass": [ad_names.EDGE_SUBSCRIPTION_CLASS.encode()],
                ad_names.SERVER_FQDN: [b"edge1.corp.test"],
                ad_names.CERTIFICATE: [b"\x30\x00DER"],
            }
            before = await read.accepted_domains()
            await write.client.add(f"CN=other.test,{domains}", entry)
            await write.client.add(f"CN=edge1,{edges}", edge)
            try:
                added = set(await read.accepted_domains()) - set(before)
                assert added == {AcceptedDomain("other.test", DomainType.INTERNAL_RELAY)}
                certificate = TrustedCertificate("edge1", "edge1.corp.test", Role.EDGE, b"\x30\x00DER")
                assert await read.trusted_certificates() == (certificate,)
                sid = await read.servers_sid()
                assert sid is not None and sid.startswith("S-1-5-21-")
            finally:
                await write.client.delete(f"CN=other.test,{domains}")
                await write.client.delete(f"CN=edge1,{edges}")

        check(opened, steps)
