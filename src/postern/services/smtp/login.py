"""Authenticates an SMTP client by AUTH (RFC 4954), one exchange at a time, or by the certificate that it showed in TLS.

Reads the connector's guard, authenticator, certificates and directory; the result is `Proven`: the identity, and the row that
it is on. The session and the guard decide what that identity may do.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from postern.model.directory import Directory, DirectoryUnavailable
from postern.model.security import NOBODY, Identity, Mechanism, Peer, PrincipalKind
from postern.net.link import Link
from postern.paths.guard import Reason, Refusal
from postern.paths.row import Path
from postern.protocols.smtp import events
from postern.protocols.smtp.reply import Reply
from postern.protocols.smtp.server import Server
from postern.services.smtp.receive_connector import ReceiveConnector
from postern.services.smtp.recipients import NO_DIRECTORY
from postern.telemetry.log import Event, log
from postern.transport.submission import Submitter
from postern.trust.outcome import Challenge, Granted
from postern.trust.sasl.exchange import SaslExchange
from postern.trust.sasl.mechanisms import External, SaslServer

_NOT_SUPPORTED = Reply(504, "5.5.4", "Authentication mechanism is not supported here")


@dataclass(frozen=True, slots=True)
class Proven:
    """`row` is a Refusal where no row of the door admits this caller; `submitter` is there for users."""

    identity: Identity
    row: Path | Refusal
    submitter: Submitter | None = None


def proven_by_certificate(connector: ReceiveConnector, link: Link) -> Proven:
    """Identifies the peer by the certificate of its handshake: mutual TLS needs no command. A certificate that proves nobody
    makes a stranger."""
    chain = link.peer_chain()
    if chain and connector.certificates is not None:
        identity = connector.certificates.identify(chain)
        row = connector.row_for(identity, link.seal) if identity is not None else None
        if identity is not None and isinstance(row, Path):
            return Proven(identity, row)
        digest = sha256(chain[0]).hexdigest()
        log(Event.CERTIFICATE_UNKNOWN, path=connector.guard.rows[0].id, peer=link.peer.host, sha256=digest)
    return Proven(NOBODY, connector.stranger(link.seal))


def log_authenticated(connector: ReceiveConnector, link: Link, proven: Proven) -> None:
    """That a caller proved who it is: into the log and the observations."""
    if isinstance(proven.row, Path) and proven.identity.kind is not PrincipalKind.ANONYMOUS:
        identity, row, peer = proven.identity, proven.row.id, link.peer.host
        log(Event.AUTHENTICATED, path=row, peer=peer, name=identity.name, mechanism=identity.mechanism)
        connector.observed.seen(row, peer, identity.mechanism, link.seal, time.time())


class Login:
    """The AUTH exchanges of one connection. `proven` is called once with each success."""

    def __init__(self, connector: ReceiveConnector, server: Server, proven: Callable[[Proven], None]) -> None:
        self._c = connector
        self._server = server
        self._proven = proven
        self._sasl = SaslExchange()

    def begin(self, event: events.Authenticate, link: Link) -> Awaitable[None] | None:
        self._sasl.cancel()
        certificate = link.peer_certificate()
        proven = proven_by_certificate(self._c, link) if event.mechanism.upper() == "EXTERNAL" and certificate else None
        if proven is not None and certificate and proven.identity.mechanism is Mechanism.DIRECT_TRUST:
            return self._begin(External(partial(_known, proven.identity), link.peer, certificate), event, link)
        _, refusal = self._c.guard.check_sasl(event.mechanism, link.seal)
        if refusal is not None:
            self._log_refusal(refusal, link, event.mechanism)
            need_tls = refusal.reason is Reason.ENCRYPTION_REQUIRED
            self._server.reply(Reply(538, "5.7.11", refusal.text) if need_tls else Reply(504, "5.5.4", refusal.text))
            return None
        sasl = None
        if self._c.authenticator is not None:
            sasl = self._c.authenticator.sasl(event.mechanism, link.peer, link.seal, certificate, link.channel())
        if sasl is None:
            self._server.reply(_NOT_SUPPORTED)
            return None
        return self._begin(sasl, event, link)

    def _begin(self, sasl: SaslServer, event: events.Authenticate, link: Link) -> Awaitable[None]:
        self._sasl.begin(sasl)
        return self._respond(event.initial, link)

    def respond(self, event: events.Response, link: Link) -> Awaitable[None]:
        return self._respond(event.data, link)

    async def _respond(self, response: bytes | None, link: Link) -> None:
        outcome = await self._sasl.respond(response)
        if isinstance(outcome, Challenge):
            self._server.challenge(outcome.data)
        elif isinstance(outcome, Granted):
            await self._grant(outcome.identity, link)
        else:
            path = self._c.guard.rows[0].id
            log(
                Event.AUTHENTICATION_FAILED,
                path=path,
                peer=link.peer.host,
                account=outcome.account,
                temporary=outcome.temporary,
            )
            code, enhanced = (454, "4.7.0") if outcome.temporary else (535, "5.7.8")
            self._server.reply(Reply(code, enhanced, outcome.text))

    async def _grant(self, identity: Identity, link: Link) -> None:
        row = self._c.row_for(identity, link.seal)
        if isinstance(row, Refusal):
            self._log_refusal(row, link, identity.mechanism)
            self._server.reply(Reply(535, "5.7.8", row.text))
            return
        submitter = None
        if identity.kind is PrincipalKind.USER:
            try:
                submitter = await _submitter(self._c.directory, identity)
            except DirectoryUnavailable:
                self._server.reply(Reply(454, "4.7.0", NO_DIRECTORY.text))
                return
        proven = Proven(identity, row, submitter)
        self._proven(proven)
        log_authenticated(self._c, link, proven)
        self._server.reply(Reply(235, "2.7.0", "Authentication successful"))

    def _log_refusal(self, refusal: Refusal, link: Link, mechanism: str) -> None:
        path = self._c.guard.rows[0].id
        self._c.refusals.turned_away(path, link.peer.host, refusal.reason, mechanism)


async def _known(identity: Identity, certificate: bytes, peer: Peer) -> Identity | None:
    return identity


async def _submitter(directory: Directory | None, identity: Identity) -> Submitter:
    account = await directory.account(identity.name) if directory is not None else None
    if directory is None or account is None:
        return Submitter("", frozenset())
    recipient = await directory.recipient(account.recipient) if account.recipient else None
    own = (*recipient.addresses, recipient.primary) if recipient is not None else ()
    return Submitter(account.recipient, frozenset(a.lower() for a in own + account.send_as))
