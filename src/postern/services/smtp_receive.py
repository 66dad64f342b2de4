"""The receive connector: one SMTP conversation as a server, from the greeting to a message in the queue.

Reads the guard (what this connection may be offered, and which row its caller is on), the authenticator, the directory and the
accepted domains; hands messages to the queue. Leaves order and syntax to `protocols.smtp.server`, the content's gathering to
`smtp_data`, and what a user's header must hold to `transport.submission`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from postern.model.directory import UNKNOWN, DirectoryUnavailable, Recipient
from postern.model.mail import Content, Envelope, IntakeError, Origin
from postern.model.organization import DomainType
from postern.model.security import NOBODY, Identity, Peer, PrincipalKind, Seal
from postern.paths.guard import Offer, Reason, Refusal
from postern.paths.row import Path
from postern.protocols.smtp import events
from postern.protocols.smtp.address import domain_of
from postern.protocols.smtp.reply import Reply
from postern.protocols.smtp.server import Server
from postern.services.conversation import Conversation
from postern.services.receive_connector import ReceiveConnector
from postern.services.smtp_data import Gathering, SpoolError, count_received, honest, received_field, with_protocol
from postern.telemetry.log import Event, log
from postern.telemetry.tracking import Step, TrackingRecord
from postern.transport.submission import NotAllowed, Submitter, fix_header
from postern.trust.outcome import Challenge, Denied, Granted
from postern.trust.sasl import SaslServer

_MAY_RELAY = (PrincipalKind.USER, PrincipalKind.SERVER)

_RECIPIENT_OK = Reply(250, "2.1.5", "Ok")
_NO_RECIPIENT = Reply(550, "5.1.1", "No such recipient here")
_NO_RELAY = Reply(550, "5.7.1", "Unable to relay")
_NO_DIRECTORY = Reply(451, "4.3.0", "The directory does not answer; try again later")
_STRANGERS_REFUSED = Reply(550, "5.7.1", "This recipient takes mail from authenticated senders only")
_NOT_AS = Reply(550, "5.7.1", "You may not send as this address")
_STARTTLS_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first")
_FULL = Reply(452, "4.3.1", "The queue cannot take a message now")


class ReceiveSession(Conversation):
    """One connection."""

    def __init__(self, connector: ReceiveConnector) -> None:
        super().__init__()
        self._c = connector
        self._server = Server(connector.bounds)
        self._identity: Identity = NOBODY
        self._submitter: Submitter | None = None
        self._row: Path | Refusal = connector.stranger(None)
        self._gathering: Gathering | None = None
        self._sasl: SaslServer | None = None
        self._granted: Granted | None = None
        self.idle_timeout = connector.limits.idle_timeout

    def feed(self, data: bytes) -> None:
        self._server.receive(data)

    def next_event(self) -> events.Event | None:
        return self._server.next_event()

    def outgoing(self) -> bytes:
        return self._server.outgoing()

    def greet(self) -> None:
        self._row = self._c.stranger(self._seal)
        self._server.greet(f"{self._c.fqdn} ESMTP Postern")

    def handle(self, event: Any) -> Awaitable[None] | None:
        return _HANDLERS[type(event)](self, event)

    def timed_out(self) -> None:
        # RFC 5321 sections 3.8 and 4.5.3.2.7.
        self._server.close(Reply(421, "4.4.2", f"{self._c.fqdn} Nothing came in time"))

    def failed(self, error: BaseException) -> None:
        self._server.close(Reply(421, "4.3.0", f"{self._c.fqdn} Local error"))

    def ended(self) -> None:
        self._forget_content()

    # Greeting, TLS

    @property
    def _seal(self) -> Seal | None:
        return self.link.seal if self.link is not None else None

    @property
    def _offer(self) -> Offer:
        assert self.link is not None
        return self._c.offer(self.link.seal, self.link.tls is not None)[0]

    def _hello(self, event: events.Hello) -> None:
        self._forget_content()
        assert self.link is not None
        _, extensions = self._c.offer(self.link.seal, self.link.tls is not None)
        self._server.welcome(self._c.fqdn, extensions)

    def _starttls(self, event: events.StartTls) -> Awaitable[None] | None:
        assert self.link is not None
        if self._seal is not None:
            self._server.reply(Reply(503, "5.5.1", "TLS is active already"))
        elif not self._offer.upgrade:
            self._server.reply(Reply(502, "5.5.1", "STARTTLS is not offered"))
        else:
            # The handshake's first bytes may follow the answer at once: nothing is read until the link is TLS's.
            self.link.pause()
            self._server.reply(Reply(220, "2.0.0", "Ready to start TLS"))
            self._server.upgraded()
            return self._upgrade()
        return None

    async def _upgrade(self) -> None:
        assert self.link is not None
        self.drop_pending()
        self._forget_content()
        self._identity, self._submitter = NOBODY, None
        try:
            seal = await self.link.start_tls()
        except OSError:
            self.link.abort()
            return
        self._row = self._c.stranger(seal)

    # Who is it

    def _authenticate(self, event: events.Authenticate) -> Awaitable[None] | None:
        assert self.link is not None
        _, refusal = self._c.guard.check_sasl(event.mechanism, self._seal)
        if refusal is not None:
            self._log_refusal(refusal, mechanism=event.mechanism)
            if refusal.reason is Reason.ENCRYPTION_REQUIRED:
                self._server.reply(Reply(538, "5.7.11", refusal.text))
            else:
                self._server.reply(Reply(504, "5.5.4", refusal.text))
            return None
        self._granted = None
        self._sasl = self._c.authenticator.sasl(
            event.mechanism, self.link.peer, self._seal, self.link.peer_certificate()
        )
        if self._sasl is None:
            self._server.reply(Reply(504, "5.5.4", "Authentication mechanism is not supported here"))
            return None
        return self._step(self._sasl, event.initial)

    async def _step(self, sasl: SaslServer, response: bytes | None) -> None:
        await self._outcome(await sasl.step(response))

    async def _response(self, event: events.Response) -> None:
        if self._granted is not None:
            await self._grant(self._granted.identity)
        elif self._sasl is not None:
            await self._step(self._sasl, event.data)
        else:
            self._server.reply(Reply(503, "5.5.1", "No authentication is under way"))

    async def _outcome(self, outcome: Challenge | Granted | Denied) -> None:
        match outcome:
            case Challenge():
                self._server.challenge(outcome.data)
            case Granted() if outcome.data:
                # RFC 4954 section 4: data that comes with success is one more challenge, answered by an empty line.
                self._granted = outcome
                self._server.challenge(outcome.data)
            case Granted():
                await self._grant(outcome.identity)
            case Denied():
                self._sasl = None
                log(Event.AUTHENTICATION_FAILED, path=self._path_id, peer=self._peer.host, temporary=outcome.temporary)
                code, enhanced = (454, "4.7.0") if outcome.temporary else (535, "5.7.8")
                self._server.reply(Reply(code, enhanced, outcome.text))

    async def _grant(self, identity: Identity) -> None:
        self._sasl = self._granted = None
        row = self._c.guard.row_for(identity, self._seal)
        if isinstance(row, Refusal):
            self._log_refusal(row, mechanism=identity.mechanism)
            self._server.reply(Reply(535, "5.7.8", row.text))
            return
        if identity.kind is PrincipalKind.USER:
            try:
                self._submitter = await self._submitter_for(identity)
            except DirectoryUnavailable:
                self._server.reply(Reply(454, "4.7.0", _NO_DIRECTORY.text))
                return
        self._identity, self._row = identity, row
        log(Event.AUTHENTICATED, path=row.id, peer=self._peer.host, name=identity.name, mechanism=identity.mechanism)
        self._c.observed.seen(row.id, self._peer.host, identity.mechanism, self._seal, time.time())
        self._server.reply(Reply(235, "2.7.0", "Authentication successful"))

    async def _submitter_for(self, identity: Identity) -> Submitter:
        account = await self._c.directory.account(identity.name)
        if account is None:
            return Submitter("", frozenset())
        recipient = await self._c.directory.recipient(account.recipient) if account.recipient else None
        own = (*recipient.addresses, recipient.primary) if recipient is not None else ()
        return Submitter(account.recipient, frozenset(a.lower() for a in own + account.send_as))

    # The transaction

    def _mail(self, event: events.Mail) -> None:
        row = self._row
        if isinstance(row, Refusal):
            self._log_refusal(row)
            offer = self._offer
            if row.reason is Reason.ENCRYPTION_REQUIRED or (offer.upgrade and not offer.mechanisms):
                self._server.reply(_STARTTLS_FIRST)
            else:
                self._server.reply(Reply(530, "5.7.0", row.text))
        elif self._submitter is not None and event.sender and not self._submitter.may_send_as(event.sender):
            self._server.reply(_NOT_AS)
        else:
            self._server.reply(Reply(250, "2.1.0", "Ok"))

    def _rcpt(self, event: events.Rcpt) -> Awaitable[None] | None:
        if event.address == "postmaster":
            # RFC 5321 section 4.5.1: without a domain too.
            event.address = f"postmaster@{self._c.default_domain}"
        address = event.address.lower()
        kind = self._c.domains.get(domain_of(address))
        if kind is None:
            self._server.reply(_RECIPIENT_OK if self._identity.kind in _MAY_RELAY else _NO_RELAY)
            return None
        if kind is not DomainType.AUTHORITATIVE or address.startswith("postmaster@"):
            self._server.reply(_RECIPIENT_OK)
            return None
        for candidate in _candidates(address):
            found = self._c.directory.cached_recipient(candidate)
            if found is UNKNOWN:
                return self._look_up(address)
            if found is not None:
                self._answer_recipient(found)
                return None
        self._server.reply(_NO_RECIPIENT)
        return None

    async def _look_up(self, address: str) -> None:
        candidates = _candidates(address)
        try:
            found = await self._c.directory.recipients(candidates)
        except DirectoryUnavailable:
            self._server.reply(_NO_DIRECTORY)
            return
        for candidate in candidates:
            if candidate in found:
                self._answer_recipient(found[candidate])
                return
        self._server.reply(_NO_RECIPIENT)

    def _answer_recipient(self, recipient: Recipient) -> None:
        refused = recipient.accept_from_authenticated_only and self._identity.kind not in _MAY_RELAY
        self._server.reply(_STRANGERS_REFUSED if refused else _RECIPIENT_OK)

    # The content

    def _piece(self, event: events.Piece) -> None:
        if self._gathering is None:
            self._gathering = Gathering(self._c.spool, self._c.limits.spool_threshold)
        self._gathering.add(event.data)

    def _forget_content(self) -> None:
        if self._gathering is not None:
            self._gathering.close()
            self._gathering = None

    def _dropped(self, event: events.Dropped) -> None:
        self._forget_content()

    def _message(self, event: events.Message) -> Awaitable[None] | None:
        gathering = self._gathering or Gathering(self._c.spool, self._c.limits.spool_threshold)
        self._gathering = None
        gathering.add(event.data)
        made = self._make(event.envelope, gathering)
        if isinstance(made, Reply):
            gathering.close()
            self._server.reply(made)
            return None
        return self._accept(*made)

    def _make(self, envelope: Envelope, gathering: Gathering) -> tuple[Envelope, Content, Origin] | Reply:
        """The message as it is queued: trace line in front, a user's header put right, the envelope's words true."""
        row = self._row
        assert isinstance(row, Path)
        try:
            parts = gathering.split()
        except SpoolError:
            return _FULL
        if parts is None:
            return Reply(552, "5.3.4", "The header section is too large")
        header, rest = parts
        if count_received(header) > self._c.limits.received_headers:
            return Reply(554, "5.4.6", "Too many Received fields: the message loops")
        now = time.time()
        if self._submitter is not None:
            fixed = fix_header(header, self._submitter, now, secrets.token_hex(16), self._c.fqdn)
            if isinstance(fixed, NotAllowed):
                return Reply(fixed.code, fixed.enhanced, fixed.text)
            header, rest = fixed, rest or b"\r\n"
        seal, peer = self._seal, self._peer
        protocol = with_protocol(self._server.extended, envelope, self._identity, seal)
        trace = received_field(self._server.helo, peer, seal, self._c.fqdn, protocol, envelope, self._c.clock.date(now))
        origin = Origin(
            row.id,
            peer.host,
            self._server.helo,
            self._identity.name,
            self._identity.mechanism,
            protocol,
            seal.cipher if seal is not None else "",
        )
        return honest(envelope, gathering.ascii), gathering.content(trace + header + rest), origin

    async def _accept(self, envelope: Envelope, content: Content, origin: Origin) -> None:
        try:
            accepted = await self._c.intake.accept(envelope, content, origin)
        except IntakeError:
            self._server.reply(_FULL)
            return
        self._server.reply(Reply(250, "2.0.0", f"Ok: queued as {accepted.queue_id}"))
        self._c.observed.seen(origin.path, origin.client, origin.mechanism, self._seal, time.time())
        self._c.tracker.record(
            TrackingRecord(
                Step.RECEIVE,
                accepted.message_id,
                accepted.queue_id,
                origin.path,
                origin.client,
                origin.mechanism,
                origin.cipher,
                envelope.sender,
                tuple(recipient.address for recipient in envelope.recipients),
                "250 2.0.0",
            )
        )

    def _close(self, event: events.Close) -> None:
        self.flush()
        if self.link is not None:
            self.link.close()

    # Words for logs

    @property
    def _peer(self) -> Peer:
        assert self.link is not None
        return self.link.peer

    @property
    def _path_id(self) -> str:
        return self._row.id if isinstance(self._row, Path) else self._c.guard.rows[0].id

    def _log_refusal(self, refusal: Refusal, mechanism: str = "") -> None:
        log(Event.REFUSED, path=self._path_id, peer=self._peer.host, reason=refusal.reason, mechanism=mechanism)


def _candidates(address: str) -> tuple[str, ...]:
    """The address itself, then without its plus part (RFC 5233's subaddress)."""
    local, _, domain = address.rpartition("@")
    base, plus, _ = local.partition("+")
    return (address, f"{base}@{domain}") if plus and base else (address,)


_HANDLERS: dict[type, Callable[[ReceiveSession, Any], Awaitable[None] | None]] = {
    events.Hello: ReceiveSession._hello,
    events.StartTls: ReceiveSession._starttls,
    events.Authenticate: ReceiveSession._authenticate,
    events.Response: ReceiveSession._response,
    events.Cancelled: lambda session, event: None,
    events.Mail: ReceiveSession._mail,
    events.Rcpt: ReceiveSession._rcpt,
    events.Piece: ReceiveSession._piece,
    events.Message: ReceiveSession._message,
    events.Dropped: ReceiveSession._dropped,
    events.Close: ReceiveSession._close,
}
