"""Expands a recurrence rule into local times, period by period (RFC 5545 section 3.3.10), with a budget.

Times are those of the clock on the wall; a caller that needs UTC converts them. The work depends on the span that is asked for
and not on how long the rule has run, unless it has a COUNT: a rule without one is entered at the period in which the span begins.
"""

from __future__ import annotations

from calendar import isleap, monthrange
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from postern.protocols.ical.rule import Frequency, Rule

STEPS = 100_000
"""Steps of one expansion: a quarter of a second at most. A step is a day, time or period that is looked at; a series of thirty
years with one occurrence a day takes 22,000."""
_LAST_YEAR = 9_998  # the week of a day, and a zone's offset, must still be dates
_LAST_DAY = date(_LAST_YEAR, 12, 31).toordinal()
_DAY = 86_400
_UNITS = {Frequency.HOURLY: 3_600, Frequency.MINUTELY: 60, Frequency.SECONDLY: 1}


class Budget:
    """Steps that may still be taken, by one expansion or by several together. `is_cut`: one of them ended before its end, and
    what it gave is not all."""

    __slots__ = ("is_cut", "left")

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps
        self.is_cut = False

    @property
    def is_spent(self) -> bool:
        return self.left <= 0

    def spend(self, steps: int = 1) -> bool:
        """Takes steps; false: there are none left."""
        self.left -= steps
        return self.left > 0


class _Week(NamedTuple):
    year: int
    number: int


def expand(
    rule: Rule, start: datetime, budget: Budget, after: datetime | None = None, before: datetime | None = None
) -> Iterator[datetime]:
    """The times of a rule that begins at `start`, in order, from `after` on and up to `before` (both included). `start` itself is
    among them only if the rule has it. The caller compares UNTIL, in the zone of `start`.

    Bound: `budget` steps, whatever the rule says; it ends then, and `budget.is_spent` tells so.
    """
    expansion = _Expansion(rule, start, budget)
    count = rule.count
    skip = after is not None and after > start and count is None
    way = expansion.small if rule.frequency in _UNITS else expansion.large
    times = way(after if skip else None, before)
    for time in times:
        if time < start:
            continue
        if before is not None and time > before:
            return
        if count is not None:
            if count <= 0:
                return
            count -= 1
        if after is None or time >= after:
            yield time


class _Expansion:
    """A rule with what DTSTART says where the rule is silent."""

    def __init__(self, rule: Rule, start: datetime, budget: Budget) -> None:
        self.rule = rule
        self.start = start
        self.budget = budget
        frequency = rule.frequency
        months: Sequence[int] = rule.by_month
        days: Sequence[int] = rule.by_month_day
        by_day: Sequence[tuple[int, int]] = rule.by_day
        if not (rule.by_week or rule.by_year_day or days or by_day):
            if frequency is Frequency.YEARLY:
                months = months or (start.month,)
                days = (start.day,)
            elif frequency is Frequency.MONTHLY:
                days = (start.day,)
            elif frequency is Frequency.WEEKLY:
                by_day = ((0, start.weekday()),)
        self.months = frozenset(months)
        self.days = frozenset(days)
        self.weeks = frozenset(rule.by_week)
        self.year_days = frozenset(rule.by_year_day)
        placed = frequency <= Frequency.MONTHLY  # elsewhere a place means nothing (RFC 5545: MUST NOT)
        self.weekdays = frozenset([day for place, day in by_day if not place or not placed])
        self.places = frozenset([entry for entry in by_day if entry[0]]) if placed else frozenset()
        self.is_open = not (self.months or self.days or self.weeks or self.year_days or self.weekdays or self.places)
        self.in_month = frequency is Frequency.MONTHLY or bool(rule.by_month)
        self.hours = rule.by_hour or (start.hour,)
        self.minutes = rule.by_minute or (start.minute,)
        self.seconds = rule.by_second or (start.second,)

    # --- days

    def fits(self, day: date) -> bool:
        """Whether every list of days has this one."""
        if self.months and day.month not in self.months:
            return False
        if self.days and not self._is_month_day(day):
            return False
        if (self.weekdays or self.places) and not self._is_weekday(day):
            return False
        if self.year_days and not self._is_year_day(day):
            return False
        return not self.weeks or self._is_in_week(day)

    def _is_month_day(self, day: date) -> bool:
        return day.day in self.days or day.day - monthrange(day.year, day.month)[1] - 1 in self.days

    def _is_year_day(self, day: date) -> bool:
        number = day.timetuple().tm_yday
        return number in self.year_days or number - 366 - isleap(day.year) in self.year_days

    def _is_weekday(self, day: date) -> bool:
        weekday = day.weekday()
        if weekday in self.weekdays:
            return True
        if not self.places:
            return False
        if self.in_month:
            number, length = day.day, monthrange(day.year, day.month)[1]
        else:
            number, length = day.timetuple().tm_yday, 365 + isleap(day.year)
        from_start, from_end = (number - 1) // 7 + 1, -((length - number) // 7 + 1)
        return (from_start, weekday) in self.places or (from_end, weekday) in self.places

    def _is_in_week(self, day: date) -> bool:
        week = _week(day, self.rule.week_start)
        if week.number in self.weeks:
            return True
        if week.year > day.year:
            return False
        return week.number - _week(date(week.year, 12, 28), self.rule.week_start).number - 1 in self.weeks

    def _of_month(self, year: int, month: int) -> Iterator[int]:
        """The days of a month that may fit, as ordinals."""
        first, length = date(year, month, 1).toordinal() - 1, monthrange(year, month)[1]
        if self.days:
            for number in sorted({day if day > 0 else length + 1 + day for day in self.days}):
                if 1 <= number <= length:
                    yield first + number
        else:
            yield from range(first + 1, first + length + 1)

    def _of_year(self, year: int) -> Iterator[int]:
        for month in sorted(self.months) or range(1, 13):
            yield from self._of_month(year, month)

    def _fitting(self, ordinals: Iterator[int] | range) -> list[date]:
        fitting = []
        if self.is_open:
            fitting = [date.fromordinal(ordinal) for ordinal in ordinals]
            self.budget.left -= len(fitting)
            return fitting
        for ordinal in ordinals:
            self.budget.left -= 1
            day = date.fromordinal(ordinal)
            if self.fits(day):
                fitting.append(day)
        return fitting

    # --- periods of a day and more

    def large(self, after: datetime | None, before: datetime | None) -> Iterator[datetime]:
        """The times of YEARLY, MONTHLY, WEEKLY and DAILY rules."""
        size = len(self.hours) * len(self.minutes) * len(self.seconds)
        for days in self._periods(after, before):
            if self.rule.by_position:
                for place in _positions(self.rule.by_position, len(days) * size):
                    yield self._time(days[place // size], place % size)
                continue
            for day in days:
                if after is not None and day < after.date():
                    continue
                for place in range(size):
                    if place and not self.budget.spend():
                        return
                    yield self._time(day, place)

    def _time(self, day: date, place: int) -> datetime:
        """The time at a place in the order of a day's times."""
        place, second = divmod(place, len(self.seconds))
        hour, minute = divmod(place, len(self.minutes))
        return datetime(day.year, day.month, day.day, self.hours[hour], self.minutes[minute], self.seconds[second])

    def _periods(self, after: datetime | None, before: datetime | None) -> Iterator[list[date]]:
        """The days of each period that fit, from the period of `after` to that of `before`."""
        start, interval, frequency = self.start, self.rule.interval, self.rule.frequency
        entry = after or start
        if frequency is Frequency.YEARLY:
            first, now, last = start.year, entry.year, _LAST_YEAR if before is None else min(before.year, _LAST_YEAR)
        elif frequency is Frequency.MONTHLY:
            first, now = _month(start), _month(entry)
            last = 12 * _LAST_YEAR + 11 if before is None else min(_month(before), 12 * _LAST_YEAR + 11)
        else:
            first, now = start.toordinal(), entry.toordinal()
            last = _LAST_DAY - 6 if before is None else min(before.toordinal(), _LAST_DAY - 6)
            if frequency is Frequency.WEEKLY:
                first -= (start.weekday() - self.rule.week_start) % 7
                interval *= 7
        now = first + (now - first) // interval * interval
        while now <= last and self.budget.spend():
            if frequency is Frequency.YEARLY:
                yield self._fitting(self._of_year(now))
            elif frequency is Frequency.MONTHLY:
                year, month = divmod(now, 12)
                if not self.months or month + 1 in self.months:
                    yield self._fitting(self._of_month(year, month + 1))
            elif frequency is Frequency.WEEKLY:
                yield self._fitting(range(max(now, 1), now + 7))
            else:
                yield self._fitting(range(now, now + 1))
            now += interval

    # --- periods of less than a day

    def small(self, after: datetime | None, before: datetime | None) -> Iterator[datetime]:
        """The times of HOURLY, MINUTELY and SECONDLY rules. Where a day, an hour or a minute does not fit, the next period that
        begins after it is the next to be looked at."""
        rule = self.rule
        unit = _UNITS[rule.frequency]
        step = unit * rule.interval
        offsets = self._offsets()
        last = min(_seconds(before), _LAST_DAY * _DAY) if before is not None else _LAST_DAY * _DAY
        now = _seconds(self.start) // unit * unit
        if after is not None:
            now += max((_seconds(after) - now) // step, 0) * step
        day_seen, fits = -1, False
        while now <= last and self.budget.spend():
            day, second = divmod(now, _DAY)
            if day != day_seen:
                day_seen, fits = day, self.fits(date.fromordinal(day))
            end = 0
            if not fits:
                end = (day + 1) * _DAY
            elif rule.by_hour and second // 3_600 not in rule.by_hour:
                end = now - second % 3_600 + 3_600
            elif unit <= 60 and rule.by_minute and second // 60 % 60 not in rule.by_minute:
                end = now - second % 60 + 60
            elif unit == 1 and rule.by_second and second % 60 not in rule.by_second:
                end = now + 1
            if end:
                now += -((now - end) // step) * step
                continue
            places = _positions(rule.by_position, len(offsets)) if rule.by_position else range(len(offsets))
            for place in places:
                self.budget.left -= 1
                yield _moment(now + offsets[place])
            now += step

    def _offsets(self) -> list[int]:
        """The times within a period, in seconds from its begin."""
        if self.rule.frequency is Frequency.HOURLY:
            return [60 * minute + second for minute in self.minutes for second in self.seconds]
        return list(self.seconds) if self.rule.frequency is Frequency.MINUTELY else [0]


def _month(time: datetime) -> int:
    return 12 * time.year + time.month - 1


def _seconds(time: datetime) -> int:
    return time.toordinal() * _DAY + 3_600 * time.hour + 60 * time.minute + time.second


def _moment(seconds: int) -> datetime:
    day, second = divmod(seconds, _DAY)
    return datetime.fromordinal(day) + timedelta(seconds=second)


def _positions(positions: Sequence[int], size: int) -> list[int]:
    """The places of BYSETPOS in a set of this size, counted from 0, in order."""
    places = {position - 1 if position > 0 else size + position for position in positions}
    return sorted([place for place in places if 0 <= place < size])


def _week(day: date, week_start: int) -> _Week:
    """The week of a day. A week belongs to the year that has four days of it, and so its fourth (RFC 5545, BYWEEKNO)."""
    fourth = date.fromordinal(max(day.toordinal() - (day.weekday() - week_start) % 7 + 3, 1))
    return _Week(fourth.year, (fourth.timetuple().tm_yday - 1) // 7 + 1)
