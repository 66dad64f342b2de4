"""Text out of items that anybody can take: what is not UTF-8 is decoded as it was probably meant, and nothing is left that a
database or a terminal refuses."""

from __future__ import annotations

import re

from postern.protocols.content_lines import octets_of, unescaped
from postern.protocols.mime.charsets import decode, known

_HANGUL = re.compile(r"[\x00-\x7f\uac00-\ud7a3]*+")
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), 127))


def readable(value: str, charset: str = "") -> str:
    """A value without control characters. Octets that are not UTF-8 are read as `charset`; without it as Korean if they
    make Hangul, else as windows-1252.

    Bound: linear in the value, and not longer than it.
    """
    if value.isascii():
        return value.translate(_CONTROLS) if not value.isprintable() else value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        octets = octets_of(value)
        value = decode(octets, charset) if known(charset) else _guessed(octets)
    return value.translate(_CONTROLS)


def _guessed(octets: bytes) -> str:
    """Text without a charset: Korean if that makes Hangul of all that is not ASCII, else windows-1252."""
    korean = decode(octets, "cp949")
    return korean if _HANGUL.fullmatch(korean) else decode(octets, "cp1252")


def text_of(value: str) -> str:
    """A TEXT value as its reader sees it.

    Bound: linear in the value, and not longer than it.
    """
    return readable(unescaped(value))
