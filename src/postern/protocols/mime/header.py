"""A header block: where it ends, and its fields in order (RFC 5322 section 2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEADER = 1 << 20
"""Octets of one header that are looked at; what comes after is content of the message and no more."""
MAX_FIELDS = 2000


@dataclass(frozen=True, slots=True)
class Fields:
    """Lower-case names and values, unfolded (a line break and the white space after it are one space) and stripped.

    `named` gives the first field of a name.
    """

    ordered: list[tuple[bytes, bytes]]
    named: dict[bytes, bytes]


_FOLD = re.compile(rb"\r?\n[ \t]")


def header_end(content: bytes, start: int, end: int) -> int:
    """Where the body begins: after the empty line, which belongs to the header; `end` if there is none."""
    if content.startswith(b"\r\n", start, end):
        return start + 2
    if content.startswith(b"\n", start, end):
        return start + 1
    with_cr = content.find(b"\n\r\n", start, end)
    bare = content.find(b"\n\n", start, with_cr if with_cr >= 0 else end)
    if bare >= 0:
        return bare + 2
    return with_cr + 3 if with_cr >= 0 else end


def parse_fields(content: bytes, start: int, end: int) -> Fields:
    """Lines that are no field are left out."""
    block = content[start : min(end, start + MAX_HEADER)]
    found: list[tuple[bytes, bytes]] = []
    for line in _FOLD.sub(b" ", block).split(b"\n")[:MAX_FIELDS]:
        name, colon, value = line.partition(b":")
        if colon and name:
            if name[-1] <= 32:
                name = name.rstrip()
            if b" " not in name and b"\t" not in name:
                found.append((name.lower(), value.strip()))
    return Fields(found, dict(reversed(found)))
