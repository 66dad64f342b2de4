"""Makes iTIP messages (RFC 5546) out of calendar objects: invitations, answers and cancellations.

Times come in as seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from postern.items.calendar_object import CalendarObject
from postern.items.rendered import attendee_of
from postern.items.scheduling import REPLIED
from postern.protocols.content_lines import Component, Line, line
from postern.protocols.ical.values import address_of
from postern.protocols.ical.zones import written_utc

_OF_AN_ANSWER = frozenset(
    {"UID", "SEQUENCE", "ORGANIZER", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION", "DUE", "SUMMARY"}
)


def request(calendar: CalendarObject, stamp: int) -> bytes:
    """An invitation to all parts of the object, or its newer version. The organizer's alarms are not sent.

    Bound: linear in the object.
    """
    return _message(calendar, "REQUEST", [_sent(part, stamp) for part in calendar.parts])


def cancel(calendar: CalendarObject, stamp: int, sequence: int, attendees: Iterable[str] = ()) -> bytes:
    """The cancellation of the whole object; with `attendees` for these alone, in lower case, who are taken off the list.

    Bound: linear in the object.
    """
    only = frozenset(attendees)
    parts = []
    for part in calendar.parts:
        made = _sent(part, stamp)
        made.replace("STATUS", line("STATUS", "CANCELLED"))
        made.replace("SEQUENCE", line("SEQUENCE", str(sequence)))
        if only:
            made.entries = [entry for entry in made.entries if not _is_other(entry, only)]
        parts.append(made)
    return _message(calendar, "CANCEL", parts)


def reply(calendar: CalendarObject, address: str, status: str, stamp: int, parts: Iterable[Component] = ()) -> bytes:
    """An attendee's answer to these parts of the object, or to all: `status` is "ACCEPTED", "TENTATIVE" or "DECLINED". `address`
    is in lower case, without "mailto:". Parts that do not invite it are not answered.

    Bound: linear in the object.
    """
    return replies(calendar, address, [(part, status) for part in [*parts] or calendar.parts], stamp)


def replies(calendar: CalendarObject, address: str, answered: Iterable[tuple[Component, str]], stamp: int) -> bytes:
    """An attendee's answers to parts of the object, to each its own, in one message.

    Bound: linear in the object.
    """
    answers = []
    for part, status in answered:
        mine = attendee_of(part, (address,))
        if mine is None:
            continue
        kept = [(name, values) for name, values in mine.parameters if name not in ("PARTSTAT", "RSVP", REPLIED)]
        entries: list[Line | Component] = [entry for entry in part.lines() if entry.name in _OF_AN_ANSWER]
        entries.append(line("DTSTAMP", written_utc(stamp)))
        entries.append(line("ATTENDEE", mine.value, [*kept, ("PARTSTAT", [status])]))
        answers.append(replace(part, entries=entries))
    return _message(calendar, "REPLY", answers)


def _sent(part: Component, stamp: int) -> Component:
    """A component as others get it: without alarms, and without what the organizer's copy notes of answers."""
    entries: list[Line | Component] = []
    for entry in part.entries:
        if isinstance(entry, Component):
            if entry.name != "VALARM":
                entries.append(entry)
        elif entry.name == "ATTENDEE" and entry.parameter(REPLIED):
            kept = [(name, values) for name, values in entry.parameters if name != REPLIED]
            entries.append(line(entry.name, entry.value, kept))
        else:
            entries.append(entry)
    made = replace(part, entries=entries)
    made.replace("DTSTAMP", line("DTSTAMP", written_utc(stamp)))
    return made


def _is_other(entry: Line | Component, only: frozenset[str]) -> bool:
    return isinstance(entry, Line) and entry.name == "ATTENDEE" and address_of(entry.value) not in only


def _message(calendar: CalendarObject, method: str, parts: list[Component]) -> bytes:
    head = [entry for entry in calendar.root.lines() if entry.name != "METHOD"]
    zones = calendar.root.components("VTIMEZONE")
    return replace(calendar.root, entries=[*head, line("METHOD", method), *zones, *parts]).octets()
