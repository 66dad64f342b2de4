"""Text out of items that anybody can take: what is not UTF-8 is decoded as it was probably meant, and nothing is left that a
database or a terminal refuses."""

from __future__ import annotations

from postern.protocols.content_lines import octets_of, unescaped
from postern.protocols.mime.charsets import decode

_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), 127))


def readable(value: str, charset: str = "") -> str:
    """A value without control characters. Octets that are not UTF-8 are read as `charset`, else as windows-1252, or as what the
    octets can be.

    Bound: linear in the value, and not longer than it.
    """
    if value.isascii():
        return value.translate(_CONTROLS) if not value.isprintable() else value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        value = decode(octets_of(value), "", charset or "cp949")
    return value.translate(_CONTROLS)


def text_of(value: str) -> str:
    """A TEXT value as its reader sees it.

    Bound: linear in the value, and not longer than it.
    """
    return readable(unescaped(value))
