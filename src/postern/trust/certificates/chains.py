"""Certificate chains as an administrator brings them: read from PEM or PKCS #12, put in order, and judged before they are shown.

Reads no files, and no clock. `host.own_certificate` puts into place what passes here.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
MIN_RSA = 2048
"""Bits; NIST SP 800-131A."""
MAX_CERTIFICATES = 20
"""Certificates of one file that are looked at; TLS takes ten of a chain (`net.mutual`)."""
SOON = datetime.timedelta(days=30)
_KEY_BEGINS, _KEY_ENDS = b"PRIVATE KEY-----", b"-----END "


class ChainError(Exception):
    """A certificate, chain or key that a server cannot use; the text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The contents of a file: certificates in its order, and at most one private key."""

    certificates: tuple[x509.Certificate, ...]
    key: PrivateKey | None


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that a server may show, its own certificate first. `warnings` are sentences without a full stop. `anchored` says
    whether one of the known authorities signed it."""

    certificates: tuple[x509.Certificate, ...]
    key: PrivateKey
    warnings: tuple[str, ...]
    anchored: bool

    @property
    def root(self) -> x509.Certificate | None:
        """The authority at the end of the chain, where the file has it."""
        last = self.certificates[-1]
        return last if len(self.certificates) > 1 and last.issuer == last.subject else None

    @property
    def pem(self) -> bytes:
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.certificates)


def read_bundle(data: bytes, password: Callable[[], str]) -> Bundle:
    """Reads PEM (certificates, and a key among them), PKCS #12, or one certificate or key in DER. `password` is called if a key
    or the file is encrypted. Raises ChainError."""
    if b"-----BEGIN " in data:
        return Bundle(_pem_certificates(data), _pem_key(data, password))
    with contextlib.suppress(ValueError):
        return Bundle((x509.load_der_x509_certificate(data),), None)
    with contextlib.suppress(ValueError, TypeError):
        return Bundle((), _usable(load_der_private_key(data, None)))
    return _pkcs12(data, password)


def _pem_certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    if b"-----BEGIN CERTIFICATE-----" not in data:
        return ()
    try:
        certificates = tuple(x509.load_pem_x509_certificates(data))
    except ValueError:
        raise ChainError("a certificate in the file is damaged: fetch it again from your authority") from None
    if len(certificates) > MAX_CERTIFICATES:
        raise ChainError(f"the file has {len(certificates)} certificates: bring your own and those of its authorities")
    return certificates


def _pem_key(data: bytes, password: Callable[[], str]) -> PrivateKey | None:
    """The first private key; certificates may stand before it."""
    at = data.find(_KEY_BEGINS)
    if at < 0:
        return None
    begin = data.rfind(b"-----BEGIN ", 0, at)
    end = data.find(_KEY_BEGINS, data.find(_KEY_ENDS, at))
    block = data[max(begin, 0) : end + len(_KEY_BEGINS) if end > 0 else len(data)]
    try:
        return _usable(load_pem_private_key(block + b"\n", None))
    except TypeError:
        pass  # it is encrypted
    except ValueError:
        raise ChainError("the key in the file is damaged: bring it as PEM or PKCS #12") from None
    try:
        return _usable(load_pem_private_key(block + b"\n", password().encode()))
    except (ValueError, TypeError):
        raise ChainError("the key does not open with this password: type the one that it was encrypted with") from None


def _pkcs12(data: bytes, password: Callable[[], str]) -> Bundle:
    opened: pkcs12.PKCS12KeyAndCertificates | None = None
    for attempt in (lambda: None, lambda: b"", lambda: password().encode()):
        try:
            opened = pkcs12.load_pkcs12(data, attempt())
            break
        except ValueError as error:
            if "password" not in str(error).lower() and "mac" not in str(error).lower():
                raise ChainError(
                    "the file is neither PEM nor DER nor PKCS #12: bring a certificate in one of these"
                ) from None
    if opened is None:
        raise ChainError("the file does not open with this password: type the one that it was encrypted with")
    first = (opened.cert.certificate,) if opened.cert is not None else ()
    others = tuple(other.certificate for other in opened.additional_certs)
    return Bundle((first + others)[:MAX_CERTIFICATES], None if opened.key is None else _usable(opened.key))


def _usable(key: object) -> PrivateKey:
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA:
        raise ChainError(
            f"the key has {key.key_size} bits: make an RSA key of {MIN_RSA} bits or more, or one for ECDSA"
        )
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ChainError("the key is neither RSA nor ECDSA, which clients know: make one of these")
    return key


def judge(
    certificates: Sequence[x509.Certificate],
    key: PrivateKey,
    names: Sequence[str],
    roots: Iterable[x509.Certificate],
    now: datetime.datetime,
    without_name: bool = False,
    whole: bool = True,
) -> Chain:
    """Puts the chain of the key's certificate in order and judges it. `names` call the server: the first must be in the
    certificate unless `without_name`; a warning says which others are missing. `roots` are the authorities that this machine
    knows; where the chain ends at none of them, it must be `whole`, or it is said. Raises ChainError."""
    leaf = _of_key(certificates, key)
    chain = _in_order(leaf, certificates)
    warnings: list[str] = []
    for certificate in chain:
        _check_dates(certificate, now)
        _check_signature(certificate)
    _check_purpose(leaf)
    anchored = _ends_at(chain[-1], roots)
    if not anchored and (len(chain) == 1 or not _is_root(chain[-1])):
        if not whole:
            warnings.append(f"this machine does not know the authority {_issuer(chain[-1])}; clients must know it")
        elif not _is_root(leaf):
            raise ChainError(
                f"the chain ends at {_called(chain[-1])}, and its issuer {_issuer(chain[-1])} is neither in the file nor an "
                "authority of this machine: add the certificates of your authority to the file"
            )
        else:
            warnings.append("it is signed by its own key, so that no client knows it")
    elif not anchored:
        warnings.append(f"this machine does not know the authority {_called(chain[-1])}; clients must know it")
    missing = [name for name in names if not covers(names_in(leaf), name)]
    if names and names[0] in missing and not without_name:
        raise ChainError(
            f"the certificate does not name {names[0]}, by which clients and servers call this host: have it issued for this "
            "name too, or say --without-name"
        )
    if missing:
        warnings.append(f"it does not name {', '.join(missing)}")
    left = leaf.not_valid_after_utc - now
    if left < SOON:
        warnings.append(f"it ends in {left.days} days")
    return Chain(chain, key, tuple(warnings), anchored)


def names_in(certificate: x509.Certificate | x509.CertificateSigningRequest) -> tuple[str, ...]:
    """The DNS names and addresses of a certificate or a request, in lower case and in its order."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(str(name.value).lower() for name in names if isinstance(name, x509.DNSName | x509.IPAddress))


def covers(names: Iterable[str], name: str) -> bool:
    """Whether one of a certificate's names stands for this host (RFC 6125 section 6.4.3: a wildcard is the whole first label)."""
    wanted = name.lower()
    return any(each == wanted or (each.startswith("*.") and wanted.partition(".")[2] == each[2:]) for each in names)


def _of_key(certificates: Sequence[x509.Certificate], key: PrivateKey) -> x509.Certificate:
    if not certificates:
        raise ChainError("the file has no certificate: bring the one that your authority issued")
    public = _public(key.public_key())
    for certificate in certificates:
        with contextlib.suppress(ValueError, TypeError):  # a key that the library does not know is not this one
            if _public(certificate.public_key()) == public:
                return certificate
    raise ChainError(
        f"the key does not belong to {_called(certificates[0])}: bring the certificate and its own key, or have a "
        "certificate issued for the key that is here (`postern certificate request`)"
    )


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _in_order(leaf: x509.Certificate, certificates: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    chain = [leaf]
    while not _is_root(chain[-1]):
        signer = next((other for other in certificates if other not in chain and _signed(chain[-1], other)), None)
        if signer is None:
            break
        chain.append(signer)
    return tuple(chain)


def _signed(certificate: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(signer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject


def _ends_at(last: x509.Certificate, roots: Iterable[x509.Certificate]) -> bool:
    return any(last == root or (last.issuer == root.subject and _signed(last, root)) for root in roots)


def _check_dates(certificate: x509.Certificate, now: datetime.datetime) -> None:
    if certificate.not_valid_after_utc <= now:
        raise ChainError(f"{_called(certificate)} has expired: bring one that is valid now")
    if certificate.not_valid_before_utc > now + datetime.timedelta(minutes=5):
        raise ChainError(
            f"{_called(certificate)} is not valid yet: compare the clock of this host, or wait until it is"
        )


def _check_signature(certificate: x509.Certificate) -> None:
    """Raises for a signature that TLS refuses. The one of a root is checked by nobody."""
    if not _is_root(certificate) and isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        raise ChainError(f"{_called(certificate)} is signed with {certificate.signature_hash_algorithm.name}: renew it")


def _check_purpose(leaf: x509.Certificate) -> None:
    extensions = leaf.extensions
    with contextlib.suppress(x509.ExtensionNotFound):
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca and not _is_root(leaf):
            raise ChainError(f"{_called(leaf)} is an authority's certificate: bring the one of this server")
    with contextlib.suppress(x509.ExtensionNotFound):
        uses = set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        if uses.isdisjoint({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}):
            raise ChainError(f"{_called(leaf)} is not for servers: have one issued for server authentication")
    with contextlib.suppress(x509.ExtensionNotFound):
        if not extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            raise ChainError(f"the key of {_called(leaf)} may not sign, which TLS needs: have another one issued")
    if not names_in(leaf):
        raise ChainError(
            f"{_called(leaf)} has no subject alternative name, where clients look: have another one issued"
        )


def _called(certificate: x509.Certificate) -> str:
    return common_name(certificate.subject)


def _issuer(certificate: x509.Certificate) -> str:
    return common_name(certificate.issuer)


def common_name(name: x509.Name) -> str:
    """The common name, or the whole name where there is none."""
    values = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(values[0].value) if values else name.rfc4514_string() or "a certificate without a subject"
