"""The server's certificate as an administrator sees and changes it: what is in place, a request for another one, and a chain that
takes its place.

Reads and writes the state folder's `certificates`. `host.certificates` makes the automatic ones, `trust.certificates.chains`
judges a chain, and the doors see by themselves that another one is there.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from postern.host import acme_record, certificates
from postern.host.certificates import CertificateError, private_pem
from postern.model.organization import Organization, Server, StateFolder
from postern.net.tls import authorities_file
from postern.paths.fit import listeners
from postern.paths.row import Tls, Wire
from postern.paths.table import settle
from postern.trust.certificates.authorities import read_authorities
from postern.trust.certificates.chains import SOON, Chain, ChainError, PrivateKey, judge, read_bundle
from postern.trust.private_files import replace_file

MAX_FILE = 1_048_576
"""Octets of a file with certificates."""
RSA_BITS = 2048
_ENGINES = frozenset({"postgresql", "private-directory", "database-replication"})
"""Rows whose ports show certificates that are the engine's own."""


class Source(StrEnum):
    """The origin of a server's certificate, which decides who renews it."""

    LOCAL = "local"
    """The organization's own authority signed it; this host renews it."""
    ACME = "acme"
    """An authority issued it by ACME; this host renews it there."""
    OWN = "own"
    """An administrator brought it, and must bring the next one."""


@dataclass(frozen=True, slots=True)
class InPlace:
    """The server's certificate that is in place, with the others of its chain."""

    source: Source
    chain: tuple[x509.Certificate, ...]

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]


def in_place(state: StateFolder) -> InPlace | None:
    """The certificate that the doors show; None before the first start. Raises CertificateError."""
    file = certificates.place(state).chain
    try:
        chain = tuple(x509.load_pem_x509_certificates(file.read_bytes()))
    except FileNotFoundError:
        return None
    except ValueError:
        raise CertificateError(f"{file} is no certificate in PEM form: put one there, or remove it") from None
    return InPlace(_source(state, chain[0]), chain)


def authority(state: StateFolder) -> x509.Certificate | None:
    """The certificate of the organization's own authority; None before the first start."""
    with contextlib.suppress(OSError, ValueError):
        return x509.load_pem_x509_certificate(certificates.authority_file(state).read_bytes())
    return None


def fingerprint(certificate: x509.Certificate) -> str:
    """The SHA-256 of a certificate, in hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def doors(organization: Organization, server: Server) -> list[tuple[int, tuple[str, ...]]]:
    """The real port numbers whose doors show the certificate, each with the ids of its rows that do so."""
    rows = {name: row for name, row in settle(organization.profile).items() if not row.waits_for}
    shown = []
    for wire, number, ids in listeners(organization, server, rows.values()):
        ports = {name: rows[name].ports for name in ids if name not in _ENGINES and not rows[name].machine}
        in_tls = tuple(
            name
            for name, of_row in ports.items()
            if any(
                port.tls is not Tls.NONE and organization.port(port.number or 0) == number
                for port in of_row
                if port.wire is Wire.TCP
            )
        )
        if wire is Wire.TCP and in_tls:
            shown.append((number, in_tls))
    return shown


def request(state: StateFolder, wanted: Sequence[str], by_rsa: bool, anew: bool) -> bytes:
    """Returns a certificate signing request (PEM, RFC 2986) for these names. Its key stays here until the certificate comes; a
    request that waits already keeps its key, unless `anew`. Raises OSError, CertificateError."""
    file = state.certificates / "request.key"
    key = None if anew else _key(file)
    if key is None:
        key = rsa.generate_private_key(65537, RSA_BITS) if by_rsa else ec.generate_private_key(ec.SECP256R1())
        replace_file(file, private_pem(key))
    pem = signing_request(key, wanted).public_bytes(Encoding.PEM)
    replace_file(state.certificates / "request.pem", pem)
    return pem


def keep_authorities(state: StateFolder, pem: bytes) -> Path:
    """Keeps the certificates that validate an ACME server. Returns their file. Raises ValueError if there are none in `pem`, or
    too many."""
    if len(pem) > MAX_FILE or not x509.load_pem_x509_certificates(pem):
        raise ValueError("no authorities")
    file = state.certificates / "acme-authorities.pem"
    replace_file(file, pem)
    return file


def signing_request(key: PrivateKey, wanted: Sequence[str]) -> x509.CertificateSigningRequest:
    """A request for these names; the first is the common name, where it fits (64 letters, RFC 5280 appendix A.1)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted[0])] if len(wanted[0]) <= 64 else [])
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in wanted])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())


def requested(state: StateFolder) -> x509.CertificateSigningRequest | None:
    """The request that waits for its certificate."""
    with contextlib.suppress(OSError, ValueError):
        return x509.load_pem_x509_csr((state.certificates / "request.pem").read_bytes())
    return None


def known_authorities(organization: Organization) -> list[x509.Certificate]:
    """The authorities that this machine knows. Raises OSError."""
    file = authorities_file(organization.authorities)
    return read_authorities(file) if file else []


def judged(
    state: StateFolder,
    organization: Organization,
    server: Server,
    chain: bytes,
    key: bytes | None,
    password: Callable[[], str],
    without_name: bool = False,
) -> Chain:
    """Judges a chain that an administrator brings. Without a key, neither in its own file nor in the chain's, it is taken for
    the certificate of the request that waits, or for another one with the key that is in use. Raises ChainError."""
    bundle = read_bundle(chain, password)
    own = read_bundle(key, password).key if key is not None else bundle.key
    if key is not None and own is None:
        raise ChainError("the file of the key has none: bring the private key of the certificate")
    roots, now = known_authorities(organization), datetime.datetime.now(datetime.UTC)
    candidates = [own] if own is not None else _keys_here(state)
    if not candidates:
        raise ChainError(
            "the file has no private key, and none waits here for its certificate: bring the key with --key"
        )
    for candidate in candidates[:-1]:
        with contextlib.suppress(ChainError):
            return judge(bundle.certificates, candidate, organization.names_of(server), roots, now, without_name)
    return judge(bundle.certificates, candidates[-1], organization.names_of(server), roots, now, without_name)


def install(state: StateFolder, chain: Chain, acme: bool = False) -> None:
    """Puts a chain and its key into place. What was there is kept as `former.pem` and `former.key`. Raises OSError."""
    _keep_former(state)
    here, folder = certificates.place(state), state.certificates
    root = chain.root
    if root is not None and not chain.anchored:
        replace_file(folder / "root.pem", root.public_bytes(Encoding.PEM))
    else:
        (folder / "root.pem").unlink(missing_ok=True)
    replace_file(here.key, private_pem(chain.key))
    replace_file(here.chain, chain.pem)
    if not acme:
        acme_record.forget(state)
        _forget_request(state, chain.key)


def renew_locally(state: StateFolder, organization: Organization, server: Server) -> None:
    """Has the organization's own authority sign a new certificate, whatever is in place now. Raises CertificateError, OSError."""
    _keep_former(state)
    certificates.ensure(state, organization, server, datetime.datetime.now(datetime.UTC), anew=True)
    (state.certificates / "root.pem").unlink(missing_ok=True)
    acme_record.forget(state)


def trusted_by_clients(state: StateFolder, organization: Organization) -> str:
    """The file of the authorities that a client of this server must know; "" where the machine's own are enough."""
    here = in_place(state)
    if here is None or here.source is Source.LOCAL:
        return str(certificates.authority_file(state))
    root = state.certificates / "root.pem"
    return str(root) if root.exists() else organization.authorities


def expiring(state: StateFolder, now: datetime.datetime) -> list[tuple[str, x509.Certificate]]:
    """The certificates of this host that end soon, "server" or "authority": within 30 days, or for one that this host should have
    renewed earlier, within a quarter of its life. Raises CertificateError."""
    here, own = in_place(state), authority(state)
    known = [("server", here.leaf, here.source)] if here is not None else []
    known += [("authority", own, Source.LOCAL)] if own is not None else []
    soon = []
    for name, certificate, source in known:
        life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        ahead = SOON if source is Source.OWN else min(SOON, life / 4)
        if certificate.not_valid_after_utc - now < ahead:
            soon.append((name, certificate))
    return soon


def _keep_former(state: StateFolder) -> None:
    """Copies what is in place. Raises OSError."""
    here = certificates.place(state)
    for file, former in ((here.key, "former.key"), (here.chain, "former.pem")):
        with contextlib.suppress(FileNotFoundError):
            replace_file(state.certificates / former, file.read_bytes())


def _source(state: StateFolder, leaf: x509.Certificate) -> Source:
    if certificates.is_local(state, leaf):
        return Source.LOCAL
    record = acme_record.recorded(state)
    if record is not None and fingerprint(leaf) in (record.certificate, record.former):
        return Source.ACME
    return Source.OWN


def _keys_here(state: StateFolder) -> list[PrivateKey]:
    files = (state.certificates / "request.key", certificates.place(state).key)
    return [key for file in files if (key := _key(file)) is not None]


def _key(file: os.PathLike[str]) -> PrivateKey | None:
    try:
        with open(file, "rb") as opened:
            key = load_pem_private_key(opened.read(), None)
    except (OSError, ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) else None


def _forget_request(state: StateFolder, key: PrivateKey) -> None:
    """Deletes the request whose certificate has come."""
    waits = _key(state.certificates / "request.key")
    if waits is not None and waits.public_key() == key.public_key():
        for name in ("request.key", "request.pem"):
            (state.certificates / name).unlink(missing_ok=True)
