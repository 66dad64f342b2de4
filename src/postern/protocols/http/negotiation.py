"""Negotiation of content (RFC 9110 section 12), and the media type of what a client sends (section 8.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from postern.protocols.mime.parameters import parameter, parse_value

MAX_ELEMENTS = 64
"""Elements of an Accept field or its like that are read. Browsers send ten."""
MAX_VALUE = 4096
"""Octets of such a field that are read."""
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PARAMETER = rb"[ \t]*+;[ \t]*+" + _TOKEN + rb'=(?:[^\s";,]++|"(?:[^"\\]|\\.)*+")'
_ELEMENT = re.compile(rb"[ \t,]*+(" + _TOKEN + rb"(?:/" + _TOKEN + rb")?+(?:" + _PARAMETER + rb")*+)[ \t]*+(?=,|\Z)")
_QUALITY = re.compile(rb"[01](?:\.\d{0,3})?+")


@dataclass(frozen=True, slots=True)
class ContentType:
    """The media type of a body: `media` is "text/calendar", or "" if there is none; `charset` is in small letters, or "" where
    nothing is said; `parameters` has all of them."""

    media: str
    charset: str
    parameters: tuple[tuple[str, str], ...]


def parse_content_type(value: bytes | None) -> ContentType:
    """Reads a Content-Type field.

    Bound: linear in the field; 64 KB of it and 64 parameters are read.
    """
    head, written = parse_value(value or b"")
    media = head.decode("ascii", "replace") if head.count(b"/") == 1 else ""
    parameters = tuple((name.decode("ascii", "replace"), parameter(written, name)) for name, _ in written)
    return ContentType(media, dict(parameters).get("charset", "").lower(), parameters)


def content_coding(value: bytes | None, offered: Sequence[str]) -> str | None:
    """Chooses the coding of an answer by the Accept-Encoding of its request (RFC 9110 section 12.5.3): one of `offered`, the
    first of those that the client likes best, or "identity". None where the client takes none of them, not even identity: RFC
    9110 lets a server send that nevertheless.

    Bound: linear in the field; MAX_VALUE octets and MAX_ELEMENTS elements are read.
    """
    if value is None:  # any would do, and identity is what every client reads
        return "identity"
    qualities = {name.removeprefix("x-"): quality for name, _, quality in _elements(value)}
    rest = qualities.get("*")
    best, most = None, 0.0
    for coding in offered:
        quality = qualities.get(coding, rest or 0.0)
        if quality > most:
            best, most = coding, quality
    identity = qualities.get("identity", 0.0 if rest == 0.0 else None)
    if identity is None:  # it is acceptable, but nobody asked for it
        return best or "identity"
    return "identity" if identity > most else best


def preferred(value: bytes | None, offered: Sequence[str]) -> str | None:
    """Chooses the media type of an answer by the Accept of its request (RFC 9110 section 12.5.1). `offered` are those that there
    are, the server's favourite first, such as "text/vcard; version=4.0". The most special range that fits decides how much the
    client likes one. Returns None where none of them will do.

    Bound: linear in the field, for each type that is offered; MAX_VALUE octets and MAX_ELEMENTS elements are read.
    """
    if value is None or not value.strip(b" \t,"):
        return offered[0]
    ranges = list(_elements(value))
    best, most = None, 0.0
    for kind in offered:
        quality = _liking(kind, ranges)
        if quality > most:
            best, most = kind, quality
    return best


_Element = tuple[str, frozenset[tuple[str, str]], float]
"""A name or media range in small letters, its parameters before q, and its quality."""


def _elements(value: bytes) -> Iterator[_Element]:
    """The elements of a list with qualities. What is none is passed over up to the next comma."""
    value = value[:MAX_VALUE]
    place = 0
    for _ in range(MAX_ELEMENTS):
        match = _ELEMENT.match(value, place)
        if match is None:
            place = value.find(b",", place + 1)
            if place < 0:
                return
            continue
        place = match.end()
        head, parameters = parse_value(match[1])
        pairs = {name.decode("ascii", "replace"): content.decode("latin-1").lower() for name, content in parameters}
        weight = pairs.pop("q", "1")
        quality = float(weight) if _QUALITY.fullmatch(weight.encode("latin-1")) else 0.0
        yield head.decode("ascii", "replace"), frozenset(pairs.items()), min(1.0, quality)


def _liking(kind: str, ranges: Sequence[_Element]) -> float:
    """Says how much a client likes a media type: the quality of the most special range that fits."""
    head, written = parse_value(kind.encode("ascii"))
    media = head.decode("ascii")
    own = {(name.decode("ascii"), content.decode("ascii").lower()) for name, content in written}
    fitting = [
        ((name != "*/*") + (not name.endswith("/*")) + len(parameters), quality)
        for name, parameters, quality in ranges
        if name in (media, media.partition("/")[0] + "/*", "*/*") and parameters <= own
    ]
    return max(fitting)[1] if fitting else 0.0
