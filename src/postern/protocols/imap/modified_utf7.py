"""Modified UTF-7, the form of mailbox names on the wire in IMAP4rev1 (RFC 3501 section 5.1.3).

Printable US-ASCII stands for itself, "&" is "&-", and everything else is UTF-16BE in base64 with "," for "/".
"""

from __future__ import annotations

import binascii
import re

_SHIFTED = re.compile(r"[^\x20-\x7e]+|&")
_ENCODED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(name: str) -> bytes:
    """The wire form. A lone surrogate, which no Unicode text holds, becomes U+FFFD."""
    return _SHIFTED.sub(_shift, name).encode("ascii")


def _shift(match: re.Match[str]) -> str:
    text = match.group()
    if text == "&":
        return "&-"
    encoded = binascii.b2a_base64(text.encode("utf-16-be", "replace"), newline=False)
    return "&" + encoded.decode("ascii").rstrip("=").replace("/", ",") + "-"


def decode(data: bytes) -> str:
    """The name as Unicode. Raises ValueError for 8-bit bytes, a shift that never ends, or bytes that are no UTF-16.

    Bound: linear in the name.
    """
    parts: list[str] = []
    at = 0
    for match in _ENCODED.finditer(data):
        parts.append(_plain(data[at : match.start()]))
        parts.append(_unshift(match.group(1)))
        at = match.end()
    parts.append(_plain(data[at:]))
    return "".join(parts)


def _plain(data: bytes) -> str:
    if b"&" in data:
        raise ValueError("a shift without its end")
    return data.decode("ascii")


def _unshift(data: bytes) -> str:
    if not data:
        return "&"
    padded = data.replace(b",", b"/") + b"=" * (-len(data) % 4)
    return binascii.a2b_base64(padded).decode("utf-16-be")
