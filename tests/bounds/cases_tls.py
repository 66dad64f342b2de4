"""Worst cases of what is read of a client before and while TLS begins: its hello, and its certificate."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from postern.directory.ad import security_descriptor
from postern.net import client_hello
from postern.trust.certificates import client_certificates
from tests.bounds.growth import Cases, Work, finished
from tests.net.client_hellos import extension, hello, records
from tests.support.client_certificates import PRINCIPAL

KEY = ec.generate_private_key(ec.SECP256R1())


def _hello(size: int, content: bytes, spread: int = 1) -> Work:
    many = extension(0xFFFF, content) * (min(size, client_hello.MAX_HELLO - 200) // len(extension(0xFFFF, content)))
    message = hello(many)
    octets = records(message, len(message) // spread + 1)
    return lambda: client_hello.server_name(octets)


def _certificate(size: int) -> x509.Certificate:
    now = datetime.datetime(2026, 1, 1)
    name = x509.Name([])
    names = x509.SubjectAlternativeName([x509.OtherName(PRINCIPAL, b"\x0c\x01a")] * (size // 24))
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now.replace(year=2099))
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(names, critical=False).add_extension(uses, critical=False)
    return builder.sign(KEY, hashes.SHA256())


def _names(size: int) -> Work:
    certificate = _certificate(size)
    return lambda: client_certificates.names_of_owner(certificate)


async def _nobody(names: object) -> None: ...


def _owner(size: int) -> Work:
    der = _certificate(size).public_bytes(Encoding.DER)
    directory: Any = SimpleNamespace(account_of_certificate=_nobody)
    nobody: Any = None
    owners = client_certificates.ClientCertificateOwners(directory, nobody)
    return lambda: finished(owners.identify(der))


CASES: Cases = {
    "net.client_hello.server_name: many extensions": lambda size: _hello(size, b""),
    "net.client_hello.server_name: one extension": lambda size: _hello(size, bytes(1000)),
    "net.client_hello.server_name: spread": lambda size: _hello(size, b"", client_hello.MAX_RECORDS),
    "trust.certificates.client_certificates.names_of_owner: many names": _names,
    "trust.certificates.client_certificates.ClientCertificateOwners.identify: many names": _owner,
    "directory.ad.security_descriptor.sid_octets: many parts": lambda size: (
        lambda: security_descriptor.sid_octets("S-1-5" + "-1" * (size // 2))
    ),
}
