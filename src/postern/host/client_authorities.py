"""The authorities of users' certificates on this host: those that postern.toml names, and one of our own for `postern verify`.

The own one issues to verify's accounts alone (`trust.certificates.client_certificates`), so that verify can try the way of a
certificate though only the organization's authority has that authority's key. It is made at the first start that needs it.
"""

from __future__ import annotations

import datetime
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from postern.host import configuration
from postern.host.certificates import AUTHORITY_LIFE, BACKDATED, RENEWAL, builder, private_pem
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.net.tls import Certificate
from postern.trust.certificates.authorities import read_authorities
from postern.trust.private_files import replace_file

_TABLE = "client-certificates"


def prepare(state: StateFolder, organization: Organization, server: Server, now: datetime.datetime) -> None:
    """Looks at the files that postern.toml names, and makes verify's authority where it is missing. Raises ConfigurationError,
    OSError."""
    certified = organization.client_certificates
    if certified is None or Role.CLIENT_ACCESS not in server.roles:
        return
    try:
        if not read_authorities(Path(certified.authorities)):
            raise ValueError
    except (OSError, ValueError):
        raise configuration.objection(
            state,
            (_TABLE, "authorities"),
            f"{certified.authorities} cannot be read, or has no certificate in PEM form; name the file of those who issue "
            "certificates to users",
        ) from None
    try:
        if certified.revoked:
            x509.load_pem_x509_crl(Path(certified.revoked).read_bytes())
    except (OSError, ValueError):
        raise configuration.objection(
            state,
            (_TABLE, "revoked"),
            f"{certified.revoked} cannot be read, or is no list in PEM form; name the file, or leave the line out",
        ) from None
    here = probe_authority(state)
    if not _is_good(here.chain, now):
        _make(here, now)


def probe_authority(state: StateFolder) -> Certificate:
    """The files of verify's authority: its certificate with an empty list of revoked ones, and its key. They need not exist."""
    return Certificate(state.probe_authority, state.probe_authority.with_suffix(".key"))


def _is_good(file: Path, now: datetime.datetime) -> bool:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc - now > RENEWAL
    except (OSError, ValueError):
        return False


def _make(here: Certificate, now: datetime.datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    # No other authority has this name, so that a certificate which carries it can only come from here.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"postern verify {secrets.token_hex(16)}")])
    certificate = (
        builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    revoked = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name)
        .last_update(now - BACKDATED)
        .next_update(now + AUTHORITY_LIFE)
        .sign(key, hashes.SHA256())
    )
    replace_file(here.key, private_pem(key))
    replace_file(here.chain, certificate.public_bytes(Encoding.PEM) + revoked.public_bytes(Encoding.PEM))
