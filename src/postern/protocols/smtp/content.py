"""A message's octets on the wire: transparency of DATA (RFC 5321 section 4.5.2), and the search for stray CR and LF.

SMTP smuggling hides a second message in a first by a bare CR or LF (RFC 5321 section 2.3.8 forbids them): they are found, never
mended. Whole pieces are searched at once; nothing here goes line by line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

PIECE = 65_536
"""Octets from which on a piece of unfinished content is handed on."""

END = b"\r\n.\r\n"

_ALL_BUT_CR_LF = bytes(octet for octet in range(256) if octet not in b"\r\n")


class DotReader:
    """Takes one message's DATA content out of a buffer, dots unstuffed.

    Bound: linear, in whatever pieces it comes; hands on what is complete from 65,536 octets.
    """

    def __init__(self, piece: int = PIECE) -> None:
        self.bare = False
        """Whether a CR without LF or an LF without CR has been seen."""
        self._piece = max(piece, 16)
        self._begun = False
        self._searched = 0

    def take(self, buffer: bytearray) -> tuple[bytes, bool]:
        """Takes content that can be handed on out of the buffer, and says whether the message has ended."""
        if not self._begun:
            # The content begins at the start of a line: ".CRLF" ends it at once, another dot is stuffing.
            if len(buffer) < 3 and b".\r\n".startswith(buffer):
                return b"", False
            self._begun = True
            if buffer.startswith(b".\r\n"):
                del buffer[:3]
                return b"", True
            if buffer.startswith(b"."):
                del buffer[:1]
        end = buffer.find(END, self._searched)
        if end >= 0:
            piece = bytes(buffer[: end + 2])
            del buffer[: end + 5]
            return self._clear(piece), True
        if len(buffer) < self._piece:
            self._searched = max(0, len(buffer) - 4)
            return b"", False
        # A piece ends before its last CRLF, so that CRLF, the dot behind it and END are never cut apart.
        cut = buffer.rfind(b"\r\n")
        if cut <= 0:
            cut = len(buffer) - (buffer[-1] == 13)
        piece = bytes(buffer[:cut])
        del buffer[:cut]
        self._searched = 0
        return self._clear(piece), False

    def _clear(self, piece: bytes) -> bytes:
        # Every CR and LF belongs to a CRLF exactly if there are twice as many of them as of pairs.
        if len(piece.translate(None, _ALL_BUT_CR_LF)) != 2 * piece.count(b"\r\n"):
            self.bare = True
        return piece.replace(b"\r\n.", b"\r\n") if b"\r\n." in piece else piece


class ChunkReader:
    """Looks at BDAT's content (RFC 3030), which may be cut anywhere, for stray CR and LF.

    Bound: linear; keeps one bit.
    """

    def __init__(self) -> None:
        self.bare = False
        self._open_cr = False

    def look(self, piece: bytes, last: bool) -> None:
        if piece:
            pairs = piece.count(b"\r\n")
            returns, feeds = piece.count(b"\r") - pairs, piece.count(b"\n") - pairs
            if self._open_cr:
                if piece[0] == 10:
                    feeds -= 1
                else:
                    self.bare = True
            self._open_cr = piece[-1] == 13
            self.bare = self.bare or feeds > 0 or returns > self._open_cr
        if last and self._open_cr:
            self.bare = True


def stuffed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Writes content as DATA sends it: dots stuffed, a last CRLF added if it lacks one, and the end."""
    tail = b"\r\n"
    for chunk in chunks:
        if not chunk:
            continue
        # The dot of "CRLF." may begin this chunk while its CRLF ended the last one.
        seam = tail + chunk[:2]
        if seam.startswith(b"\r\n."):
            chunk = b"." + chunk
        elif seam[1:].startswith(b"\r\n."):
            chunk = chunk[:1] + b"." + chunk[1:]
        tail = (tail + chunk)[-2:]
        yield chunk.replace(b"\r\n.", b"\r\n..") if b"\r\n." in chunk else chunk
    yield b".\r\n" if tail == b"\r\n" else b"\r\n.\r\n"
