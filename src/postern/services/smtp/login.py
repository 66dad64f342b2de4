"""Authenticates an SMTP client by AUTH (RFC 4954), one exchange at a time, or by the certificate that it showed in TLS.

Reads the connector's guard, authenticator, certificates and directory. Each step takes the session and returns it, or a new one
with the identity and the row that it is on; the guard decides what that identity may do.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from hashlib import sha256

from postern.model.directory import Directory, DirectoryUnavailable
from postern.model.security import NOBODY, Identity, Mechanism, Peer, PrincipalKind
from postern.net.link import Link
from postern.paths.guard import Reason, Refusal
from postern.paths.row import Path
from postern.protocols.smtp import events
from postern.protocols.smtp.reply import Reply
from postern.services.smtp.receive_connector import ReceiveConnector
from postern.services.smtp.recipients import NO_DIRECTORY
from postern.services.smtp.session import Session
from postern.telemetry.log import Event, log
from postern.transport.submission import Submitter
from postern.trust.outcome import Challenge, Granted
from postern.trust.sasl.exchange import SaslExchange
from postern.trust.sasl.mechanisms import External, SaslServer

_NOT_SUPPORTED = Reply(504, "5.5.4", "Authentication mechanism is not supported here")


def identified_by_certificate(connector: ReceiveConnector, session: Session, link: Link) -> Session:
    """The session of the peer whose certificate the handshake showed: mutual TLS needs no command. A certificate that proves
    nobody makes a stranger."""
    chain = link.peer_chain()
    if chain and connector.proofs.certificates is not None:
        identity = connector.proofs.certificates.identify(chain)
        row = connector.row_for(identity, session.seal) if identity is not None else None
        if identity is not None and isinstance(row, Path):
            return replace(session, identity=identity, row=row, submitter=None)
        digest = sha256(chain[0]).hexdigest()
        log(Event.CERTIFICATE_UNKNOWN, path=session.door, peer=session.peer.host, sha256=digest)
    return replace(session, identity=NOBODY, row=connector.stranger(session.seal), submitter=None)


def log_authenticated(connector: ReceiveConnector, session: Session) -> None:
    """That a caller proved who it is: into the log and the observations."""
    if session.path and session.identity.kind is not PrincipalKind.ANONYMOUS:
        identity, peer = session.identity, session.peer.host
        log(Event.AUTHENTICATED, path=session.path, peer=peer, name=identity.name, mechanism=identity.mechanism)
        connector.stores.observed.seen(session.path, peer, identity.mechanism, session.seal, time.time())


class Login:
    """The AUTH exchanges of one connection. Each step returns the session, a new one after success, and the answer."""

    def __init__(self, connector: ReceiveConnector) -> None:
        self._c = connector
        self._sasl = SaslExchange()

    async def begin(
        self, session: Session, event: events.Authenticate, link: Link
    ) -> tuple[Session, Reply | Challenge]:
        self._sasl.cancel()
        certificate = link.peer_certificate()
        is_external = event.mechanism.upper() == "EXTERNAL" and certificate is not None
        known = identified_by_certificate(self._c, session, link).identity if is_external else NOBODY
        sasl: SaslServer | None = None
        if certificate and known.mechanism is Mechanism.DIRECT_TRUST:
            sasl = External(partial(_known, known), session.peer, certificate)
        else:
            _, refusal = self._c.guard.check_sasl(event.mechanism, session.seal)
            if refusal is not None:
                self._log_refusal(refusal, session, event.mechanism)
                need_tls = refusal.reason is Reason.ENCRYPTION_REQUIRED
                return session, Reply(538, "5.7.11", refusal.text) if need_tls else Reply(504, "5.5.4", refusal.text)
            if self._c.proofs.authenticator is not None:
                sasl = self._c.proofs.authenticator.sasl(
                    event.mechanism, session.peer, session.seal, certificate, link.channel()
                )
        if sasl is None:
            return session, _NOT_SUPPORTED
        self._sasl.begin(sasl)
        return await self.respond(session, event.initial)

    async def respond(self, session: Session, response: bytes | None) -> tuple[Session, Reply | Challenge]:
        outcome = await self._sasl.respond(response)
        if isinstance(outcome, Challenge):
            return session, outcome
        if isinstance(outcome, Granted):
            return await self._grant(session, outcome.identity)
        log(
            Event.AUTHENTICATION_FAILED,
            path=session.door,
            peer=session.peer.host,
            account=outcome.account,
            temporary=outcome.temporary,
        )
        code, enhanced = (454, "4.7.0") if outcome.temporary else (535, "5.7.8")
        return session, Reply(code, enhanced, outcome.text)

    async def _grant(self, session: Session, identity: Identity) -> tuple[Session, Reply]:
        row = self._c.row_for(identity, session.seal)
        if isinstance(row, Refusal):
            self._log_refusal(row, session, identity.mechanism)
            return session, Reply(535, "5.7.8", row.text)
        submitter = None
        if identity.kind is PrincipalKind.USER:
            try:
                submitter = await _submitter(self._c.recipients.directory, identity)
            except DirectoryUnavailable:
                return session, Reply(454, "4.7.0", NO_DIRECTORY.text)
        session = replace(session, identity=identity, row=row, submitter=submitter)
        log_authenticated(self._c, session)
        return session, Reply(235, "2.7.0", "Authentication successful")

    def _log_refusal(self, refusal: Refusal, session: Session, mechanism: str) -> None:
        self._c.refusals.turned_away(session.door, session.peer.host, refusal.reason, mechanism)


async def _known(identity: Identity, certificate: bytes, peer: Peer) -> Identity | None:
    return identity


async def _submitter(directory: Directory | None, identity: Identity) -> Submitter:
    account = await directory.account(identity.name) if directory is not None else None
    if directory is None or account is None:
        return Submitter("", frozenset())
    recipient = await directory.recipient(account.recipient) if account.recipient else None
    own = (*recipient.addresses, recipient.primary) if recipient is not None else ()
    return Submitter(account.recipient, frozenset(a.lower() for a in own + account.send_as))
