"""TLS contexts as the table demands them: version 1.2 at least, forward secrecy, and three ways to judge the peer's certificate.

Reads certificate files. The row of a connection decides which way is used. A context never changes; once the files of its
certificate have changed, `renewed` makes the next one (`net.door` does so for the doors).
"""

from __future__ import annotations

import os
import ssl
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path as FilePath
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from postern.telemetry.log import Event, log

# RFC 9325 section 4.2: forward secrecy and authenticated encryption only.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


@dataclass(frozen=True, slots=True)
class Certificate:
    """The PEM files of this server: its certificate chain and its private key."""

    chain: FilePath
    key: FilePath


def certificate_der(certificate: Certificate) -> bytes:
    """Returns the server's own certificate, the first of its chain, in DER. Raises OSError, ValueError."""
    first, end, _ = certificate.chain.read_text(encoding="ascii").partition(ssl.PEM_FOOTER)
    return ssl.PEM_cert_to_DER_cert(first[first.index(ssl.PEM_HEADER) :] + end)


def seconds_left(file: FilePath) -> float:
    """Returns the seconds until the first certificate of a PEM file expires. Raises OSError, ValueError."""
    end = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    return end.timestamp() - time.time()


def authorities_file(configured: str) -> FilePath | None:
    """Returns the file of authorities that validates strangers: the configured one, else the machine's; None without any."""
    if configured:
        return FilePath(configured)
    candidates = (ssl.get_default_verify_paths().cafile, *_BUNDLES)
    return next((FilePath(file) for file in candidates if file and FilePath(file).is_file()), None)


class FromFiles:
    """A context that was made of the files of a certificate. Connections keep the context that they began with, and with it the
    channel binding of the certificate that their handshake showed."""

    _files: Certificate | None = None
    _others: Sequence[FilePath] = ()
    _make: Callable[[], Self]
    _version: tuple[int, ...] = ()
    _next: Self | None = None

    def follow(self, files: Certificate, make: Callable[[], Self], others: Sequence[FilePath] = ()) -> None:
        """Remembers the files, with `others` that belong to the context, and how to make such a context of them. To be called
        before they are read."""
        self._files, self._make, self._others = files, make, others
        self._version = version(files, *others)

    def renewed(self) -> Self:
        """Returns a context of the files as they are now: this one while they are as they were, or cannot be used, which is
        logged once. All who ask the same context get the same next one."""
        if self._next is not None:
            return self._next.renewed()
        if self._files is None or (now := version(self._files, *self._others)) == self._version:
            return self
        self._version = now
        try:
            self._next = self._make()
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            # A certificate and its key are two files: for a moment they may not fit. When they do, they have another version.
            log(Event.CERTIFICATE_FAILED, words=f"{self._files.chain}: {error}")
        return self._next or self


def version(files: Certificate, *others: FilePath) -> tuple[int, ...]:
    """Returns numbers that change with the files; () while one is missing. The change time tells of a new mode, too."""
    try:
        seen = tuple(os.stat(file) for file in (files.chain, files.key, *others))
    except OSError:
        return ()
    return tuple(number for stat in seen for number in (stat.st_ino, stat.st_size, stat.st_ctime_ns))


class ServerContext(ssl.SSLContext, FromFiles):
    """A context that knows its own certificate: the channel binding of clients' proofs (`end_point`), and the names in it."""

    end_point = b""
    names: frozenset[str] = frozenset()


def end_point(der: bytes) -> bytes:
    """Returns the channel binding `tls-server-end-point` (RFC 5929 section 4.1): the certificate's hash by the hash function of
    its signature, or by SHA-256 if that function is MD5 or SHA-1. A signature without a hash function (Ed25519) gives b"":
    the binding is then undefined, and clients differ in their guesses."""
    function = x509.load_der_x509_certificate(der).signature_hash_algorithm
    if function is None:
        return b""
    if isinstance(function, hashes.MD5 | hashes.SHA1):
        function = hashes.SHA256()
    digest = hashes.Hash(function)
    digest.update(der)
    return b"tls-server-end-point:" + digest.finalize()


def names_of(der: bytes) -> frozenset[str]:
    """Returns the DNS names and addresses in a certificate, in lower case."""
    try:
        names = (
            x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        )
    except x509.ExtensionNotFound:
        return frozenset()
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return frozenset(name.lower() for name in (*names.get_values_for_type(x509.DNSName), *addresses))


def server_context(certificate: Certificate) -> ServerContext:
    """Returns a context for a door that asks no client for a certificate. `net.mutual` has the context for the others."""
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.follow(certificate, partial(server_context, certificate))
    der = certificate_der(certificate)
    context.end_point, context.names = end_point(der), names_of(der)
    _floor(context)
    context.load_cert_chain(certificate.chain, certificate.key)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    # No session tickets: other workers could not read them, their key outlives the connections it protects (RFC 9325
    # section 3.4), and right behind STARTTLS they make clients hang that read and write in two threads (offlineimap).
    # `num_tickets` is about TLS 1.3 alone; an option in `_floor` turns off those of TLS 1.2.
    context.num_tickets = 0
    return context


class ClientContext(ssl.SSLContext, FromFiles):
    """A context for dialling, which shows this server's certificate to a server that asks for it."""


def opportunistic_context(certificate: Certificate | None = None) -> ClientContext:
    """Returns a context for dialling strangers. It encrypts to any server that answers (RFC 7435) and validates none."""
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    _floor(context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.follow(certificate, partial(opportunistic_context, certificate))
        context.load_cert_chain(certificate.chain, certificate.key)
    return context


def validating_context(authorities: FilePath | None, certificate: Certificate | None = None) -> ssl.SSLContext:
    """Returns a context for dialling a peer whose certificate must be signed by one of `authorities` (None: the system's) and
    carry the peer's name."""
    context = ssl.create_default_context(cafile=str(authorities) if authorities else None)
    _floor(context)
    if certificate is not None:
        context.load_cert_chain(certificate.chain, certificate.key)
    return context


def _floor(context: ssl.SSLContext) -> None:
    """Sets what all contexts have in common: version 1.2 at least, CIPHERS alone, and no session tickets on either side."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_TICKET
    context.set_ciphers(CIPHERS)


def outdated_context() -> ssl.SSLContext:
    """Returns the context of a client with TLS 1.1 at most. Only the verifier uses it: every server of ours must refuse it
    (RFC 8996)."""
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
