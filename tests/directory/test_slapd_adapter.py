"""The private slapd answers as every directory must; and what only it keeps.

covers: entries, memberships, user_certificates
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.directory import entries
from postern.directory.settings import AdministrationError, NotFound
from postern.directory.slapd_adapter import SUFFIX, SlapdDirectory
from postern.directory.user_certificates import UserCertificates
from postern.model.directory import CertificateNames
from postern.model.organization import AcceptedDomain, DomainType
from postern.trust.passwords.realm_hash import ALGORITHMS, KeptRealmHashes, realm_hash
from postern.trust.passwords.verifiers import verifiers
from tests.directory.conftest import RunningSlapd
from tests.directory.contract import DirectoryContract, Opened, check


@pytest.mark.slow
class TestSlapdDirectory(DirectoryContract):
    @pytest.fixture
    def opened(self, empty_slapd: RunningSlapd) -> Opened:
        return empty_slapd.opened

    def test_verifiers_are_kept_once_an_administrator_wants_them(self, opened: Opened) -> None:
        async def steps(read: SlapdDirectory, write) -> None:
            assert await read.enabled_verifiers() == frozenset()
            await write.enable_verifier("nt")
            await write.enable_verifier("nt")
            assert await read.enabled_verifiers() == {"nt"}
            await write.add_user("alice@example.test", {"argon2id": "a", "nt": "0" * 32})
            assert await write.disable_verifier("nt") == 1
            account = await read.account("alice")
            assert await read.verifier(account, "nt") is None
            assert await read.verifier(account, "argon2id") == "a"
            assert await read.enabled_verifiers() == frozenset()

        check(opened, steps)

    def test_hashes_for_digest_have_a_realm_that_stays(self, opened: Opened) -> None:
        async def steps(read: SlapdDirectory, write) -> None:
            assert (await read.enabled_verifiers(), read.digest_realm) == (frozenset(), "")
            await write.enable_verifier("digest", "example.test")
            await write.enable_verifier("digest", "another.test")
            assert (await read.enabled_verifiers(), read.digest_realm) == ({"digest"}, "example.test")
            made = verifiers("wonderland", {"digest"}, "kim@회사.test", read.digest_realm)
            await write.add_user("kim@회사.test", made)
            account, kept = await read.account("kim"), KeptRealmHashes(read)
            for name in ("kim", "kim@회사.test", "kim@xn--vf4b131b.test"):
                for algorithm in ALGORITHMS:
                    made_of = realm_hash(algorithm, name, "example.test", "wonderland")
                    assert await kept.realm_hash(account, name, algorithm) == made_of
            await write.enable_verifier("nt")
            assert await write.disable_verifier("nt") == 0
            assert (await read.enabled_verifiers(), read.digest_realm) == ({"digest"}, "example.test")
            assert await write.disable_verifier("digest") == 1
            assert (await read.enabled_verifiers(), read.digest_realm) == (frozenset(), "")
            assert await kept.realm_hash(account, "kim", "MD5") is None
            await write.enable_verifier("digest", "another.test")
            assert (await read.enabled_verifiers(), read.digest_realm) == ({"digest"}, "another.test")

        check(opened, steps)

    def test_a_new_name_ends_the_hashes_of_the_old_one(self, opened: Opened) -> None:
        async def steps(read: SlapdDirectory, write) -> None:
            for name, kinds in (("alice@example.test", {"digest"}), ("bob@example.test", ())):
                await write.add_user(name, verifiers("wonderland", kinds, name, "example.test"))
                await write.move(name, name.replace("example", "another"))
                account = await read.account(name.replace("example", "another"))
                assert account.name.endswith("@another.test")
                assert await read.verifier(account, "digest") is None
                assert await read.verifier(account, "argon2id") is not None

        check(opened, steps)

    def test_accepted_domains(self, opened: Opened) -> None:
        async def steps(read: SlapdDirectory, write) -> None:
            await write.add_domain(AcceptedDomain("Other.Test", DomainType.INTERNAL_RELAY))
            await write.add_domain(AcceptedDomain("another.test"))
            assert await read.accepted_domains() == (
                AcceptedDomain("another.test"),
                AcceptedDomain("other.test", DomainType.INTERNAL_RELAY),
            )
            await write.remove_domain("other.test")
            assert await read.accepted_domains() == (AcceptedDomain("another.test"),)

        check(opened, steps)

    def test_certificates_have_one_owner(self, opened: Opened) -> None:
        async def steps(read: SlapdDirectory, write: Any) -> None:
            for name in ("alice@example.test", "bob@example.test", "kim@회사.test"):
                await write.add_user(name, {"argon2id": "a"})
            alice, bob, kim = [await read.account(name) for name in ("alice", "bob", "kim")]
            kept = UserCertificates(write._client, SUFFIX)
            await kept.add(alice, FIRST)
            await kept.add(alice, SECOND)
            for account in (alice, bob):
                with pytest.raises(AdministrationError, match="already"):
                    await kept.add(account, FIRST.upper().replace("X509:<I>", "x509:<i>"))
            assert await kept.of(alice) == (FIRST, SECOND) and await kept.of(bob) == ()
            for certificate, owner in (
                (CertificateNames((FIRST,)), alice),
                (CertificateNames(("X509:<SKI>00", SECOND), "bob@example.test"), alice),
                (CertificateNames((OTHER,), "BOB@example.test"), bob),
                (CertificateNames((OTHER,), "kim@xn--vf4b131b.test"), kim),
                (CertificateNames((OTHER,), "*"), None),
                (CertificateNames((OTHER,)), None),
            ):
                account = await read.account_of_certificate(certificate)
                assert (account and account.name) == (owner and owner.name), certificate
            assert await read.account_of_certificate(CertificateNames((FIRST,))) == await read.account("alice")
            await kept.remove(alice, FIRST)
            with pytest.raises(NotFound):
                await kept.remove(alice, FIRST)
            assert await read.account_of_certificate(CertificateNames((FIRST,))) is None

        check(opened, steps)


FIRST, SECOND, OTHER = (f'X509:<I>O="Example, Inc.",CN=People (of) *<SR>{serial}' for serial in ("01", "02", "03"))
_LOCAL = st.text(st.characters(categories=("Ll", "Nd", "Lo"), exclude_characters=":"), min_size=1, max_size=20)


@given(st.lists(_LOCAL.map(lambda local: entries.fold(local) + "@example.test"), min_size=1, max_size=6, unique=True))
def test_addresses_come_back_as_they_were_written(addresses: list[str]) -> None:
    values = {"proxyAddresses": list(reversed(entries.proxy_addresses(addresses[0], addresses[1:])))}
    assert entries.primary_of(values) == addresses[0]
    assert entries.addresses_of(values)[0] == addresses[0]
    assert set(entries.addresses_of(values)) == set(addresses)


def test_what_is_no_mail_address_is_passed_over() -> None:
    values = {
        "proxyAddresses": [
            b"X400:c=US;a= ;p=Org",
            b"SMTP:a@example.test",
            b"sip:a@example.test",
            b"smtp:b@example.test",
        ]
    }
    assert entries.addresses_of(values) == ("a@example.test", "b@example.test")
