"""The server's half of SMTP: RFC 5321 with PIPELINING (2920), CHUNKING (3030), STARTTLS (3207), AUTH (4954), SIZE (1870),
8BITMIME (6152), SMTPUTF8 (6531), DSN (3461) and ENHANCEDSTATUSCODES (2034).

It keeps the order of commands, the bounds of lines, messages, recipients and errors, and the transaction, and answers errors of
syntax and order by itself. The service says with `reply` who may speak, and whether a recipient exists. Smuggling: a
stray CR or LF in a command ends the connection; in content, the message is refused once its true end has come (no octet behind
a false end of data, such as LF.LF, is ever read as a command), and the connection ends.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Literal

from postern.model.mail import Envelope, EnvelopeRecipient
from postern.protocols.smtp import events
from postern.protocols.smtp.bounds import MAX_AUTH_LINE, STEPS, ServerBounds
from postern.protocols.smtp.commands import (
    TOO_LARGE,
    decode_base64,
    parse_auth,
    parse_bdat,
    parse_mail,
    parse_rcpt,
)
from postern.protocols.smtp.content import ChunkReader, DotReader
from postern.protocols.smtp.lines import BadLine, LineReader
from postern.protocols.smtp.parameters import PLAIN
from postern.protocols.smtp.reply import Reply

_NOT_NAME = re.compile(r"[^A-Za-z0-9._:\-\[\]]")

# Verbs of other protocols: a browser has been tricked into talking to us.
_FOREIGN = frozenset({b"GET", b"POST", b"PUT", b"HEAD", b"CONNECT", b"OPTIONS", b"HOST:", b"USER-AGENT:"})

_CONSTANT = {
    b"NOOP": Reply(250, "2.0.0", "Ok"),
    b"HELP": Reply(214, "2.0.0", "See RFC 5321"),
    # RFC 5321 section 7.3: strangers are not told which users exist.
    b"VRFY": Reply(252, "2.0.0", "Cannot verify, but a message will be tried"),
    b"EXPN": Reply(502, "5.5.1", "Lists are not expanded here"),
}
"""Commands that are answered the same whatever stands behind them."""

_GO_AHEAD = b"354 End data with <CR><LF>.<CR><LF>\r\n"
_BARE = Reply(554, "5.6.0", "Bare CR or LF is not allowed (RFC 5321 section 2.3.8)")
_NO_HELLO = Reply(503, "5.5.1", "Send EHLO first")
_NO_MAIL = Reply(503, "5.5.1", "Send MAIL first")
_NO_RECIPIENT = Reply(554, "5.5.1", "No valid recipients")
_NO_ARGUMENT = Reply(501, "5.5.4", "No argument is allowed here")
_TOO_LONG = Reply(500, "5.5.2", "Line too long")


class _Need(Enum):
    BYTES = "bytes"


_MORE = _Need.BYTES
"""A step could not be finished: the buffer holds too little."""
_Step = events.Event | Literal[_Need.BYTES] | None
"""The result of one step; None: the machine has answered by itself."""


class Server:
    """One connection's machine. See `events` for what each event asks for.
    Bound: linear, in whatever pieces it comes; a line and a piece of content at a time, STEPS of them without an event."""

    def __init__(self, bounds: ServerBounds) -> None:
        self.helo = ""
        self.extended = False
        self.authenticated = False
        self.sender: str | None = None
        """MAIL FROM's address while a transaction is open."""
        self.recipients: list[EnvelopeRecipient] = []
        self.errors = 0
        self.closing = False
        self._bounds = bounds
        self._lines = LineReader(max(bounds.line_length, MAX_AUTH_LINE))
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._asked: events.Event | None = None
        self._close_told = False
        self._in_auth = False
        self._parameters = PLAIN
        self._dots: DotReader | None = None
        self._chunks: ChunkReader | None = None
        self._chunk_left = 0
        self._chunk_last = False
        self._chunk_refusal: Reply | None = None
        self._in_chunk = False
        self._size = 0

    def receive(self, data: bytes) -> None:
        if not self.closing:
            self._buffer += data

    def outgoing(self) -> bytes:
        """Takes the bytes to send."""
        if not self._out:
            return b""
        out, self._out = self._out, []
        return out[0] if len(out) == 1 else b"".join(out)

    def next_event(self) -> events.Event | None:
        """The next event; None if more bytes or an answer are needed first."""
        for _ in range(STEPS):
            if self._asked is not None:
                return None
            if self.closing:
                return self._closed()
            if self._in_chunk:
                step = self._take_chunk()
            elif not self._buffer:
                return None
            elif self._dots is not None:
                step = self._take_data(self._dots)
            else:
                step = self._take_line()
            if step is _MORE:
                return None
            if step is not None:
                return step
        return events.Answered()

    def _closed(self) -> events.Close | None:
        if self._close_told:
            return None
        self._close_told = True
        self._buffer.clear()
        return events.Close()

    # Answers

    def greet(self, text: str) -> None:
        self._out.append(f"220 {text}\r\n".encode())

    def reply(self, reply: Reply) -> None:
        """Answers the event that asks. The code decides whether the transaction goes on; 421 closes."""
        asked, self._asked = self._asked, None
        self._say(reply)
        positive = reply.code < 300
        if isinstance(asked, events.Rcpt):
            if positive:
                self.recipients.append(EnvelopeRecipient(asked.address, asked.notify, asked.original))
        elif isinstance(asked, events.Mail):
            if positive:
                self.sender = asked.sender
                self._parameters = asked.parameters
        elif isinstance(asked, events.Message):
            self._reset()
        elif isinstance(asked, events.Authenticate | events.Response):
            self._in_auth = False
            self.authenticated = positive

    def welcome(self, text: str, extensions: Sequence[str] = ()) -> None:
        """Answers Hello; `extensions` are shown to EHLO only (RFC 5321 section 4.1.1.1)."""
        self._asked = None
        lines = (text, *extensions) if self.extended else (text,)
        self._say(Reply(250, "", "\n".join(lines)))

    def challenge(self, data: bytes) -> None:
        """Answers Authenticate or Response with 334: the client's next line is a Response."""
        self._asked = None
        self._in_auth = True
        self._out.append(b"334 " + base64.b64encode(data) + b"\r\n")

    def upgraded(self) -> None:
        """Forgets all that was said or sent in clear text (RFC 3207 section 4.2)."""
        self._buffer.clear()
        self._lines.clear()
        self.helo = ""
        self.authenticated = False
        self._reset()

    def close(self, reply: Reply) -> None:
        """Sends a last reply to no command (421: time-out, shutdown) and closes."""
        self._asked = None
        self._say(reply)
        self.closing = True

    def _say(self, reply: Reply) -> None:
        self._out.append(reply.encode())
        if reply.code == 421:
            self.closing = True
        elif reply.code >= 500:
            self.errors += 1
            if self.errors > self._bounds.errors and not self.closing:
                self._out.append(b"421 4.7.0 Too many errors\r\n")
                self.closing = True

    def _answer(self, reply: Reply) -> _Step:
        """Answers a command by itself, without the service."""
        self._say(reply)
        return None

    def _ask(self, event: events.Event) -> events.Event:
        self._asked = event
        return event

    def _reset(self) -> None:
        self.sender = None
        self.recipients = []
        self._dots = self._chunks = None
        self._in_chunk = False
        self._size = 0

    # Lines

    def _take_line(self) -> _Step:
        line = self._lines.take(self._buffer)
        if line is None:
            return _MORE
        if isinstance(line, BadLine):
            return self._bad_line(line)
        if self._in_auth:
            return self._take_response(line)
        verb, _, rest = line.partition(b" ")
        verb = verb.upper()
        handler = _VERBS.get(verb)
        if handler is None:
            if verb in _CONSTANT:
                return self._answer(_CONSTANT[verb])
            self._say(Reply(500, "5.5.1", "Command not recognized"))
            self.closing = self.closing or verb in _FOREIGN
            return None
        try:
            text = rest.decode()
        except UnicodeDecodeError:
            self._say(Reply(500, "5.5.2", "Commands are ASCII, or UTF-8 where SMTPUTF8 is in use"))
            return None
        return handler(self, text.rstrip(" "))

    def _bad_line(self, line: BadLine) -> _Step:
        if line is BadLine.BARE:
            self.closing = True
            return self._answer(_BARE)
        self._say(_TOO_LONG)
        if self._in_auth:
            self._in_auth = False
            return events.Cancelled()
        return None

    def _hello(self, text: str, extended: bool) -> _Step:
        name = text.split(" ", 1)[0]
        if not name:
            return self._answer(Reply(501, "5.5.4", "A host name is needed"))
        self.helo = _NOT_NAME.sub("?", name[:255])
        self.extended = extended
        self._reset()
        return self._ask(events.Hello(self.helo, extended))

    def _starttls(self, text: str) -> _Step:
        return self._answer(_NO_ARGUMENT) if text else self._ask(events.StartTls())

    def _auth(self, text: str) -> _Step:
        if self.authenticated or self.sender is not None:
            # RFC 4954 section 4: once, and not within a transaction.
            return self._answer(Reply(503, "5.5.1", "AUTH is not possible now"))
        if not self.helo or not self.extended:
            return self._answer(_NO_HELLO)
        parsed = parse_auth(text)
        return self._answer(parsed) if isinstance(parsed, Reply) else self._ask(parsed)

    def _take_response(self, line: bytes) -> events.Event:
        data = decode_base64(line)
        if line == b"*" or data is None:
            # RFC 4954 section 4: both end the exchange with 501.
            self._in_auth = False
            self._say(Reply(501, "5.5.2" if data is None and line != b"*" else "5.7.0", "Authentication cancelled"))
            return events.Cancelled()
        return self._ask(events.Response(data))

    def _mail(self, text: str) -> _Step:
        if not self.helo:
            return self._answer(_NO_HELLO)
        if self.sender is not None:
            return self._answer(Reply(503, "5.5.1", "A transaction is open already"))
        parsed = parse_mail(text, self._bounds.message_size)
        return self._answer(parsed) if isinstance(parsed, Reply) else self._ask(parsed)

    def _rcpt(self, text: str) -> _Step:
        if self.sender is None or self._chunks is not None:
            return self._answer(_NO_MAIL)
        if len(self.recipients) >= self._bounds.recipients:
            # RFC 5321 section 4.5.3.1.10.
            return self._answer(Reply(452, "4.5.3", "Too many recipients"))
        parsed = parse_rcpt(text, self._parameters.smtputf8)
        return self._answer(parsed) if isinstance(parsed, Reply) else self._ask(parsed)

    def _rset(self, text: str) -> _Step:
        if text:
            return self._answer(_NO_ARGUMENT)
        self._reset()
        self._say(_CONSTANT[b"NOOP"])
        return events.Dropped()

    def _quit(self, text: str) -> _Step:
        if text:
            return self._answer(_NO_ARGUMENT)
        self._out.append(b"221 2.0.0 Bye\r\n")
        self.closing = True
        return None

    # Content

    def _data(self, text: str) -> _Step:
        if text:
            return self._answer(_NO_ARGUMENT)
        if self.sender is None or self._chunks is not None:
            # RFC 3030 section 2: DATA and BDAT do not mix in one transaction.
            return self._answer(_NO_MAIL)
        if not self.recipients:
            return self._answer(_NO_RECIPIENT)
        self._out.append(_GO_AHEAD)
        self._dots = DotReader(self._bounds.piece)
        return None

    def _take_data(self, dots: DotReader) -> _Step:
        data, ended = dots.take(self._buffer)
        self._size += len(data)
        refused = dots.bare or self._size > self._bounds.message_size
        if ended:
            return self._refuse_content(_BARE if dots.bare else TOO_LARGE) if refused else self._complete(data)
        if not data:
            return _MORE
        return None if refused else events.Piece(data)

    def _bdat(self, text: str) -> _Step:
        parsed = parse_bdat(text)
        if parsed is None:
            # It is unknown how many octets follow: nothing behind this line can be told from content.
            self.closing = True
            return self._answer(Reply(501, "5.5.4", "BDAT needs a size, and LAST or nothing"))
        self._in_chunk = True
        self._chunk_left, self._chunk_last = parsed
        self._chunk_refusal = _NO_MAIL if self.sender is None else None if self.recipients else _NO_RECIPIENT
        if self._chunk_refusal is None and self._chunks is None:
            self._chunks = ChunkReader()
        return None

    def _take_chunk(self) -> _Step:
        """Takes octets of a chunk; those of a refused chunk are forgotten (RFC 3030 section 2)."""
        size = min(self._chunk_left, len(self._buffer))
        ended = size == self._chunk_left
        if not ended and size < self._bounds.piece:
            return _MORE
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._chunk_left -= size
        self._size += size
        if self._chunk_refusal is None and self._chunks is not None:
            self._chunks.look(data, ended and self._chunk_last)
            if self._chunks.bare:
                self._chunk_refusal = _BARE
            elif self._size > self._bounds.message_size:
                self._chunk_refusal = TOO_LARGE
        if not ended:
            return events.Piece(data) if self._chunk_refusal is None else None
        self._in_chunk = False
        if self._chunk_refusal is not None:
            # Chunks that are pipelined behind it find no transaction.
            return self._refuse_content(self._chunk_refusal)
        if self._chunk_last:
            return self._complete(data)
        self._say(Reply(250, "2.0.0", f"{self._size} octets received"))
        return events.Piece(data)

    def _complete(self, data: bytes) -> events.Event:
        mail = self._parameters
        envelope = Envelope(
            self.sender or "", tuple(self.recipients), mail.body, mail.smtputf8, mail.envelope_id, mail.ret
        )
        self._dots = None
        return self._ask(events.Message(data, envelope))

    def _refuse_content(self, refusal: Reply) -> events.Event:
        self._reset()
        self._say(refusal)
        self.closing = self.closing or refusal is _BARE
        return events.Dropped()


_VERBS: dict[bytes, Callable[[Server, str], _Step]] = {
    b"EHLO": lambda server, text: server._hello(text, extended=True),
    b"HELO": lambda server, text: server._hello(text, extended=False),
    b"MAIL": Server._mail,
    b"RCPT": Server._rcpt,
    b"DATA": Server._data,
    b"BDAT": Server._bdat,
    b"RSET": Server._rset,
    b"QUIT": Server._quit,
    b"STARTTLS": Server._starttls,
    b"AUTH": Server._auth,
}
