"""BODYSTRUCTURE and BODY as clients of IMAP4rev1 read them: a part of type message/global has no inner structure there.

RFC 9051 section 7.5.2 gives message/global an envelope and a structure, as message/rfc822 has them. RFC 3501 section 7.4.2 gives
them to message/rfc822 alone, so a client of that grammar loses its place in the line. Clients that enabled IMAP4rev2 or
UTF8=ACCEPT are told all.
"""

from __future__ import annotations

import re

_MARK = b'("message" "global" '
_TOKEN = re.compile(rb' *+([()]|"(?:[^"\\]|\\.)*+"|\{(\d{1,10}+)\}\r\n|[^ ()"{]++)')
_ENVELOPE, _LINES = 8, 10
"""The values of the part that are left out, counted from 1: from its envelope, over its structure, to its lines."""


def without_global(structure: bytes) -> bytes:
    """The structure with each message/global part as a basic one. It is one that the store rendered, so it is well-formed.

    Bound: linear in the structure, and no longer than it.
    """
    if _MARK not in structure:
        return structure
    kept: list[bytes] = []
    counts = [0]
    """The number of values that have begun in each open list."""
    globals_: list[bool] = [False]
    place, skipped, from_ = 0, 0, 0
    while (match := _TOKEN.match(structure, place)) is not None:
        place = match.end() + int(match[2] or 0)
        if match[1] == b")":
            counts.pop()
            globals_.pop()
        else:
            counts[-1] += 1
            if not skipped and globals_[-1] and _ENVELOPE <= counts[-1] <= _LINES:
                skipped = len(counts)
                kept.append(structure[from_ : match.start()])
            if match[1] == b"(":
                counts.append(0)
                globals_.append(structure.startswith(_MARK, match.start(1)))
        if skipped and len(counts) == skipped:
            skipped, from_ = 0, place
    kept.append(structure[from_:])
    return b"".join(kept)
