"""Authenticates an SMTP client by AUTH (RFC 4954), one exchange at a time, or by the certificate that it showed in TLS.

Reads the connector's guard, authenticator, certificates and directory; the result is `Proven`: the identity, and the row that
it is on. The session and the guard decide what that identity may do.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

from postern.model.directory import Directory, DirectoryUnavailable
from postern.model.security import NOBODY, Identity, Mechanism, PrincipalKind
from postern.net.link import Link
from postern.paths.guard import Refusal
from postern.paths.row import Path
from postern.protocols.smtp import events
from postern.protocols.smtp.reply import Reply
from postern.protocols.smtp.server import Server
from postern.services.conversation import asking
from postern.services.smtp.receive_connector import ReceiveConnector
from postern.services.smtp.recipients import NO_DIRECTORY
from postern.telemetry.log import Event, log
from postern.transport.submission import Submitter
from postern.trust.acceptor import Cause, Failure
from postern.trust.framing.sasl import AuthExchange

_CODES = {
    Cause.FAILED: (535, "5.7.8"),
    Cause.UNSUPPORTED: (504, "5.5.4"),
    Cause.PRIVACY: (538, "5.7.11"),
    Cause.UNAVAILABLE: (454, "4.7.0"),
}
"""RFC 4954 section 6. The machine answers a cancelled exchange itself."""


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
    """The AUTH exchanges of one connection, in SMTP's lines. `proven` is called once with each success."""

    def __init__(self, connector: ReceiveConnector, server: Server, proven: Callable[[Proven], None]) -> None:
        self._c = connector
        self._server = server
        self._proven = proven
        self._auth = AuthExchange(connector.guard, connector.authenticator)
        self._link: Link
        self._mechanism = ""

    def begin(self, event: events.Authenticate, link: Link) -> Awaitable[None] | None:
        self._link, self._mechanism = link, event.mechanism
        certified = None
        if event.mechanism.upper() == "EXTERNAL":
            proven = proven_by_certificate(self._c, link)
            certified = proven.identity if proven.identity.mechanism is Mechanism.DIRECT_TRUST else None
        begun = self._auth.begin(event.mechanism, asking(link, certified), self)
        return self._auth.respond(event.initial) if begun else None

    def respond(self, event: events.Response) -> Awaitable[None]:
        return self._auth.respond(event.data)

    # Lines

    def challenge(self, data: bytes) -> None:
        self._server.challenge(data)

    async def success(self, identity: Identity) -> None:
        link = self._link
        row = self._c.row_for(identity, link.seal)
        if isinstance(row, Refusal):
            return self.failure(Failure(Cause.FAILED, row.text, row.reason))
        submitter = None
        if identity.kind is PrincipalKind.USER:
            try:
                submitter = await _submitter(self._c.directory, identity)
            except DirectoryUnavailable:
                return self.failure(Failure(Cause.UNAVAILABLE, NO_DIRECTORY.text))
        proven = Proven(identity, row, submitter)
        self._proven(proven)
        log_authenticated(self._c, link, proven)
        self._server.reply(Reply(235, "2.7.0", "Authentication successful"))
        return None

    def failure(self, failure: Failure) -> None:
        if failure.reason is not None:
            path, host = self._c.guard.rows[0].id, self._link.peer.host
            self._c.refusals.turned_away(path, host, failure.reason, self._mechanism)
        self._server.reply(Reply(*_CODES[failure.cause], failure.text))


async def _submitter(directory: Directory | None, identity: Identity) -> Submitter:
    account = await directory.account(identity.name) if directory is not None else None
    if directory is None or account is None:
        return Submitter("", frozenset())
    recipient = await directory.recipient(account.recipient) if account.recipient else None
    own = (*recipient.addresses, recipient.primary) if recipient is not None else ()
    return Submitter(account.recipient, frozenset(a.lower() for a in own + account.send_as))
