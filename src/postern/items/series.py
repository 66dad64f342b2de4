"""The occurrences of an appointment, task or journal entry: rules, dates, exclusions and exceptions together (RFC 5545 section
3.8.5), made lazily.

Times are seconds since the epoch, UTC. Dates and times without zone have a place in time only in a zone, which the caller says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from heapq import merge
from itertools import islice
from typing import NamedTuple

from postern.items.calendar_object import MAX_RULES, CalendarObject
from postern.protocols.content_lines import Component
from postern.protocols.ical.expansion import Budget, expand
from postern.protocols.ical.rule import Rule, read_rule
from postern.protocols.ical.values import Interval, Kind, Span, When, read_span, when_of, whens_of
from postern.protocols.ical.zones import UTC_ZONE, Zone, Zones, moment, seconds

MAX_OCCURRENCES = 10_000
"""Occurrences of one object that are made at most, whatever the caller asks for."""
MAX_DATES = 20_000
"""RDATEs, and again EXDATEs, of one component that are read."""
DAY = 86_400


class Occurrence(NamedTuple):
    """An occurrence. `recurrence` is its RECURRENCE-ID in the form of the series' DTSTART (None: the object has no series),
    `component` the master or the exception that describes it, `when` what the clock shows at its start."""

    start: int
    end: int
    when: When
    recurrence: When | None
    component: Component


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
    line = part.first("DTSTART")
    start = when_of(line) if line is not None else None
    if start is None:
        return None
    length = _length(part, start, zones, floating)
    if length is None:
        return Timing(start, Span(1, 0) if start.is_date and part.name != "VTODO" else Span(0, 0), False)
    if start.is_date:
        return Timing(start, Span(max(length.days + length.seconds // DAY, 1), 0), True)
    return Timing(start, Span(0, 0) if length.is_negative else length, True)


def _length(part: Component, start: When, zones: Zones, floating: Zone) -> Span | None:
    line = part.first("DTEND" if part.name != "VTODO" else "DUE")
    end = when_of(line) if line is not None else None
    if end is None:
        line = part.first("DURATION")
        return read_span(line.value) if line is not None else None
    if start.is_date or end.is_date:
        return Span((end.local.date() - start.local.date()).days, 0)
    return Span(0, zones.utc(end, floating) - zones.utc(start, floating))


class Extent(NamedTuple):
    """The span in which an object has occurrences: from `starts` on, and none after `until` (None: it has no end). `ends` is the
    end of the first occurrence of the series. The span may be wider than the occurrences are, and is never narrower."""

    starts: int
    ends: int
    until: int | None


class _Exception(NamedTuple):
    """A component that replaces the occurrence `key`, and with `future` those after it, too: these begin `shift` later than they
    would."""

    key: int
    timing: Timing
    component: Component
    future: bool
    shift: timedelta
    recurrence: When


class Series:
    """A calendar object, read for its occurrences. `floating` is the zone of dates and of times without zone."""

    def __init__(self, calendar: CalendarObject, floating: Zone = UTC_ZONE) -> None:
        self.zones = calendar.zones
        self.floating = floating
        masters = [part for part in calendar.parts if part.first("RECURRENCE-ID") is None]
        self.masters = [master for part in masters if (master := self._master(part)) is not None]
        exceptions = [part for part in calendar.parts if part.first("RECURRENCE-ID") is not None]
        base = self.masters[0] if self.masters else None
        self.exceptions: dict[int, _Exception] = {}
        self.futures: list[_Exception] = []
        for part in exceptions:
            made = self._exception(part, base)
            if made is not None:
                self.exceptions[made.key] = made
        self.futures = sorted([made for made in self.exceptions.values() if made.future], key=lambda made: made.key)

    @property
    def recurs(self) -> bool:
        return bool(self.exceptions) or any(master.recurs for master in self.masters)

    def _master(self, part: Component) -> _Master | None:
        timing = timing_of(part, self.zones, self.floating)
        return None if timing is None else _Master(part, timing, self.zones, self.floating)

    def _exception(self, part: Component, base: _Master | None) -> _Exception | None:
        line = part.first("RECURRENCE-ID")
        recurrence = when_of(line) if line is not None else None
        timing = timing_of(part, self.zones, self.floating)
        if line is None or recurrence is None:
            return None
        if timing is None:  # a task may have none; it stays where it was
            timing = Timing(recurrence, base.timing.length if base is not None else Span(0, 0), False)
        key = base.key(recurrence) if base is not None else self.zones.utc(recurrence, self.floating)
        future = base is not None and line.parameter("RANGE").upper() == "THISANDFUTURE"
        shift = timedelta(0)
        if base is not None:
            recurrence = base.when(base.zone.local(key) if not base.timing.start.is_date else moment(key))
            if timing.start.is_date == base.timing.start.is_date:
                shift = base.local(timing.start) - recurrence.local
        return _Exception(key, timing, part, future, shift, recurrence)

    def end_of(self, when: When, length: Span) -> int:
        """The end of something that begins at `when` and lasts so long."""
        if length.days:
            try:
                when = when._replace(local=when.local + timedelta(days=length.days))
            except OverflowError:
                pass
        return self.zones.utc(when, self.floating) + length.seconds

    def between(
        self,
        start: int | None = None,
        end: int | None = None,
        most: int = MAX_OCCURRENCES,
        budget: Budget | None = None,
    ) -> Iterator[Occurrence]:
        """The occurrences that overlap a span of time, lazily, about in the order of their starts (those that an exception moved
        are in the order of their own). None: from the first, or without end.

        Bound: `budget` steps of rules; at most `most` occurrences, and MAX_OCCURRENCES.
        """
        budget = budget or Budget()
        moved = sorted(
            [self._of_exception(made) for made in self.exceptions.values()], key=lambda occurrence: occurrence.start
        )
        streams = [iter(moved), *[self._of_master(master, start, end, budget) for master in self.masters]]
        overlapping = (
            occurrence
            for occurrence in merge(*streams, key=lambda occurrence: occurrence.start)
            if overlaps(occurrence, start, end)
        )
        return islice(overlapping, min(most, MAX_OCCURRENCES))

    def exceptions_in(self, start: int | None, end: int | None) -> Iterator[Component]:
        """The exceptions that are in a span of time, or were before they were moved, and those that change what follows them."""
        for made in self.exceptions.values():
            original = self.zones.utc(made.recurrence, self.floating)
            length = self.masters[0].timing.length if self.masters else made.timing.length
            before = Occurrence(original, self.end_of(made.recurrence, length), made.recurrence, None, made.component)
            if made.future or overlaps(self._of_exception(made), start, end) or overlaps(before, start, end):
                yield made.component

    def extent(self) -> Extent | None:
        """The span in which the object has occurrences. None: it has no start.

        Bound: STEPS steps of rules with a COUNT; others are not expanded.
        """
        moved = [self._of_exception(made) for made in self.exceptions.values()]
        starts = [occurrence.start for occurrence in moved]
        until = [occurrence.end for occurrence in moved]
        endless = False
        budget = Budget()
        for master in self.masters:
            behind, ahead = self._reach(master)
            begin = self.zones.utc(master.timing.start, self.floating)
            first = master.first()
            starts.append(
                begin if first == master.timing.start.local else self.zones.utc(master.when(first), self.floating)
            )
            until.append(self.end_of(master.timing.start, master.timing.length))
            last, forever = master.last(budget)
            endless = endless or forever
            if last is not None:
                until.append(self.zones.utc(master.when(last), self.floating) + behind - 2 * DAY)
            if self.futures:
                starts[-1] -= max(ahead - 2 * DAY, 0)
        if not starts:
            return None
        main = self.masters[0].timing if self.masters else None
        ends = self.end_of(main.start, main.length) if main is not None else until[0]
        return Extent(min(starts), ends, None if endless else max(until))

    def _of_exception(self, made: _Exception) -> Occurrence:
        when = made.timing.start
        begin = self.zones.utc(when, self.floating)
        return Occurrence(begin, self.end_of(when, made.timing.length), when, made.recurrence, made.component)

    def _of_master(self, master: _Master, start: int | None, end: int | None, budget: Budget) -> Iterator[Occurrence]:
        """The occurrences that no component replaces. The span is widened by how long they last and how far they are moved."""
        behind, ahead = self._reach(master)
        after = None if start is None else moment(start - behind)
        before = None if end is None else moment(end + ahead)
        recurs = self.recurs
        future = -1
        for local, key, length in master.originals(after, before, budget):
            if key in self.exceptions:
                continue
            when = master.when(local)
            recurrence = when if recurs else None
            component, lasts = master.component, length or master.timing.length
            while future + 1 < len(self.futures) and self.futures[future + 1].key <= key:
                future += 1
            if future >= 0:
                moved = self.futures[future]
                component, lasts = moved.component, moved.timing.length
                try:
                    when = when._replace(local=local + moved.shift)
                except OverflowError:
                    continue
            begin = self.zones.utc(when, self.floating)
            yield Occurrence(begin, self.end_of(when, lasts), when, recurrence, component)

    def _reach(self, master: _Master) -> tuple[int, int]:
        """Seconds by which an occurrence may begin before and after what its original start lets expect."""
        lengths = [master.timing.length, *[moved.timing.length for moved in self.futures]]
        longest = max([DAY * length.days + length.seconds for length in lengths] + [master.longest_period])
        shifts = [int(moved.shift.total_seconds()) for moved in self.futures] or [0]
        return longest + max(0, *shifts) + 2 * DAY, max(0, *[-shift for shift in shifts]) + 2 * DAY


class _Master:
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


def overlaps(occurrence: Occurrence, start: int | None, end: int | None) -> bool:
    """Whether an occurrence is in a span of time (RFC 4791 section 9.9); one without length is where it begins."""
    if end is not None and occurrence.start >= end:
        return False
    if start is None or occurrence.end > start:
        return True
    return occurrence.end <= occurrence.start >= start
