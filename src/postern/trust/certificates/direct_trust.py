"""Direct trust: a peer is a server of ours if it has the key of a certificate that the directory has for that server.

It makes no difference whether an authority signed the certificate. The proof is that the directory has it, octet for octet; to
remove it from there revokes it. Reads the directory through `model.directory.Certificates` every few seconds, and answers from
memory. The TLS handshake has shown before that the peer has the key. The guard decides what the server may do.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509

from postern.model.directory import Certificates, DirectoryUnavailable, TrustedCertificate
from postern.model.organization import Role
from postern.model.security import Identity, Mechanism, PrincipalKind
from postern.telemetry.log import Event, log
from postern.telemetry.rounds import rounds

REFRESH = 3.0
"""Seconds until a certificate that was published is trusted, and one that was removed no longer is."""


@dataclass(frozen=True, slots=True)
class _Known:
    server: str
    der: bytes
    begins: float
    ends: float


class DirectTrust:
    """Direct trust of a process. `role` is that of the servers at the other end: EDGE on a hub, HUB on an edge. `clock` gives
    epoch seconds. `start` reads the directory for the first time. While no directory answers, the last reading counts."""

    def __init__(self, certificates: Certificates, role: Role, clock: Callable[[], float] = time.time) -> None:
        self._certificates = certificates
        self._role = role
        self._clock = clock
        self._known: dict[bytes, tuple[_Known, ...]] = {}
        self._silent = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.refresh()
        self._task = asyncio.get_running_loop().create_task(
            rounds(REFRESH, self.refresh, "refresh of trusted certificates")
        )

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def refresh(self) -> None:
        """Reads the certificates that the directory has for servers. Trusted servers stay trusted while no directory answers."""
        try:
            published = await self._certificates.trusted_certificates()
        except DirectoryUnavailable as error:
            if not self._silent:
                log(Event.DIRECTORY_UNAVAILABLE, error=str(error), of="trusted certificates")
            self._silent = True
            return
        self._silent = False
        known: dict[bytes, tuple[_Known, ...]] = {}
        for certificate in published:
            if certificate.role is self._role and (entry := _read(certificate)) is not None:
                digest = hashlib.sha256(certificate.der).digest()
                known[digest] = (*known.get(digest, ()), entry)
        self._known = known

    def identify(self, certificate: bytes) -> Identity | None:
        """Identifies the server that has this certificate (DER) now; None if no server has it, or if it is not valid today."""
        now = self._clock()
        for entry in self._known.get(hashlib.sha256(certificate).digest(), ()):
            if hmac.compare_digest(entry.der, certificate) and entry.begins <= now <= entry.ends:
                return Identity(PrincipalKind.SERVER, entry.server, Mechanism.DIRECT_TRUST)
        return None

    def is_of(self, certificate: bytes, server: str) -> bool:
        """Whether this certificate is one that `server` (its name) has now."""
        identity = self.identify(certificate)
        return identity is not None and identity.name == server


def _read(certificate: TrustedCertificate) -> _Known | None:
    """Reads a certificate of the directory; None for octets that are none, which nobody can show."""
    try:
        parsed = x509.load_der_x509_certificate(certificate.der)
        begins, ends = parsed.not_valid_before_utc.timestamp(), parsed.not_valid_after_utc.timestamp()
    except ValueError:
        log(Event.CERTIFICATE_UNREADABLE, server=certificate.server)
        return None
    return _Known(certificate.server, certificate.der, begins, ends)
