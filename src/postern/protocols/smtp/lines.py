"""Takes command lines out of a buffer (RFC 5321 section 2.3.8): CRLF alone ends them, and they are bounded."""

from __future__ import annotations

from enum import Enum


class BadLine(Enum):
    TOO_LONG = "too-long"
    BARE = "bare"
    """A CR without LF, or LF without CR."""


class LineReader:
    """Takes lines. `limit` is in octets, the line's end included. Octets beyond it are forgotten as they come.

    Bound: linear, in whatever pieces it comes; `limit` octets, what is beyond them is forgotten.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._searched = 0
        self._skipping = False

    def take(self, buffer: bytearray) -> bytes | BadLine | None:
        """Takes the next line out of the buffer, without its end; None if it is not complete."""
        end = buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(buffer)
            if self._skipping or len(buffer) >= self._limit:
                self._skipping = True
                buffer.clear()
                self._searched = 0
            return None
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        self._searched = 0
        if self._skipping or end >= self._limit:
            self._skipping = False
            return BadLine.TOO_LONG
        if not line or line.find(b"\r") != end - 1:
            return BadLine.BARE
        return line[:-1]

    def clear(self) -> None:
        self._searched = 0
        self._skipping = False
