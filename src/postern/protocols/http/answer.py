"""One answer of a server, as octets (RFC 9112 sections 4 to 7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus

from postern.protocols.http.events import Field

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++")
_NOT_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PHRASES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}
_OURS = frozenset({b"connection", b"transfer-encoding", b"keep-alive", b"upgrade"})
"""Fields that say how the connection goes on, which is for the machine to say."""


@lru_cache(maxsize=512)
def _own_name(name: bytes) -> bytes:
    """The name in small letters. Raises ValueError if it is none, or the machine's."""
    small = name.lower()
    if _NAME.fullmatch(name) is None or small in _OURS:
        raise ValueError(f"no name of a field for an answer: {name!r}")
    return small


class Answer:
    """An answer that is being written. `is_for_head` says that the request was HEAD, `is_old` that it was of HTTP/1.0 and yet the
    client lets the connection persist; `may_chunk` says that the client reads chunks. `ends` says that the connection ends with
    the answer, and becomes true where nothing else can end the body.
    """

    def __init__(
        self,
        status: HTTPStatus | int,
        fields: Sequence[Field],
        *,
        is_for_head: bool = False,
        may_chunk: bool = True,
        ends: bool = False,
        is_old: bool = False,
    ) -> None:
        if not 200 <= status <= 599:
            raise ValueError(f"no status of a final answer: {int(status)}")
        self._left: int | None = None
        self._has_body = not is_for_head and status not in (204, 304)
        names = [_own_name(name) for name, _ in fields]
        if _NOT_VALUE.search(b"".join([value for _, value in fields])) is not None:
            raise ValueError("a field of an answer has a control character")
        lines = [name + b": " + value + b"\r\n" for name, value in fields]
        if b"content-length" in names:
            place = names.index(b"content-length")
            length = fields[place][1]
            if names.count(b"content-length") > 1 or not length.isdigit():
                raise ValueError(f"no length of an answer: {length!r}")
            self._left = int(length)
            if status == 204:  # RFC 9110 section 8.6: there must be none
                del lines[place]
        self._is_chunked = self._has_body and self._left is None and may_chunk
        self.ends = ends or (self._has_body and self._left is None and not may_chunk)
        if self._is_chunked:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        if self.ends:
            lines.append(b"Connection: close\r\n")
        elif is_old:
            lines.append(b"Connection: keep-alive\r\n")
        self.head = b"".join([_PHRASES.get(status) or b"HTTP/1.1 %d \r\n" % status, *lines, b"\r\n"])

    def piece(self, data: bytes) -> bytes:
        """The octets for a piece of the body. Raises ValueError if the body is longer than its Content-Length says."""
        if not self._has_body or not data:
            return b""
        if self._left is not None:
            if len(data) > self._left:
                raise ValueError("the body of an answer is longer than its Content-Length")
            self._left -= len(data)
        return b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data

    def end(self) -> bytes:
        """The octets behind the body. Raises ValueError if the body is shorter than its Content-Length says."""
        if self._has_body and self._left:
            raise ValueError("the body of an answer is shorter than its Content-Length")
        return b"0\r\n\r\n" if self._is_chunked else b""
