"""Encoded words of headers (RFC 2047), and text folded for comparison, which SEARCH finds whatever its charset was."""

from __future__ import annotations

import binascii
import re
import unicodedata

from postern.protocols.mime.charsets import decode
from postern.protocols.mime.transfer import from_base64

_ENCODED_WORD = re.compile(rb"=\?([!-)+->@-~]{1,64})(?:\*[!->@-~]{0,64})?\?([BbQq])\?([^?\r\n]{0,8192})\?=")


def decode_words(value: bytes, hint: str = "") -> str:
    """Decodes a header's text. White space between encoded words is dropped (section 6.2). A character that was split between
    words of one charset, which section 5 forbids and programs do, is put together again.

    Bound: linear in the value; at most one character for an octet.
    """
    if b"=?" not in value:
        if value.isascii():
            return value.decode("ascii")
        return decode(value, "", hint)
    parts: list[str] = []
    pending: list[bytes] = []
    charset, end = "", 0
    for match in _ENCODED_WORD.finditer(value):
        between = value[end : match.start()]
        end = match.end()
        label = match[1].decode("ascii").lower()
        if between.strip(b" \t\r\n") or (not parts and not pending):
            parts.append(decode(b"".join(pending), charset, hint))
            parts.append(decode(between, "", hint))
            pending.clear()
        if label != charset:
            parts.append(decode(b"".join(pending), charset, hint))
            pending.clear()
            charset = label
        pending.append(from_base64(match[3]) if match[2] in b"Bb" else _from_q(match[3]))
    parts.append(decode(b"".join(pending), charset, hint))
    parts.append(decode(value[end:], "", hint))
    return "".join(parts)


def _from_q(data: bytes) -> bytes:
    return binascii.a2b_qp(data, header=True)


_MOST_MARKS = 30
# Characters that reordering may move (canonical combining class other than 0), and the three Tibetan vowels that decompose
# into such: the whole of a run of them is sorted when it is normalized.
_MARK = "".join(chr(code) for code in range(0x300, 0x20000) if unicodedata.combining(chr(code))) + "\u0f73\u0f75\u0f81"
_LONG_RUN = re.compile(f"([{_MARK}]{{{_MOST_MARKS}}})[{_MARK}]++")


def fold(text: str) -> str:
    """Folds text as it is stored and searched: NFKC and full case folding (Unicode's NFKC_Casefold but for ignorable
    characters), so that full-width, half-width, composed and decomposed forms meet. Hangul stays in whole syllables: RFC
    5051 would decompose them into letters, so that a search for one syllable would find others.

    Of a run of combining marks the first 30 count: no language has more (UAX 15 section 13, the stream-safe text format),
    and sorting a longer run takes time that grows with its square.

    Bound: linear in the text; what comes out is at most 18 times as long (U+FDFA).
    """
    if text.isascii():
        return text.lower()
    text = _LONG_RUN.sub(r"\1", text)
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    folded = text.casefold()
    if not unicodedata.is_normalized("NFKC", folded):
        folded = unicodedata.normalize("NFKC", folded)
    return folded


_PIECE = 1 << 16
_PIECE_END = 1 << 10


def fold_within(text: str, limit: int) -> str:
    """The beginning of the text, folded, that is at most `limit` octets of UTF-8 long.

    Text that is not ASCII is folded piece by piece, so that nothing beyond the limit is made. A piece ends at a blank where
    there is one, for no character is composed across it.

    Bound: linear in the text; at most `limit` octets come out.
    """
    if text.isascii():
        return text[:limit].lower()
    parts: list[str] = []
    place, room = 0, limit
    while place < len(text) and room > 0:
        end = place + _PIECE
        if end < len(text):
            blank = max(text.rfind(" ", end - _PIECE_END, end), text.rfind("\n", end - _PIECE_END, end))
            end = blank if blank > 0 else end
        encoded = fold(text[place:end]).encode("utf-8", "surrogatepass")
        parts.append(encoded[:room].decode("utf-8", "ignore"))
        place, room = end, room - len(encoded)
    return "".join(parts)
