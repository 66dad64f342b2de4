"""Makes iTIP messages (RFC 5546) out of calendar objects: invitations and cancellations, answers and proposals, and delegations.

Times come in as seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from postern.items.answers import NOTES, delegate_line
from postern.items.calendar_object import CalendarObject
from postern.items.rendered import attendee_of
from postern.protocols.content_lines import Component, Line, component, escaped, line, with_parameters
from postern.protocols.ical.values import When, address_of, when_line
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
    """An attendee's answers to parts of the object, to each its own, in one message."""
    answers = []
    for part, status in answered:
        mine = attendee_of(part, (address,))
        if mine is None:
            continue
        kept = [(name, values) for name, values in mine.parameters if name not in ("PARTSTAT", "RSVP", *NOTES)]
        entries: list[Line | Component] = [entry for entry in part.lines() if entry.name in _OF_AN_ANSWER]
        entries.append(line("DTSTAMP", written_utc(stamp)))
        entries.append(line("ATTENDEE", mine.value, [*kept, ("PARTSTAT", [status])]))
        answers.append(replace(part, entries=entries))
    return _message(calendar, "REPLY", answers)


def delegated(calendar: CalendarObject, address: str, delegate: str, stamp: int) -> bytes:
    """An attendee's invitation to a delegate, who may answer to the organizer then (section 3.2.2.3): to the parts that he
    delegates.

    Bound: linear in the object.
    """
    parts = []
    for part in calendar.parts:
        mine = attendee_of(part, (address,))
        if mine is None or delegate not in map(address_of, mine.parameter_values("DELEGATED-TO")):
            continue
        made = _sent(part, stamp)
        kept = [entry for entry in made.lines() if entry.name != "ATTENDEE" or address_of(entry.value) != delegate]
        parts.append(replace(made, entries=[*kept, delegate_line(delegate, mine), *made.components()]))
    return _message(calendar, "REQUEST", parts)


def counter(
    calendar: CalendarObject, address: str, part: Component, start: When, end: When, stamp: int, comment: str = ""
) -> bytes:
    """An attendee's proposal of another time for a part of the object (section 3.2.7). `answers.with_proposal` notes it in the
    own copy.

    Bound: linear in the object.
    """
    made = _sent(part, stamp)
    mine = attendee_of(part, (address,))
    made.entries = [
        entry for entry in made.entries if entry.name not in ("ATTENDEE", "DURATION", "DTSTART", "DTEND", "COMMENT")
    ]
    for name, when in (("DTSTART", start), ("DTEND", end)):
        made.replace(name, when_line(name, when))
    kept = [] if mine is None else [each for each in mine.parameters if each[0] not in ("PARTSTAT", "RSVP", *NOTES)]
    made.replace("ATTENDEE", line("ATTENDEE", f"mailto:{address}", [*kept, ("PARTSTAT", ["TENTATIVE"])]))
    if comment:
        made.replace("COMMENT", line("COMMENT", escaped(comment)))
    return _message(calendar, "COUNTER", [made])


def decline_counter(proposal: CalendarObject, stamp: int, comment: str = "") -> bytes:
    """The organizer's refusal of a proposal (section 3.2.8), which names what the proposal names.

    Bound: linear in the proposal.
    """
    parts = [_brief(part, stamp, ("SEQUENCE", "ATTENDEE"), comment) for part in proposal.parts]
    return _message(proposal, "DECLINECOUNTER", parts)


def refresh(calendar: CalendarObject, address: str, stamp: int) -> bytes:
    """An attendee's question for an object as it is now (section 3.2.6).

    Bound: linear in the object.
    """
    made = _brief(calendar.main, stamp, ())
    made.replace("RECURRENCE-ID", None)
    made.replace("ATTENDEE", line("ATTENDEE", f"mailto:{address}"))
    return _message(calendar, "REFRESH", [made])


def _brief(part: Component, stamp: int, names: Collection[str], comment: str = "") -> Component:
    """A component that names an object without describing it."""
    kept = ("UID", "ORGANIZER", "RECURRENCE-ID", *names)
    made = component(part.name, [entry for entry in part.lines() if entry.name in kept])
    made.replace("DTSTAMP", line("DTSTAMP", written_utc(stamp)))
    if comment:
        made.replace("COMMENT", line("COMMENT", escaped(comment)))
    return made


def _sent(part: Component, stamp: int) -> Component:
    """A component as others get it: without alarms, and without what the organizer's copy notes of answers."""
    entries: list[Line | Component] = []
    for entry in part.entries:
        if isinstance(entry, Component):
            if entry.name != "VALARM":
                entries.append(entry)
        elif entry.name == "ATTENDEE" and any(map(entry.parameter, NOTES)):
            entries.append(with_parameters(entry, dict.fromkeys(NOTES, "")))
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
