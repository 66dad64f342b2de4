"""The receive connector: one SMTP conversation as a server, from the greeting to a message in the queue.

Reads the guard (what this connection may be offered, and which row its caller is on), the authenticator, the directory and the
accepted domains; hands messages to the queue. Leaves order and syntax to `protocols.smtp.server`, the content's gathering to
`data`, and what a user's header must hold to `transport.submission`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from postern.model.mail import Content, Envelope, EnvelopeRecipient, IntakeError, Origin
from postern.model.security import NOBODY, Identity, Mechanism, Peer, PrincipalKind, Seal
from postern.paths.guard import Offer, Reason, Refusal
from postern.paths.row import Path
from postern.protocols.authentication.header import fields, named
from postern.protocols.smtp import events
from postern.protocols.smtp.reply import Reply
from postern.protocols.smtp.server import Server
from postern.services.conversation import Conversation
from postern.services.mailbox.room import PLENTY
from postern.services.smtp.data import (
    BROKE,
    FULL,
    Gathering,
    has_failed,
    header_and_rest,
    prepended,
    received_field,
    with_actual_body_type,
    with_protocol,
)
from postern.services.smtp.login import Login, Proven, log_authenticated, proven_by_certificate
from postern.services.smtp.receive_connector import Caller, ReceiveConnector, Steps
from postern.services.smtp.recipients import ENOUGH, FULL_MAILBOX, have_no_room, judge
from postern.telemetry.attempts import counted
from postern.transport.submission import NotAllowed, Submitter, fix_header

_MAY_RELAY = (PrincipalKind.USER, PrincipalKind.SERVER)

_ADDED = 2_048
"""Octets that fields of ours may add to what was announced (SIZE) before it counts as more."""
_MAIL_OK = Reply(250, "2.1.0", "Ok")
_NOT_AS = Reply(550, "5.7.1", "You may not send as this address")
_STARTTLS_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first")


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
        self._sender, self._size = "", 0
        self._is_tight = False
        """A recipient's mailbox may have no room for more than was announced."""
        self._login = Login(connector, self._server, self._set_identity)
        self._steps = connector.agents.steps() if connector.agents is not None else None
        self.idle_timeout = connector.limits.idle_timeout
        self.turned_away = f"421 4.3.2 {connector.fqdn} Too many connections\r\n".encode()  # RFC 5321 section 3.8

    def feed(self, data: bytes) -> None:
        self._server.receive(data)

    def next_event(self) -> events.Event | None:
        return self._server.next_event()

    def outgoing(self) -> bytes:
        return self._server.outgoing()

    def greet(self) -> Awaitable[None] | None:
        self._row = self._c.stranger(self._seal)
        if self._steps is not None:
            return self._greet_after(self._steps)
        self._server.greet(f"{self._c.fqdn} ESMTP Postern")
        return None

    async def _greet_after(self, steps: Steps) -> None:
        refusal = await steps.connected(self._caller)
        if refusal is not None:
            self._server.close(refusal)
        else:
            self._server.greet(f"{self._c.fqdn} ESMTP Postern")

    def handle(self, event: Any) -> Awaitable[None] | None:
        return _HANDLERS[type(event)](self, event)

    def timed_out(self) -> None:
        # RFC 5321 sections 3.8 and 4.5.3.2.7.
        self._server.close(Reply(421, "4.4.2", f"{self._c.fqdn} Nothing came in time"))

    def revoked(self) -> None:
        self._server.close(Reply(421, "4.7.0", f"{self._c.fqdn} The account may not be logged on any more"))

    def failed(self, error: BaseException) -> None:
        self._server.close(Reply(421, "4.3.0", f"{self._c.fqdn} Local error"))

    def ended(self) -> None:
        self._forget_content()
        if self._steps is not None:
            self._steps.closed()

    # Greeting, TLS

    @property
    def _seal(self) -> Seal | None:
        return self.link.seal if self.link is not None else None

    @property
    def _offer(self) -> Offer:
        assert self.link is not None
        return self._c.offer(self.link.seal, self.link.tls is not None, self.link.binds)[0]

    def _hello(self, event: events.Hello) -> None:
        self._forget_content()
        assert self.link is not None
        _, extensions = self._c.offer(self.link.seal, self.link.tls is not None, self.link.binds)
        if self._identity.mechanism is Mechanism.DIRECT_TRUST:
            # So a server of ours sees that its certificate is known. It may say AUTH EXTERNAL, and need not.
            extensions = (*(one for one in extensions if not one.startswith("AUTH ")), "AUTH EXTERNAL")
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
            await self.link.start_tls()
        except OSError:
            self.link.abort()
            return
        proven = proven_by_certificate(self._c, self.link)
        self._set_identity(proven)
        log_authenticated(self._c, self.link, proven)

    # Who is it

    def _authenticate(self, event: events.Authenticate) -> Awaitable[None] | None:
        assert self.link is not None
        return self._login.begin(event, self.link)

    def _response(self, event: events.Response) -> Awaitable[None]:
        assert self.link is not None
        return self._login.respond(event)

    def _set_identity(self, proven: Proven) -> None:
        self._identity, self._row, self._submitter = proven.identity, proven.row, proven.submitter
        self.unwatch()
        if self._c.authenticator is not None:
            self.watch(self._c.authenticator.reauthorization, proven.identity)

    # The transaction

    def _mail(self, event: events.Mail) -> Awaitable[None] | None:
        if self._identity.mechanism is Mechanism.DIRECT_TRUST:
            assert self.link is not None
            if proven_by_certificate(self._c, self.link).identity != self._identity:
                # Gone from the directory. Whoever believes to be known must not be answered like a stranger, who hears 5xx.
                self._server.reply(Reply(421, "4.7.0", "This certificate is not known any more"))
                return None
        row, self._sender, self._size = self._row, event.sender, event.parameters.size
        self._is_tight = False
        if isinstance(row, Refusal):
            self._c.refusals.turned_away(self._path_id, self._peer.host, row.reason)
            offer = self._offer
            if row.reason is Reason.ENCRYPTION_REQUIRED or (offer.upgrade and not offer.mechanisms):
                self._server.reply(_STARTTLS_FIRST)
            else:
                self._server.reply(Reply(530, "5.7.0", row.text))
        elif self._submitter is not None and event.sender and not self._submitter.may_send_as(event.sender):
            self._note_refusal(_NOT_AS)
            self._server.reply(_NOT_AS)
        elif self._steps is not None:
            return self._mail_steps(self._steps, event.sender)
        else:
            self._server.reply(_MAIL_OK)
        return None

    async def _mail_steps(self, steps: Steps, sender: str) -> None:
        refusal = await steps.mail(self._caller, sender)
        if refusal is not None:
            self._note_refusal(refusal)
        self._server.reply(refusal or _MAIL_OK)

    def _rcpt(self, event: events.Rcpt) -> Awaitable[None] | None:
        if event.address == "postmaster":
            # RFC 5321 section 4.5.1: without a domain too.
            event.address = f"postmaster@{self._c.default_domain}"
        judged = judge(self._c, event.address, self._trusted, self._path_id, self._size)
        if not isinstance(judged, Reply):
            return self._finish_recipient(event, judged)
        self._is_tight = self._is_tight or judged is ENOUGH
        said = self._ask_agents(event) if judged.code < 300 else None
        if said is not None and not isinstance(said, Reply):
            return self._finish_recipient(event, judged, said)
        return self._answer_recipient(event, said or judged)

    def _ask_agents(self, event: events.Rcpt) -> Reply | Awaitable[Reply | None] | None:
        if self._steps is None:
            return None
        recipient = EnvelopeRecipient(event.address, event.notify, event.original)
        return self._steps.rcpt(self._caller, recipient)

    async def _finish_recipient(
        self, event: events.Rcpt, judged: Reply | Awaitable[Reply], said: Awaitable[Reply | None] | None = None
    ) -> None:
        reply = judged if isinstance(judged, Reply) else await judged
        self._is_tight = self._is_tight or reply is ENOUGH
        if reply.code < 300:
            more = said or self._ask_agents(event)
            reply = (more if more is None or isinstance(more, Reply) else await more) or reply
        later = self._answer_recipient(event, reply)
        if later is not None:
            await later

    def _answer_recipient(self, event: events.Rcpt, reply: Reply) -> Awaitable[None] | None:
        if reply.code >= 400:
            self._note_refusal(reply, (event.address,))
        if reply.enhanced == "5.1.1" and self._steps is not None:
            delay = self._steps.unknown(self._caller, event.address)
            if delay:
                return self._answer_late(reply, delay)
        self._server.reply(reply)
        return None

    async def _answer_late(self, reply: Reply, delay: float) -> None:
        """The tarpit: a timer, and what the peer sends meanwhile stays in its own buffers."""
        assert self.link is not None
        self.link.pause()
        await asyncio.sleep(delay)
        self._server.reply(reply)

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
        key = gathering.key()
        if has_failed(key):
            parts: tuple[bytes, bytes] | Reply = BROKE
        else:
            with counted(key):
                parts = header_and_rest(gathering, self._c.limits.received_headers)
                if not isinstance(parts, Reply) and self._identity.kind is not PrincipalKind.SERVER:
                    parts = self._c.without_our_word(parts[0]), parts[1]
        if isinstance(parts, Reply):
            gathering.close()
            self._note_refusal(parts, event.envelope.addresses)
            self._server.reply(parts)
            return None
        header, rest = parts
        if self._steps is not None:
            return self._examine(self._steps, event.envelope, gathering, key, header, rest)
        return self._queue(event.envelope, gathering.ascii, key, header, gathering.content(rest))

    async def _examine(
        self, steps: Steps, envelope: Envelope, gathering: Gathering, key: str, header: bytes, rest: bytes
    ) -> None:
        body = gathering.content(rest)
        verdict = await steps.data(self._caller, envelope, header, body, key)
        if verdict.reply is not None:
            if verdict.reply.code >= 400:
                self._note_refusal(verdict.reply, envelope.addresses, header)
            self._server.reply(verdict.reply)
            return
        header = header if verdict.header is None else verdict.header
        queued = self._queue(envelope, gathering.ascii, key, header, body)
        if queued is not None:
            await queued

    def _queue(self, envelope: Envelope, ascii: bool, key: str, header: bytes, body: Content) -> Awaitable[None] | None:
        """The message as it is queued: trace line in front, a user's header put right, the envelope's words true."""
        row = self._row
        assert isinstance(row, Path)
        now = time.time()
        if self._submitter is not None:
            with counted(key):
                fixed = fix_header(header, self._submitter, now, secrets.token_hex(16), self._c.fqdn)
            if isinstance(fixed, NotAllowed):
                refusal = Reply(fixed.code, fixed.enhanced, fixed.text)
                self._note_refusal(refusal, envelope.addresses, header)
                self._server.reply(refusal)
                return None
            header, body = fixed, body if body.size else Content.of(b"\r\n")
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
        return self._accept(with_actual_body_type(envelope, ascii), prepended(trace + header, body), origin)

    async def _accept(self, envelope: Envelope, content: Content, origin: Origin) -> None:
        is_more = content.size > self._size + _ADDED and (self._is_tight or content.size > PLENTY)
        if is_more and await have_no_room(self._c, envelope.addresses, origin.path, content.size):
            self._note_refusal(FULL_MAILBOX, envelope.addresses)
            self._server.reply(FULL_MAILBOX)
            return
        try:
            accepted = await self._c.intake.accept(envelope, content, origin)
        except IntakeError:
            self._server.reply(FULL)
            return
        self._server.reply(Reply(250, "2.0.0", f"Ok: queued as {accepted.queue_id}"))
        self._c.record(accepted, envelope, origin, self._seal)

    def _close(self, event: events.Close) -> None:
        self.flush()
        if self.link is not None:
            self.link.close()

    # Words for logs and agents

    @property
    def _caller(self) -> Caller:
        row = self._row
        path = row.id if isinstance(row, Path) else ""
        return Caller(self._peer, self._server.helo, self._identity, self._seal, path)

    @property
    def _trusted(self) -> bool:
        """One of ours has vouched for the sender. An edge vouches for nobody: what it brings is strangers' mail."""
        row = self._row
        return self._identity.kind in _MAY_RELAY and isinstance(row, Path) and not row.strangers

    @property
    def _peer(self) -> Peer:
        assert self.link is not None
        return self.link.peer

    @property
    def _path_id(self) -> str:
        return self._row.id if isinstance(self._row, Path) else self._c.guard.rows[0].id

    def _note_refusal(self, reply: Reply, recipients: tuple[str, ...] = (), header: bytes = b"") -> None:
        found = named(fields(header), "message-id")
        message_id = found[0].value.decode("ascii", "replace").strip() if found else ""
        agent = self._steps.agent_of(reply) if self._steps is not None else ""
        self._c.refusals.record(self._caller, self._path_id, reply, self._sender, recipients, message_id, agent)


_HANDLERS: dict[type, Callable[[ReceiveSession, Any], Awaitable[None] | None]] = {
    events.Hello: ReceiveSession._hello,
    events.StartTls: ReceiveSession._starttls,
    events.Authenticate: ReceiveSession._authenticate,
    events.Response: ReceiveSession._response,
    events.Cancelled: lambda session, event: None,
    events.Answered: lambda session, event: None,
    events.Mail: ReceiveSession._mail,
    events.Rcpt: ReceiveSession._rcpt,
    events.Piece: ReceiveSession._piece,
    events.Message: ReceiveSession._message,
    events.Dropped: ReceiveSession._dropped,
    events.Close: ReceiveSession._close,
}
