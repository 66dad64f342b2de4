"""Certificates of every kind that a peer may show: self-signed, signed by some authority, ended, odd."""

from __future__ import annotations

import datetime
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from postern.net.tls import Certificate

DAY = datetime.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Made:
    """A certificate with its key, and what was sent along (`others`, DER)."""

    certificate: x509.Certificate
    key: Key
    others: tuple[bytes, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def chain(self) -> tuple[bytes, ...]:
        return self.der, *self.others

    def write(self, folder: Path | None = None) -> Certificate:
        """PEM files of it."""
        folder = Path(tempfile.mkdtemp(prefix="crt-", dir=folder or "/tmp"))
        others = b"".join(x509.load_der_x509_certificate(one).public_bytes(Encoding.PEM) for one in self.others)
        (folder / "chain.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM) + others)
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key.pem").write_bytes(key)
        return Certificate(folder / "chain.pem", folder / "key.pem")


def make(
    name: str,
    signer: Made | None = None,
    days: tuple[float, float] = (-1, 30),
    key: Key | None = None,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] | None = None,
    ca: bool = False,
) -> Made:
    """Self-signed without a `signer`. `days` from now are its first and last. Without `extensions` it has what servers' have."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])] if name else [])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + DAY * days[0])
        .not_valid_after(now + DAY * days[1])
    )
    by = (signer.key if signer else key).public_key()
    if extensions is None:
        extensions = (
            (x509.BasicConstraints(ca, None), True),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(by), False),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        )
        extensions += ((_usage(), True),) if ca else ((x509.SubjectAlternativeName([x509.DNSName(name)]), False),)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signed = builder.sign(signer.key if signer else key, hashes.SHA256())
    return Made(signed, key, signer.chain if signer else ())


def authority(name: str = "Some authority", signer: Made | None = None) -> Made:
    return make(name, signer, ca=True)


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(False, False, False, False, False, True, True, False, False)
