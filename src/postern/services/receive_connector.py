"""A receive connector: what all SMTP conversations of one door share, and what the guard lets them be offered.

Built by a role from its parts; each connection is a `smtp_receive.ReceiveSession` of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath
from typing import Protocol

from postern.model.directory import Directory
from postern.model.mail import Intake
from postern.model.organization import AcceptedDomain, Limits
from postern.model.security import NOBODY, Peer, Seal
from postern.paths.guard import Guard, Offer, Refusal
from postern.paths.row import Path
from postern.protocols.smtp.server import ServerBounds
from postern.services.smtp_data import Clock
from postern.telemetry.observed import Observed
from postern.telemetry.tracking import Tracker
from postern.trust.sasl import SaslServer

_ALWAYS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES")


class SaslAuthenticator(Protocol):
    """What a receive connector needs of `trust.authenticator`."""

    def sasl(self, name: str, peer: Peer, seal: Seal | None, certificate: bytes | None) -> SaslServer | None: ...


class ReceiveConnector:
    """What all sessions of one door share. The door's rows, which the guard speaks for, decide whether it is one for
    the internet, for clients, for our own servers, or for several of them."""

    def __init__(
        self,
        guard: Guard,
        authenticator: SaslAuthenticator,
        directory: Directory,
        domains: Sequence[AcceptedDomain],
        intake: Intake,
        limits: Limits,
        observed: Observed,
        tracker: Tracker,
        fqdn: str,
        spool: FilePath,
    ) -> None:
        self.guard = guard
        self.authenticator = authenticator
        self.directory = directory
        self.domains = {domain.name.lower(): domain.type for domain in domains}
        """Accepted domains by name; whoever knows of new ones adds them here."""
        self.default_domain = domains[0].name.lower()
        self.intake = intake
        self.limits = limits
        self.observed = observed
        self.tracker = tracker
        self.fqdn = fqdn
        self.spool = spool
        self.clock = Clock()
        self._strangers: dict[bool, Path | Refusal] = {}
        self._offers: dict[tuple[object, ...], tuple[Offer, tuple[str, ...]]] = {}
        self.bounds = ServerBounds(
            limits.line_length, limits.message_size, limits.recipients, limits.errors_per_connection
        )

    def stranger(self, seal: Seal | None) -> Path | Refusal:
        """The row of a caller who has proven nothing. Asked of the guard once: only whether there is a seal matters."""
        sealed = seal is not None
        if sealed not in self._strangers:
            self._strangers[sealed] = self.guard.row_for(NOBODY, seal)
        return self._strangers[sealed]

    def offer(self, seal: Seal | None, can_upgrade: bool) -> tuple[Offer, tuple[str, ...]]:
        """What the guard offers on such a connection now, and as the lines that EHLO shows."""
        key = seal is not None, can_upgrade, self.guard.available
        if key not in self._offers:
            offer = self.guard.offer(seal, can_upgrade)
            lines = [f"SIZE {self.limits.message_size}", *_ALWAYS]
            lines += ["STARTTLS"] if offer.upgrade else []
            lines += ["AUTH " + " ".join(offer.mechanisms)] if offer.mechanisms else []
            self._offers[key] = offer, tuple(lines)
        return self._offers[key]
