"""TLS as the table wants it: 1.2 at least, forward secrecy, and three ways to look at the peer's certificate.

Reads certificate files; keeps no policy: which way is used on a connection is its row's word.
"""

from __future__ import annotations

import ssl
import warnings
from dataclasses import dataclass
from pathlib import Path as FilePath

from cryptography import x509
from cryptography.hazmat.primitives import hashes

# RFC 9325 section 4.2: forward secrecy and authenticated encryption only.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files of this server: the chain and its private key."""

    chain: FilePath
    key: FilePath


def certificate_der(certificate: Certificate) -> bytes:
    """The server's own certificate, the first of its chain. Raises OSError, ValueError."""
    first, end, _ = certificate.chain.read_text(encoding="ascii").partition(ssl.PEM_FOOTER)
    return ssl.PEM_cert_to_DER_cert(first[first.index(ssl.PEM_HEADER) :] + end)


def authorities_file(configured: str) -> FilePath | None:
    """The file of authorities to validate strangers by: the configured one, or the machine's; None if it has none."""
    if configured:
        return FilePath(configured)
    candidates = (ssl.get_default_verify_paths().cafile, *_BUNDLES)
    return next((FilePath(one) for one in candidates if one and FilePath(one).is_file()), None)


class ServerContext(ssl.SSLContext):
    """A context that knows its own certificate: what clients bind their proof to, and the names in it."""

    end_point = b""
    names: frozenset[str] = frozenset()


def end_point(der: bytes) -> bytes:
    """The channel binding `tls-server-end-point` (RFC 5929 section 4.1): the certificate's hash by its signature's own function,
    SHA-256 where that is weaker. b"" where the signature has no such function (Ed25519): the binding is then undefined, and
    clients that guess differ."""
    function = x509.load_der_x509_certificate(der).signature_hash_algorithm
    if function is None:
        return b""
    if isinstance(function, hashes.MD5 | hashes.SHA1):
        function = hashes.SHA256()
    digest = hashes.Hash(function)
    digest.update(der)
    return b"tls-server-end-point:" + digest.finalize()


def names_of(der: bytes) -> frozenset[str]:
    """DNS names and addresses of a certificate, in lower case."""
    try:
        found = (
            x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        )
    except x509.ExtensionNotFound:
        return frozenset()
    addresses = map(str, found.get_values_for_type(x509.IPAddress))
    return frozenset(name.lower() for name in (*found.get_values_for_type(x509.DNSName), *addresses))


def server_context(certificate: Certificate) -> ServerContext:
    """For a door that asks no client for a certificate (`net.mutual` does)."""
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    der = certificate_der(certificate)
    context.end_point, context.names = end_point(der), names_of(der)
    _floor(context)
    context.load_cert_chain(certificate.chain, certificate.key)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # No tickets to resume by: other workers could not read them, their key outlives the connections it protects (RFC 9325
    # section 3.4), and right behind STARTTLS they make clients hang that read and write in two threads (offlineimap).
    # `num_tickets` speaks of TLS 1.3 alone; those of TLS 1.2 are turned off by an option, in `_floor`.
    context.num_tickets = 0
    return context


def opportunistic_context(certificate: Certificate | None = None) -> ssl.SSLContext:
    """For dialling strangers: encrypts to whoever answers (RFC 7435), validates nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _floor(context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate.chain, certificate.key)
    return context


def validating_context(authorities: FilePath | None, certificate: Certificate | None = None) -> ssl.SSLContext:
    """For dialling a peer whose certificate must be signed by one of `authorities` (None: the system's) and carry its name."""
    context = ssl.create_default_context(cafile=str(authorities) if authorities else None)
    _floor(context)
    if certificate is not None:
        context.load_cert_chain(certificate.chain, certificate.key)
    return context


def _floor(context: ssl.SSLContext) -> None:
    """What every context of ours has in common: no version below 1.2, no other ciphers, no tickets given or asked for."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    context.set_ciphers(CIPHERS)


def outdated_context() -> ssl.SSLContext:
    """A client that knows nothing newer than TLS 1.1, for the verifier alone: every server of ours must refuse it (RFC 8996)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    # OpenSSL signs nothing with SHA-1 above security level 0: without this the client itself would refuse, not the server.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context
