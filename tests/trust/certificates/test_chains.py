"""Chains as administrators bring them: every form is read and put in order; what a server cannot use is refused."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from postern.trust.certificates.chains import Chain, ChainError, covers, judge, names_in, read_bundle
from tests.certificates import Made, authority, make

NAME = "mail.example.test"
ROOT = authority("A root")
MIDDLE = authority("An intermediate", ROOT)
LEAF = make(NAME, MIDDLE, days=(-1, 90))
NOW = datetime.datetime.now(datetime.UTC)
PASSWORD = "through the glass"


def never() -> str:
    raise AssertionError("nothing is encrypted")


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def key_pem(made: Made, password: str = "", form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return made.key.private_bytes(
        Encoding.PEM, form, BestAvailableEncryption(password.encode()) if password else NoEncryption()
    )


def judged(
    made: Made,
    *others: x509.Certificate,
    names: Sequence[str] = (NAME,),
    roots: Sequence[x509.Certificate] = (ROOT.certificate,),
    without_name: bool = False,
) -> Chain:
    return judge((made.certificate, *others), made.key, names, roots, NOW, without_name)


# Forms


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_pem_has_certificates_and_a_key_in_any_order(form: PrivateFormat) -> None:
    text = (
        b"Bag Attributes\n friendlyName: x\n"
        + pem(LEAF.certificate)
        + key_pem(LEAF, form=form)
        + pem(MIDDLE.certificate)
    )
    bundle = read_bundle(text, never)
    assert bundle.certificates == (LEAF.certificate, MIDDLE.certificate)
    assert bundle.key is not None and bundle.key.public_key() == LEAF.key.public_key()


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_opened(form: PrivateFormat) -> None:
    bundle = read_bundle(pem(LEAF.certificate) + key_pem(LEAF, PASSWORD, form), lambda: PASSWORD)
    assert bundle.key is not None and bundle.key.public_key() == LEAF.key.public_key()
    with pytest.raises(ChainError, match="does not open with this password"):
        read_bundle(key_pem(LEAF, PASSWORD, form), lambda: "another")


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_pkcs12_is_read(password: str) -> None:
    lock = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    data = pkcs12.serialize_key_and_certificates(b"x", LEAF.key, LEAF.certificate, [MIDDLE.certificate], lock)
    bundle = read_bundle(data, (lambda: password) if password else never)
    assert bundle.certificates == (LEAF.certificate, MIDDLE.certificate) and bundle.key is not None
    if password:
        with pytest.raises(ChainError, match="does not open with this password"):
            read_bundle(data, lambda: "another")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("legacy", [[], ["-legacy"]])
def test_openssls_pkcs12_is_read(tmp_path: Path, legacy: list[str]) -> None:
    written = LEAF.write(tmp_path)
    command = ["openssl", "pkcs12", "-export", *legacy, "-in", written.chain, "-inkey", written.key, "-passout"]
    done = subprocess.run([*command, f"pass:{PASSWORD}"], capture_output=True, check=True)
    assert read_bundle(done.stdout, lambda: PASSWORD).certificates[0] == LEAF.certificate


def test_der_is_read() -> None:
    assert read_bundle(LEAF.der, never).certificates == (LEAF.certificate,)
    der = LEAF.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert read_bundle(der, never).key is not None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "neither PEM nor DER nor PKCS #12"),
        (b"hello", "neither PEM nor DER nor PKCS #12"),
        (pem(LEAF.certificate).replace(b"M", b"!"), "damaged"),
        (key_pem(LEAF)[:80], "the key in the file is damaged"),
        (pem(LEAF.certificate) * 21, "21 certificates"),
    ],
    ids=("nothing", "text", "certificate", "key", "many"),  # two runners must call them alike, and the key is a new one
)
def test_what_cannot_be_read_is_said(data: bytes, says: str) -> None:
    with pytest.raises(ChainError, match=says):
        read_bundle(data, never)


@pytest.mark.parametrize(
    ("key", "says"),
    [(rsa.generate_private_key(65537, 1024), "1024 bits"), (ed25519.Ed25519PrivateKey.generate(), "neither RSA")],
)
def test_keys_that_clients_do_not_take_are_refused(
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, says: str
) -> None:
    with pytest.raises(ChainError, match=says):
        read_bundle(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), never)


# The chain


def test_the_chain_is_put_in_order() -> None:
    chain = judged(LEAF, ROOT.certificate, make("other.test").certificate, MIDDLE.certificate)
    assert chain.certificates == (LEAF.certificate, MIDDLE.certificate, ROOT.certificate)
    assert chain.anchored and chain.root == ROOT.certificate and not chain.warnings
    assert chain.pem == pem(*chain.certificates)


def test_a_chain_without_its_root_ends_at_an_authority_of_the_machine() -> None:
    chain = judged(LEAF, MIDDLE.certificate)
    assert chain.certificates == (LEAF.certificate, MIDDLE.certificate) and chain.anchored and chain.root is None


def test_a_chain_with_a_gap_is_refused() -> None:
    with pytest.raises(ChainError, match="issuer An intermediate is neither in the file"):
        judged(LEAF)
    with pytest.raises(ChainError, match="issuer A root is neither in the file"):
        judged(LEAF, MIDDLE.certificate, roots=())
    imposter = authority("An intermediate")  # of the same name, with another key
    with pytest.raises(ChainError, match="neither in the file"):
        judged(LEAF, imposter.certificate)


def test_an_authority_that_the_machine_does_not_know_is_said() -> None:
    chain = judged(LEAF, MIDDLE.certificate, ROOT.certificate, roots=())
    assert not chain.anchored and chain.root == ROOT.certificate
    assert chain.warnings == ("this machine does not know the authority A root; clients must know it",)
    alone = judged(make(NAME, days=(-1, 90)), roots=())
    assert alone.warnings == ("it is signed by its own key, so that no client knows it",)


def test_the_key_must_be_the_certificates() -> None:
    with pytest.raises(ChainError, match="the key does not belong to mail"):
        judge([LEAF.certificate], ec.generate_private_key(ec.SECP256R1()), [NAME], [], NOW)
    with pytest.raises(ChainError, match="no certificate"):
        judge([], LEAF.key, [NAME], [], NOW)
    chain = judge([MIDDLE.certificate, LEAF.certificate], LEAF.key, [NAME], [ROOT.certificate], NOW)
    assert chain.certificates[0] == LEAF.certificate, "whichever stands first"


# What a server's certificate must be


def use(*purposes: x509.ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage(purposes)


SAN = (x509.SubjectAlternativeName([x509.DNSName(NAME)]), False)
NO_SIGNATURES = x509.KeyUsage(False, False, True, False, False, False, False, False, False)


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        (make(NAME, ROOT, days=(-9, -1)), "has expired"),
        (make(NAME, ROOT, days=(1, 9)), "not valid yet"),
        (make("other.test", ROOT), "does not name mail.example.test"),
        (make(NAME, ROOT, extensions=()), "no subject alternative name"),
        (authority(NAME, ROOT), "an authority's certificate"),
        (make(NAME, ROOT, extensions=(SAN, (use(ExtendedKeyUsageOID.CLIENT_AUTH), False))), "not for servers"),
        (make(NAME, ROOT, extensions=(SAN, (NO_SIGNATURES, True))), "may not sign"),
    ],
)
def test_what_a_server_cannot_show_is_refused(leaf: Made, says: str) -> None:
    with pytest.raises(ChainError, match=says):
        judged(leaf)


def test_an_expired_authority_is_refused() -> None:
    old = make("An old one", ROOT, days=(-9, -1), ca=True)
    with pytest.raises(ChainError, match="An old one has expired"):
        judged(make(NAME, old), old.certificate)


def test_names_are_missing_and_the_end_is_near() -> None:
    short = make(NAME, ROOT, days=(-60, 9.5))
    chain = judged(short, names=(NAME, "example.test", "b.example.test"))
    assert chain.warnings == ("it does not name example.test, b.example.test", "it ends in 9 days")
    other = judged(make("other.test", ROOT, days=(-1, 90)), without_name=True)
    assert other.warnings == ("it does not name mail.example.test",)


@pytest.mark.parametrize(
    ("names", "name", "covered"),
    [
        (("mail.example.test",), "MAIL.example.test", True),
        (("*.example.test",), "mail.example.test", True),
        (("*.example.test",), "a.mail.example.test", False),
        (("*.example.test",), "example.test", False),
        (("m*.example.test",), "mail.example.test", False),
        ((), "mail.example.test", False),
    ],
)
def test_a_wildcard_stands_for_one_label(names: tuple[str, ...], name: str, covered: bool) -> None:
    assert covers(names, name) is covered


def test_names_are_dns_names_and_addresses() -> None:
    import ipaddress

    san = x509.SubjectAlternativeName(
        [x509.DNSName("A.test"), x509.IPAddress(ipaddress.ip_address("::1")), x509.RFC822Name("x@a.test")]
    )
    assert names_in(make("a", extensions=((san, False),)).certificate) == ("a.test", "::1")
