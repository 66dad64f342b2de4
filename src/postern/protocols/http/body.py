"""The body of a request: of a known length, or chunked (RFC 9112 sections 6 and 7.1)."""

from __future__ import annotations

import re
from http import HTTPStatus

PIECE = 65_536
"""Octets of a body that are handed on at once."""
MAX_CHUNK_LINE = 1024
"""Octets of the line before a chunk. Extensions stand there, which nobody sends, and which are not read."""
MAX_TRAILER = 8192
"""Octets of all trailer fields, which are not read either."""
CHUNKS = 256
"""Chunks that are read in one step, so that many small ones take turns with other connections."""

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15}+)(?:[ \t]*+;[\t\x20-\x7e\x80-\xff]*+)?+\r\n")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e\x80-\xff]*+\r\n")


class FixedBody:
    """A body of `length` octets.

    Bound: linear, in whatever pieces it comes; hands on 65,536 octets at a time.
    """

    refusal: HTTPStatus | None = None

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def is_whole(self) -> bool:
        return self._left == 0

    def take(self, buffer: bytearray) -> bytes:
        """Takes octets of the body out of the buffer; none if there are none yet."""
        piece = bytes(buffer[: min(self._left, PIECE)])
        del buffer[: len(piece)]
        self._left -= len(piece)
        return piece


class ChunkedBody:
    """A chunked body. `is_whole` says that its last chunk and its trailer were read, `refusal` that it cannot be read on.

    Bound: linear, in whatever pieces it comes; CHUNKS chunks and about 65,536 octets at a time. A chunk's line has MAX_CHUNK_LINE
    octets, the trailer has MAX_TRAILER.
    """

    def __init__(self) -> None:
        self.is_whole = False
        self.refusal: HTTPStatus | None = None
        self._left = 0
        """Octets of the chunk that are still to come."""
        self._ends_chunk = False
        """Whether the line end behind a chunk comes next."""
        self._trailer: int | None = None
        """Octets of the trailer that were read; None before the last chunk."""

    def take(self, buffer: bytearray) -> bytes:
        """Takes octets of the body out of the buffer; none if there are none yet, and where it is whole or refused."""
        pieces: list[bytes] = []
        place = size = 0
        while len(pieces) < CHUNKS:  # the lines between two pieces are few, and those of the trailer are bounded
            if self._left:
                piece = bytes(buffer[place : place + min(self._left, PIECE)])
                pieces.append(piece)
                place += len(piece)
                size += len(piece)
                self._left -= len(piece)
                self._ends_chunk = self._left == 0
                if not self._ends_chunk or size >= PIECE:
                    break
            if (taken := self._line(buffer, place)) == 0:
                break
            place += taken
            if self.is_whole:
                break
        del buffer[:place]
        return b"".join(pieces)

    def _line(self, buffer: bytearray, place: int) -> int:
        """Reads a line between chunks. Returns how many octets it has, 0 if it is not there yet or refused."""
        if self._ends_chunk:
            most, refusal = 2, HTTPStatus.BAD_REQUEST
        elif self._trailer is None:
            most, refusal = MAX_CHUNK_LINE, HTTPStatus.BAD_REQUEST
        else:
            most, refusal = MAX_TRAILER - self._trailer, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        end = buffer.find(b"\n", place, place + most) + 1
        if not end:
            if len(buffer) - place >= most:
                self.refusal = refusal
            return 0
        if not self._read(bytes(buffer[place:end])):
            self.refusal = HTTPStatus.BAD_REQUEST
            return 0
        return end - place

    def _read(self, line: bytes) -> bool:
        if self._ends_chunk:
            self._ends_chunk = False
            return line == b"\r\n"
        if self._trailer is not None:
            self._trailer += len(line)
            self.is_whole = line == b"\r\n"
            return self.is_whole or _FIELD.fullmatch(line) is not None
        match = _CHUNK.fullmatch(line)
        if match is None:
            return False
        self._left = int(match[1], 16)
        if self._left == 0:
            self._trailer = 0
        return True


Body = FixedBody | ChunkedBody
