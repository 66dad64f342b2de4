"""The one reader of header sections: it finds the end of a section, and reads its fields in order (RFC 5322 section 2.2).

IMAP's renderings, DKIM, DMARC and the sender filter, submission, the outbox, loop detection and tracking all read through it, so
that none of them takes a line for a field that another does not see. A bare LF ends a line as CRLF does; a lone CR is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_HEADER = 1 << 20
"""Octets of one header that are read; the rest counts as content of the message."""
MAX_FIELDS = 2000
"""Fields of one header that are read. A message from outside with more is refused, so that nothing hides behind them."""

# RFC 5322 section 2.2 and, for the blanks before the colon, section 4.5; RFC 6532 for the octets above 127.
_NAME = re.compile(rb"([!-9;-~\x80-\xff]++)[ \t]*+:")
_COLON = re.compile(rb"[ \t]*+:")
_FIELD_END = re.compile(rb"\n(?![ \t])")
_FOLD = re.compile(rb"\r?\n[ \t]")


class Fields(NamedTuple):
    """Lower-case names and values, unfolded (a line break and the blank after it are one space) and stripped.

    `named` gives the first field of a name.
    """

    ordered: list[tuple[bytes, bytes]]
    named: dict[bytes, bytes]


def lines_end(content: bytes, start: int = 0, end: int | None = None) -> int:
    """The place where the fields end and the empty line begins; -1 if there is no empty line.

    Bound: linear in the header section, in all of the content where no empty line ends it.
    """
    end = len(content) if end is None else end
    if content.startswith((b"\r\n", b"\n"), start, end):
        return start
    with_cr = content.find(b"\n\r\n", start, end)
    bare = content.find(b"\n\n", start, with_cr if with_cr >= 0 else end)
    if bare >= 0:
        return bare + 1
    return with_cr + 1 if with_cr >= 0 else -1


def split_section(content: bytes) -> tuple[bytes, bytes]:
    """The lines of the header section, and the rest, which begins with the empty line; b"" where there is none.

    Bound: linear in the content.
    """
    end = lines_end(content)
    return (content[:end], content[end:]) if end >= 0 else (content, b"")


def header_end(content: bytes, start: int, end: int) -> int:
    """The place where the body begins: after the empty line, which belongs to the header; `end` if there is none.

    Bound: as `lines_end`.
    """
    place = lines_end(content, start, end)
    if place < 0:
        return end
    return place + (2 if content[place] == 13 else 1)


def split_fields(header: bytes, most: int | None = MAX_FIELDS) -> list[tuple[bytes, bytes]]:
    """The fields as (lower-case name, octets with the line end); joined, the octets are the header.

    A line that is no field has the name b"": it has no colon, nothing in front of the colon, or a blank or a control character
    before the name or within it. After `most` fields (lines that are none count too; None: no limit) the rest of the header is
    one more entry with the name b"".

    Bound: linear in the header; at most `most` fields.
    """
    pieces = _FIELD_END.split(header, most or 0)
    rest = pieces.pop()
    fields = []
    for piece in pieces:
        match = _NAME.match(piece)
        fields.append((match[1].lower() if match is not None else b"", piece + b"\n"))
    if rest:
        match = _NAME.match(rest) if most is None or len(pieces) < most else None
        fields.append((match[1].lower() if match is not None else b"", rest))
    return fields


def begins_with_field(content: bytes) -> bool:
    """Whether the content begins with a name and a colon.

    Bound: linear in the first line.
    """
    return _NAME.match(content) is not None


def value_of(field: bytes) -> bytes:
    """The text behind the colon, unfolded and stripped.

    Bound: linear in the field.
    """
    value = field.partition(b":")[2]
    return (_FOLD.sub(b" ", value) if b"\n" in value else value).strip()


def parse_fields(content: bytes, start: int, end: int) -> Fields:
    """Reads every field by name, and leaves out lines that are no field.

    Bound: linear in the header; MAX_HEADER octets and MAX_FIELDS fields of it are read.
    """
    fields: list[tuple[bytes, bytes]] = []
    # As `split_fields` and `value_of`, but without the octets, which are not needed here: each message passes.
    for field in _FIELD_END.split(content[start : min(end, start + MAX_HEADER)], MAX_FIELDS)[:MAX_FIELDS]:
        match = _NAME.match(field)
        if match is not None:
            value = field[match.end() :]
            fields.append((match[1].lower(), (_FOLD.sub(b" ", value) if b"\n" in value else value).strip()))
    return Fields(fields, dict(reversed(fields)))


def has_too_many_fields(header: bytes) -> bool:
    """Whether a header has more fields than readers see.

    Bound: linear in the header.
    """
    return header.count(b"\n") > MAX_FIELDS and len(split_fields(header)) > MAX_FIELDS


def first_value(header: bytes, name: bytes) -> bytes | None:
    """The value of the first field of this name (lower case). It does not read the others: every message passes here.

    Bound: linear in the header.
    """
    place = next(_places(header, name), None)
    if place is None:
        return None
    end = _FIELD_END.search(header, place)
    return value_of(header[place - 1 : end.start() if end is not None else len(header)])


def count_fields(header: bytes, name: bytes) -> int:
    """Counts the fields of this name (lower case).

    Bound: linear in the header.
    """
    return sum(1 for _ in _places(header, name))


def _places(header: bytes, name: bytes) -> Iterator[int]:
    """The places behind the colon where the values of the fields of one name begin."""
    lower = header.lower()
    if lower.startswith(name) and (colon := _COLON.match(header, len(name))) is not None:
        yield colon.end()
    place = lower.find(b"\n" + name)
    while place >= 0:
        behind = place + 1 + len(name)
        if (colon := _COLON.match(header, behind)) is not None:
            yield colon.end()
        place = lower.find(b"\n" + name, behind)
