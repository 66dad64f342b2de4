"""The client's side of a connection that carries one HTTP request and its answer, as bytes and one event (RFC 9112). Answers are
parsed by httptools (llhttp).

For programs that ask seldom: the connection ends with the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httptools

from postern.protocols.http.events import Field

MAX_ANSWER = 262_144
"""Octets of an answer as it comes, its head and the frames of its body among them, where the caller says no other number."""
MAX_FIELDS = 128


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Names of fields are in small letters."""

    status: int
    fields: Sequence[Field]
    body: bytes

    def field(self, name: bytes) -> bytes:
        """The first field of this name; b"" without one."""
        return next((value for field, value in self.fields if field == name), b"")


@dataclass(frozen=True, slots=True)
class NoResponse:
    """The peer sent something else than a whole answer; `why` is a sentence without a subject."""

    why: str


class ClientMachine:
    """The machine, which is pulled: send `outgoing`, then `receive` and `ended` as octets and the end come, until `next_event`
    gives one. An answer has at most `most` octets.

    Bound: linear; an answer has at most `most` octets and MAX_FIELDS fields.
    """

    def __init__(
        self,
        method: str,
        target: str,
        host: str,
        fields: Sequence[Field] = (),
        body: bytes = b"",
        most: int = MAX_ANSWER,
    ) -> None:
        lines = [f"{method} {target} HTTP/1.1".encode("ascii"), b"Host: " + host.encode("ascii"), b"Connection: close"]
        lines += [name + b": " + value for name, value in fields]
        lines += [b"Content-Length: %d" % len(body)] if body or method == "POST" else []
        self._out = b"\r\n".join([*lines, b"", body])
        self._parser = httptools.HttpResponseParser(self)
        self._most = self._left = most
        self._status = 0
        self._fields: list[Field] = []
        self._body: list[bytes] = []
        self._head_is_whole = self._is_whole = self._is_given = False
        self._broken = ""

    def outgoing(self) -> bytes:
        """The octets to be sent, once."""
        out, self._out = self._out, b""
        return out

    def receive(self, data: bytes) -> None:
        """Takes in octets, however they were cut."""
        if self._broken or self._is_whole:
            return
        self._left -= len(data)
        if self._left < 0:
            self._broken = f"sent more than {self._most} octets"
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self._is_whole:
                self._broken = self._broken or "sent no answer of HTTP"

    def ended(self) -> None:
        """Says that the peer sends no more. That ends an answer without a length (RFC 9112 section 6.3)."""
        if self._is_whole or self._broken:
            return
        lengths = {b"content-length", b"transfer-encoding"}
        if self._head_is_whole and lengths.isdisjoint(name for name, _ in self._fields):
            self._is_whole = True
        else:
            self._broken = "ended the connection before its answer was whole"

    def next_event(self) -> Response | NoResponse | None:
        """The answer, once; None if it needs more octets."""
        if self._is_given or not (self._broken or self._is_whole):
            return None
        self._is_given = True
        if self._broken:
            return NoResponse(self._broken)
        return Response(self._status, tuple(self._fields), b"".join(self._body))

    # What the parser calls

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(self._fields) >= MAX_FIELDS:
            self._broken = f"sent more than {MAX_FIELDS} fields"
        elif not self._is_whole:
            self._fields.append((name.lower(), value.strip()))

    def on_headers_complete(self) -> None:
        if not self._is_whole:  # the parser reads on behind the answer
            self._head_is_whole, self._status = True, self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        if not self._is_whole:
            self._body.append(data)

    def on_message_complete(self) -> None:
        # An informational answer comes before the true one (RFC 9110 section 15.2).
        if 100 <= self._status < 200 and not self._is_whole:
            self._fields, self._body, self._head_is_whole = [], [], False
        else:
            self._is_whole = True
