"""The occurrences of an appointment, task or journal entry: rules, dates, exclusions and exceptions together (RFC 5545 section
3.8.5), made lazily.

Times are seconds since the epoch, UTC. Dates and times without zone have a place in time only in a zone, which the caller says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from heapq import merge
from itertools import islice
from typing import NamedTuple

from postern.items.calendar_object import CalendarObject
from postern.items.recurrence import DAY, RecurrenceSet, Timing, timing_of
from postern.protocols.content_lines import Component
from postern.protocols.ical.expansion import STEPS, Budget
from postern.protocols.ical.values import Span, When, when_of
from postern.protocols.ical.zones import UTC_ZONE, Zone, Zones, moment

MAX_OCCURRENCES = 10_000
"""Occurrences of one object that are made at most, whatever the caller asks for."""
OCCURRENCE = 10
"""Steps of a budget that others share which an occurrence costs besides: to make one takes ten times as long as a step."""
COUNTED = 20_000
"""Steps in which the end of a rule with a COUNT is looked for, when an object is stored: 10,000 days, or 200 years of months. A
series that goes on after that is kept as one without end."""


class Occurrence(NamedTuple):
    """An occurrence. `recurrence` is its RECURRENCE-ID in the form of the series' DTSTART (None: the object has no series),
    `component` the master or the exception that describes it, `when` what the clock shows at its start."""

    start: int
    end: int
    when: When
    recurrence: When | None
    component: Component


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

    def _master(self, part: Component) -> RecurrenceSet | None:
        timing = timing_of(part, self.zones, self.floating)
        return None if timing is None else RecurrenceSet(part, timing, self.zones, self.floating)

    def _exception(self, part: Component, base: RecurrenceSet | None) -> _Exception | None:
        line = part.first("RECURRENCE-ID")
        recurrence = when_of(line)
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
        return _end(self.zones, when, length, self.floating)

    def between(
        self,
        start: int | None = None,
        end: int | None = None,
        most: int = MAX_OCCURRENCES,
        budget: Budget | None = None,
    ) -> Iterator[Occurrence]:
        """The occurrences that overlap a span of time, lazily, about in the order of their starts (those that an exception moved
        are in the order of their own). None: from the first, or without end.

        Bound: `budget` steps of rules, and STEPS; at most `most` occurrences, and MAX_OCCURRENCES.
        """
        own = Budget(STEPS if budget is None else min(budget.left, STEPS))
        begun, count = own.left, 0
        moved = sorted(
            [self._of_exception(made) for made in self.exceptions.values()], key=lambda occurrence: occurrence.start
        )
        streams = [iter(moved), *[self._of_master(master, start, end, own) for master in self.masters]]
        merged = merge(*streams, key=lambda occurrence: occurrence.start)
        try:
            for occurrence in islice(
                (occurrence for occurrence in merged if overlaps(occurrence, start, end)), min(most, MAX_OCCURRENCES)
            ):
                count += 1
                yield occurrence
        finally:
            if budget is not None:  # which others may share: no object takes more than its part of it
                budget.left -= begun - own.left + OCCURRENCE * count

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

        Bound: COUNTED steps of rules with a COUNT; others are not expanded.
        """
        moved = [self._of_exception(made) for made in self.exceptions.values()]
        starts = [occurrence.start for occurrence in moved]
        until = [occurrence.end for occurrence in moved]
        endless = False
        budget = Budget(COUNTED)
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

    def _of_master(
        self, master: RecurrenceSet, start: int | None, end: int | None, budget: Budget
    ) -> Iterator[Occurrence]:
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

    def _reach(self, master: RecurrenceSet) -> tuple[int, int]:
        """Seconds by which an occurrence may begin before and after what its original start lets expect."""
        lengths = [master.timing.length, *[moved.timing.length for moved in self.futures]]
        longest = max([DAY * length.days + length.seconds for length in lengths] + [master.longest_period])
        shifts = [int(moved.shift.total_seconds()) for moved in self.futures] or [0]
        return longest + max(0, *shifts) + 2 * DAY, max(0, *[-shift for shift in shifts]) + 2 * DAY


def _end(zones: Zones, when: When, length: Span, floating: Zone) -> int:
    if length.days:
        try:
            when = when._replace(local=when.local + timedelta(days=length.days))
        except OverflowError:
            pass
    return zones.utc(when, floating) + length.seconds


def span_of(calendar: CalendarObject, part: Component, floating: Zone = UTC_ZONE) -> tuple[int, int] | None:
    """The start and the end of a component; None: it has no start."""
    timing = timing_of(part, calendar.zones, floating)
    if timing is None:
        return None
    return calendar.zones.utc(timing.start, floating), _end(calendar.zones, timing.start, timing.length, floating)


def overlaps(occurrence: Occurrence, start: int | None, end: int | None) -> bool:
    """Whether an occurrence is in a span of time (RFC 4791 section 9.9); one without length is where it begins."""
    if end is not None and occurrence.start >= end:
        return False
    if start is None or occurrence.end > start:
        return True
    return occurrence.end <= occurrence.start >= start
