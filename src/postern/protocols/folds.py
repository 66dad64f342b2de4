"""The folds of content lines (RFC 5545 section 3.1)."""

from __future__ import annotations

import re

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
