"""One SMTP conversation as a client: greeting, EHLO, TLS, authentication, and parcels one after the other.

Reads replies through `protocols.smtp.client`; turns them into an outcome per recipient. `send` decides where to connect,
and what to do when a connection fails. A dialog that fails raises DialogError; it is then of no more use.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from postern.model.mail import Action, BodyType, EnvelopeRecipient, Parcel, RecipientOutcome
from postern.net.link import Link
from postern.protocols.smtp.client import Broken, Client, CommandReply, challenge_of
from postern.protocols.smtp.content import ChunkReader, stuffed
from postern.protocols.smtp.reply import Reply
from postern.telemetry.attempts import attempt
from postern.transport import poison

RECIPIENTS_AT_ONCE = 100
"""RFC 5321 section 4.5.3.1.8: every server takes at least as many."""
SENT_UNASKED = 65_536
"""A message up to this size follows its envelope at once where CHUNKING and PIPELINING allow it."""
MAX_STEPS = 10
"""Challenges of one authentication."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds (RFC 5321 section 4.5.3.2)."""

    connect: float = 30.0
    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    end: float = 600.0


class SaslClient(Protocol):
    """The caller's side of one authentication; `name` is the SASL mechanism."""

    name: str

    def step(self, challenge: bytes) -> bytes:
        """The answer to a challenge; called with b"" for the initial response. May block (tickets are asked for): it is called
        in a thread. Raises OSError or ValueError if it cannot go on."""
        ...


class DialogError(Exception):
    """The conversation is over. `status` is an enhanced code of class 4: it may be otherwise at another server or time."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class TlsFailed(DialogError):
    """The handshake failed: another connection may go on without it, if the row allows (RFC 7435)."""


class Dialog:
    """A `net.link.LinkSession`. `name` is what we call ourselves, `remote` what the peer is called in outcomes."""

    def __init__(self, name: str, remote: str, timeouts: Timeouts) -> None:
        self.client = Client()
        self.remote = remote
        self.mechanism = "Anonymous"
        self._name = name
        self._timeouts = timeouts
        self._link: Link | None = None
        self._answers: deque[CommandReply] = deque()
        self._fault = ""
        self._waiter: asyncio.Future[None] | None = None

    # net.link.LinkSession

    def opened(self, link: Link) -> None:
        self._link = link

    def received(self, data: bytes) -> None:
        self.client.receive(data)
        while (event := self.client.next_event()) is not None:
            if isinstance(event, Broken):
                self._fault = self._fault or event.text
            else:
                self._answers.append(event)
        self._wake()

    def closed(self, error: Exception | None) -> None:
        self._fault = self._fault or "connection lost"
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Commands and replies

    @property
    def link(self) -> Link:
        if self._link is None or self._link.is_closed:
            raise DialogError("4.4.2", f"{self.remote}: {self._fault or 'connection lost'}")
        return self._link

    @property
    def usable(self) -> bool:
        return self._link is not None and not self._link.is_closed and not self._fault

    def _flush(self) -> None:
        self.link.write(self.client.outgoing())

    async def _answer(self, timeout: float) -> Reply:
        """The next reply. Raises DialogError when the connection is lost, nothing comes, or the peer says 421."""
        if not self._answers:
            try:
                async with asyncio.timeout(timeout):
                    while not self._answers and not self._fault:
                        self._waiter = asyncio.get_running_loop().create_future()
                        await self._waiter
            except TimeoutError:
                self._fault = "no answer in time"
                raise DialogError("4.4.2", f"{self.remote}: no answer in time") from None
        if not self._answers:
            raise DialogError("4.4.2", f"{self.remote}: {self._fault}")
        reply = self._answers.popleft().reply
        if reply.code == 421:
            # RFC 5321 section 3.8: the peer is closing.
            self._fault = reply.words
            raise DialogError("4.3.2", f"{self.remote}: {reply.words}")
        return reply

    async def _ask(self, verb: str, rest: str = "") -> Reply:
        self.client.command(verb, rest)
        self._flush()
        return await self._answer(self._timeouts.command)

    # The beginning

    async def greeted(self) -> None:
        reply = await self._answer(self._timeouts.greeting)
        if reply.code != 220:
            raise _refused(self.remote, reply)
        await self._hello()

    async def _hello(self) -> None:
        reply = await self._ask("EHLO", self._name)
        if reply.code >= 500:
            # RFC 5321 section 3.2: a server that knows no EHLO.
            reply = await self._ask("HELO", self._name)
        if reply.code != 250:
            raise _refused(self.remote, reply)

    @property
    def offers_tls(self) -> bool:
        return "STARTTLS" in self.client.extensions

    @property
    def knows_us(self) -> bool:
        """Whether the peer accepts our certificate as proof: only then its EHLO shows AUTH EXTERNAL (RFC 4422 appendix A)."""
        return "EXTERNAL" in self.client.extensions.get("AUTH", "").upper().split()

    async def start_tls(self, host: str) -> None:
        """STARTTLS, the handshake, and EHLO again (RFC 3207). Raises TlsFailed if the peer will not or cannot."""
        reply = await self._ask("STARTTLS")
        if reply.code != 220:
            raise TlsFailed("4.7.0", f"{self.remote}: STARTTLS refused: {reply.words}")
        if not self.client.upgraded() or self._answers or self._fault:
            raise DialogError("4.7.0", f"{self.remote}: words behind the answer to STARTTLS")
        try:
            await self.link.start_tls(host)
        except OSError as error:
            raise TlsFailed("4.7.5", f"{self.remote}: TLS failed: {type(error).__name__}") from error
        await self._hello()

    async def authenticate(self, sasl: SaslClient, mechanism: str) -> None:
        """Authenticates by AUTH (RFC 4954). `mechanism` is the table's name for what `sasl` does."""
        if sasl.name not in self.client.extensions.get("AUTH", "").upper().split():
            raise DialogError("4.7.0", f"{self.remote} does not offer {sasl.name}")
        try:
            self.client.auth(sasl.name, await asyncio.to_thread(sasl.step, b""))
            for _ in range(MAX_STEPS):
                self._flush()
                reply = await self._answer(self._timeouts.command)
                if reply.code != 334:
                    break
                challenge = challenge_of(reply)
                self.client.response(None if challenge is None else await asyncio.to_thread(sasl.step, challenge))
        except (OSError, ValueError) as error:
            raise DialogError("4.7.0", f"{self.remote}: authentication failed: {type(error).__name__}") from error
        if reply.code != 235:
            raise DialogError("4.7.0", f"{self.remote}: {reply.words}")
        self.mechanism = mechanism

    async def quit(self) -> None:
        """Says goodbye and closes; never raises."""
        try:
            if self.usable:
                self.client.command("QUIT")
                self._flush()
        except DialogError:
            pass
        if self._link is not None:
            self._link.close()

    def abort(self) -> None:
        if self._link is not None:
            self._link.abort()

    # A parcel

    async def send(self, parcel: Parcel) -> list[RecipientOutcome]:
        """An outcome per recipient, in order. Never raises; `usable` says whether the dialog can go on."""
        with attempt(poison.key_of(parcel)):
            refusal = self._cannot_take(parcel)
        if refusal is not None:
            return [self._outcome(recipient, refusal, own=True) for recipient in parcel.envelope.recipients]
        outcomes: list[RecipientOutcome] = []
        everyone = parcel.envelope.recipients
        for start in range(0, len(everyone), RECIPIENTS_AT_ONCE):
            some = everyone[start : start + RECIPIENTS_AT_ONCE]
            try:
                replies = await self._transaction(parcel, some)
            except DialogError as error:
                self._fault = self._fault or error.text
                given_up = Reply(421, error.status, error.text)
                outcomes += [self._outcome(recipient, given_up, own=True) for recipient in some]
            else:
                outcomes += map(self._outcome, some, replies)
        return outcomes

    def _cannot_take(self, parcel: Parcel) -> Reply | None:
        """The reply to a message that needs an extension or a size that the peer does not offer; None if it can take it."""
        extensions, envelope = self.client.extensions, parcel.envelope
        if envelope.smtputf8 and "SMTPUTF8" not in extensions:
            return Reply(553, "5.6.7", "The next server takes no internationalized mail (SMTPUTF8)")
        if envelope.body is not BodyType.SEVEN_BIT and "8BITMIME" not in extensions:
            return Reply(554, "5.6.3", "The next server takes no 8-bit content (8BITMIME)")
        limit = extensions.get("SIZE", "")
        if limit.isdigit() and 0 < int(limit) < parcel.content.size:
            return Reply(552, "5.3.4", f"The next server takes no more than {limit} octets")
        look = ChunkReader()
        for chunk in parcel.content.chunks:
            look.look(chunk, last=False)
        look.look(b"", last=True)
        # A server behind us may take a bare CR or LF for a line's end, and what follows for a second message.
        return Reply(554, "5.6.0", "The message holds a bare CR or LF") if look.bare else None

    async def _transaction(self, parcel: Parcel, recipients: Sequence[EnvelopeRecipient]) -> list[Reply]:
        """One reply per recipient: that to RCPT where it refused, else the last one."""
        content = parcel.content
        chunking = "CHUNKING" in self.client.extensions
        if "PIPELINING" in self.client.extensions:
            unasked = chunking and content.size <= SENT_UNASKED
            replies = await self._pipelined(parcel, recipients, unasked)
        else:
            unasked = False
            replies = await self._one_by_one(parcel, recipients)
        final: Reply | None = None
        if unasked:
            final = await self._answer(self._timeouts.end)
        elif any(map(_taken, replies)):
            final = await (self._bdat(parcel) if chunking else self._data(parcel))
        if final is None or not _taken(final):
            await self._reset()
        return [final if final is not None and _taken(reply) else reply for reply in replies]

    async def _reset(self) -> None:
        """Has the peer forget the transaction, before the next one begins. Without an answer the dialog is of no more use."""
        try:
            await self._ask("RSET")
        except DialogError as error:
            self._fault = self._fault or error.text

    async def _pipelined(
        self, parcel: Parcel, recipients: Sequence[EnvelopeRecipient], with_content: bool
    ) -> list[Reply]:
        """The envelope in one write (RFC 2920), the content behind it if it may (RFC 3030 section 4.2)."""
        self.client.mail(parcel.envelope, parcel.content.size)
        for recipient in recipients:
            self.client.rcpt(recipient)
        if with_content:
            self.client.bdat(parcel.content.size, last=True)
            self.link.write(b"".join((self.client.outgoing(), *parcel.content.chunks)))
        else:
            self._flush()
        mail = await self._answer(self._timeouts.command)
        replies = [_to_rcpt(await self._answer(self._timeouts.command)) for _ in recipients]
        return replies if _taken(mail) else [mail] * len(replies)

    async def _one_by_one(self, parcel: Parcel, recipients: Sequence[EnvelopeRecipient]) -> list[Reply]:
        self.client.mail(parcel.envelope, parcel.content.size)
        self._flush()
        mail = await self._answer(self._timeouts.command)
        if not _taken(mail):
            return [mail] * len(recipients)
        replies = []
        for recipient in recipients:
            self.client.rcpt(recipient)
            self._flush()
            replies.append(_to_rcpt(await self._answer(self._timeouts.command)))
        return replies

    async def _data(self, parcel: Parcel) -> Reply:
        self.client.command("DATA")
        self._flush()
        reply = await self._answer(self._timeouts.data)
        if reply.code != 354:
            return reply
        self.client.content_follows()
        await self._stream(stuffed(parcel.content.chunks))
        return await self._answer(self._timeouts.end)

    async def _bdat(self, parcel: Parcel) -> Reply:
        self.client.bdat(parcel.content.size, last=True)
        self._flush()
        await self._stream(parcel.content.chunks)
        return await self._answer(self._timeouts.end)

    async def _stream(self, chunks: Iterable[bytes]) -> None:
        """Writes as fast as the peer takes it (RFC 5321 section 4.5.3.2.5)."""
        for chunk in chunks:
            self.link.write(chunk)
            try:
                async with asyncio.timeout(self._timeouts.block):
                    await self.link.drained()
            except TimeoutError:
                raise DialogError("4.4.2", f"{self.remote}: takes no more") from None

    def _outcome(self, recipient: EnvelopeRecipient, reply: Reply, own: bool = False) -> RecipientOutcome:
        """The outcome that a reply means. `own`: this server made the reply, and not the peer."""
        kind = reply.code // 100
        action = Action.RELAYED if kind == 2 else Action.FAILED if kind == 5 else Action.DELAYED
        seal = self._link.seal if self._link is not None else None
        return RecipientOutcome(
            recipient.address,
            action,
            reply.status if kind in (2, 4, 5) else "4.5.0",
            reply.words,
            self.remote,
            self.mechanism,
            seal.cipher if seal is not None else "",
            notifies="DSN" in self.client.extensions,
            own=own,
        )


def _to_rcpt(reply: Reply) -> Reply:
    """The reply to RCPT as it is meant: 552 says that there are too many recipients (RFC 5321 section 4.5.3.1.10), which is
    temporary, unless its enhanced code gives another reason."""
    if reply.code == 552 and reply.enhanced in ("", "5.5.3"):
        return Reply(452, "4.5.3", reply.text)
    return reply


def _taken(reply: Reply) -> bool:
    return 200 <= reply.code < 300


def _refused(remote: str, reply: Reply) -> DialogError:
    """The error for a server that refuses the connection, and not this message: the queue waits, and asks the next server."""
    return DialogError("4.4.0", f"{remote}: {reply.words}")
