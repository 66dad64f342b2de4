"""Free/busy for clients of Exchange: appointments with what may be told of them, and the string of digits into which they are
merged (MS-OXWAVLS section 3.1.4.1.3.10)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice

from postern.items.calendar_object import CalendarObject
from postern.items.free_busy import periods_in
from postern.items.rendered import MAX_SUMMARY
from postern.items.stored import closes
from postern.items.text import text_of
from postern.model.availability import BusyEvent, EventFlag
from postern.model.item_store import Busy
from postern.protocols.content_lines import Component
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import Zone

NO_DATA = "4"
"""The digit of somebody of whom nothing is known."""


def events_of(
    calendar: CalendarObject,
    start: int,
    end: int,
    floating: Zone,
    budget: Budget,
    me: Collection[str],
    most: int,
    free: bool = True,
) -> list[BusyEvent]:
    """The appointments of an object within a span of time, with their details, about in the order of their starts. `me` are the
    owner's addresses in lower case. Without `free`, those in which the owner is free are left out, and do not count.

    Bound: linear in the object; `budget` steps of rules, and `most` appointments.
    """
    details = {id(part): _details(part) for part in calendar.parts}
    events: list[BusyEvent] = []
    for period, part, recurs in islice(periods_in(calendar, start, end, floating, budget, me, free), most):
        if part is None:
            events.append(BusyEvent(*period))
            continue
        flags, subject, location = details[id(part)]
        if recurs:
            flags |= EventFlag.RECURRING
        if part.first("RECURRENCE-ID") is not None:
            flags |= EventFlag.EXCEPTION
        events.append(BusyEvent(*period, flags, 0, subject, location))
    return events


def _details(part: Component) -> tuple[EventFlag, str, str]:
    """The flags, subject and place of all occurrences that a component describes."""
    flags = EventFlag(0)
    if part.first("ATTENDEE") is not None:
        flags |= EventFlag.MEETING
    if next(part.components("VALARM"), None) is not None:
        flags |= EventFlag.REMINDER
    if closes(entry.value for entry in part.lines("CLASS")):
        flags |= EventFlag.PRIVATE
    subject, location = (text_of(part.value(name))[:MAX_SUMMARY] for name in ("SUMMARY", "LOCATION"))
    return flags, subject, location


def merged_digits(events: Iterable[BusyEvent], start: int, end: int, seconds: int) -> str:
    """A digit for each interval of so many seconds of a span: how its owner is then, 0 is free. The strongest counts.

    Bound: as a sort of the events; a digit for each interval.
    """
    count = max(-((start - end) // seconds), 0)
    digits = bytearray(b"0" * count)
    for event in sorted(events, key=_strength):
        first = max((event.start - start) // seconds, 0)
        last = min(-((start - event.end) // seconds), count)
        if event.busy and first < last:
            digits[first:last] = b"%d" % _digit(event.busy) * (last - first)
    return digits.decode()


def _digit(busy: Busy) -> int:
    """A digit of the merged string. `Busy.ELSEWHERE` came after it, and 4 means that nothing is known."""
    return min(busy, Busy.OUT_OF_OFFICE) if busy is not Busy.ELSEWHERE else Busy.FREE


def _strength(event: BusyEvent) -> int:
    return _digit(event.busy)


def together(digits: Iterable[str], count: int) -> str:
    """The merged digits of a group: at each time, the one who is busiest. Somebody of whom nothing is known does not count."""
    result = bytearray(b"0" * count)
    for each in digits:
        if NO_DATA not in each:
            result = bytearray(map(max, result, each.encode()))
    return result.decode()
