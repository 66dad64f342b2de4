"""Authorities that issue certificates to users, and lists of what they revoked."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from postern.protocols import ber

PRINCIPAL = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
SID = x509.ObjectIdentifier("1.3.6.1.4.1.311.25.2")
_DAY = datetime.timedelta(days=1)


class UserAuthority:
    """An authority that issues to users. `file` is its certificate, in `folder`."""

    def __init__(self, folder: Path, name: str = "People of Example") -> None:
        self.folder = folder
        self.now = datetime.datetime.now(datetime.UTC)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example, Inc."),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        self.certificate = (
            self._builder(self.name, self.key, self.now - _DAY, self.now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.file = folder / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def _builder(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        begins: datetime.datetime,
        ends: datetime.datetime,
        serial: int = 0,
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )

    def issue(
        self,
        principal: str = "",
        *,
        days: float = 7,
        uses: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CLIENT_AUTH,),
        sid: str = "",
        sid_octets: bytes = b"",
        serial: int = 0,
        others: Sequence[x509.GeneralName] = (),
        key_identifier: bool = False,
    ) -> tuple[Path, x509.Certificate]:
        """A certificate and its key in one file, valid from yesterday on (or before, if `days` is negative)."""
        key = ec.generate_private_key(ec.SECP256R1())
        ends = self.now + days * _DAY
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, principal or "somebody")])
        builder = self._builder(subject, key, min(self.now, ends) - _DAY, ends, serial)
        names = list(others)
        if principal:
            names.append(x509.OtherName(PRINCIPAL, ber.element(0x0C, principal.encode())))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if uses:
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        if sid or sid_octets:
            octets = sid_octets or sid_extension(sid)
            builder = builder.add_extension(x509.UnrecognizedExtension(SID, octets), critical=False)
        if key_identifier:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        file = self.folder / f"{certificate.serial_number:x}.pem"
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file.write_bytes(certificate.public_bytes(Encoding.PEM) + pem)
        return file, certificate

    def revoke(self, *certificates: x509.Certificate, days: float = 7) -> Path:
        """The list of revoked certificates, which is good for so many days."""
        ends = self.now + days * _DAY
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(min(self.now, ends) - _DAY).next_update(ends)
        for certificate in certificates:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(self.now - _DAY).build())
        file = self.file.with_suffix(".crl")
        file.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))
        return file


def sid_extension(sid: str) -> bytes:
    """The extension by which Active Directory's authorities name the owner of a certificate ([MS-WCCE] section 2.2.2.7.7.4)."""
    attribute = bytes.fromhex("060a2b060104018237190201")  # 1.3.6.1.4.1.311.25.2.1
    value = ber.element(0xA0, ber.element(ber.OCTETS, sid.encode()))
    return ber.element(ber.SEQUENCE, ber.element(0xA0, attribute + value))
