"""Writes what a request says of times into an appointment: start and end in their zones, days, and the recurrence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from postern.items.calendar_object import Refused, check, read
from postern.items.calendar_zones import with_all
from postern.items.recurrence import timing_of
from postern.items.series import Series
from postern.protocols.content_lines import Component, line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.recurrences import Recurrence, last_moment
from postern.protocols.ical.expansion import Budget, expand
from postern.protocols.ical.rule import Rule, written_rule
from postern.protocols.ical.values import Kind, When, when_line, when_of
from postern.protocols.ical.zones import UTC_ZONE, Zone, moment, seconds, written_utc
from postern.services.ews import time_zones
from postern.services.ews.appointments import ZONE, zone_of_request
from postern.services.ews.attendees import write_attendees

if TYPE_CHECKING:
    from postern.services.ews.calendar_editor import CalendarEditor

MAX_LENGTH = 1_825 * 86_400
"""Seconds of an appointment: five years (MS-OXWSMTGS, ErrorCalendarDurationIsTooLong)."""
YEARS = 10
"""Years for which the description of a zone is right that goes along with an appointment. Programs know the zone by its name."""
STEPS = 20_000
"""Steps of a rule to find the first occurrence of a series."""
FIRST, LAST = seconds(datetime(1601, 1, 2)), seconds(datetime(4500, 8, 31))
"""The times between which an appointment lies, as MAPI counts minutes (MS-OXOCAL section 2.2.1.44.1)."""
NEAR = 370 * 86_400
"""Seconds around an occurrence within which its neighbours are looked for: a series has one a year at least, or else the move
crosses nothing near."""
_DEFAULT = 1_800
"""Seconds of an appointment of which a request does not say when it ends."""


class GivenTime(NamedTuple):
    """A time as a request has it: what the clock shows, and the offset beside it (None: there is none)."""

    local: datetime
    offset: timezone | None

    def utc(self, zone: Zone) -> int:
        """The time in seconds since the epoch; without an offset it is one of the zone."""
        if self.offset is None:
            return zone.utc(self.local)
        away = self.offset.utcoffset(None)
        return seconds(self.local) - (int(away.total_seconds()) if away is not None else 0)


def finish(editor: CalendarEditor) -> bytes:
    """Writes all that was collected, and returns the octets of the object. Raises EwsError where times contradict each other, or
    there is no start."""
    part = editor.part
    write_attendees(editor)
    was = [_shown(part, name) for name in ("DTSTART", "DTEND", "RRULE")]
    _write_times(editor, part)
    if editor.pending.recurrence is not True:
        _write_recurrence(editor, part)
    is_moved = was != [_shown(part, name) for name in ("DTSTART", "DTEND", "RRULE")]
    if editor.key is None and editor.view is not None and is_moved:
        _forget_exceptions(editor)
    if editor.key is not None and is_moved:
        _check_neighbours(editor, editor.key)
    for name in ("DTSTAMP", "LAST-MODIFIED"):
        part.replace(name, line(name, written_utc(editor.now)))
    refused = check(editor.calendar)
    if refused is not None:
        raise EwsError(Code.CORRUPT_DATA, f"The calendar item cannot be stored: {refused.why}.")
    octets = with_all(editor.calendar.root.octets(), time_zones.this_year() + YEARS)
    described = read(octets)
    if isinstance(described, Refused):
        raise EwsError(Code.MESSAGE_SIZE_EXCEEDED)
    editor.calendar = described
    return octets


def _shown(part: Component, name: str) -> str:
    entry = part.first(name)
    return "" if entry is None else f"{entry.parameter('TZID')}:{entry.value}"


def _write_times(editor: CalendarEditor, part: Component) -> None:
    pending = editor.pending
    old = timing_of(part, editor.calendar.zones, editor.mapped.floating)
    # What is of whole days has no zone of its end.
    end_zone_alone = pending.end_zone if not editor.mapped.all_day else None
    times = (pending.start, pending.end, pending.all_day, pending.start_zone, end_zone_alone)
    if old is not None and all(each is None for each in times):
        return
    there = _zone_there(editor, part)
    zone = pending.start_zone or there or zone_of_request(editor.call)
    series = Series(editor.calendar, editor.mapped.floating)
    if pending.start is not None:
        start = pending.start.utc(zone)
    elif old is not None:
        start = editor.mapped.utc(old.start)
    else:
        start = editor.now // 1_800 * 1_800 + 1_800 if pending.end is None else pending.end.utc(zone) - _DEFAULT
    end_zone = pending.end_zone or (zone if pending.start_zone is not None else _end_zone(editor, part) or zone)
    if pending.end is not None:
        end = pending.end.utc(end_zone)
    else:
        end = series.end_of(old.start, old.length) if old is not None else start + _DEFAULT
    if old is not None and there is not None and pending.start is None and pending.end is None:
        # A zone alone moves the appointment: the clock in it shows the same times as before. Microsoft's guide "Update the time
        # zone for an appointment by using EWS in Exchange" has it so.
        start, end = zone.utc(there.local(start)), end_zone.utc((_end_zone(editor, part) or there).local(end))
    if start < FIRST or end > LAST:
        raise EwsError(Code.CALENDAR_OUT_OF_RANGE)
    if end < start:
        raise EwsError(Code.CALENDAR_END_DATE_IS_EARLIER_THAN_START_DATE)
    if end - start > MAX_LENGTH:
        raise EwsError(Code.CALENDAR_DURATION_IS_TOO_LONG)
    all_day = pending.all_day if pending.all_day is not None else editor.mapped.all_day and old is not None
    part.replace("DURATION", None)
    if all_day:
        first, last = _days(zone.local(start), end_zone.local(end))
        part.replace("DTSTART", when_line("DTSTART", When(first, Kind.DATE)))
        part.replace("DTEND", when_line("DTEND", When(last, Kind.DATE)))
        editor.calendar.main.replace(ZONE, line(ZONE, zone.name))
    else:
        part.replace("DTSTART", when_line("DTSTART", _when(start, zone)))
        part.replace("DTEND", when_line("DTEND", _when(end, end_zone)))
        if editor.key is None:
            part.replace(ZONE, None)
    editor.mapped.all_day = all_day


def _zone_there(editor: CalendarEditor, part: Component) -> Zone | None:
    """The zone in which the appointment begins now; None: it has no start yet."""
    when = when_of(part.first("DTSTART"))
    if when is None:
        return None
    if when.kind is Kind.ZONED:
        return editor.calendar.zones.get(when.zone)
    return UTC_ZONE if when.kind is Kind.UTC else editor.mapped.floating


def _end_zone(editor: CalendarEditor, part: Component) -> Zone | None:
    when = when_of(part.first("DTEND"))
    return editor.calendar.zones.get(when.zone) if when is not None and when.kind is Kind.ZONED else None


def _days(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The days of an all-day appointment: from the midnight before its start to the one after its end."""
    first, last = (datetime.combine(each.date(), datetime.min.time()) for each in (start, end))
    if last < end or last <= first:
        last += timedelta(days=1)
    return first, last


def _when(utc: int, zone: Zone) -> When:
    """A time in a zone; of two that the clock shows alike, the second one is written in UTC."""
    local = zone.local(utc)
    if zone is UTC_ZONE or zone.name == UTC_ZONE.name or zone.utc(local) != utc:
        return When(moment(utc), Kind.UTC)
    return When(local, Kind.ZONED, zone.name)


def _write_recurrence(editor: CalendarEditor, part: Component) -> None:
    recurrence = editor.pending.recurrence
    if not isinstance(recurrence, Recurrence):
        for name in ("RRULE", "RDATE", "EXRULE", "EXDATE"):
            part.replace(name, None)
        return
    start, end = when_of(part.first("DTSTART")), when_of(part.first("DTEND"))
    assert start is not None and end is not None
    rule, first = _begun(recurrence, start)
    shift = first - start.local
    part.replace("DTSTART", when_line("DTSTART", start._replace(local=first)))
    part.replace("DTEND", when_line("DTEND", _shifted(editor, end, shift)))
    part.replace("RRULE", line("RRULE", written_rule(_with_until(editor, rule, start))))
    for name in ("RDATE", "EXRULE"):
        part.replace(name, None)


def _begun(recurrence: Recurrence, start: When) -> tuple[Rule, datetime]:
    """The rule, and its first occurrence from the first day of the range on: for iCalendar the start of a series belongs to it,
    and for a pattern only if it has such a day. Raises EwsError ErrorRecurrenceHasNoOccurrence."""
    rule = recurrence.rule
    begin = datetime.combine(recurrence.first, start.local.time())
    for time in expand(rule, begin, Budget(STEPS)):
        if rule.until is not None and time > last_moment(rule.until.local.date()):
            break
        if not FIRST <= seconds(time) <= LAST:
            raise EwsError(Code.CALENDAR_OUT_OF_RANGE)
        return rule, time
    raise EwsError(Code.RECURRENCE_HAS_NO_OCCURRENCE)


def _shifted(editor: CalendarEditor, when: When, shift: timedelta) -> When:
    try:
        return when._replace(local=when.local + shift)
    except OverflowError:
        raise EwsError(Code.CALENDAR_OUT_OF_RANGE) from None


def _with_until(editor: CalendarEditor, rule: Rule, start: When) -> Rule:
    """UNTIL in the form that RFC 5545 section 3.3.10 wants beside this start: a date beside dates, else in UTC."""
    if rule.until is None or start.is_date:
        return rule
    until = When(datetime.combine(rule.until.local.date(), start.local.time()), start.kind, start.zone)
    utc = editor.calendar.zones.utc(until, editor.mapped.floating)
    return replace(rule, until=When(moment(utc), Kind.UTC))


def _check_neighbours(editor: CalendarEditor, key: int) -> None:
    """Raises EwsError ErrorOccurrenceCrossingBoundary for an occurrence that was moved over a neighbour (MS-OXOCAL
    section 2.2.1.44.2)."""
    series = Series(editor.calendar, editor.mapped.floating)
    base = series.masters[0]
    near = range(key - NEAR, key + NEAR)
    budget = Budget(STEPS)
    around = {
        base.key(each.recurrence): each
        for each in series.between(near.start, near.stop, budget=budget)
        if each.recurrence is not None
    }
    own = around.get(key)
    if own is None:
        return
    before = max((other for other in around if other < key), default=None)
    behind = min((other for other in around if other > key), default=None)
    if (before is not None and own.start < around[before].end) or (
        behind is not None and own.end > around[behind].start
    ):
        raise EwsError(Code.OCCURRENCE_CROSSING_BOUNDARY)


def _forget_exceptions(editor: CalendarEditor) -> None:
    """A series that is moved loses its exceptions, for its occurrences are others now (MS-OXOCAL section 3.1.4.6.1)."""
    calendar, master = editor.calendar, editor.part
    gone = {id(part) for part in calendar.parts if part is not master and part.first("RECURRENCE-ID") is not None}
    calendar.root.entries = [entry for entry in calendar.root.entries if id(entry) not in gone]
    calendar.parts = [part for part in calendar.parts if id(part) not in gone]
    master.replace("EXDATE", None)
