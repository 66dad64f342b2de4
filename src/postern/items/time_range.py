"""The test whether a component is in a span of time, for each kind of component (RFC 4791 section 9.9)."""

from __future__ import annotations

from collections.abc import Collection

from postern.items.alarms import alarms
from postern.items.calendar_object import CalendarObject
from postern.items.filters import TimeRange
from postern.items.recurrence import DAY, timing_of
from postern.items.series import Series
from postern.items.task import time_of
from postern.protocols.content_lines import Component, Line
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import Interval, when_of, whens_of
from postern.protocols.ical.zones import Zone

FAR = 1 << 60
"""A time beyond all times."""


def in_range(
    calendar: CalendarObject, parts: Collection[Component], span: TimeRange, floating: Zone, budget: Budget
) -> bool:
    """Whether one of these components of an object, or one of the occurrences that they describe, is in the span.

    Bound: linear in the object, and `budget` steps of rules.
    """
    wanted = {id(part) for part in parts}
    if not wanted:
        return False
    if calendar.kind == "VFREEBUSY":
        return any(_is_busy_in(calendar, part, span, floating) for part in parts)
    series = Series(calendar, floating)
    if calendar.kind == "VTODO":
        return _has_task(calendar, series, wanted, span, floating, budget)
    return any(id(occurrence.component) in wanted for occurrence in series.between(span.start, span.end, budget=budget))


def _has_task(
    calendar: CalendarObject, series: Series, wanted: set[int], span: TimeRange, floating: Zone, budget: Budget
) -> bool:
    start, end = _bounds(span)
    for part in calendar.parts:
        if id(part) in wanted and part.first("DTSTART") is None and _is_task_in(calendar, part, start, end, floating):
            return True
    wide = (None if span.start is None else start - 1, None if span.end is None else end + 1)
    for occurrence in series.between(*wide, budget=budget):
        if id(occurrence.component) not in wanted or occurrence.component.first("DTSTART") is None:
            continue
        begins, ends = occurrence.start, occurrence.end
        timing = timing_of(occurrence.component, calendar.zones, floating)
        if timing is None or not timing.has_end:
            if start <= begins < end:
                return True
        elif occurrence.component.first("DUE") is None:
            if start <= ends and (end > begins or end >= ends):
                return True
        elif (start < ends or start <= begins) and (end > begins or end >= ends):
            return True
    return False


def _is_task_in(calendar: CalendarObject, part: Component, start: int, end: int, floating: Zone) -> bool:
    """Tests a task without DTSTART by its other dates."""
    due = time_of(calendar, part, "DUE", floating)
    if due is not None:
        return start < due <= end
    completed = time_of(calendar, part, "COMPLETED", floating)
    created = time_of(calendar, part, "CREATED", floating)
    if completed is not None and created is not None:
        return (start <= created or start <= completed) and (end >= created or end >= completed)
    if completed is not None:
        return start <= completed <= end
    return created is None or end > created


def _is_busy_in(calendar: CalendarObject, part: Component, span: TimeRange, floating: Zone) -> bool:
    start, end = _bounds(span)
    begins = time_of(calendar, part, "DTSTART", floating)
    ends = time_of(calendar, part, "DTEND", floating)
    if begins is not None and ends is not None:
        return start <= ends and end > begins
    return any(period[0] < end and period[1] > start for period in periods_of(calendar, part, floating))


def periods_of(calendar: CalendarObject, part: Component, floating: Zone) -> list[tuple[int, int, Line]]:
    """The periods of a component's FREEBUSY lines, each with its line."""
    periods = []
    for line in part.lines("FREEBUSY"):
        for value in whens_of(line):
            if isinstance(value, Interval):
                begin = calendar.zones.utc(value.start, floating)
                if value.end is not None:
                    finish = calendar.zones.utc(value.end, floating)
                else:
                    finish = begin + (value.span.days * DAY + value.span.seconds if value.span is not None else 0)
                periods.append((begin, finish, line))
    return periods


def alarm_in_range(
    calendar: CalendarObject, wanted: Collection[Component], span: TimeRange, floating: Zone, budget: Budget
) -> bool:
    """Whether one of these VALARM components goes off in the span.

    Bound: as `alarms.alarms`.
    """
    start, _ = _bounds(span)
    chosen = {id(component) for component in wanted}
    return any(id(alarm.component) in chosen for alarm in alarms(calendar, start, span.end, floating, budget))


def property_in_range(calendar: CalendarObject, line: Line, span: TimeRange, floating: Zone) -> bool:
    """Whether the date or time of a property is in the span."""
    when = when_of(line)
    if when is None:
        return False
    start, end = _bounds(span)
    time = calendar.zones.utc(when, floating)
    return time < end and (time + DAY > start if when.is_date else time >= start)


def _bounds(span: TimeRange) -> tuple[int, int]:
    return (-FAR if span.start is None else span.start, FAR if span.end is None else span.end)
