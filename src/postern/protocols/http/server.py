"""The server's side of an HTTP/1.1 connection, as bytes and events (RFC 9112). Requests are parsed by httptools (llhttp)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from postern.protocols.http.answer import CONTINUE, Answer
from postern.protocols.http.body import Body, ChunkedBody, FixedBody
from postern.protocols.http.events import BodyPiece, Event, Field, Malformed, RequestEnd, RequestHead
from postern.protocols.http.head import (
    MAX_HEAD,
    MAX_LINE,
    FieldsReader,
    RequestLine,
    head_of,
    may_begin_line,
    persists,
    read_line,
)


class ServerMachine:
    """The machine, which is pulled: `receive`, then `next_event` until it gives None. For each RequestHead the service calls
    `respond` once, `write` as often as it likes and `finish` once; then the next request may be taken. A Malformed may be
    answered in the same way, if no answer has begun. Octets that come behind an unfinished request wait: how many is for the
    caller to bound. A head has `max_head` octets at most.

    Bound: linear; a head has at most MAX_HEAD octets and MAX_FIELDS fields.
    """

    def __init__(self, max_head: int = MAX_HEAD) -> None:
        self._max_head = max_head
        self._buffer = bytearray()
        self._fields = FieldsReader()
        self._out: list[bytes] = []
        self._has_skipped = False
        """Whether the empty line that may come before a request was skipped."""
        self._line: RequestLine | None = None
        self._line_end = 0
        self._searched = 0
        self._head: RequestHead | None = None
        self._body: Body | None = None
        self._awaits_continue = False
        self._answer: Answer | None = None
        self._is_broken = False
        self._ends = False

    def receive(self, data: bytes) -> None:
        """Takes in octets, however they were cut."""
        if not self._ends:
            self._buffer += data

    def next_event(self) -> Event | None:
        """The next event; None if it needs more octets, or the end of the answer. After Malformed there is none. Nor is there a
        RequestEnd for a request without a body that was answered before."""
        if self._ends:
            return None
        if self._body is not None:
            return self._take_body(self._body)
        return self._take_head() if self._head is None else None

    @property
    def is_reading_head(self) -> bool:
        """Whether a request line has begun and its head is not whole: the service gives it a deadline."""
        return self._head is None and bool(self._buffer)

    @property
    def ends(self) -> bool:
        """Whether the connection must end with the answer that is finished: the client asked for it, an answer has no other
        end, a request was not read to its end, or it was malformed."""
        return self._ends

    def proceed(self) -> None:
        """Sends 100 Continue where the client waits for it (RFC 9110 section 10.1.1), once, and not after `respond`."""
        if self._awaits_continue and self._answer is None and not self._buffer:
            self._out.append(CONTINUE)
        self._awaits_continue = False

    def respond(self, status: HTTPStatus | int, fields: Sequence[Field], ends: bool = False) -> None:
        """Begins the answer. Without a Content-Length among `fields` the body is chunked, or for HTTP/1.0 ends with the
        connection. The machine adds Transfer-Encoding, Connection and nothing else. `ends` asks for the end of the connection.
        Raises ValueError for fields that cannot be sent, such as one with a line end."""
        if self._answer is not None or (self._head is None and not self._is_broken):
            raise RuntimeError("there is no request to answer")
        head = self._head
        is_old = head is not None and head.version == "1.0"
        self._answer = Answer(
            status,
            fields,
            is_for_head=head is not None and head.method == "HEAD",
            may_chunk=head is not None and not is_old,
            ends=ends or self._is_broken or head is None or not persists(head),
            is_old=is_old,
        )
        self._out.append(self._answer.head)

    def write(self, data: bytes) -> None:
        """A piece of the body; dropped where the answer has none (HEAD, 204, 304). Raises ValueError for what is longer than the
        Content-Length; nothing of it is sent."""
        self._out.append(self._begun().piece(data))

    def finish(self) -> None:
        """Ends the answer. Raises ValueError for a body that is not as long as its Content-Length says."""
        answer = self._begun()
        self._out.append(answer.end())
        is_read = self._body is None or (isinstance(self._body, FixedBody) and self._body.is_whole)
        if answer.ends or not is_read:
            self._end()
        self._answer = self._head = self._body = None
        self._is_broken = False

    def outgoing(self) -> bytes:
        """The octets to be sent, once."""
        if not self._out:
            return b""
        out, self._out = self._out, []
        return b"".join(out)

    def _begun(self) -> Answer:
        if self._answer is None:
            raise RuntimeError("no answer has begun")
        return self._answer

    def _end(self) -> None:
        self._ends = True
        self._buffer.clear()

    def _malformed(self, status: HTTPStatus) -> Malformed:
        self._is_broken = True
        self._body = None
        self._end()
        return Malformed(status)

    def _take_head(self) -> Event | None:
        line = self._take_line() if self._line is None else self._line
        if line is None:
            return None
        if isinstance(line, HTTPStatus):
            return self._malformed(line)
        self._line = line
        end = self._buffer.find(b"\r\n\r\n", self._searched, self._max_head) + 4
        if end < 4:
            if len(self._buffer) >= self._max_head:
                return self._malformed(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            self._searched = max(self._searched, len(self._buffer) - 3)
            return None
        fields = self._fields.read(bytes(self._buffer[self._line_end : end]))
        head = fields if isinstance(fields, HTTPStatus) else head_of(line, fields)
        if isinstance(head, HTTPStatus):
            return self._malformed(head)
        del self._buffer[:end]
        self._line, self._line_end, self._searched, self._has_skipped = None, 0, 0, False
        self._head, self._awaits_continue = head, head.expects_continue
        self._body = ChunkedBody() if head.length is None else FixedBody(head.length)
        return head

    def _take_line(self) -> RequestLine | HTTPStatus | None:
        """The request line, once it is whole."""
        buffer = self._buffer
        if not self._has_skipped and buffer[:1] == b"\r":
            if len(buffer) == 1:
                return None
            if buffer[1] == 10:  # RFC 9112 section 2.2: one empty line may come before
                del buffer[:2]
                self._has_skipped = True
        if not may_begin_line(buffer):
            return HTTPStatus.BAD_REQUEST
        end = buffer.find(b"\n", self._searched, MAX_LINE) + 1
        if not end:
            self._searched = len(buffer)
            return HTTPStatus.REQUEST_URI_TOO_LONG if len(buffer) >= MAX_LINE else None
        self._line_end, self._searched = end, end - 2
        return read_line(bytes(buffer[:end]))

    def _take_body(self, body: Body) -> Event | None:
        if not body.is_whole and body.refusal is None and (data := body.take(self._buffer)):
            return BodyPiece(data)
        if body.refusal is not None:
            return self._malformed(body.refusal)
        if not body.is_whole:
            return None
        self._body = None
        return RequestEnd()
