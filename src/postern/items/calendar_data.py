"""Partial retrieval of calendar objects (RFC 4791 section 9.6): chosen components and properties, expanded or limited series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from postern.items.calendar_object import CalendarObject, Refused
from postern.items.filters import TimeRange
from postern.items.recurrence import DAY, end_name
from postern.items.series import MAX_OCCURRENCES, Occurrence, Series
from postern.items.time_range import periods_of
from postern.protocols.content_lines import Component, Line, line
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import Kind, When, when_line, when_of
from postern.protocols.ical.zones import UTC_ZONE, Zone, moment, written_utc

MAX_EXPANDED = 200_000
"""Lines and components that an expanded object may have: 10,000 occurrences of twenty each."""

_SERIES = frozenset({"RRULE", "RDATE", "EXRULE", "EXDATE", "RECURRENCE-ID"})
_TIMES = frozenset({"DTSTART", "DTEND", "DUE", "DURATION"})


@dataclass(frozen=True, slots=True)
class Pick:
    """The parts of a component that are wanted. `properties` are names with whether the value is left out; None stands for all
    properties, and in `components` for all components."""

    name: str
    properties: tuple[tuple[str, bool], ...] | None = None
    components: tuple[Pick, ...] | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request for calendar data. Without any of these the stored octets are the answer."""

    pick: Pick | None = None
    expand: TimeRange | None = None
    limit_series: TimeRange | None = None
    limit_busy: TimeRange | None = None

    @property
    def is_whole(self) -> bool:
        return self.pick is None and self.expand is None and self.limit_series is None and self.limit_busy is None


def retrieve(
    calendar: CalendarObject,
    wanted: Wanted,
    floating: Zone = UTC_ZONE,
    budget: Budget | None = None,
    most: int = MAX_OCCURRENCES,
) -> bytes | Refused:
    """The octets of the object as it is wanted. Lines that stay keep their octets. It is refused where expanding makes it
    too large.

    Bound: linear in the object and in the occurrences, which are `most` at most and MAX_EXPANDED lines; `budget` steps of rules.
    """
    root = calendar.root
    if wanted.expand is not None:
        parts: list[Component] = []
        left = MAX_EXPANDED
        for part in expanded(calendar, wanted.expand, floating, budget, most):
            parts.append(part)
            left -= len(part.entries)
            if left < 0:
                return Refused("number-of-matches-within-limits", "the expanded series is too large")
        root = _with_parts(calendar, parts, keep_zones=False)
    elif wanted.limit_series is not None:
        root = _with_parts(calendar, _limited(calendar, wanted.limit_series, floating), keep_zones=True)
    if wanted.limit_busy is not None:
        root = _busy_limited(calendar, root, wanted.limit_busy, floating)
    return (root if wanted.pick is None else picked(root, wanted.pick)).octets()


def picked(component: Component, pick: Pick) -> Component:
    """The component with what is picked of it."""
    properties = None if pick.properties is None else dict(pick.properties)
    components = None if pick.components is None else {each.name: each for each in pick.components}
    entries: list[Line | Component] = []
    for entry in component.entries:
        if isinstance(entry, Component):
            if components is None:
                entries.append(entry)
            elif entry.name in components:
                entries.append(picked(entry, components[entry.name]))
        elif properties is None:
            entries.append(entry)
        elif entry.name in properties:
            entries.append(_without_value(entry) if properties[entry.name] else entry)
    return replace(component, entries=entries)


def _without_value(entry: Line) -> Line:
    return line(entry.name, "", entry.parameters, entry.group)


def _with_parts(calendar: CalendarObject, parts: Iterable[Component], keep_zones: bool) -> Component:
    """The calendar with other components of its kind; those that need no time zones come without."""
    entries: list[Line | Component] = []
    for entry in calendar.root.entries:
        if isinstance(entry, Line) or (entry.name != calendar.kind and (keep_zones or entry.name != "VTIMEZONE")):
            entries.append(entry)
    return replace(calendar.root, entries=[*entries, *parts])


def expanded(
    calendar: CalendarObject,
    span: TimeRange,
    floating: Zone = UTC_ZONE,
    budget: Budget | None = None,
    most: int = MAX_OCCURRENCES,
) -> Iterator[Component]:
    """A component for each occurrence in the span, with times in UTC and without rules (RFC 4791 section 9.6.5).

    Bound: as `Series.between`.
    """
    series = Series(calendar, floating)
    for occurrence in series.between(span.start, span.end, most, budget):
        yield _occurrence(calendar, series, occurrence)


def _occurrence(calendar: CalendarObject, series: Series, occurrence: Occurrence) -> Component:
    component = occurrence.component
    entries: list[Line | Component] = []
    for entry in component.entries:
        if isinstance(entry, Component) or entry.name not in _SERIES | _TIMES:
            entries.append(
                _in_utc(calendar, entry) if isinstance(entry, Line) and "TZID" in entry.head.upper() else entry
            )
    times = [_time_line("DTSTART", occurrence.when, occurrence.start)]
    name = end_name(component)
    if occurrence.end > occurrence.start or component.first(name) is not None:
        if occurrence.when.is_date:
            days = max(round((occurrence.end - occurrence.start) / DAY), 1)
            end = When(moment(_as_utc(occurrence.when) + days * DAY), Kind.DATE)
            times.append(_time_line(name, end, occurrence.end))
        else:
            local = series.floating.local(occurrence.end)
            times.append(_time_line(name, occurrence.when._replace(local=local), occurrence.end))
    if occurrence.recurrence is not None:
        key = series.zones.utc(occurrence.recurrence, series.floating)
        times.append(_time_line("RECURRENCE-ID", occurrence.recurrence, key))
    return replace(component, entries=[*times, *entries])


def _as_utc(when: When) -> int:
    return UTC_ZONE.utc(when.local)


def _time_line(name: str, when: When, time: int) -> Line:
    """A time in UTC; a date stays a date, and a time without zone keeps to its clock."""
    return when_line(name, when if when.kind in (Kind.DATE, Kind.FLOATING) else When(moment(time), Kind.UTC))


def _in_utc(calendar: CalendarObject, entry: Line) -> Line:
    """A line with a time in a zone, in UTC; lines with other values stay as they are."""
    when = when_of(entry)
    if when is None or when.kind is not Kind.ZONED:
        return entry
    parameters = [(name, values) for name, values in entry.parameters if name != "TZID"]
    return line(entry.name, written_utc(calendar.zones.utc(when, UTC_ZONE)), parameters, entry.group)


def _limited(calendar: CalendarObject, span: TimeRange, floating: Zone) -> Iterator[Component]:
    """The master, and the exceptions that are in the span, or were before they were moved (RFC 4791 section 9.6.6)."""
    series = Series(calendar, floating)
    inside = {id(part) for part in series.exceptions_in(span.start, span.end)}
    for part in calendar.parts:
        if part.first("RECURRENCE-ID") is None or id(part) in inside:
            yield part


def _busy_limited(calendar: CalendarObject, root: Component, span: TimeRange, floating: Zone) -> Component:
    """The calendar without busy times that are not in the span (RFC 4791 section 9.6.7)."""
    start, end = span.start, span.end
    entries: list[Line | Component] = []
    for entry in root.entries:
        if isinstance(entry, Component) and entry.name == "VFREEBUSY":
            inside = {
                id(source)
                for begin, finish, source in periods_of(calendar, entry, floating)
                if (end is None or begin < end) and (start is None or finish > start)
            }
            kept = [each for each in entry.entries if each.name != "FREEBUSY" or id(each) in inside]
            entries.append(replace(entry, entries=kept))
        else:
            entries.append(entry)
    return replace(root, entries=entries)
