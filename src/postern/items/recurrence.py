"""Says when a component happens by its own lines: start, length, and the recurrence set without exceptions (RFC 5545 section
3.8.5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

from postern.items.calendar_object import MAX_RULES
from postern.protocols.content_lines import Component
from postern.protocols.ical.expansion import Budget, expand
from postern.protocols.ical.rule import Rule, read_rule
from postern.protocols.ical.values import Interval, Kind, Span, When, read_span, when_of, whens_of
from postern.protocols.ical.zones import UTC_ZONE, Zone, Zones, seconds

MAX_DATES = 20_000
"""RDATEs, and again EXDATEs, of one component that are read."""
DAY = 86_400


class Timing(NamedTuple):
    """The start of a component and its length: days by the calendar, then seconds. `has_end` is false where neither DTEND
    (or DUE) nor DURATION says it."""

    start: When
    length: Span
    has_end: bool


def timing_of(part: Component, zones: Zones, floating: Zone = UTC_ZONE) -> Timing | None:
    """The start and the length of a component. A negative length is read as none, and an all-day event lasts a day at
    least. None: it has no DTSTART that can be read.

    Bound: linear in the component.
    """
    start = when_of(part.first("DTSTART"))
    if start is None:
        return None
    length = _length(part, start, zones, floating)
    if length is None:
        return Timing(start, Span(1, 0) if start.is_date and part.name != "VTODO" else Span(0, 0), False)
    if start.is_date:
        return Timing(start, Span(max(length.days + length.seconds // DAY, 1), 0), True)
    return Timing(start, Span(0, 0) if length.is_negative else length, True)


def end_name(part: Component) -> str:
    """The name of the line that says when a component ends."""
    return "DUE" if part.name == "VTODO" else "DTEND"


def _length(part: Component, start: When, zones: Zones, floating: Zone) -> Span | None:
    end = when_of(part.first(end_name(part)))
    if end is None:
        line = part.first("DURATION")
        return read_span(line.value) if line is not None else None
    if start.is_date or end.is_date:
        return Span((end.local.date() - start.local.date()).days, 0)
    return Span(0, zones.utc(end, floating) - zones.utc(start, floating))


class RecurrenceSet:
    """A component that is no exception, with what makes its recurrence set."""

    def __init__(self, part: Component, timing: Timing, zones: Zones, floating: Zone) -> None:
        self.component = part
        self.timing = timing
        self.zones = zones
        start = timing.start
        known = zones.get(start.zone) if start.kind is Kind.ZONED else None
        self.zone: Zone = UTC_ZONE if start.kind is Kind.UTC else known or floating
        self.rules = _rules(part, "RRULE")
        self.without = _rules(part, "EXRULE")
        self.dates: list[tuple[datetime, Span | None]] = []
        self.excluded: set[int] = set()
        self.excluded_days: set[int] = set()
        self.longest_period = 0
        for value in _dates(part, "RDATE"):
            self._add_date(value)
        for value in _dates(part, "EXDATE"):
            when = value.start if isinstance(value, Interval) else value
            if when.is_date and not start.is_date:
                self.excluded_days.add(when.local.toordinal())
            else:
                self.excluded.add(self.key(when))
        self.dates.sort(key=lambda date: date[0])

    @property
    def recurs(self) -> bool:
        return bool(self.rules or self.dates)

    @property
    def is_endless(self) -> bool:
        return any(rule.is_endless for rule in self.rules)

    def excludes(self, when: When) -> bool:
        """Whether EXDATE takes this original start out of the series."""
        return self.key(when) in self.excluded or self.local(when).toordinal() in self.excluded_days

    def first(self) -> datetime:
        """The earliest start that there may be."""
        start = self.timing.start.local
        return min(start, self.dates[0][0]) if self.dates else start

    def last(self, budget: Budget) -> tuple[datetime | None, bool]:
        """The latest original start that there may be (None: only DTSTART), and whether there is no end. A rule whose end takes
        more than the budget to find has none."""
        latest = [self.dates[-1][0]] if self.dates else []
        for rule in self.rules:
            until = self.until(rule)
            if until is not None:
                latest.append(until)
            elif rule.count is None:
                return None, True
            else:
                for time in expand(rule, self.timing.start.local, budget):
                    latest.append(time)
                if budget.is_spent:
                    return None, True
        return max(latest, default=None), False

    def when(self, local: datetime) -> When:
        return self.timing.start._replace(local=local)

    def local(self, when: When) -> datetime:
        """Reads a time off the clock of the series."""
        if self.timing.start.is_date:
            return when.local.replace(hour=0, minute=0, second=0)
        if when.is_date:
            return datetime.combine(when.local.date(), self.timing.start.local.time())
        if (when.kind, when.zone) == (self.timing.start.kind, self.timing.start.zone) or when.kind is Kind.FLOATING:
            return when.local
        return self.zone.local(self.zones.utc(when, self.zone))

    def key(self, when: When) -> int:
        """The number by which an original start is known: its time in UTC, or a date as if it were in UTC."""
        if self.timing.start.is_date:
            return seconds(self.local(when))
        if when.is_date or when.kind is Kind.FLOATING:
            return self.zone.utc(self.local(when))
        return self.zones.utc(when, self.zone)

    def _add_date(self, value: When | Interval) -> None:
        if isinstance(value, When):
            self.dates.append((self.local(value), None))
            return
        local = self.local(value.start)
        length = value.span
        if length is None and value.end is not None:
            length = Span(0, self.zones.utc(value.end, self.zone) - self.zones.utc(value.start, self.zone))
        if length is None or length.is_negative:
            length = Span(0, 0)
        self.longest_period = max(self.longest_period, DAY * length.days + length.seconds)
        self.dates.append((local, length))

    def until(self, rule: Rule) -> datetime | None:
        """UNTIL as the series' clock shows it, of whatever type it is."""
        if rule.until is None:
            return None
        if rule.until.is_date or self.timing.start.is_date:
            return rule.until.local.replace(hour=23, minute=59, second=59)
        return self.local(rule.until)

    def originals(
        self, after: datetime | None, before: datetime | None, budget: Budget
    ) -> Iterator[tuple[datetime, int, Span | None]]:
        """The original starts in order: local, by key, and with the length that an RDATE gives."""
        start = self.timing.start.local
        dates = [(start, None), *self.dates] if self.dates else [(start, None)]
        listed = (
            date for date in dates if (after is None or date[0] >= after) and (before is None or date[0] <= before)
        )
        streams: list[Iterator[tuple[datetime, Span | None]]] = [iter(sorted(listed, key=lambda date: date[0]))]
        streams += [((time, None) for time in self._times(rule, after, before, budget)) for rule in self.rules]
        without = merge(*[self._times(rule, after, before, budget) for rule in self.without])
        skipped = next(without, None)
        last: int | None = None
        for local, length in merge(*streams, key=lambda date: date[0]):
            while skipped is not None and skipped < local:
                skipped = next(without, None)
            key = seconds(local) if self.timing.start.is_date else self.zone.utc(local)
            if key == last or skipped == local or key in self.excluded or local.toordinal() in self.excluded_days:
                continue
            last = key
            yield local, key, length

    def _times(self, rule: Rule, after: datetime | None, before: datetime | None, budget: Budget) -> Iterator[datetime]:
        until = self.until(rule)
        if until is not None:
            before = until if before is None else min(before, until)
        return expand(rule, self.timing.start.local, budget, after, before)


def _rules(part: Component, name: str) -> list[Rule]:
    rules = [read_rule(line.value) for line in islice(part.lines(name), MAX_RULES)]
    return [rule for rule in rules if rule is not None]


def _dates(part: Component, name: str) -> Iterator[When | Interval]:
    values = (value for line in part.lines(name) for value in whens_of(line) if value is not None)
    return islice(values, MAX_DATES)
