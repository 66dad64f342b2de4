"""One occurrence of a series as a component of its own: how it is named, and how an exception is made of it."""

from __future__ import annotations

from bisect import bisect_left
from contextlib import suppress
from dataclasses import replace

from postern.items.calendar_object import CalendarObject
from postern.items.recurrence import end_name
from postern.items.series import Series
from postern.items.task import time_of
from postern.protocols.content_lines import Component, Line, line
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import Kind, When, when_of, written
from postern.protocols.ical.zones import UTC_ZONE, moment, written_utc

_SERIES = frozenset({"RRULE", "RDATE", "EXRULE", "EXDATE", "RECURRENCE-ID", "DTSTART", "DTEND", "DUE"})


def key_of(calendar: CalendarObject, part: Component) -> int | None:
    """The number by which a component's occurrence is known, in whatever form its RECURRENCE-ID is; None: it is the series."""
    return time_of(calendar, part, "RECURRENCE-ID", UTC_ZONE)


def series_key(series: Series, calendar: CalendarObject, part: Component) -> int | None:
    """The number by which a series knows the occurrence that a component of some calendar names, as `key_of`; a day of a series
    of days, whatever hour the component says beside it."""
    when = when_of(part.first("RECURRENCE-ID"))
    if when is None or not series.masters:
        return None if when is None else calendar.zones.utc(when, UTC_ZONE)
    base = series.masters[0]
    return base.key(when if base.timing.start.is_date else _in_utc(calendar, when))


def is_future(part: Component) -> bool:
    """Whether a component changes all occurrences after its own, too (RFC 5545 section 3.2.13)."""
    entry = part.first("RECURRENCE-ID")
    return entry is not None and entry.parameter("RANGE").upper() == "THISANDFUTURE"


def occurrence_part(
    series: Series, message: CalendarObject, part: Component, budget: Budget | None = None
) -> Component | None:
    """An exception of a stored series, unchanged, for the occurrence that a message's part names. An occurrence behind a change
    of all future ones is made of that. None: the series does not have it, or the part has no RECURRENCE-ID. `budget` may be
    shared by the parts of a message.

    Bound: linear in the series' dates, and `budget` steps of rules.
    """
    source = part.first("RECURRENCE-ID")
    key = series_key(series, message, part)
    if source is None or key is None or not series.masters:
        return None
    base = series.masters[0]
    near = moment(key) if base.timing.start.is_date else base.zone.local(key)
    for local, original, _ in base.originals(near, near, budget or Budget()):
        if original == key:
            return _exception(series, key, base.when(local), source)
    return None


def occurrence_at(series: Series, calendar: CalendarObject, when: When, budget: Budget) -> Component | None:
    """The exception of a series for the occurrence that begins at `when` by its rules: the one that there is, else one that is
    made. None: the series does not have it."""
    if not series.masters:
        return None
    key = series.masters[0].key(when)
    if key in series.exceptions:
        return series.exceptions[key].component
    name = line("RECURRENCE-ID", written(when) if when.is_date else written_utc(key))
    return occurrence_part(series, calendar, Component(calendar.kind, [name]), budget)


def known_occurrence(series: Series, key: int, recurrence: When) -> Component:
    """The component of an occurrence that the series has: its exception, or one that is made. `key` is its number, and
    `recurrence` its RECURRENCE-ID in the form of the series (`Occurrence.recurrence`)."""
    made = series.exceptions.get(key)
    return made.component if made is not None else _exception(series, key, recurrence, line("RECURRENCE-ID", ""))


def _in_utc(message: CalendarObject, when: When) -> When:
    """A time of a message in UTC, for its zones may not be the copy's; a date stays what it is."""
    if when.is_date or not when.zone:
        return when
    return When(moment(message.zones.utc(when, UTC_ZONE)), Kind.UTC)


def _exception(series: Series, key: int, recurrence: When, source: Line) -> Component:
    """The occurrence as the series describes it, or the last change of all future ones before it."""
    base = series.masters[0]
    component, length, starts = base.component, base.timing.length, recurrence
    place = bisect_left(series.futures, key, key=lambda each: each.key)
    if place:
        future = series.futures[place - 1]
        component, length = future.component, future.timing.length
        with suppress(OverflowError):
            starts = recurrence._replace(local=recurrence.local + future.shift)
    model = base.component.first("DTSTART")
    parameters = model.parameters if model is not None else []
    times = [line("RECURRENCE-ID", written(recurrence), [*parameters, *_range(source)])]
    times.append(line("DTSTART", written(starts), parameters))
    name = end_name(component)
    if component.first(name) is not None:
        end = series.end_of(starts, length)
        local = UTC_ZONE.local(end) if recurrence.is_date else base.zone.local(end)
        times.append(line(name, written(recurrence._replace(local=local)), parameters))
    kept = [entry for entry in component.entries if entry.name not in _SERIES]
    return replace(component, entries=[*times, *kept])


def _range(source: Line) -> list[tuple[str, list[str]]]:
    return [(name, values) for name, values in source.parameters if name == "RANGE"]
