"""Encoded words of headers (RFC 2047), and text folded for comparison: what SEARCH finds, whatever charset it came in."""

from __future__ import annotations

import binascii
import re
import unicodedata

from postern.protocols.mime.charsets import decode
from postern.protocols.mime.transfer import from_base64

_ENCODED_WORD = re.compile(rb"=\?([!-)+->@-~]{1,64})(?:\*[!->@-~]{0,64})?\?([BbQq])\?([^?\r\n]{0,8192})\?=")


def decode_words(value: bytes, hint: str = "") -> str:
    """A header's text. White space between encoded words is dropped (section 6.2). A character that was split between
    words of one charset, which section 5 forbids and programs do, is put together again."""
    if b"=?" not in value:
        if value.isascii():
            return value.decode("ascii")
        return decode(value, "", hint)
    parts: list[str] = []
    pending, charset, end = b"", "", 0
    for match in _ENCODED_WORD.finditer(value):
        between = value[end : match.start()]
        end = match.end()
        label = match[1].decode("ascii").lower()
        if between.strip(b" \t\r\n") or (not parts and not pending):
            parts.append(decode(pending, charset, hint))
            parts.append(decode(between, "", hint))
            pending = b""
        if label != charset:
            parts.append(decode(pending, charset, hint))
            pending, charset = b"", label
        pending += from_base64(match[3]) if match[2] in b"Bb" else _from_q(match[3])
    parts.append(decode(pending, charset, hint))
    parts.append(decode(value[end:], "", hint))
    return "".join(parts)


def _from_q(data: bytes) -> bytes:
    return binascii.a2b_qp(data, header=True)


def fold(text: str) -> str:
    """Text as it is stored and searched: NFKC and full case folding (Unicode's NFKC_Casefold but for ignorable
    characters), so that full-width, half-width, composed and decomposed forms meet. Hangul stays in whole syllables: what
    RFC 5051 would decompose into letters, so that a search for one syllable found others."""
    if text.isascii():
        return text.lower()
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    folded = text.casefold()
    if not unicodedata.is_normalized("NFKC", folded):
        folded = unicodedata.normalize("NFKC", folded)
    return folded
