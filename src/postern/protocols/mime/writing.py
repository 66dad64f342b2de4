"""Writes fields and parts of messages: texts, addresses, parameters, and octets in base64 (RFC 5322, RFC 2045 to 2047)."""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote

_LINE = 57
"""Octets of a line of base64 with 76 characters (RFC 2045 section 6.8)."""
_LINES = 1_000 * _LINE
"""Octets that are put on lines at once: so large octets are not cut into small ones all together."""
_WORD = 39
"""Octets of an encoded word, which has 75 characters at most (RFC 2047 section 2)."""
_WIDTH = 76
_LONGEST = 990
"""Octets of a line of text that is not encoded; SMTP allows 998 (RFC 5321 section 4.5.3.1.6)."""
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]++")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]++")
_ESCAPED = re.compile(r'(["\\])')


def one_line(text: str) -> str:
    """The text without control characters and line breaks.

    Bound: linear in the text, and not longer than it.
    """
    return _CONTROLS.sub(" ", text).strip()


def text_field(name: str, text: str) -> bytes:
    """A field with a text, in encoded words where it is not ASCII, on lines of 76 characters.

    Bound: linear in the text; at most four octets for one.
    """
    text = one_line(text)
    if text.isascii() and "=?" not in text:
        return f"{name}: {_folded(text.split(' '), len(name) + 2)}\r\n".encode("ascii")
    return f"{name}: {_folded(_encoded_words(text), len(name) + 2)}\r\n".encode("ascii")


def _folded(tokens: Iterable[str], used: int) -> str:
    pieces: list[str] = []
    for word in tokens:
        if pieces and used + len(word) + 1 > _WIDTH and word:
            pieces.append("\r\n ")
            used = 1
        elif pieces:
            pieces.append(" ")
            used += 1
        pieces.append(word)
        used += len(word)
    return "".join(pieces)


def _encoded_words(text: str) -> Iterator[str]:
    octets = text.encode("utf-8", "replace")
    place = 0
    while place < len(octets):
        end = min(place + _WORD, len(octets))
        while end < len(octets) and octets[end] & 0xC0 == 0x80:
            # A character stands in one word (section 5).
            end -= 1
        yield f"=?utf-8?b?{b64encode(octets[place:end]).decode('ascii')}?="
        place = end


def person(name: str, address: str) -> str:
    """A mailbox with its name (RFC 5322 section 3.4).

    Bound: linear in the name; at most four characters for one.
    """
    name = one_line(name)
    if not name:
        return address
    if not name.isascii() or "=?" in name:
        return f"{' '.join(_encoded_words(name))} <{address}>"
    if _ATOMS.fullmatch(name):
        return f"{name} <{address}>"
    escaped = _ESCAPED.sub(r"\\\1", name)
    return f'"{escaped}" <{address}>'


def people_field(name: str, people: Iterable[tuple[str, str]]) -> bytes:
    """A field with mailboxes by name and address, each on a line of its own.

    Bound: linear in the names.
    """
    listed = ",\r\n ".join([person(*each) for each in people])
    return f"{name}: {listed}\r\n".encode("utf-8", "replace")


def parameter(name: str, value: str) -> str:
    """A parameter: quoted, or in the form of RFC 2231 where it is not ASCII.

    Bound: linear in the value; at most twelve characters for one.
    """
    value = one_line(value)
    if value.isascii():
        escaped = _ESCAPED.sub(r"\\\1", value)
        return f';\r\n {name}="{escaped}"'
    return f";\r\n {name}*=utf-8''{quote(value, safe='')}"


def base64_lines(octets: bytes, before: bytes = b"") -> bytes:
    """The octets in base64, on lines with CRLF between them, behind `before`.

    Bound: linear in the octets; at most 78 octets for 57.
    """
    view = memoryview(octets)
    blocks = [_block(view[at : at + _LINES]) for at in range(0, len(octets), _LINES)]
    if blocks:
        blocks[-1] = blocks[-1].removesuffix(b"\r\n")
    return b"".join([before, *blocks])


def _block(octets: memoryview) -> bytes:
    lines = [binascii.b2a_base64(octets[at : at + _LINE], newline=False) for at in range(0, len(octets), _LINE)]
    return b"\r\n".join([*lines, b""])


def text_part(subtype: str, text: str) -> bytes:
    """A part with a text, from its Content-Type to its last line, without the line end that is the delimiter's (RFC 2046 section
    5.1.1).

    Bound: linear in the text; at most eight octets for one.
    """
    octets = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode("utf-8", "replace")
    plain = octets.isascii() and b"\0" not in octets and all(len(line) < _LONGEST for line in octets.split(b"\r\n"))
    charset = "us-ascii" if plain else "utf-8"
    head = f"Content-Type: text/{subtype}; charset={charset}\r\nContent-Transfer-Encoding: "
    if plain:
        return head.encode("ascii") + b"7bit\r\n\r\n" + octets
    return head.encode("ascii") + b"base64\r\n\r\n" + base64_lines(octets)
