"""Pieces of answers, as bytes (RFC 9051 section 9): strings, names, flags, sets of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from postern.model.items import KEYWORD_BASE, Flag
from postern.protocols.imap import modified_utf7

_NO_QUOTED = re.compile(rb"[\x00\r\n\x80-\xff]")
_BARE = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]{1,1000}')
_TO_ESCAPE = re.compile(rb'(["\\])')

SYSTEM_FLAGS = (
    (Flag.ANSWERED, b"\\Answered"),
    (Flag.FLAGGED, b"\\Flagged"),
    (Flag.DELETED, b"\\Deleted"),
    (Flag.SEEN, b"\\Seen"),
    (Flag.DRAFT, b"\\Draft"),
)
ALL_SYSTEM_FLAGS = b" ".join(name for _, name in SYSTEM_FLAGS)


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(data), data)


def string(data: bytes) -> bytes:
    """A quoted string where the grammar allows one, else a literal."""
    if len(data) > 1000 or _NO_QUOTED.search(data):
        return literal(data)
    return b'"%b"' % _TO_ESCAPE.sub(rb"\\\1", data)


def mailbox(name: str, utf8: bool) -> bytes:
    """A mailbox name: UTF-8 in quotes once the client enabled it (RFC 9051 section 5.1), else modified UTF-7."""
    if not utf8:
        return string(modified_utf7.encode(name))
    return b'"%b"' % _TO_ESCAPE.sub(rb"\\\1", name.encode("utf-8", "replace"))


def astring(text: str) -> bytes:
    """A name in UTF-8, such as an identifier of RFC 4314: bare where the grammar lets it, for IMAPClient keeps the quotes."""
    data = text.encode("utf-8", "replace")
    return data if _BARE.fullmatch(data) and data.upper() != b"NIL" else string(data)


def flag_names(word: int, keywords: Sequence[str]) -> list[bytes]:
    """The names of a flag word's bits; a keyword bit without a name is passed over."""
    names = [name for flag, name in SYSTEM_FLAGS if word & flag]
    rest = word >> KEYWORD_BASE
    if rest:
        names.extend(name.encode("ascii", "replace") for i, name in enumerate(keywords) if rest >> i & 1)
    return names


def number_set(numbers: Iterable[int]) -> bytes:
    """Ascending numbers as a sequence-set, "1:3,5"; b"" for none."""
    parts: list[bytes] = []
    first = last = -1
    for number in numbers:
        if number == last + 1 and first >= 0:
            last = number
            continue
        if first >= 0:
            parts.append(_range(first, last))
        first = last = number
    if first >= 0:
        parts.append(_range(first, last))
    return b",".join(parts)


def _range(first: int, last: int) -> bytes:
    return b"%d" % first if first == last else b"%d:%d" % (first, last)
