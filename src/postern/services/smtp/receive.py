"""The receive connector's side of one SMTP conversation, from the greeting to a message in the queue.

Each event of the protocol's machine has one handler, which waits for what it must know, decides, and replies. What is known
of the client is one `Session` value, and of its transaction one `Transaction`; a handler that learns more puts a new one in
place. Leaves order and syntax to `protocols.smtp.server`, the content's gathering to `data`, AUTH to `login`, recipients to
`recipients`, and what a user's header must hold to `transport.submission`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from postern.model.directory import DirectoryUnavailable
from postern.model.mail import Content, Envelope, EnvelopeRecipient, IntakeError, Origin
from postern.model.security import Mechanism, PrincipalKind
from postern.net.link import Link
from postern.paths.guard import Reason, Refusal
from postern.protocols.authentication.header import fields, named
from postern.protocols.smtp import events
from postern.protocols.smtp.reply import Reply
from postern.protocols.smtp.server import Server
from postern.services.conversation import Conversation
from postern.services.mailbox.room import PLENTY
from postern.services.senders import fixed_for, on_behalf
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
from postern.services.smtp.login import Authentication, identified_by_certificate, log_authenticated
from postern.services.smtp.receive_connector import ReceiveConnector
from postern.services.smtp.recipients import ENOUGH, FULL_MAILBOX, NO_DIRECTORY, have_no_room, judge
from postern.services.smtp.session import Session, Transaction
from postern.telemetry.attempts import counted
from postern.telemetry.metrics import Metric, count
from postern.transport.submission import NotAllowed, Submitter, fix_header
from postern.trust.acceptor import Challenge

_ADDED = 2_048
"""Octets that our own fields may add to the announced SIZE before the message counts as larger than announced."""
_MAIL_OK = Reply(250, "2.1.0", "Ok")
_NOT_AS = Reply(550, "5.7.1", "You may not send as this address, nor on its behalf")
_STARTTLS_FIRST = Reply(530, "5.7.0", "Must issue a STARTTLS command first")
_UNKNOWN_CERTIFICATE = Reply(421, "4.7.0", "This certificate is not known any more")


class ReceiveConversation(Conversation):
    """One connection."""

    link: Link
    _session: Session

    def __init__(self, connector: ReceiveConnector) -> None:
        super().__init__()
        self._c = connector
        self._server = Server(connector.bounds)
        self._transaction = Transaction()
        self._gathering: Gathering | None = None
        self._login = Authentication(connector)
        self._agents = connector.agents.for_connection() if connector.agents is not None else None
        self.idle_timeout = connector.limits.idle_timeout
        self.turned_away = f"421 4.3.2 {connector.fqdn} Too many connections\r\n".encode()  # RFC 5321 section 3.8

    def feed(self, data: bytes) -> None:
        self._server.receive(data)

    def next_event(self) -> events.Event | None:
        return self._server.next_event()

    def outgoing(self) -> bytes:
        return self._server.outgoing()

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

    # Greeting, TLS

    async def greet(self) -> None:
        self._session = self._c.session(self.link)
        refusal = await self._agents.connected(self._session) if self._agents is not None else None
        if refusal is not None:
            self._server.close(refusal)
        else:
            self._server.greet(f"{self._c.fqdn} ESMTP Postern")

    def _hello(self, event: events.Hello) -> None:
        self._forget_content()
        offer = self._c.offer(self.link)
        self._session = replace(self._session, helo=event.name, extended=event.extended, offer=offer)
        self._server.welcome(self._c.fqdn, self._c.extensions(self._session, self.link.binds))

    async def _starttls(self, event: events.StartTls) -> None:
        if self._session.seal is not None:
            self._server.reply(Reply(503, "5.5.1", "TLS is active already"))
            return
        if not self._session.offer.upgrade:
            self._server.reply(Reply(502, "5.5.1", "STARTTLS is not offered"))
            return
        # The handshake's first bytes may follow the answer at once: nothing is read until the link is TLS's.
        self.link.pause()
        self._server.reply(Reply(220, "2.0.0", "Ready to start TLS"))
        self._server.upgraded()
        self.flush()
        self.drop_pending()
        self._forget_content()
        self._session = self._c.session(self.link)
        try:
            await self.link.start_tls()
        except OSError:
            self.link.abort()
            return
        self._identified(identified_by_certificate(self._c, self._c.session(self.link), self.link))
        log_authenticated(self._c, self._session)

    # Authentication

    async def _authenticate(self, event: events.Authenticate) -> None:
        self._answer_login(*await self._login.begin(self._session, event, self.link))

    async def _response(self, event: events.Response) -> None:
        self._answer_login(*await self._login.respond(self._session, event.data))

    def _cancelled(self, event: events.Cancelled) -> None:
        self._login.cancel()

    def _answer_login(self, session: Session, answer: Reply | Challenge) -> None:
        if session is not self._session:
            self._identified(session)
        if isinstance(answer, Challenge):
            self._server.challenge(answer.data)
        else:
            self._server.reply(answer)

    def _identified(self, session: Session) -> None:
        """Makes the client the one whom `session` names, for as long as its account allows."""
        self._session = session
        self.unwatch()
        if self._c.proofs.authenticator is not None:
            self.watch(self._c.proofs.authenticator.reauthorization, session.identity)

    # The transaction

    def _mail(self, event: events.Mail) -> Awaitable[None] | None:
        session = self._session
        self._transaction = Transaction(event.sender, event.parameters.size, session.submitter)
        if not self._is_still_known():
            # Gone from the directory. A server that believes to be known must not get the 5xx that a stranger gets.
            self._server.reply(_UNKNOWN_CERTIFICATE)
        elif isinstance(session.row, Refusal):
            count(Metric.REFUSALS, session.door, session.row.reason)
            self._c.refusals.turned_away(session.door, session.peer.host, session.row.reason)
            self._server.reply(_not_admitted(session, session.row))
        elif session.submitter is not None and event.sender and not session.submitter.may_send_as(event.sender):
            return self._mail_on_behalf(session.submitter, event.sender)
        else:
            self._take_sender(event.sender)
        return None

    def _take_sender(self, sender: str) -> None:
        refusal = self._agents.mail(self._session, sender) if self._agents is not None else None
        if refusal is not None:
            self._refuse(refusal)
        else:
            self._server.reply(_MAIL_OK)

    async def _mail_on_behalf(self, submitter: Submitter, sender: str) -> None:
        """A delegate may name the other in MAIL too: mail programs put there what they put into From."""
        try:
            delegate = await on_behalf(self._c.recipients.directory, submitter, [sender])
        except DirectoryUnavailable:
            self._refuse(NO_DIRECTORY)
            return
        if delegate is None:
            self._refuse(_NOT_AS)
            return
        self._transaction = self._transaction._replace(submitter=delegate)
        self._take_sender(sender)

    def _is_still_known(self) -> bool:
        """Whether the directory still has the certificate of a server of ours that is known by that alone."""
        session = self._session
        if session.identity.mechanism is not Mechanism.DIRECT_TRUST:
            return True
        return identified_by_certificate(self._c, session, self.link).identity == session.identity

    def _rcpt(self, event: events.Rcpt) -> Awaitable[None] | None:
        if event.address == "postmaster":
            # RFC 5321 section 4.5.1: without a domain too.
            event.address = f"postmaster@{self._c.default_domain}"
        session = self._session
        reply = judge(self._c, session, event.address, self._transaction.size, session.may_relay)
        if self._agents is None and isinstance(reply, Reply):
            self._answer_recipient(event, reply)
            return None
        return self._recipient(event, reply)

    async def _recipient(self, event: events.Rcpt, judged: Reply | Awaitable[Reply]) -> None:
        reply = judged if isinstance(judged, Reply) else await judged
        if self._agents is not None and reply.code < 300:
            recipient = EnvelopeRecipient(event.address, event.notify, event.original)
            reply = await self._agents.rcpt(self._session, recipient) or reply
        if self._agents is not None and reply.enhanced == "5.1.1":
            delay = self._agents.unknown(self._session, reply)
            if delay:
                # The tarpit: a timer, and what the peer sends meanwhile stays in its own buffers.
                self.link.pause()
                await asyncio.sleep(delay)
        self._answer_recipient(event, reply)

    def _answer_recipient(self, event: events.Rcpt, reply: Reply) -> None:
        if reply is ENOUGH and not self._transaction.is_tight:
            self._transaction = self._transaction._replace(is_tight=True)
        if reply.code >= 400:
            self._refuse(reply, (event.address,))
        else:
            self._server.reply(reply)

    # The content

    def _piece(self, event: events.Piece) -> None:
        if self._gathering is None:
            self._gathering = self._new_gathering()
        self._gathering.add(event.data)

    def _new_gathering(self) -> Gathering:
        return Gathering(self._c.stores.spool, self._c.limits.spool_threshold)

    def _forget_content(self) -> None:
        if self._gathering is not None:
            self._gathering.close()
            self._gathering = None

    def _dropped(self, event: events.Dropped) -> None:
        self._forget_content()

    async def _message(self, event: events.Message) -> None:
        session, envelope = self._session, event.envelope
        gathering, self._gathering = self._gathering or self._new_gathering(), None
        gathering.add(event.data)
        key = gathering.key()
        parts = self._parts(gathering, key)
        if isinstance(parts, Reply):
            gathering.close()
            self._refuse(parts, envelope.addresses)
            return
        header, body = parts[0], gathering.content(parts[1])
        if self._agents is not None:
            verdict = await self._agents.message(session, envelope, header, body, key)
            if verdict.reply is not None:
                self._refuse(verdict.reply, envelope.addresses, header)
                return
            header = header if verdict.header is None else verdict.header
        now = time.time()
        submitter = self._transaction.submitter
        if submitter is not None:
            fixed = await self._fixed(header, submitter, key, now)
            if isinstance(fixed, Reply):
                self._refuse(fixed, envelope.addresses, header)
                return
            header, body = fixed, body if body.size else Content.of(b"\r\n")
        await self._queue(envelope, gathering.ascii, header, body, now)

    async def _fixed(self, header: bytes, submitter: Submitter, key: str, now: float) -> bytes | Reply:
        """The header put right; or the refusal if the user may neither send as the authors nor on their behalf."""
        unique = secrets.token_hex(16)

        def fix(sender: Submitter) -> bytes | NotAllowed:
            with counted(key):
                return fix_header(header, sender, now, unique, self._c.fqdn)

        try:
            fixed = await fixed_for(self._c.recipients.directory, submitter, fix)
        except DirectoryUnavailable:
            return NO_DIRECTORY
        return Reply(fixed.code, fixed.enhanced, fixed.text) if isinstance(fixed, NotAllowed) else fixed

    def _parts(self, gathering: Gathering, key: str) -> tuple[bytes, bytes] | Reply:
        """The header section, and what of the rest is in memory; or why the content is refused."""
        if has_failed(key):
            return BROKE
        with counted(key):
            parts = header_and_rest(gathering, self._c.limits.received_headers)
            if not isinstance(parts, Reply) and self._session.identity.kind is not PrincipalKind.SERVER:
                parts = self._c.without_our_word(parts[0]), parts[1]
        return parts

    async def _queue(self, envelope: Envelope, is_ascii: bool, header: bytes, body: Content, now: float) -> None:
        """Puts the trace line in front, and the message into the queue, asking of the next hop no more than the content needs."""
        session, fqdn = self._session, self._c.fqdn
        protocol = with_protocol(session.extended, envelope, session.identity, session.seal)
        date = self._c.clock.date(now)
        trace = received_field(session.helo, session.peer, session.seal, fqdn, protocol, envelope, date)
        envelope, content = with_actual_body_type(envelope, is_ascii), prepended(trace + header, body)
        is_more = self._is_more_than_announced(content.size)
        if is_more and await have_no_room(self._c, session, envelope.addresses, content.size):
            self._refuse(FULL_MAILBOX, envelope.addresses)
            return
        origin = _origin(session, protocol)
        try:
            accepted = await self._c.stores.intake.accept(envelope, content, origin)
        except IntakeError:
            self._server.reply(FULL)
            return
        self._server.reply(Reply(250, "2.0.0", f"Ok: queued as {accepted.queue_id}"))
        self._c.record(accepted, envelope, origin, session.seal)

    def _is_more_than_announced(self, size: int) -> bool:
        """Whether more came than MAIL announced, and it is not known that there is room for it."""
        announced = self._transaction
        return size > announced.size + _ADDED and (announced.is_tight or size > PLENTY)

    def _refuse(self, reply: Reply, recipients: tuple[str, ...] = (), header: bytes = b"") -> None:
        """Replies, and records the refusal, unless an agent answers 250 and discards the message."""
        if reply.code >= 400:
            ids = named(fields(header), "message-id")
            message_id = ids[0].value.decode("ascii", "replace").strip() if ids else ""
            agent = self._agents.agent_of(reply) if self._agents is not None else ""
            self._c.refusals.record(self._session, reply, self._transaction.sender, recipients, message_id, agent)
        self._server.reply(reply)


def _not_admitted(session: Session, refusal: Refusal) -> Reply:
    """The reply to MAIL where no row admits the client."""
    tls_leads_on = session.offer.upgrade and not session.offer.mechanisms
    if refusal.reason is Reason.ENCRYPTION_REQUIRED or tls_leads_on:
        return _STARTTLS_FIRST
    return Reply(530, "5.7.0", refusal.text)


def _origin(session: Session, protocol: str) -> Origin:
    return Origin(
        session.path,
        session.peer.host,
        session.helo,
        session.identity.name,
        session.identity.mechanism,
        protocol,
        session.seal.cipher if session.seal is not None else "",
    )


_HANDLERS: dict[type, Callable[[ReceiveConversation, Any], Awaitable[None] | None]] = {
    events.Hello: ReceiveConversation._hello,
    events.StartTls: ReceiveConversation._starttls,
    events.Authenticate: ReceiveConversation._authenticate,
    events.Response: ReceiveConversation._response,
    events.Cancelled: ReceiveConversation._cancelled,
    events.Answered: lambda session, event: None,
    events.Mail: ReceiveConversation._mail,
    events.Rcpt: ReceiveConversation._rcpt,
    events.Piece: ReceiveConversation._piece,
    events.Message: ReceiveConversation._message,
    events.Dropped: ReceiveConversation._dropped,
    events.Close: lambda session, event: session._close(),
}
