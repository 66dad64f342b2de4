"""Reads vCards of the versions 2.1, 3.0 and 4.0 (RFC 2426, RFC 6350) beside each other: the same questions get the same answers.

The caller hands in a decoder, which turns octets with a charset into text.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass

from postern.protocols import content_lines
from postern.protocols.content_lines import Component, Defect, Line, octets_of, split, unescaped

MAX_CARDS = 20_000
"""Cards of one document: an address book that is imported."""
MAX_FIELDS = 64
"""Parts of a structured value such as N or ADR."""

Decode = Callable[[bytes, str], str]
"""Turns octets with the name of a charset into text."""

BINARY = {"PHOTO": "image", "LOGO": "image", "SOUND": "audio", "KEY": "application"}
"""The properties whose value may be the octets of a file, with the first half of its media type."""
_ENCODINGS = frozenset({"BASE64", "B", "QUOTED-PRINTABLE", "8BIT", "7BIT"})
_VALUES = frozenset({"INLINE", "URL", "URI", "CONTENT-ID", "CID", "TEXT"})


@dataclass(slots=True, eq=False)
class Card:
    """A vCard. `version` is "2.1", "3.0" or "4.0", or what the card says instead."""

    root: Component
    version: str
    decode: Decode

    def lines(self, *names: str) -> list[Line]:
        return list(self.root.lines(*names))

    def text(self, name: str) -> str:
        """The text of the first such property that says something; "" if there is none."""
        for line in self.root.lines(name):
            text = unescaped(self.value(line)).strip()
            if text:
                return text
        return ""

    def value(self, line: Line) -> str:
        """A property's value as it is written, out of quoted-printable and its charset (vCard 2.1).

        Bound: linear in the line, and not longer than it.
        """
        if not line.head:
            return line.value
        charset = line.parameter("CHARSET")
        if encoding_of(line) == "QUOTED-PRINTABLE":
            return self.decode(binascii.a2b_qp(octets_of(line.value)), charset)
        if charset and charset.upper() not in ("UTF-8", "US-ASCII"):
            return self.decode(octets_of(line.value), charset)
        return line.value

    def fields(self, line: Line) -> list[str]:
        """The parts of a structured value: "Kim;Min-ji" is ["Kim", "Min-ji"]."""
        return [unescaped(part).strip() for part in split(self.value(line), ";", MAX_FIELDS)]


def encoding_of(line: Line) -> str:
    """Gives "QUOTED-PRINTABLE", "BASE64" or "". vCard 2.1 names encodings without "ENCODING=", too."""
    for name, values in line.parameters:
        word = (values[0] if values else name).strip().upper() if name == "ENCODING" or not values else ""
        if word == "QUOTED-PRINTABLE":
            return word
        if word in ("BASE64", "B"):
            return "BASE64"
    return ""


def types_of(line: Line) -> list[str]:
    """The TYPE of a property in lower case: "TYPE=home,voice" and vCard 2.1's "HOME;VOICE" alike; "pref" where PREF is."""
    types: list[str] = []
    for name, values in line.parameters:
        if name == "TYPE":
            for value in values:
                types += [word.strip().lower() for word in value.split(",") if word.strip()]
        elif name == "PREF" and values:
            types.append("pref")
        elif not values and name not in _ENCODINGS and name not in _VALUES:
            types.append(name.lower())
    return list(dict.fromkeys(types))


def read_cards(octets: bytes, decode: Decode) -> tuple[list[Card], list[Defect]]:
    """Reads the cards of a document; cards within cards (AGENT of vCard 2.1) stay where they are.

    Bound: linear in the octets; at most MAX_CARDS cards, and as many lines as `content_lines.read` takes.
    """
    document = content_lines.read(octets)
    roots = [root for root in document.roots if root.name == "VCARD"]
    cards = [Card(root, root.value("VERSION").strip(), decode) for root in roots[:MAX_CARDS]]
    defects = document.defects
    if not document.whole or len(roots) > MAX_CARDS:
        defects = [*defects, Defect(0, "not read to its end")]
    return cards, defects
