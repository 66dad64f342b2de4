"""Reads back what `envelope` and `structure` rendered, so that nobody has to read a message again for it."""

from __future__ import annotations

import re
from typing import NamedTuple

from postern.protocols.mime.address import MISSING_DOMAIN, MISSING_MAILBOX

MAX_NESTING = 200
"""Open lists: 64 levels of parts, each with a message and lists of its own, fit in."""
_TOKEN = re.compile(rb'[ ]*+(?:([()])|"((?:[^"\\]++|\\.)*+)"|\{(\d{1,10}+)\}\r\n|(NIL)|(\d++))', re.DOTALL)
_PLAIN = re.compile(rb'[()]|"(?:[^"\\]++|\\.)*+"?|[^ ()"]++', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

Value = bytes | int | list["Value"] | None
"""A string, a number, a list, or NIL."""


def read_values(rendered: bytes) -> list[Value]:
    """The values of a rendered list, `(...)`, without what is around it. It ends at what is no value, and what lies deeper than
    MAX_NESTING lists is left out.

    Bound: linear in what was rendered; nothing longer comes out.
    """
    if b"{" not in rendered and rendered.count(b"(") <= MAX_NESTING:
        return _plain(rendered)
    outer: list[Value] = []
    here = outer
    above: list[list[Value]] = []
    skipped = 0
    place = 0
    while (match := _TOKEN.match(rendered, place)) is not None:
        place = match.end()
        mark, quoted, length, nil, digits = match.groups()
        if mark == b"(":
            if skipped or len(above) >= MAX_NESTING:
                skipped += 1
                continue
            inner: list[Value] = []
            here.append(inner)
            above.append(here)
            here = inner
        elif mark == b")":
            if skipped:
                skipped -= 1
                continue
            if not above:
                break
            here = above.pop()
        elif skipped:
            place += int(length or 0)
        elif quoted is not None:
            here.append(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
        elif nil is not None:
            here.append(None)
        elif digits is not None:
            here.append(int(digits[:18]))
        else:
            end = place + int(length)
            here.append(rendered[place:end])
            place = end
    first = outer[0] if outer else None
    return first if isinstance(first, list) else []


def _plain(rendered: bytes) -> list[Value]:
    """Reads a list without literals, of few lists: nearly all that there are. It takes a third of the time."""
    outer: list[Value] = []
    here = outer
    above: list[list[Value]] = []
    for token in _PLAIN.findall(rendered):
        first = token[0]
        if first == 34:
            if token[-1] != 34 or len(token) == 1:
                break
            here.append(_ESCAPED.sub(rb"\1", token[1:-1]) if b"\\" in token else token[1:-1])
        elif first == 40:
            inner: list[Value] = []
            here.append(inner)
            above.append(here)
            here = inner
        elif first == 41:
            if not above:
                break
            here = above.pop()
        elif token == b"NIL":
            here.append(None)
        elif token.isdigit():
            here.append(int(token[:18]))
        else:
            break
    first_list = outer[0] if outer else None
    return first_list if isinstance(first_list, list) else []


class Person(NamedTuple):
    """An address of an envelope: its name with encoded words as they stand, and the two sides of the @."""

    name: bytes
    mailbox: bytes
    host: bytes

    @property
    def address(self) -> str:
        """mailbox@host; the mailbox alone where the field names no domain, and "" where it names no mailbox. The envelope's marks
        for what is missing are no part of it."""
        if self.mailbox == MISSING_MAILBOX:
            return ""
        host = b"" if self.host == MISSING_DOMAIN else self.host
        return (self.mailbox + (b"@" + host if host else b"")).decode("utf-8", "replace")


class Envelope(NamedTuple):
    """The ten values of ENVELOPE (RFC 9051 section 7.5.2); what is missing is empty."""

    date: bytes = b""
    subject: bytes = b""
    from_: tuple[Person, ...] = ()
    sender: tuple[Person, ...] = ()
    reply_to: tuple[Person, ...] = ()
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    in_reply_to: bytes = b""
    message_id: bytes = b""


def read_subject(rendered: bytes) -> bytes:
    """Reads the subject of an ENVELOPE and leaves the rest; b"" where it is missing.

    Bound: linear in the date and the subject.
    """
    match = _TOKEN.match(rendered)
    place = match.end() if match is not None and match[1] == b"(" else len(rendered)
    value = b""
    for _ in range(2):
        match = _TOKEN.match(rendered, place)
        if match is None or match[1] or match[5]:
            return b""
        place = match.end()
        value = match[2] or b""
        if match[3]:
            place += int(match[3])
            value = rendered[match.end() : place]
        elif b"\\" in value:
            value = _ESCAPED.sub(rb"\1", value)
    return value


def read_envelope(rendered: bytes) -> Envelope:
    """Reads an ENVELOPE. Groups are left out; their members are there.

    Bound: linear in what was rendered.
    """
    values = read_values(rendered)
    if len(values) != 10:
        return Envelope()
    from_, sender, reply_to, to, cc, bcc = map(_people, values[2:8])
    texts = [_octets(values[place]) for place in (0, 1, 8, 9)]
    return Envelope(texts[0], texts[1], from_, sender, reply_to, to, cc, bcc, texts[2], texts[3])


def _octets(value: Value) -> bytes:
    return value if isinstance(value, bytes) else b""


def _people(listed: Value) -> tuple[Person, ...]:
    if not isinstance(listed, list):
        return ()
    people = []
    for each in listed:
        if isinstance(each, list) and len(each) == 4 and each[3] is not None:
            people.append(Person(_octets(each[0]), _octets(each[2]), _octets(each[3])))
    return tuple(people)
