"""The folds of content lines (RFC 5545 section 3.1)."""

from __future__ import annotations

import re

LINE_OCTETS = 75
"""Octets of a physical line before it is folded."""
SLICE = 65_536
"""Octets of a long line that are unfolded at a time."""
_FOLD = re.compile(rb"\r?+\n[ \t]")


def unfolded(raw: bytes) -> bytes:
    """The octets of a content line without folds. A long one is unfolded a slice at a time: the pieces of a line that has a fold
    behind each octet take forty times its octets, and no other thread would run meanwhile.

    Bound: linear in the line.
    """
    pieces: list[bytes] = []
    start = 0
    while len(raw) - start > SLICE and (cut := raw.find(b"\n", start + SLICE)) > 0:
        cut -= raw[cut - 1] == 0x0D  # a fold begins here, and so none goes on
        pieces.append(_FOLD.sub(b"", raw[start:cut]))
        start = cut
    return b"".join([*pieces, _FOLD.sub(b"", raw[start:])])


def folded(octets: bytes) -> bytes:
    """The octets of a content line, folded at LINE_OCTETS, never within a character of UTF-8, with the line's end."""
    if len(octets) <= LINE_OCTETS:
        return octets + b"\r\n"
    pieces = []
    place, room = 0, LINE_OCTETS
    while len(octets) - place > room:
        stop = place + room
        while octets[stop] & 0xC0 == 0x80 and stop > place + room - 4:
            stop -= 1
        pieces.append(octets[place:stop])
        place, room = stop, LINE_OCTETS - 1
    pieces.append(octets[place:])
    return b"\r\n ".join(pieces) + b"\r\n"
