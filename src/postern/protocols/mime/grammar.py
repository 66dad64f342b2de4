"""Strings of IMAP's grammar (RFC 9051 section 9)."""

from __future__ import annotations

import re

_NEEDS_LITERAL = re.compile(rb"[^\x01-\x09\x0b\x0c\x0e-\x7f]")
_NEEDS_ESCAPE = re.compile(rb'(["\\])')
_MAX_QUOTED = 4096


def string(value: bytes) -> bytes:
    """Writes a quoted string, or a literal if the value has 8-bit octets or line breaks or is long. NUL, which no string may
    hold, becomes 0x80 as in other servers.

    Bound: linear in the value; at most twice as long, or a literal of the same length.
    """
    if len(value) <= _MAX_QUOTED and _NEEDS_LITERAL.search(value) is None:
        if b'"' in value or b"\\" in value:
            value = _NEEDS_ESCAPE.sub(rb"\\\1", value)
        return b'"%b"' % value
    return b"{%d}\r\n%b" % (len(value), value.replace(b"\0", b"\x80"))


def nstring(value: bytes | None) -> bytes:
    return b"NIL" if value is None else string(value)
