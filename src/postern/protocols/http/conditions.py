"""Conditional requests (RFC 9110 section 13) and entity tags (section 8.8.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from postern.protocols.http.dates import parse_http_date
from postern.protocols.http.events import Field

MAX_TAGS = 256
"""Entity tags of a condition. Clients send one; caches send those of the representations that they have."""
_TAG = re.compile(rb'[ \t,]*+((?:W/)?"[\x21\x23-\x7e\x80-\xff]*+")[ \t]*+(?=,|\Z)')
_REST = re.compile(rb"[ \t,]*+\Z")
_SAFE = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Validators:
    """The validators of a representation that exists. `tag` is its entity tag as it is sent, with its quotes, and "W/" before a
    weak one; `modified` is the time of its last change, in seconds since the epoch. None where there is none."""

    tag: bytes | None = None
    modified: float | None = None


@dataclass(frozen=True, slots=True)
class Tags:
    """The entity tags of a condition. `is_any` stands for "*"."""

    tags: tuple[bytes, ...]
    is_any: bool = False

    def has(self, tag: bytes | None, *, weakly: bool) -> bool:
        """Whether an entity tag is among them, by the strong comparison or the weak one (RFC 9110 section 8.8.3.2)."""
        if tag is None:
            return False
        if weakly:
            return _opaque(tag) in map(_opaque, self.tags)
        return not tag.startswith(b"W/") and tag in self.tags


def parse_tags(value: bytes) -> Tags | None:
    """Reads the value of If-Match or If-None-Match. None if it is neither "*" nor a list of entity tags.

    Bound: linear; at most MAX_TAGS tags.
    """
    if value.strip(b" \t") == b"*":
        return Tags((), True)
    tags: list[bytes] = []
    place = 0
    while (match := _TAG.match(value, place)) is not None and len(tags) < MAX_TAGS:
        tags.append(match[1])
        place = match.end()
    return Tags(tuple(tags)) if tags and _REST.match(value, place) else None


def condition(method: str, fields: Sequence[Field], current: Validators | None) -> HTTPStatus | None:
    """Judges the conditions of a request in the order of RFC 9110 section 13.2.2. `current` is None where nothing exists at the
    target. Returns None if the method is to be carried out, else 304 or 412.

    A condition that cannot be read protects what is there: If-Match and, for methods that change something, If-None-Match fail.

    Bound: linear in the fields; at most MAX_TAGS tags.
    """
    match = _joined(fields, b"if-match")
    if match is not None:
        if not _matches(parse_tags(match), current):
            return HTTPStatus.PRECONDITION_FAILED
    elif (since := _date(fields, b"if-unmodified-since")) is not None and _is_newer(current, since):
        return HTTPStatus.PRECONDITION_FAILED
    none_match = _joined(fields, b"if-none-match")
    if none_match is not None:
        return _none_match(method, parse_tags(none_match), current)
    if method in _SAFE and (since := _date(fields, b"if-modified-since")) is not None:
        has_date = current is not None and current.modified is not None
        return HTTPStatus.NOT_MODIFIED if has_date and not _is_newer(current, since) else None
    return None


def range_applies(fields: Sequence[Field], current: Validators) -> bool:
    """Whether a Range is to be honoured by the If-Range of its request (RFC 9110 section 13.1.5): a strong entity tag that is
    still the same, or the very date.

    Bound: linear in the fields.
    """
    value = next((value for name, value in fields if name == b"if-range"), None)
    if value is None:
        return True
    if value.startswith((b'"', b"W/")):
        return current.tag is not None and not value.startswith(b"W/") and value == current.tag
    date = parse_http_date(value)
    return date is not None and current.modified is not None and date == int(current.modified)


def _matches(tags: Tags | None, current: Validators | None) -> bool:
    if tags is None or current is None:
        return False
    return tags.is_any or tags.has(current.tag, weakly=False)


def _none_match(method: str, tags: Tags | None, current: Validators | None) -> HTTPStatus | None:
    is_safe = method in _SAFE
    if tags is None:
        return None if is_safe else HTTPStatus.PRECONDITION_FAILED
    if current is None or not (tags.is_any or tags.has(current.tag, weakly=True)):
        return None
    return HTTPStatus.NOT_MODIFIED if is_safe else HTTPStatus.PRECONDITION_FAILED


def _is_newer(current: Validators | None, since: int) -> bool:
    """Whether it was changed after this second. Nothing was changed where nothing is, nor where no date is known."""
    return current is not None and current.modified is not None and int(current.modified) > since


def _joined(fields: Sequence[Field], name: bytes) -> bytes | None:
    values = [value for field, value in fields if field == name]
    return b", ".join(values) if values else None


def _date(fields: Sequence[Field], name: bytes) -> int | None:
    value = next((value for field, value in fields if field == name), None)
    return None if value is None else parse_http_date(value)


def _opaque(tag: bytes) -> bytes:
    return tag.removeprefix(b"W/")
