"""Finds when the alarms of appointments and tasks go off (RFC 5545 section 3.6.6, RFC 9074)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from postern.items.calendar_object import CalendarObject
from postern.items.recurrence import DAY
from postern.items.series import MAX_OCCURRENCES, Occurrence, Series
from postern.items.task import time_of
from postern.protocols.content_lines import Component
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import Span, read_span, read_when, when_of
from postern.protocols.ical.zones import UTC_ZONE, Zone

MAX_ALARMS = 50
"""Alarms of one component that are looked at."""
MAX_REPEATS = 100
"""Repetitions of one alarm."""


class Alarm(NamedTuple):
    """An alarm that goes off at a time, in seconds since the epoch."""

    time: int
    occurrence: Occurrence | None
    component: Component


class _Trigger(NamedTuple):
    """A trigger: a time of its own (`at`), or so long after the start or the end of an occurrence."""

    component: Component
    at: int | None
    span: Span
    from_end: bool
    repeats: int
    pause: int
    acknowledged: int | None

    def times(self, series: Series, occurrence: Occurrence | None) -> Iterator[int]:
        if self.at is not None:
            first = self.at
        elif occurrence is None:
            return
        else:
            first = self._relative(series, occurrence)
        for number in range(self.repeats + 1):
            time = first + number * self.pause
            if self.acknowledged is None or time > self.acknowledged:
                yield time

    def _relative(self, series: Series, occurrence: Occurrence) -> int:
        if self.from_end or not self.span.days:
            base = occurrence.end if self.from_end else occurrence.start
            return base + DAY * self.span.days + self.span.seconds
        return series.end_of(occurrence.when, self.span)

    @property
    def lead(self) -> tuple[int, int]:
        """Seconds from an occurrence's start or end to the first and to the last time at which it may go off."""
        first = DAY * self.span.days + self.span.seconds
        return first - DAY, first + self.repeats * self.pause + DAY


def _triggers_of(calendar: CalendarObject, part: Component, floating: Zone) -> list[_Trigger]:
    """The triggers of a component's alarms that can be read."""
    triggers = []
    for component in islice(part.components("VALARM"), MAX_ALARMS):
        line = component.first("TRIGGER")
        if line is None:
            continue
        span, when = read_span(line.value), read_when(line.value)
        if span is None and when is None:
            continue
        pause = read_span(component.value("DURATION"))
        digits = component.value("REPEAT").strip()
        repeats = min(int(digits), MAX_REPEATS) if digits.isascii() and digits.isdigit() and len(digits) < 9 else 0
        seconds = 0 if pause is None else DAY * pause.days + pause.seconds
        triggers.append(
            _Trigger(
                component,
                None if when is None else calendar.zones.utc(when, floating),
                span or Span(0, 0),
                line.parameter("RELATED").upper() == "END" or not _has_start(part),
                repeats if seconds > 0 else 0,
                max(seconds, 0),
                time_of(calendar, component, "ACKNOWLEDGED", floating),
            )
        )
    return triggers


def _has_start(part: Component) -> bool:
    """A task that is only due has its alarms before that."""
    return part.name != "VTODO" or part.first("DTSTART") is not None


def alarms(
    calendar: CalendarObject, start: int, end: int | None, floating: Zone = UTC_ZONE, budget: Budget | None = None
) -> Iterator[Alarm]:
    """The alarms that go off from `start` on and before `end`, lazily; about in the order of the occurrences that they are for.

    Bound: `budget` steps, of rules and of times that are looked at; MAX_OCCURRENCES occurrences.
    """
    by_part = _triggers_by_part(calendar, floating)
    yield from _alarms(calendar, by_part, start, end, floating, budget or Budget())


def _triggers_by_part(calendar: CalendarObject, floating: Zone) -> dict[int, list[_Trigger]]:
    return {id(part): _triggers_of(calendar, part, floating) for part in calendar.parts}


def _alarms(
    calendar: CalendarObject,
    by_part: Mapping[int, list[_Trigger]],
    start: int,
    end: int | None,
    floating: Zone,
    budget: Budget,
) -> Iterator[Alarm]:
    everything = [trigger for triggers in by_part.values() for trigger in triggers]
    if not everything:
        return
    series = Series(calendar, floating)
    for trigger in everything:
        if trigger.at is not None:
            yield from _within(trigger, series, None, start, end)
    relative = [trigger.lead for trigger in everything if trigger.at is None]
    if not relative:
        return
    first, last = min(lead[0] for lead in relative), max(lead[1] for lead in relative)
    span = None if end is None else end - first + DAY
    for occurrence in _occurrences(calendar, series, start - last - DAY, span, floating, budget):
        for trigger in by_part[id(occurrence.component)]:
            if trigger.at is None:
                yield from _within(trigger, series, occurrence, start, end)
                if not budget.spend(1 + trigger.repeats):
                    return


def _occurrences(
    calendar: CalendarObject, series: Series, start: int, end: int | None, floating: Zone, budget: Budget
) -> Iterator[Occurrence]:
    if series.masters or series.exceptions:
        yield from series.between(start, end, MAX_OCCURRENCES, budget)
        return
    main = calendar.main
    when = when_of(main.first("DUE"))
    if when is not None:
        due = calendar.zones.utc(when, floating)
        yield Occurrence(due, due, when, None, main)


def _within(
    trigger: _Trigger, series: Series, occurrence: Occurrence | None, start: int, end: int | None
) -> Iterator[Alarm]:
    for time in trigger.times(series, occurrence):
        if time >= start and (end is None or time < end):
            yield Alarm(time, occurrence, trigger.component)


def next_alarm(
    calendar: CalendarObject, after: int, floating: Zone = UTC_ZONE, budget: Budget | None = None
) -> Alarm | None:
    """The alarm that goes off first after a time; None: none does.

    Bound: as `alarms`.
    """
    by_part = _triggers_by_part(calendar, floating)
    before = max((-min(trigger.lead[0], 0) for triggers in by_part.values() for trigger in triggers), default=0)
    best: Alarm | None = None
    for alarm in _alarms(calendar, by_part, after + 1, None, floating, budget or Budget()):
        if best is None or alarm.time < best.time:
            best = alarm
        if alarm.occurrence is not None and alarm.occurrence.start > best.time + before:
            break  # the alarms of later occurrences are later
    return best
