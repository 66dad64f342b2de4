"""Content-Type, Content-Disposition and the like: a value with parameters (RFC 2045 section 5.1, RFC 2231)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from postern.protocols.mime.charsets import decode
from postern.protocols.mime.comments import without_comments
from postern.protocols.mime.words import decode_words

_MAX_PARAMETERS = 64
_MAX_VALUE = 1 << 16
_MAX_CACHED = 1 << 10
# A run of blanks and semicolons is passed once, whether a parameter stands behind it or not.
_PARAMETER = re.compile(
    rb"""[\s;]*+(?:([^\s=;"]++)\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)"?|([^\s;"][^;]*+)|))?""", re.DOTALL
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
# The value in front: one word, or two with a slash between. What follows it is parameters, even without the semicolon.
_HEAD = re.compile(rb'\s*+([^\s;"=/]++(?:\s*+/\s*+[^\s;"]++)?+)')

Parameters = tuple[tuple[bytes, bytes], ...]


def parse_value(value: bytes) -> tuple[bytes, Parameters]:
    """Reads the value before the first semicolon (stripped, lower case) and its parameters: names in lower case, continuations
    of RFC 2231 section 3 put together; a name that ends in "*" has a value with charset and percent encoding.

    Bound: linear in the field; 64 KB of it and 64 parameters are read.
    """
    return _parse_cached(value) if len(value) <= _MAX_CACHED else _parse(value[:_MAX_VALUE])


def _parse(value: bytes) -> tuple[bytes, Parameters]:
    value = without_comments(value, inside_words=False)
    match = _HEAD.match(value)
    head, place = (match[1].lower(), match.end()) if match is not None else (b"", 0)
    if place == len(value):
        return head, ()
    parameters: dict[bytes, bytes] = {}
    pieces: dict[bytes, dict[int, tuple[bool, bytes]]] = {}
    for match in _written(value[place:]):
        name = match[1].lower()
        text = _ESCAPED.sub(rb"\1", match[2]) if match[2] is not None else (match[3] or b"").rstrip()
        stem, star, number = name.partition(b"*")
        digits = number.rstrip(b"*")
        if star and digits.isdigit() and len(digits) < 4:
            pieces.setdefault(stem, {})[int(digits)] = (number.endswith(b"*"), text)
        else:
            parameters.setdefault(name, text)
    for stem, numbered in pieces.items():
        name, text = _join(stem, numbered)
        parameters.setdefault(name, text)
    return head, tuple(parameters.items())


_parse_cached = lru_cache(maxsize=2048)(_parse)


def _written(rest: bytes) -> Iterator[re.Match[bytes]]:
    """Finds the parameters, also where a semicolon is missing. Anything else is passed over up to the next semicolon."""
    place = 0
    for _ in range(_MAX_PARAMETERS):
        match = _PARAMETER.match(rest, place)
        if match is not None and match[1] is not None:
            yield match
            place = match.end()
            continue
        place = rest.find(b";", place if match is None else match.end())
        if place < 0:
            return


def _join(stem: bytes, numbered: dict[int, tuple[bool, bytes]]) -> tuple[bytes, bytes]:
    extended = numbered.get(0, (False, b""))[0]
    parts = []
    for index in range(len(numbered)):
        if index not in numbered:
            break
        percent, text = numbered[index]
        # A plain piece of an extended value must not have its percent signs taken for encoding.
        parts.append(text.replace(b"%", b"%25") if extended and not percent else text)
    return (stem + b"*" if extended else stem), b"".join(parts)


def parameter(parameters: Parameters, name: bytes) -> str:
    """A parameter as text; "" if it is not there. RFC 2231's form is preferred, RFC 2047's (forbidden, common) understood.

    Bound: linear in the parameters.
    """
    plain = None
    for key, value in parameters:
        if key == name + b"*":
            charset, _, rest = value.partition(b"'")
            _, quote, encoded = rest.partition(b"'")
            data = unquote_to_bytes(encoded if quote else value)
            return decode(data, charset.decode("ascii", "replace") if quote else "")
        if key == name:
            plain = value
    return "" if plain is None else decode_words(plain)
