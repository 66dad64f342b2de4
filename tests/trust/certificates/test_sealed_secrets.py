"""Secrets sealed to public keys: opened by the private key, for their purpose, and by nothing else."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from postern.trust.certificates.sealed_secrets import (
    MAX_SECRET,
    SealError,
    key_of_certificate,
    new_key,
    public_part,
    seal,
    unseal,
)

SECRET, PURPOSE = "0123456789-abcdefghij", "EdgeSync edge1 hub1"
Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def pem(key: Private) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public(key: Private) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


KEYS = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "RSA": rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", KEYS)
def test_whoever_has_the_key_opens_it(kind: str) -> None:
    sealed = seal(public(KEYS[kind]), SECRET, PURPOSE)
    assert SECRET.encode() not in sealed
    assert unseal(pem(KEYS[kind]), sealed, PURPOSE) == SECRET
    assert seal(public(KEYS[kind]), SECRET, PURPOSE) != sealed


@pytest.mark.parametrize("kind", KEYS)
def test_for_another_purpose_it_stays_closed(kind: str) -> None:
    sealed = seal(public(KEYS[kind]), SECRET, PURPOSE)
    with pytest.raises(SealError):
        unseal(pem(KEYS[kind]), sealed, PURPOSE + "2")


@pytest.mark.parametrize("kind", KEYS)
def test_another_key_does_not_open_it(kind: str) -> None:
    for other in (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)):
        with pytest.raises(SealError):
            unseal(pem(other), seal(public(KEYS[kind]), SECRET, PURPOSE), PURPOSE)


@pytest.mark.parametrize("kind", KEYS)
def test_a_changed_byte_keeps_it_closed(kind: str) -> None:
    sealed = seal(public(KEYS[kind]), SECRET, PURPOSE)
    for index in {0, 1, len(sealed) // 2, len(sealed) - 1}:
        with pytest.raises(SealError):
            unseal(pem(KEYS[kind]), sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :], PURPOSE)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02", b"\x01\x21", b"\x03abc", b"\x01\xff" + bytes(300)])
def test_what_was_never_sealed_is_refused(sealed: bytes) -> None:
    for key in KEYS.values():
        with pytest.raises(SealError):
            unseal(pem(key), sealed, PURPOSE)


def test_keys_that_cannot_seal_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    for key in (public(ed25519.Ed25519PrivateKey.generate()), public(weak), b"", b"no key"):
        with pytest.raises(SealError):
            seal(key, SECRET, PURPOSE)
    with pytest.raises(SealError):
        seal(public(KEYS["P-256"]), "x" * (MAX_SECRET + 1), PURPOSE)
    with pytest.raises(SealError):
        unseal(b"no key", seal(public(KEYS["P-256"]), SECRET, PURPOSE), PURPOSE)


def test_a_key_of_our_own_and_its_public_part() -> None:
    key = new_key()
    assert unseal(key, seal(public_part(key), SECRET, PURPOSE), PURPOSE) == SECRET
    with pytest.raises(SealError):
        public_part(b"no key")


def test_the_key_of_a_certificate() -> None:
    key = KEYS["P-256"]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edge1.corp.test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    der = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert unseal(pem(key), seal(key_of_certificate(der), SECRET, PURPOSE), PURPOSE) == SECRET
    with pytest.raises(SealError):
        key_of_certificate(b"no certificate")
