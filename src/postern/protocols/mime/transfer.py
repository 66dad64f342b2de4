"""Content transfer encodings (RFC 2045 section 6), read leniently: damage costs the damaged bytes and no more."""

from __future__ import annotations

import binascii
import io
import re

# RFC 2045 section 6.7, rule 3: blanks at a line's end were added on the way; a soft break may have got them behind its "=".
_LINE_BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")


def from_base64(data: bytes) -> bytes:
    """Decodes base64. It stops at the padding; characters outside the alphabet are ignored, as section 6.8 asks.

    Bound: linear in the data; at most three octets for four.
    """
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        data = _NOT_BASE64.sub(b"", data.partition(b"=")[0])
        data = data[: len(data) - 1] if len(data) % 4 == 1 else data
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))


def from_transfer(data: bytes, encoding: str) -> bytes:
    """Undoes a transfer encoding (lower case); one that is not known leaves the bytes as they are.

    Bound: linear in the data, and not longer than it.
    """
    if encoding == "base64":
        return from_base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(_LINE_BLANKS.sub(b"", data))
    if encoding in ("x-uuencode", "uuencode", "x-uue"):
        return _from_uu(data)
    return data


def can_decode(encoding: str) -> bool:
    """Whether BINARY (RFC 3516) may decode it; else the answer is UNKNOWN-CTE."""
    return encoding in ("", "7bit", "8bit", "binary", "base64", "quoted-printable", "x-uuencode", "uuencode", "x-uue")


def _from_uu(data: bytes) -> bytes:
    """Decodes uuencoded lines. A line that claims more octets than it has characters for stays short:
    nothing is made up."""
    result = bytearray()
    inside = False
    for raw in io.BytesIO(data):  # line by line: a list of lines would take many times the memory of the data
        line = raw.rstrip(b"\r\n")
        if not inside:
            inside = line.startswith(b"begin ")
            continue
        if line == b"end":
            break
        try:
            result += binascii.a2b_uu(line)[: (len(line) - 1) * 3 // 4]
        except binascii.Error:
            # Broken encoders pad the line: the first character says how many bytes are meant.
            length = ((((line[0] - 32) & 63) * 4 + 5) // 3) if line else 0
            try:
                result += binascii.a2b_uu(line[:length])[: (len(line) - 1) * 3 // 4]
            except binascii.Error:
                continue
    return bytes(result)
