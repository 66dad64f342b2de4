"""X.509 validation of other organizations' servers (RFC 5280 section 6): a chain to an authority, within its dates, for a name.

Reads a PEM file of authorities once. Revocation is not checked: that belongs to domain security, which does not exist yet.
`direct_trust` identifies servers of ours by their certificates.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification

from postern.model.domains import a_labels
from postern.model.security import Identity, Mechanism, PrincipalKind

MAX_SHOWN = 10
"""Certificates of one peer that are looked at."""
MIN_RSA = 2048
"""Bits; NIST SP 800-131A."""
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*+-----END CERTIFICATE-----")
_USES = frozenset({x509.oid.ExtendedKeyUsageOID.SERVER_AUTH, x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH})


class Authorities:
    """The authorities whose certificates are in `file` (PEM). Those that the library cannot read are passed over. Raises OSError,
    and ValueError if none is left. `clock` gives epoch seconds.

    A mail server is client and server with one certificate, which public authorities sign for servers only. So either extended
    key usage is good for either side.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        self._store = verification.Store(read_authorities(file))
        self._clock = clock

    def identify(self, chain: Sequence[bytes]) -> Identity | None:
        """Identifies the host that shows this chain (DER, its own certificate first) by the first DNS name in its certificate.
        Returns None if the chain does not validate."""
        try:
            leaf, *others = _loaded(chain)
            verified = self._policy().build_client_verifier().verify(leaf, others)
            names = [name.value for name in verified.subjects or () if isinstance(name, x509.DNSName)]
        except Exception:  # strangers choose these octets, and any failure of the library proves nobody
            return None
        return Identity(PrincipalKind.PEER, names[0].lower(), Mechanism.CERTIFICATE) if names else None

    def vouch(self, chain: Sequence[bytes], host: str) -> bool:
        """Whether this chain validates for the server that was dialled as `host`, a name or an address."""
        try:
            leaf, *others = _loaded(chain)
            self._policy().build_server_verifier(_subject(host)).verify(leaf, others)
        except Exception:  # as above
            return False
        return True

    def _policy(self) -> verification.PolicyBuilder:
        ee = verification.ExtensionPolicy.webpki_defaults_ee().may_be_present(
            x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _either_use
        )
        ca = verification.ExtensionPolicy.webpki_defaults_ca()
        now = datetime.fromtimestamp(self._clock(), UTC)
        return verification.PolicyBuilder().store(self._store).time(now).extension_policies(ca_policy=ca, ee_policy=ee)


def read_authorities(file: Path) -> list[x509.Certificate]:
    """Reads the certificates of a PEM file; those that the library cannot read are passed over. Raises OSError."""
    certificates = []
    for block in _BLOCK.findall(file.read_bytes()):
        # Bundles of machines hold old authorities with mistakes that the library warns of, and will refuse one day.
        with contextlib.suppress(ValueError), warnings.catch_warnings():
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificates.append(x509.load_pem_x509_certificate(block))
    return certificates


def _either_use(
    policy: verification.Policy, certificate: x509.Certificate, extension: x509.ExtendedKeyUsage | None
) -> None:
    if extension is not None and _USES.isdisjoint(extension):
        raise ValueError("neither for servers nor for clients")


def _loaded(chain: Sequence[bytes]) -> list[x509.Certificate]:
    if not chain:
        raise ValueError("no certificate")
    leaf, *others = [x509.load_der_x509_certificate(der) for der in chain[:MAX_SHOWN]]
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA:
        raise ValueError("too short a key")
    # One certificate for each name: strangers choose them, and many for one name would make the search for a path long.
    by_name = {other.subject.public_bytes(): other for other in reversed(others)}
    return [leaf, *by_name.values()]


def _subject(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(a_labels(host))
