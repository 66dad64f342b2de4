"""Time zones as Windows describes them: minutes from UTC, and the two days of a year on which the clocks are changed.

MS-OXWAVLS (SerializableTimeZone, section 3.1.4.1.3.18) and MS-OXOCAL (working hours) write a zone so, and name none.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from postern.protocols.ical.zone_rules import Onset, ZoneRules
from postern.protocols.ical.zones import moment, seconds

MAX_BIAS = 24 * 60
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
"""Weekdays as Windows counts and names them."""
_LAST = 5
"""The `order` that stands for the last such weekday of the month."""


class Change(NamedTuple):
    """The day of each year on which the clocks are changed. From then on, `bias` minutes are added to the zone's. `order` counts
    the weekday (0 is Sunday) in the month, 5 is the last one; `minute` counts from midnight by the clock before the change. With
    a `year`, `order` is the day of the month."""

    bias: int
    month: int
    order: int
    weekday: int
    minute: int
    year: int = 0

    def local(self, year: int) -> int:
        """The time of the change in a year, by the clock before it, as if that were UTC."""
        first, days = monthrange(year, self.month)
        if self.year:
            day = min(self.order, days)
        else:
            day = 1 + (self.weekday - 1 - first) % 7 + 7 * (min(self.order, _LAST) - 1)
            day -= 7 * (day > days)
        return seconds(datetime(year, self.month, day)) + 60 * self.minute


class BiasZone:
    """A zone in which UTC is the local time and `bias` minutes (a `protocols.ical.zones.Zone`). Without both changes it is the
    same all year. Raises ValueError for numbers that describe none."""

    def __init__(self, bias: int, standard: Change | None = None, daylight: Change | None = None) -> None:
        if abs(bias) > MAX_BIAS:
            raise ValueError("the bias is out of range")
        for change in (standard, daylight):
            if change is not None and not (
                abs(change.bias) <= MAX_BIAS
                and 1 <= change.month <= 12
                and 1 <= change.order <= (31 if change.year else _LAST)
                and 0 <= change.weekday <= 6
                and 0 <= change.minute < 1440
                and 0 <= change.year <= 9999
            ):
                raise ValueError("a change of the clocks is out of range")
        self.bias = bias
        self.standard = standard
        self.daylight = daylight
        self.name = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BiasZone) and self.numbers == other.numbers

    def __hash__(self) -> int:
        return hash(self.numbers)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The zone in numbers, as `of_numbers` takes them."""
        if self.standard is None or self.daylight is None:
            return (self.bias,)
        return (self.bias, *self.standard, *self.daylight)

    @classmethod
    def of_numbers(cls, numbers: Sequence[int]) -> BiasZone:
        """The zone of these numbers, UTC for none. Raises ValueError.

        Bound: constant; 13 numbers are read.
        """
        if len(numbers) <= 1:
            return cls(numbers[0] if numbers else 0)
        if len(numbers) != 13:
            raise ValueError("these are not the numbers of a zone")
        return cls(numbers[0], Change(*numbers[1:7]), Change(*numbers[7:13]))

    def utc(self, local: datetime) -> int:
        """Reads a time on the clock. One that a change leaves out is read by the clock before it; of one that comes twice, the
        first counts."""
        shown = seconds(local)
        return shown + 60 * self._bias_at(shown, local.year, is_local=True)

    def local(self, epoch: int) -> datetime:
        year = moment(epoch - 60 * self.bias).year
        return moment(epoch - 60 * self._bias_at(epoch, year, is_local=False))

    def _bias_at(self, time: int, year: int, is_local: bool) -> int:
        if self.standard is None or self.daylight is None:
            return self.bias
        winter, summer = self.bias + self.standard.bias, self.bias + self.daylight.bias
        # Each change happens by the clock that was right until then.
        begin, end = self.daylight.local(year), self.standard.local(year)
        if is_local:
            begin += 60 * max(winter - summer, 0)
            end += 60 * max(summer - winter, 0)
        else:
            begin, end = begin + 60 * winter, end + 60 * summer
        is_summer = begin <= time < end if begin < end else not end <= time < begin
        return summer if is_summer else winter


def of_rules(rules: ZoneRules) -> BiasZone:
    """The zone with these rules, to the minute."""
    bias = -rules.standard // 60
    if rules.daylight is None or rules.to_standard is None or rules.to_daylight is None:
        return BiasZone(bias)
    summer = (rules.standard - rules.daylight) // 60
    return BiasZone(bias, _change(0, rules.to_standard), _change(summer, rules.to_daylight))


def _change(bias: int, onset: Onset) -> Change:
    order = _LAST if onset.place < 0 else onset.place
    return Change(bias, onset.month, order, (onset.weekday + 1) % 7, onset.time // 60)
