"""The server's side of a connection that carries one HTTP request and one answer, as bytes and events (RFC 9112).

For services that only tell something: a request has no body, and the connection ends with its answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

MAX_HEAD = 8192
"""Octets of a request line and its fields."""
_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}+) ([\x21-\x7e]++) HTTP/(\d\.\d)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++):[ \t]*+([\t\x20-\x7e\x80-\xff]*+)")


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is the target without its query; `is_head` says that the answer is to have no body (RFC 9110 section 9.3.2)."""

    method: str
    path: str

    @property
    def is_head(self) -> bool:
        return self.method == "HEAD"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A request that cannot be answered as it asks; `status` says why."""

    status: HTTPStatus


class SingleRequest:
    """The machine, which is pulled: `receive`, then `next_event` until it gives one; `answer` it, and send what `outgoing` gives.
    It reads nothing behind the first request.

    Bound: linear; at most MAX_HEAD octets are kept.
    """

    def __init__(self) -> None:
        self._head = bytearray()
        self._looked = 0
        self._is_done = False
        self._out = b""

    def receive(self, data: bytes) -> None:
        """Takes in octets, however they were cut."""
        if not self._is_done and len(self._head) <= MAX_HEAD:
            self._head += data[: MAX_HEAD + 1 - len(self._head)]

    def next_event(self) -> Request | Malformed | None:
        """The request, once; None if it needs more octets."""
        if self._is_done:
            return None
        end = self._head.find(b"\r\n\r\n", self._looked)
        if end < 0:
            self._looked = max(0, len(self._head) - 3)
            if len(self._head) <= MAX_HEAD:
                return None
            self._is_done = True
            return Malformed(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._is_done = True
        return _read(bytes(self._head[:end]))

    def answer(
        self, event: Request | Malformed, status: HTTPStatus, kind: str, body: bytes, *fields: tuple[str, str]
    ) -> None:
        """Writes the answer: `kind` is its media type, `fields` are further ones."""
        own = (("Content-Type", kind), ("Content-Length", str(len(body))), ("Connection", "close"))
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in (*own, *fields))]
        is_head = isinstance(event, Request) and event.is_head
        self._out = "\r\n".join([*lines, "", ""]).encode("ascii") + (b"" if is_head else body)

    def outgoing(self) -> bytes:
        """The answer, once."""
        out, self._out = self._out, b""
        return out


def _read(head: bytes) -> Request | Malformed:
    """Reads a whole head without the empty line."""
    first, *lines = head.removeprefix(b"\r\n").split(b"\r\n")  # RFC 9112 section 2.2: one empty line may come before
    match = _REQUEST.fullmatch(first)
    if match is None:
        return Malformed(HTTPStatus.BAD_REQUEST)
    method, target, version = (part.decode("ascii") for part in match.groups())
    if not version.startswith("1."):
        return Malformed(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    hosts = 0
    for line in lines:
        field = _FIELD.fullmatch(line)  # a folded line is none (RFC 9112 section 5.2)
        if field is None:
            return Malformed(HTTPStatus.BAD_REQUEST)
        name, value = field[1].lower(), field[2].strip()
        hosts += name == b"host"
        if name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0")):
            return Malformed(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if hosts > 1 or (hosts == 0 and version != "1.0"):  # RFC 9112 section 3.2
        return Malformed(HTTPStatus.BAD_REQUEST)
    if not target.startswith("/"):
        return Malformed(HTTPStatus.BAD_REQUEST)
    return Request(method, target.partition("?")[0])
