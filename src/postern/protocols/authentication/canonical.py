"""DKIM's canonicalizations (RFC 6376 section 3.4): header fields at once, bodies piece by piece, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

_WSP = re.compile(rb"[ \t]+")
_BLANK = b"\r\n" * 4096


class Canonicalization(StrEnum):
    SIMPLE = "simple"
    RELAXED = "relaxed"


def canonical_field(raw: bytes, how: Canonicalization) -> bytes:
    """Makes one field with its CRLF canonical (RFC 6376 sections 3.4.1 and 3.4.2).

    Bound: linear in the field.
    """
    if how is Canonicalization.SIMPLE:
        return raw
    name, _, value = raw.partition(b":")
    value = _WSP.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.strip(b" \t").lower() + b":" + value + b"\r\n"


class CanonicalBody:
    """Makes a body canonical (RFC 6376 sections 3.4.3 and 3.4.4). `add` takes pieces, however they are cut; `sink` gets canonical
    ones.

    Bound: linear in the body, in whatever pieces it comes; keeps a few octets.
    """

    def __init__(self, how: Canonicalization, sink: Callable[[bytes], object]) -> None:
        self._relaxed = how is Canonicalization.RELAXED
        self._sink = sink
        self._rest = b""
        """Octets that the next piece may still turn into a line's end: at most a space and a CR."""
        self._blank = 0
        """Line ends that are held back: at the body's end they do not count."""
        self._empty = True

    def add(self, data: bytes) -> None:
        data = self._rest + data
        end = len(data) - data.endswith(b"\r")
        kept = data[end:]
        data = data[:end]
        if self._relaxed:
            bare = data.rstrip(b" \t")
            if len(bare) < len(data):
                kept = b" " + kept
            data = _WSP.sub(b" ", bare).replace(b" \r\n", b"\r\n")
        self._rest = kept
        self._lines(data)

    def finish(self) -> None:
        """Ends the body: the last call."""
        rest, self._rest = self._rest, b""
        if self._relaxed and rest == b" ":
            rest = b""
        self._lines(rest)
        if not (self._empty and self._relaxed):
            self._sink(b"\r\n")

    def _lines(self, data: bytes) -> None:
        if not data:
            return
        solid = data.rstrip(b"\r\n")
        tail = data[len(solid) :]
        ends = tail.count(b"\r\n")
        if len(tail) != 2 * ends:
            # Bare CRs and LFs are no line ends (RFC 6376 section 2.8): only what is CRLF up to the end is held back.
            marked = tail.replace(b"\r\n", b"\0")
            ends = len(marked) - len(marked.rstrip(b"\0"))
            solid = data[: len(data) - 2 * ends]
        if solid:
            while self._blank:
                step = min(self._blank, 4096)
                self._sink(_BLANK[: 2 * step])
                self._blank -= step
            self._sink(solid)
            self._empty = False
        self._blank += ends
