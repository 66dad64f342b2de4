"""Whose a user's certificate is: what it says of its owner, and whom the directory names."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import crypto

from postern.model.directory import PROBE
from postern.model.security import Mechanism, PrincipalKind
from postern.trust.acceptor import UNAVAILABLE, Denied, Granted
from postern.trust.certificates.client_certificates import (
    ClientCertificateOwners,
    issuer_and_serial,
    names_of_owner,
    windows_name,
)
from postern.trust.membership import Membership
from tests.support.client_certificates import UserAuthority
from tests.trust.people import People

ALICE = "alice@example.test"
SID = "S-1-5-21-1004336348-1177238915-682003330-1104"


def judged(people: People, certificate: x509.Certificate, authority: UserAuthority | None = None, after: float = 0.0):
    owners = ClientCertificateOwners(
        people,
        Membership(),
        authority.certificate if authority is not None else None,
        lambda: certificate.not_valid_before_utc.timestamp() + after,
    )
    return asyncio.run(owners.identify(certificate.public_bytes(Encoding.DER)))


@pytest.fixture
def people() -> People:
    people = People()
    people.add(ALICE, "wonderland")
    people.add(f"{PROBE}@example.test", "secret")
    return people


@pytest.fixture
def authority(tmp_path: Path) -> UserAuthority:
    return UserAuthority(tmp_path)


def test_the_owner_s_session_ends_with_the_certificate(people: People, authority: UserAuthority) -> None:
    _, certificate = authority.issue(ALICE)
    outcome = judged(people, certificate)
    assert isinstance(outcome, Granted)
    identity = outcome.identity
    assert (identity.kind, identity.name, identity.mechanism) == (PrincipalKind.USER, ALICE, Mechanism.CERTIFICATE)
    assert identity.ends == certificate.not_valid_after_utc.timestamp()
    assert identity.guid == people.accounts[ALICE].guid


def test_the_names_are_those_of_active_directory(authority: UserAuthority) -> None:
    _, certificate = authority.issue(ALICE, serial=0x2B0000000011AC0000000012, sid=SID, key_identifier=True)
    names = names_of_owner(certificate)
    assert (names.principal, names.sid) == (ALICE, SID)
    first, second = names.identities
    assert first == 'X509:<I>O="Example, Inc.",CN=People of Example<SR>1200000000ac11000000002b'
    key = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert second == f"X509:<SKI>{key.digest.hex()}"
    assert issuer_and_serial(certificate) == first


def test_a_sid_may_stand_in_the_alternative_name(authority: UserAuthority) -> None:
    uri = x509.UniformResourceIdentifier(f"tag:microsoft.com,2022-09-14:sid:{SID}")
    assert names_of_owner(authority.issue(others=[uri])[1]).sid == SID
    assert names_of_owner(authority.issue(others=[x509.RFC822Name(ALICE)])[1]).principal == "", "an address is no name"


@pytest.mark.parametrize(
    ("attributes", "line"),
    [
        (((NameOID.DOMAIN_COMPONENT, "test"), (NameOID.DOMAIN_COMPONENT, "corp")), "DC=test,DC=corp"),
        (((NameOID.STATE_OR_PROVINCE_NAME, "Seoul"), (NameOID.EMAIL_ADDRESS, "ca@x.test")), "S=Seoul,E=ca@x.test"),
        (((NameOID.COMMON_NAME, 'A "B"<SR>00'),), 'CN="A ""B""<SR>00"'),
        (((NameOID.COMMON_NAME, " a"), (NameOID.PSEUDONYM, "b")), 'CN=" a",OID.2.5.4.65=b'),
    ],
)
def test_a_name_is_written_as_windows_writes_it(
    attributes: tuple[tuple[x509.ObjectIdentifier, str], ...], line: str
) -> None:
    assert windows_name(x509.Name([x509.NameAttribute(*pair) for pair in attributes])) == line


def test_what_proves_nobody(people: People, authority: UserAuthority) -> None:
    _, good = authority.issue(ALICE)
    for certificate, after, reason in (
        (good, -1.0, "the certificate is not valid now"),
        (good, 9 * 86_400.0, "the certificate is not valid now"),
        (authority.issue(ALICE, uses=())[1], 0.0, "the certificate is not for client authentication"),
        (
            authority.issue(ALICE, uses=[ExtendedKeyUsageOID.SERVER_AUTH])[1],
            0.0,
            "the certificate is not for client authentication",
        ),
        (authority.issue("nobody@example.test")[1], 0.0, "no account has this certificate"),
        (authority.issue(others=[x509.RFC822Name(ALICE)])[1], 0.0, "no account has this certificate"),
    ):
        outcome = judged(people, certificate, after=after)
        assert isinstance(outcome, Denied) and (outcome.reason, outcome.temporary) == (reason, False)
    people.set(ALICE, enabled=False)
    outcome = judged(people, good)
    assert isinstance(outcome, Denied) and outcome.account == ALICE
    people.away = True
    assert judged(people, good) == UNAVAILABLE


def test_octets_that_are_no_certificate_prove_nobody(people: People) -> None:
    owners = ClientCertificateOwners(people, Membership())
    for octets in (b"", b"\x30\x00", bytes(100)):
        outcome = asyncio.run(owners.identify(octets))
        assert isinstance(outcome, Denied) and "cannot be read" in outcome.reason


def test_an_extension_that_is_no_sid_proves_nobody(people: People, authority: UserAuthority) -> None:
    _, certificate = authority.issue(ALICE, sid_octets=b"\x30\x03abc")
    outcome = judged(people, certificate)
    assert isinstance(outcome, Denied) and not outcome.account


def test_the_authority_of_verify_speaks_for_its_mailbox_alone(
    people: People, authority: UserAuthority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = UserAuthority(tmp_path / "other")
    probe = f"{PROBE}@example.test"
    for issuer, principal, is_in in (
        (authority, probe, True),
        (authority, ALICE, False),
        (authority, f"{PROBE}@elsewhere.test", False),
        (other, ALICE, True),
    ):
        outcome = judged(people, issuer.issue(principal)[1], authority)
        assert isinstance(outcome, Granted) is is_in, principal
    certificate = authority.issue()[1]
    people.identities[issuer_and_serial(certificate)] = ALICE
    assert isinstance(judged(people, certificate, authority), Denied)
    assert isinstance(judged(people, certificate), Granted)


def test_the_authority_of_verify_does_not_speak_for_others_under_another_spelling(
    people: People, authority: UserAuthority
) -> None:
    spelled = [x509.NameAttribute(each.oid, str(each.value).upper().replace(" ", "  ")) for each in authority.name]
    authority.name = x509.Name(spelled)
    certificate = authority.issue(ALICE)[1]
    store = crypto.X509Store()
    store.add_cert(crypto.X509.from_cryptography(authority.certificate))
    crypto.X509StoreContext(store, crypto.X509.from_cryptography(certificate)).verify_certificate()
    assert isinstance(judged(people, certificate, authority), Denied)


def test_a_server_s_account_is_a_server_s(people: People, authority: UserAuthority) -> None:
    people.accounts[ALICE] = replace(people.accounts[ALICE], is_server=True)
    outcome = judged(people, authority.issue(ALICE)[1])
    assert isinstance(outcome, Granted) and outcome.identity.kind is PrincipalKind.SERVER
