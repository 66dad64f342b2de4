"""Certificates of this host: the organization's own authority and the server certificate it signs, until better are given.

Reads and writes the state folder's `certificates`; the clock comes in as an argument. A server.pem that another
authority signed (put there by an administrator) is used and never replaced.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from postern.model.organization import Organization, Server, StateFolder
from postern.net.tls import Certificate
from postern.trust.certificates.chains import PrivateKey
from postern.trust.private_files import replace_file

AUTHORITY_LIFE = datetime.timedelta(days=3650)
# Some clients refuse more than 398 days.
SERVER_LIFE = datetime.timedelta(days=397)
RENEWAL = datetime.timedelta(days=30)
BACKDATED = datetime.timedelta(hours=1)


class CertificateError(Exception):
    """A certificate or key is there but cannot be used; the text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """The certificates of this host. Clients are told to trust `authority`; the server's certificate expires at `expires`."""

    authority: Path
    server: Certificate
    expires: datetime.datetime
    renewed: bool


def place(state: StateFolder) -> Certificate:
    """The paths of the server's certificate and key, which need not exist yet."""
    return Certificate(state.certificates / "server.pem", state.certificates / "server.key")


def authority_file(state: StateFolder) -> Path:
    """The certificate that clients import."""
    return state.certificates / "ca.pem"


def is_local(state: StateFolder, certificate: x509.Certificate) -> bool:
    """Whether the organization's own authority signed this certificate, and this host renews it."""
    try:
        return certificate.issuer == _read_certificate(authority_file(state)).subject
    except (OSError, CertificateError):
        return False


def ensure(
    state: StateFolder, organization: Organization, server: Server, now: datetime.datetime, anew: bool = False
) -> Certificates:
    """Makes the certificates that are missing and renews those that expire within RENEWAL or lack one of this server's names.
    With `anew` it makes the server another one whatever there is.

    Raises CertificateError for a file that is no certificate or key; such a file is never overwritten.
    """
    issuer, issuer_key = _authority(state, organization, now)
    certificate = place(state)
    names = _names(organization, server)
    old = _read_certificate(certificate.chain) if certificate.chain.exists() and not anew else None
    if old is not None and (old.issuer != issuer.subject or _still_good(old, issuer, names, now)):
        _check_pair(old, certificate)
        return Certificates(authority_file(state), certificate, old.not_valid_after_utc, False)
    if issuer_key is None:
        raise CertificateError(
            f"{authority_file(state)} has no key here to sign with: put server.pem and server.key beside it, or remove it"
        )
    key = ec.generate_private_key(ec.SECP256R1())
    new = _sign_server(key, issuer, issuer_key, server.fqdn, names, now)
    replace_file(certificate.key, private_pem(key))
    replace_file(certificate.chain, new.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM))
    return Certificates(authority_file(state), certificate, new.not_valid_after_utc, True)


def _authority(
    state: StateFolder, organization: Organization, now: datetime.datetime
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey | None]:
    """The authority's certificate, and its key if this host has it."""
    file, key_file = authority_file(state), state.certificates / "ca.key"
    if file.exists():
        certificate = _read_certificate(file)
        if not key_file.exists():
            return certificate, None
        if certificate.not_valid_after_utc - now > RENEWAL:
            key = load_pem_private_key(key_file.read_bytes(), None)
            if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
                raise CertificateError(f"{key_file} is not the key of {file}: put both back, or remove both")
            return certificate, key
    key = ec.generate_private_key(ec.SECP256R1())
    # RFC 5280 section 4.2.1.2: a renewed authority has the old one's name; the key identifier tells them apart.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization.name),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{organization.name} Postern authority"[:64]),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificate_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA256())
    )
    replace_file(key_file, private_pem(key))
    replace_file(file, certificate.public_bytes(Encoding.PEM))
    return certificate, key


def _sign_server(
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    fqdn: str,
    names: Sequence[x509.GeneralName],
    now: datetime.datetime,
) -> x509.Certificate:
    # RFC 5280's upper bound of a common name is 64 letters; the alternative name carries the whole of it.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, fqdn[:64])])
    issuer_identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    # A server is the client of other servers: mutual TLS and direct trust use the same certificate.
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        builder(subject, issuer.subject, key.public_key(), now, SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificate_sign=False), critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_identifier), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )


def builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    life: datetime.timedelta,
) -> x509.CertificateBuilder:
    """Begins a certificate that `issuer` is to sign, without extensions. It is valid from an hour ago on, for clocks that are
    slow."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
    )


def _usage(certificate_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificate_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificate_sign,
        crl_sign=certificate_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _names(organization: Organization, server: Server) -> list[x509.GeneralName]:
    """The names by which clients may call the server, localhost among them, and its addresses."""
    own, *others = organization.names_of(server)
    names = dict.fromkeys([own, "localhost", *others])
    addresses = dict.fromkeys(ipaddress.ip_address(address) for address in server.addresses)
    return [*(x509.DNSName(name) for name in names), *(x509.IPAddress(address) for address in addresses)]


def _still_good(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    names: Sequence[x509.GeneralName],
    now: datetime.datetime,
) -> bool:
    extensions = certificate.extensions
    theirs = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    ours = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    same_issuer = theirs == issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return same_issuer and list(ours) == list(names) and certificate.not_valid_after_utc - now > RENEWAL


def _check_pair(certificate: x509.Certificate, files: Certificate) -> None:
    try:
        key = load_pem_private_key(files.key.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        raise CertificateError(f"{files.key} is no private key in PEM form without a password") from None
    if key.public_key() != certificate.public_key():
        raise CertificateError(f"{files.key} is not the key of {files.chain}: put both in place, or remove both")


def _read_certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError:
        raise CertificateError(f"{file} is no certificate in PEM form: put one there, or remove it") from None


def private_pem(key: PrivateKey) -> bytes:
    """A private key as its file has it, without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
