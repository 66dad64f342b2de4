"""Checks of a host name under which a row of the web asks clients for a certificate, by certificates made for the occasion."""

from __future__ import annotations

import datetime
import http.client
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path as FilePath

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from postern.model.organization import Server
from postern.model.security import Mechanism, Seal
from postern.net.tls import Certificate, validating_context
from postern.protocols import ber
from postern.verify.report import MechanismReport, RowReport, Verdict
from postern.verify.subject import Subject
from postern.verify.web_probe import Page, WebConnection

_PRINCIPAL = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_UTF8 = 0x0C
_HOUR = datetime.timedelta(hours=1)
_ENDED = (-_HOUR, -_HOUR / 2)
_NOW = (-_HOUR / 2, _HOUR)
"""The begin and the end of a certificate, counted from now on."""
_REFUSED = (401, 403)


class ProbeIssuer:
    """Issues certificates for the account `name` as this host's authority for them does. Raises OSError, ValueError."""

    def __init__(self, authority: Certificate, name: str) -> None:
        self.name = name
        self._issuer = x509.load_pem_x509_certificate(authority.chain.read_bytes()).subject
        key = load_pem_private_key(authority.key.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{authority.key} is no key that verify made")
        self._key = key

    def issue(
        self, name: str = "", life: tuple[datetime.timedelta, datetime.timedelta] = _NOW, by_another: bool = False
    ) -> bytes:
        """A certificate and its key in PEM. `by_another`: another key signs it, in the name of the authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        signer = ec.generate_private_key(ec.SECP256R1()) if by_another else self._key
        now = datetime.datetime.now(datetime.UTC)
        principal = x509.OtherName(_PRINCIPAL, ber.element(_UTF8, (name or self.name).encode()))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "postern verify")]))
            .issuer_name(self._issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + life[0])
            .not_valid_after(now + life[1])
            .add_extension(x509.SubjectAlternativeName([principal]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM) + pem


@dataclass(frozen=True, slots=True)
class CertificateChecks:
    """Asks `server` for the page `target` under the host name `name`."""

    name: str
    server: Server
    target: str
    subject: Subject
    issuer: ProbeIssuer
    report: RowReport

    def check(self) -> None:
        """Raises OSError, http.client.HTTPException where the server cannot be reached at all."""
        proper = self.issuer.issue()
        connection = self._connect(self.name, proper)
        try:
            seal, page = connection.seal(), connection.ask("GET", self.target)
            own = self.server.fqdn
            elsewhere = connection.ask("GET", self.target, host=own).status
        finally:
            connection.close()
        self._tell(page, seal)
        self.report.check(
            f"{own} is not served on a connection for {self.name}", elsewhere == 421, f"answers {elsewhere}"
        )
        nobody = self._ask(self.name, b"")
        self.report.check("no certificate is refused", nobody.status in _REFUSED, f"answers {nobody.status}")
        other = self._ask(self.name, self.issuer.issue(f"nobody.{self.issuer.name}"))
        self.report.check(
            "a certificate of somebody else is refused", other.status in _REFUSED, f"answers {other.status}"
        )
        if self.subject.closed:
            closed = self._ask(self.name, self.issuer.issue(self.subject.closed)).status
            self.report.check("a certificate of a disabled account is refused", closed in _REFUSED, f"answers {closed}")
        unasked = self._ask(own, proper)
        self.report.check(f"{own} asks for no certificate", unasked.status in _REFUSED, f"answers {unasked.status}")
        self._ends("a certificate of another authority", self.issuer.issue(by_another=True))
        self._ends("a certificate that has expired", self.issuer.issue(life=_ENDED))

    def _tell(self, page: Page, seal: Seal | None) -> None:
        verdict = Verdict.PASS if page.yes else Verdict.FAIL
        self.report.mechanism(
            MechanismReport(Mechanism.CERTIFICATE, verdict, f"answers {page.status} under {self.name}", seal)
        )

    def _ends(self, what: str, shown: bytes) -> None:
        """Checks that TLS itself refuses a certificate: the client hears it when it reads."""
        try:
            status = self._ask(self.name, shown).status
        except (OSError, http.client.HTTPException):
            self.report.check(f"{what} is refused", True)
        else:
            self.report.check(f"{what} is refused", False, f"answers {status}")

    def _ask(self, name: str, shown: bytes) -> Page:
        connection = self._connect(name, shown)
        try:
            return connection.ask("GET", self.target)
        finally:
            connection.close()

    def _connect(self, name: str, shown: bytes) -> WebConnection:
        context = validating_context(self.subject.authority)
        if shown:
            _load(context, shown)
        return WebConnection(self.server.addresses[0], self.subject.organization.port(443), context, name)


def _load(context: ssl.SSLContext, shown: bytes) -> None:
    """Has a context show a certificate. OpenSSL takes it from a file, which nobody else may read."""
    with tempfile.TemporaryDirectory(prefix="postern-verify-") as folder:
        file = FilePath(folder) / "certificate.pem"
        file.touch(0o600)
        file.write_bytes(shown)
        context.load_cert_chain(file)
