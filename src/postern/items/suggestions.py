"""Suggestions of times for a meeting, out of when its attendees are busy (MS-OXWAVLS section 3.1.4.1.3.24)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple

from postern.items.working_hours import WorkingHours
from postern.model.availability import MAX_DAYS, BusyEvent
from postern.model.item_store import Busy
from postern.protocols.ical.zones import Zone

MAX_TOLD = 100_000
"""Members of attendees times suggestions that are told: ten suggestions a day for two months and a hundred people, and half as
many again. With more members, a day has fewer suggestions, and one at least."""
UNKNOWN = 0xFF
"""Stands for the state of somebody of whom nothing is known."""
_CONFLICTS = bytes([0, 1, 1, 1, 0]) + bytes(251)
"""By the states of `Busy`: whether somebody cannot come. Nobody knows of whom nothing is known."""


class Quality(IntEnum):
    EXCELLENT = 0
    GOOD = 1
    FAIR = 2
    POOR = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """The wishes of whoever asks. Times are in minutes, `good` is the percentage of attendees with conflicts up to which a time
    is good. `most_by_day` suggestions are made for a day, of them `most_out_of_hours` outside of the working hours. Times that
    are poorer than `worst` are left out."""

    minutes: int = 60
    interval: int = 30
    good: int = 25
    most_by_day: int = 10
    most_out_of_hours: int = 0
    worst: Quality = Quality.FAIR


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody who is wanted: the events of a person or a room, or of each member of a group (`members`); None stands for one of
    whom nothing is known. The conflicts of those who are not `counted`, as they are optional, make no time poorer. With
    `must_be_free` no time is suggested at which there is a conflict."""

    members: Sequence[Sequence[BusyEvent] | None]
    is_group: bool = False
    counted: bool = True
    must_be_free: bool = False
    is_too_big: bool = False


class Suggestion(NamedTuple):
    """A time. `states` has one state for each member of each attendee, in their order: a `Busy`, or UNKNOWN."""

    start: int
    in_hours: bool
    quality: Quality
    states: tuple[bytes, ...]


class Day(NamedTuple):
    date: date
    quality: Quality
    suggestions: tuple[Suggestion, ...]


class _States:
    """The states of all attendees at the times that may be suggested, `starts`, which are in their order."""

    def __init__(self, attendees: Sequence[Attendee], starts: Sequence[int], length: int) -> None:
        self.starts, self.length = starts, length
        self.attendees = attendees
        self.of = [[self._of(member) for member in attendee.members] for attendee in attendees]
        self.conflicts = [
            list(map(sum, zip(*[each.translate(_CONFLICTS) for each in members], strict=True)))
            if members
            else [0] * len(starts)
            for members in self.of
        ]

    def _of(self, events: Sequence[BusyEvent] | None) -> bytes:
        """The state of somebody at each of the times, the strongest while the meeting lasts."""
        count = len(self.starts)
        if events is None:
            return bytes([UNKNOWN]) * count
        states = bytearray(count)
        for event in sorted(events, key=_strength):
            first = bisect_right(self.starts, event.start - self.length)
            last = bisect_left(self.starts, event.end)
            if first < last:
                states[first:last] = bytes([event.busy]) * (last - first)
        return bytes(states)


def _strength(event: BusyEvent) -> int:
    return event.busy % Busy.ELSEWHERE


def suggestions(
    attendees: Sequence[Attendee], start: int, end: int, zone: Zone, hours: WorkingHours, wish: Wish, now: int
) -> list[Day]:
    """Suggestions for each day of a span, in the zone of whoever asks; none before `now`. `hours` are those of the organizer.

    Bound: linear in the times of all days, for each member; at most MAX_DAYS days, and about MAX_TOLD states of members.
    """
    first, last = zone.local(start).date(), zone.local(end - 1).date()
    days = [first + timedelta(days=number) for number in range(min((last - first).days + 1, MAX_DAYS))]
    states_by_day = sum([len(attendee.members) for attendee in attendees]) * len(days)
    wish = replace(wish, most_by_day=min(wish.most_by_day, max(MAX_TOLD // max(states_by_day, 1), 1)))
    step = timedelta(minutes=wish.interval)
    times: list[tuple[int, int]] = []
    for number, here in enumerate(days):
        midnight = datetime(here.year, here.month, here.day)
        for place in range(1440 // wish.interval):
            time = zone.utc(midnight + step * place)
            # A change of the clocks repeats times, or leaves some out.
            if start <= time < end and time >= now and (not times or time > times[-1][0]):
                times.append((time, number))
    states = _States(attendees, [time for time, _ in times], 60 * wish.minutes)
    places: list[list[int]] = [[] for _ in days]
    for place, (_, number) in enumerate(times):
        places[number].append(place)
    return [_day(here, places[number], states, zone, hours, wish) for number, here in enumerate(days)]


def _day(here: date, places: Sequence[int], states: _States, zone: Zone, hours: WorkingHours, wish: Wish) -> Day:
    attendees = states.attendees
    counted = sum(len(attendee.members) for attendee in attendees if attendee.counted)
    ranked: list[tuple[bool, Quality, int, int]] = []
    for place in places:
        missing = [conflicts[place] for conflicts in states.conflicts]
        if any(number and attendee.must_be_free for number, attendee in zip(missing, attendees, strict=True)):
            continue
        counting = sum(number for number, attendee in zip(missing, attendees, strict=True) if attendee.counted)
        quality = _quality(counting, counted, wish.good)
        if quality <= wish.worst:
            start = states.starts[place]
            is_outside = not _is_in_hours(start, start + states.length, hours.zone or zone, hours)
            ranked.append((is_outside, quality, sum(missing), place))
    # The best first; of those that are alike, those at which most can come, then the earliest.
    ranked.sort()
    within = [each for each in ranked if not each[0]][: wish.most_by_day]
    outside = [each for each in ranked if each[0]][: min(wish.most_out_of_hours, wish.most_by_day - len(within))]
    chosen = [
        Suggestion(
            states.starts[place],
            not is_outside,
            quality,
            tuple([bytes([each[place] for each in members]) for members in states.of]),
        )
        for is_outside, quality, _, place in (*within, *outside)
    ]
    return Day(here, best(chosen), tuple(sorted(chosen, key=lambda each: (each.quality, each.start))))


def best(chosen: Iterable[Suggestion]) -> Quality:
    """The quality of a day: that of its best suggestion, poor without one."""
    return min([suggestion.quality for suggestion in chosen], default=Quality.POOR)


def _quality(missing: int, counted: int, good: int) -> Quality:
    """MS-OXWAVLS section 3.1.4.1.4.3."""
    if not missing:
        return Quality.EXCELLENT
    percent = 100 * missing / counted
    if percent >= 50:
        return Quality.POOR
    return Quality.GOOD if percent <= good else Quality.FAIR


def _is_in_hours(start: int, end: int, zone: Zone, hours: WorkingHours) -> bool:
    begins, ends = zone.local(start), zone.local(end)
    if begins.date() != ends.date() and (ends.hour or ends.minute):
        return False
    weekday = (begins.weekday() + 1) % 7
    last = ends.hour * 60 + ends.minute or 1440
    return bool(hours.days >> weekday & 1) and hours.start <= begins.hour * 60 + begins.minute and last <= hours.end
