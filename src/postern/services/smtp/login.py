"""Authenticates an SMTP client by AUTH (RFC 4954), one exchange at a time, or by the certificate that it showed in TLS.

Reads the connector's guard, authenticator, certificates and directory. Each step takes the session and returns it, or a new one
with the identity and the row that it is on; the guard decides what that identity may do.
"""

from __future__ import annotations

import time
from dataclasses import replace
from hashlib import sha256

from postern.model.directory import DirectoryUnavailable
from postern.model.security import NOBODY, Identity, Mechanism, PrincipalKind
from postern.net.link import Link
from postern.paths.guard import Refusal
from postern.paths.row import Path
from postern.protocols.smtp import events
from postern.protocols.smtp.reply import Reply
from postern.services.conversation import asking
from postern.services.senders import SenderDirectory, submitter_of
from postern.services.smtp.receive_connector import ReceiveConnector
from postern.services.smtp.recipients import NO_DIRECTORY
from postern.services.smtp.session import Session
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count
from postern.transport.submission import Submitter
from postern.trust.acceptor import Cause, Challenge, Failure, Granted
from postern.trust.framing.sasl import AuthExchange, AuthTurn

_CODES = {
    Cause.FAILED: (535, "5.7.8"),
    Cause.UNSUPPORTED: (504, "5.5.4"),
    Cause.PRIVACY: (538, "5.7.11"),
    Cause.UNAVAILABLE: (454, "4.7.0"),
}
"""RFC 4954 section 6. The machine answers a cancelled exchange itself."""


def identified_by_certificate(connector: ReceiveConnector, session: Session, link: Link) -> Session:
    """The session of the peer whose certificate the handshake showed: mutual TLS needs no command. The peer remains a stranger
    if its certificate proves nobody."""
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
    """Writes into the log and the observations that a caller proved who it is."""
    if session.path and session.identity.kind is not PrincipalKind.ANONYMOUS:
        identity, peer = session.identity, session.peer.host
        log(Event.AUTHENTICATED, path=session.path, peer=peer, name=identity.name, mechanism=identity.mechanism)
        connector.stores.observed.seen(session.path, peer, identity.mechanism, session.seal, time.time())


class Authentication:
    """The AUTH exchanges of one connection. Each step returns the session, a new one after success, and the answer."""

    def __init__(self, connector: ReceiveConnector) -> None:
        self._c = connector
        self._auth = AuthExchange(connector.guard, connector.proofs.authenticator)
        self._mechanism = ""

    async def begin(
        self, session: Session, event: events.Authenticate, link: Link
    ) -> tuple[Session, Reply | Challenge]:
        self._mechanism = event.mechanism
        certified = None
        if event.mechanism.upper() == "EXTERNAL":
            identity = identified_by_certificate(self._c, session, link).identity
            certified = identity if identity.mechanism is Mechanism.DIRECT_TRUST else None
        turn = await self._auth.begin(event.mechanism, event.initial, asking(link, certified))
        return await self._answer(session, turn)

    async def respond(self, session: Session, response: bytes | None) -> tuple[Session, Reply | Challenge]:
        return await self._answer(session, await self._auth.respond(response))

    def cancel(self) -> None:
        """Forgets the exchange that the client broke off; the protocol's machine has answered already."""
        self._auth.cancel()

    async def _answer(self, session: Session, turn: AuthTurn) -> tuple[Session, Reply | Challenge]:
        if isinstance(turn, Challenge):
            return session, turn
        if isinstance(turn, Granted):
            return await self._grant(session, turn.identity)
        return session, self._refuse(session, turn)

    async def _grant(self, session: Session, identity: Identity) -> tuple[Session, Reply]:
        row = self._c.row_for(identity, session.seal)
        if isinstance(row, Refusal):
            count(Metric.REFUSALS, session.door, row.reason)
            return session, self._refuse(session, Failure(Cause.FAILED, row.text, row.reason))
        submitter = None
        if identity.kind is PrincipalKind.USER:
            try:
                submitter = await _submitter(self._c.recipients.directory, identity)
            except DirectoryUnavailable:
                return session, self._refuse(session, Failure(Cause.UNAVAILABLE, NO_DIRECTORY.text))
        session = replace(session, identity=identity, row=row, submitter=submitter)
        log_authenticated(self._c, session)
        return session, Reply(235, "2.7.0", "Authentication successful")

    def _refuse(self, session: Session, failure: Failure) -> Reply:
        if failure.reason is not None:
            self._c.refusals.turned_away(session.door, session.peer.host, failure.reason, self._mechanism)
        return Reply(*_CODES[failure.cause], failure.text)


async def _submitter(directory: SenderDirectory | None, identity: Identity) -> Submitter:
    account = await directory.account(identity.name) if directory is not None else None
    if directory is None or account is None:
        return submitter_of(None, None)
    return submitter_of(account, await directory.recipient(account.recipient) if account.recipient else None)
