"""Meetings in mails (RFC 6047): finds the iTIP message in a mail, and makes a mail of one."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from email.header import Header
from email.utils import formatdate
from heapq import nlargest
from typing import NamedTuple

from postern.items.calendar_object import CalendarObject, Refused, read
from postern.items.occurrence import is_future, key_of
from postern.items.recurrence import timing_of
from postern.items.rendered import status_of
from postern.items.task import time_of
from postern.items.text import readable, text_of
from postern.protocols.content_lines import Component
from postern.protocols.ical.values import Kind, When, when_of
from postern.protocols.ical.zones import UTC_ZONE, moment
from postern.protocols.mime.charsets import MAX_LABEL, decode, known
from postern.protocols.mime.parameters import parameter
from postern.protocols.mime.structure import Part, scan
from postern.protocols.mime.transfer import from_transfer

METHODS = frozenset({"PUBLISH", "REQUEST", "REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER"})
MAX_SUBJECT = 500
"""Characters of a subject that is made of a summary."""
MAX_DESCRIPTION = 20_000
"""Characters of a description that the text for a person repeats."""
MAX_OCCURRENCES = 20
"""Occurrences that the text for a person tells, which is as many as somebody reads."""
CALENDAR_TYPES = ((b"text", b"calendar"), (b"text", b"x-vcalendar"), (b"application", b"ics"))
"""Types and subtypes of the parts that are read as a calendar."""


class Letter(NamedTuple):
    """The frame of a mail. Addresses are without names; `date` is in seconds since the epoch, `message_id` without brackets."""

    sender: str
    recipients: Sequence[str]
    subject: str
    message_id: str
    date: int


def invitation_in(content: bytes) -> CalendarObject | None:
    """The iTIP message in a mail: its first calendar part that has a METHOD. Messages that are attached are not looked into, for
    they were sent to somebody else. None: there is none, or its METHOD is not that of its Content-Type (RFC 6047 section 2.4).

    Bound: linear in the content for each level of multiparts; one part is read as a calendar.
    """
    stack = [scan(content)]
    while stack:
        part = stack.pop()
        if part.is_multipart:
            stack.extend(reversed(part.children))
        elif (part.type, part.subtype) in CALENDAR_TYPES:
            return _read(content, part)
    return None


def _read(content: bytes, part: Part) -> CalendarObject | None:
    octets = from_transfer(content[part.body : part.end], part.encoding.decode("latin-1"))
    charset = parameter(part.parameters, b"charset")[:MAX_LABEL]
    if known(charset) and charset.lower() not in ("utf-8", "us-ascii"):
        octets = decode(octets, charset).encode("utf-8", "replace")
    calendar = read(octets)
    if isinstance(calendar, Refused) or calendar.method not in METHODS:
        return None
    said = parameter(part.parameters, b"method").strip().upper()
    return calendar if said in ("", calendar.method) else None


def mail(letter: Letter, message: CalendarObject, text: str = "") -> bytes:
    """A mail with an iTIP message, which a person sees as `text` ("": what the message says), and a program as a calendar.

    Bound: linear in the message.
    """
    boundary = "=_" + "".join([c for c in letter.message_id if c.isascii() and c.isalnum()])[:40]
    octets = message.root.octets()
    subject = letter.subject or text_of(message.main.value("SUMMARY"))
    lines = [
        *frame(letter._replace(subject=subject)),
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
        f"--{boundary}",
        "Content-Type: text/plain; charset=utf-8",
        *encoded((text or described(message)).encode("utf-8", "replace")),
        f"--{boundary}",
        f"Content-Type: text/calendar; charset=utf-8; method={message.method}; component={message.kind}",
        *encoded(octets),
        f"--{boundary}--",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "replace")


def plain_mail(letter: Letter, text: str) -> bytes:
    """A mail with nothing but a text.

    Bound: linear in the text.
    """
    lines = [*frame(letter), "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8"]
    return "\r\n".join([*lines, *encoded(text.encode("utf-8", "replace")), ""]).encode("utf-8", "replace")


def frame(letter: Letter) -> list[str]:
    """The lines of the fields that every letter has."""
    return [
        f"From: <{_one_line(letter.sender)}>",
        "To: " + ",\r\n ".join([f"<{_one_line(address)}>" for address in letter.recipients]),
        f"Subject: {_subject(letter.subject)}",
        f"Date: {formatdate(letter.date)}",
        f"Message-ID: <{_one_line(letter.message_id)}>",
    ]


def encoded(octets: bytes) -> list[str]:
    """The lines of a part that is text, behind its type. The lines of the text end with CR LF before they are encoded (RFC 2045
    section 6.8), also those that a client has stored with LF alone."""
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return ["Content-Transfer-Encoding: base64", "", *encodebytes(octets).decode("ascii").splitlines()]


def _one_line(text: str) -> str:
    return "".join([c for c in readable(text) if c.isprintable() and c not in "<> "])


def _subject(text: str) -> str:
    shown = " ".join(text[:MAX_SUBJECT].split())
    if shown.isascii() and len(shown) < 60 and "=?" not in shown:
        return shown
    return Header(shown, "utf-8", maxlinelen=75, header_name="Subject").encode(linesep="\r\n")


def described(message: CalendarObject, part: Component | None = None) -> str:
    """The text for a person: what, when and where, and which occurrences differ. With `part` only that component is
    described."""
    main = part or message.main
    lines = [text_of(main.value("SUMMARY")), _when(message, main), text_of(main.value("LOCATION"))]
    description = text_of(main.value("DESCRIPTION"))[:MAX_DESCRIPTION]
    occurrences = "\n".join(_occurrences(message)) if part is None else ""
    blocks = ["\n".join(filter(None, lines)), *filter(None, (occurrences, description))]
    return "\n\n".join(blocks) + "\n"


def _occurrences(message: CalendarObject) -> list[str]:
    """The lines about the occurrences beside the main component: for example "Instead of 2026-03-10 09:00 (Europe/Berlin):
    2026-03-11 14:00 – 2026-03-11 15:00 (Europe/Berlin), Room 2". Of more than MAX_OCCURRENCES the last ones are told, for changes
    are mostly of what comes."""
    main = message.main
    keys = ((key_of(message, part), place) for place, part in enumerate(message.parts) if part is not main)
    others = [(key, place) for key, place in keys if key is not None]
    if not others:
        return []
    told = sorted(nlargest(MAX_OCCURRENCES, others))
    lines = ["These occurrences differ:" if message.master is not None else "And these:"]
    if len(others) > len(told):
        lines.append(f"({len(others) - len(told)} earlier ones are left out)")
    return [*lines, *[_occurrence(message, message.parts[place], key) for key, place in told]]


def _occurrence(message: CalendarObject, part: Component, key: int) -> str:
    about = [_when(message, part)]
    for name in ("LOCATION", "SUMMARY"):
        value = part.value(name)
        if value != message.main.value(name):
            about.append(" ".join(text_of(value).split())[:MAX_SUBJECT])
    if status_of(part) == "CANCELLED" and message.method != "CANCEL":
        about.append("canceled")
    text = ", ".join(filter(None, about))
    if key != time_of(message, part, "DTSTART", UTC_ZONE):
        text = f"Instead of {_original(message, part, key)}: {text}"
    return f"From then on: {text}" if is_future(part) else text


def _original(message: CalendarObject, part: Component, key: int) -> str:
    """The start that an occurrence has by the rules of its series, by the clock of the zone that it has now."""
    named, starts = when_of(part.first("RECURRENCE-ID")), when_of(part.first("DTSTART"))
    zone = message.zones.get(starts.zone) if starts is not None and starts.kind is Kind.ZONED else None
    if named is not None and (named.is_date or named.kind is Kind.FLOATING or zone is None):
        return _clock(named, [named.local])
    if starts is None or zone is None:
        return _clock(When(moment(key), Kind.UTC), [moment(key)])
    return _clock(starts, [zone.local(key)])


def _when(message: CalendarObject, part: Component) -> str:
    """The first occurrence, as the clock of its own zone shows it."""
    timing = timing_of(part, message.zones)
    if timing is None:
        return ""
    start, length = timing.start, timing.length
    days = max(length.days - 1, 0) if start.is_date else length.days
    try:
        end = start.local + timedelta(days=days, seconds=length.seconds)
    except OverflowError:
        end = start.local
    return _clock(start, [start.local, end])


def _clock(model: When, times: Iterable[datetime]) -> str:
    """Local times of the kind and zone of `model`; equal ones are told once."""
    form = "%m-%d" if model.is_date else "%m-%d %H:%M"
    zone = "UTC" if model.kind is Kind.UTC else readable(model.zone)
    told = [f"{time.year:04d}-{time:{form}}" for time in dict.fromkeys(times)]
    return " – ".join(told) + (f" ({zone})" if zone else "")
