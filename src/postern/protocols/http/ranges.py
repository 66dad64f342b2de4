"""Ranges of octets (RFC 9110 section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_RANGES = 16
"""Ranges of one request. Who asks for more gets the whole."""
_SET = re.compile(rb"bytes=([0-9, \t-]*+)", re.IGNORECASE)
_RANGE = re.compile(rb"(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Octets from `start` up to `end`, which is the first that does not belong to it."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


def parse_range(value: bytes, size: int) -> tuple[ByteRange, ...] | None:
    """Reads a Range field for a representation of `size` octets. Returns the ranges that can be satisfied, in the order of the
    request: () if none can (416). Returns None where the field is to be ignored (200): another unit, no ranges, more than
    MAX_RANGES, or ranges that together are longer than the whole.

    Bound: linear; at most MAX_RANGES ranges.
    """
    match = _SET.fullmatch(value)
    if match is None:
        return None
    parts = [part for part in (part.strip(b" \t") for part in match[1].split(b",")) if part]
    if not 1 <= len(parts) <= MAX_RANGES:
        return None
    ranges: list[ByteRange] = []
    for part in parts:
        pair = _RANGE.fullmatch(part)
        if pair is None or part == b"-":
            return None
        if not pair[1]:
            start, end = max(0, size - int(pair[2])), size
        else:
            start, end = int(pair[1]), min(size, int(pair[2]) + 1) if pair[2] else size
            if pair[2] and int(pair[2]) < start:
                return None
        if start < end:
            ranges.append(ByteRange(start, end))
    if len(ranges) > 1 and sum(part.length for part in ranges) > size:
        return None
    return tuple(ranges)


def content_range(part: ByteRange | None, size: int) -> bytes:
    """Writes the Content-Range of a part (206), or with None that of an answer without one (416)."""
    return b"bytes */%d" % size if part is None else b"bytes %d-%d/%d" % (part.start, part.end - 1, size)
