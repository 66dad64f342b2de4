"""Direct trust: a server of ours is whoever has the key of a certificate that the directory has for it.

Signed by an authority or by itself makes no difference; presence in the directory is the proof, octet for octet, and removal from
it the revocation. Reads the directory through `model.directory.Certificates` every few seconds and answers from memory; that the
peer has the key, the TLS handshake has shown before anybody is asked here. What the server may do is the guard's to say.
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

REFRESH = 3.0
"""Seconds until a certificate that was published is trusted, and one that was removed no longer is."""


@dataclass(frozen=True, slots=True)
class _Known:
    server: str
    der: bytes
    begins: float
    ends: float


class DirectTrust:
    """One a process. `role` is that of the servers at the other end: EDGE as a hub sees it, HUB as an edge does. `clock` gives
    epoch seconds. `start` reads the directory for the first time; what was read last counts while no directory answers."""

    def __init__(self, certificates: Certificates, role: Role, clock: Callable[[], float] = time.time) -> None:
        self._certificates = certificates
        self._role = role
        self._clock = clock
        self._known: dict[bytes, tuple[_Known, ...]] = {}
        self._silent = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.refresh()
        self._task = asyncio.get_running_loop().create_task(self._refresh_always())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def refresh(self) -> None:
        """Reads the directory's certificates. Never raises: who was trusted stays so until the directory answers again."""
        try:
            found = await self._certificates.trusted_certificates()
        except DirectoryUnavailable as error:
            if not self._silent:
                log(Event.DIRECTORY_UNAVAILABLE, error=str(error), of="trusted certificates")
            self._silent = True
            return
        self._silent = False
        known: dict[bytes, tuple[_Known, ...]] = {}
        for one in found:
            if one.role is self._role and (entry := _read(one)) is not None:
                digest = hashlib.sha256(one.der).digest()
                known[digest] = (*known.get(digest, ()), entry)
        self._known = known

    def identify(self, certificate: bytes) -> Identity | None:
        """Which server this certificate (DER) is now; None if nobody's, or if it is not valid today."""
        now = self._clock()
        for one in self._known.get(hashlib.sha256(certificate).digest(), ()):
            if hmac.compare_digest(one.der, certificate) and one.begins <= now <= one.ends:
                return Identity(PrincipalKind.SERVER, one.server, Mechanism.DIRECT_TRUST)
        return None

    def is_of(self, certificate: bytes, server: str) -> bool:
        """Whether this certificate is one that `server` (its name) has now."""
        found = self.identify(certificate)
        return found is not None and found.name == server

    async def _refresh_always(self) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            await self.refresh()


def _read(one: TrustedCertificate) -> _Known | None:
    """None for what is no certificate: nobody can show it."""
    try:
        parsed = x509.load_der_x509_certificate(one.der)
        begins, ends = parsed.not_valid_before_utc.timestamp(), parsed.not_valid_after_utc.timestamp()
    except ValueError:
        log(Event.CERTIFICATE_UNREADABLE, server=one.server)
        return None
    return _Known(one.server, one.der, begins, ends)
