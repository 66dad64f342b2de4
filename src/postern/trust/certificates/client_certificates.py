"""Finds the account of the user whose certificate a TLS handshake has validated.

The handshake has shown that the user has the key, and that an authority of the organization issued the certificate, which is
neither expired nor revoked (`net.mutual.ClientAuthorities`). Whose certificate it is, the directory says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from postern.model.directory import CLOSED_PROBE, PROBE, Account, CertificateNames, Directory, DirectoryUnavailable
from postern.model.security import Mechanism
from postern.protocols import ber
from postern.trust.acceptor import FAILED_TEXT, UNAVAILABLE, Denied, Granted
from postern.trust.membership import Membership

_PRINCIPAL = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""The user principal name in the subject alternative name (MS-PKCA section 3.1.5.2.1.2)."""
_SID_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.311.25.2")
_SID_URI = "tag:microsoft.com,2022-09-14:sid:"
"""The same in the subject alternative name, for requests that cannot bring extensions."""
_UTF8, _EXPLICIT, _OTHER_NAME, _OID = 0x0C, 0xA0, 0xA0, 0x06
_ATTRIBUTES = {
    **{"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "S", "2.5.4.9": "STREET", "2.5.4.10": "O"},
    **{"2.5.4.11": "OU", "2.5.4.12": "T", "2.5.4.42": "G", "2.5.4.43": "I", "2.5.4.4": "SN"},
    **{"0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "E"},
}
"""Attributes of names as Windows writes them."""
_QUOTED = frozenset(',+="\n<>#;')


class ClientCertificateOwners:
    """Finds the account that a client's certificate proves. `probe_authority` issues certificates for `postern verify`, which
    are good for its own accounts alone; None: nobody does. `clock` gives epoch seconds."""

    def __init__(
        self,
        directory: Directory,
        membership: Membership,
        probe_authority: x509.Certificate | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._membership = membership
        self._probe_authority = probe_authority
        self._clock = clock

    async def identify(self, der: bytes) -> Granted | Denied:
        """Returns the identity of a certificate's owner, which ends with the certificate.

        Bound: linear in the certificate.
        """
        try:
            certificate = x509.load_der_x509_certificate(der)
            refusal = _why_not(certificate, self._clock())
            names = names_of_owner(certificate)
            of_probe = self._is_for_probe(certificate)
        except Exception as error:  # the library raises many kinds for what it cannot read, which proves nobody
            return _denied(f"the certificate cannot be read: {error!r}")
        if refusal:
            return _denied(refusal)
        try:
            account = await self._probe(names) if of_probe else await self._directory.account_of_certificate(names)
        except DirectoryUnavailable:
            return UNAVAILABLE
        if account is None:
            return _denied("no account has this certificate")
        if not account.enabled:
            return _denied("the account is disabled or locked", account)
        identity = await self._membership.identity(account, Mechanism.CERTIFICATE)
        return Granted(replace(identity, ends=certificate.not_valid_after_utc.timestamp()))

    def _is_for_probe(self, certificate: x509.Certificate) -> bool:
        """Whether verify's authority signed it. The issuer's name does not decide: OpenSSL takes names as the same that differ in
        the case of their letters, or in blanks."""
        key = self._probe_authority.public_key() if self._probe_authority is not None else None
        algorithm = certificate.signature_hash_algorithm
        if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm is None:
            return False
        try:
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
        except InvalidSignature:
            return False
        return True

    async def _probe(self, names: CertificateNames) -> Account | None:
        local = names.principal.partition("@")[0].lower()
        account = await self._directory.account(names.principal) if local in (PROBE, CLOSED_PROBE) else None
        return account if account is not None and account.name.lower() == names.principal.lower() else None


def names_of_owner(certificate: x509.Certificate) -> CertificateNames:
    """Reads what a certificate says of its owner. Raises ValueError for extensions that cannot be read.

    Bound: linear in the certificate.
    """
    principal, sid = "", ""
    for name in _alternative_names(certificate):
        if isinstance(name, x509.OtherName) and name.type_id == _PRINCIPAL and not principal:
            principal = ber.take(name.value, 0, _UTF8)[0].decode()
        elif isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith(_SID_URI) and not sid:
            sid = name.value.removeprefix(_SID_URI)
    for extension in certificate.extensions:
        if extension.oid == _SID_EXTENSION and isinstance(extension.value, x509.UnrecognizedExtension):
            sid = _sid_in(extension.value.value)
    return CertificateNames(tuple(_identities(certificate)), principal, sid)


def issuer_and_serial(certificate: x509.Certificate) -> str:
    """The value of altSecurityIdentities that stands for this one certificate: the issuer's name from its root on, and the serial
    number's octets from the last one on (MS-PKCA section 3.1.5.2.1.3)."""
    serial = certificate.serial_number.to_bytes((certificate.serial_number.bit_length() + 7) // 8 or 1, "little").hex()
    return f"X509:<I>{windows_name(certificate.issuer)}<SR>{serial}"


def windows_name(name: x509.Name) -> str:
    """A name in one line as Windows writes it, in the order of its attributes."""
    parts = []
    for attribute in name:
        oid, value = attribute.oid.dotted_string, str(attribute.value)
        if not value or _QUOTED.intersection(value) or value != value.strip():
            value = '"' + value.replace('"', '""') + '"'
        parts.append(f"{_ATTRIBUTES.get(oid, 'OID.' + oid)}={value}")
    return ",".join(parts)


def _identities(certificate: x509.Certificate) -> Sequence[str]:
    """The values that name a certificate or its key alone. Those with a subject or an address, which Active Directory calls weak,
    prove nobody."""
    identities = [issuer_and_serial(certificate)]
    try:
        key = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return identities
    return [*identities, f"X509:<SKI>{key.digest.hex()}"]


def _alternative_names(certificate: x509.Certificate) -> Sequence[x509.GeneralName]:
    try:
        extension = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME)
    except x509.ExtensionNotFound:
        return ()
    assert isinstance(extension.value, x509.SubjectAlternativeName)
    return list(extension.value)


def _sid_in(octets: bytes) -> str:
    """Reads the extension with the owner's SID: GeneralNames with one otherName (MS-WCCE section 2.2.2.7.7.4). Raises
    ValueError."""
    names, _ = ber.take(octets, 0, ber.SEQUENCE)
    name, _ = ber.take(names, 0, _OTHER_NAME)
    _, at = ber.take(name, 0, _OID)
    value, _ = ber.take(name, at, _EXPLICIT)
    return ber.take(value, 0, ber.OCTETS)[0].decode("ascii")


def _why_not(certificate: x509.Certificate, now: float) -> str:
    """The reason why a certificate proves nobody now; "" if it may. The handshake has looked at all but what stands here."""
    if not certificate.not_valid_before_utc.timestamp() <= now <= certificate.not_valid_after_utc.timestamp():
        return "the certificate is not valid now"
    return "" if is_for_clients(certificate) else "the certificate is not for client authentication"


def is_for_clients(certificate: x509.Certificate) -> bool:
    """Whether a certificate says that it is for client authentication. One that says nothing may be meant for anything, such as
    to sign mail, and proves nobody."""
    try:
        uses = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in uses


def _denied(reason: str, account: Account | None = None) -> Denied:
    return Denied(text=FAILED_TEXT, account=account.name if account is not None else "", reason=reason)
