"""Writes a VTIMEZONE of a zone of the time zone database, for a span of years (RFC 5545 section 3.6.5)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from postern.protocols.content_lines import Component, Line, component, escaped, line
from postern.protocols.ical.rule import WEEKDAYS
from postern.protocols.ical.values import written_offset, written_time
from postern.protocols.ical.zones import NamedZone, moment, seconds, written_utc

MAX_YEARS = 200
"""Years of a span; there are no zones in what is older, and no rules are known for what is later."""
_STEP = 14 * 86_400
"""Seconds between looks at a zone's offset: shorter than any summer time, and than Morocco's pause in Ramadan."""


class ZoneState(NamedTuple):
    """The offset of a zone at some time, in seconds east of Greenwich, its name, and whether it is that of summer."""

    offset: int
    name: str
    summer: bool


class ClockChange(NamedTuple):
    """A change of offset. `onset` is what the clock shows just before it is moved."""

    utc: int
    onset: datetime
    before: ZoneState
    after: ZoneState


def timezone_component(zone: NamedZone, first: int, last: int) -> Component:
    """The VTIMEZONE of a zone, right from the year `first` to the year `last`, and after it as long as the rules of that year
    stay. The span is cut to MAX_YEARS."""
    first = max(first, 1900)
    last = min(max(last, first), first + MAX_YEARS, 9_000)
    begin = seconds(datetime(first, 1, 1)) - 86_400
    changes = list(changes_of(zone.tzinfo, begin, seconds(datetime(last + 3, 1, 1))))
    within = [change for change in changes if change.onset.year <= last]
    start = moment(begin)
    parts = [_part(ClockChange(begin, start, state := state_of(zone.tzinfo, begin), state), [])]
    for run in _runs(within):
        parts.append(_written_run(run, changes, last))
    return component("VTIMEZONE", [line("TZID", escaped(zone.name)), *parts])


def state_of(zone: tzinfo, utc: int) -> ZoneState:
    """The state of a zone at a time in seconds since the epoch."""
    local = (datetime(1970, 1, 1, tzinfo=None) + timedelta(seconds=utc)).replace(tzinfo=zone)
    local = zone.fromutc(local)
    offset, summer = local.utcoffset(), local.dst()
    return ZoneState(0 if offset is None else round(offset.total_seconds()), local.tzname() or "", bool(summer))


def changes_of(zone: tzinfo, begin: int, end: int) -> Iterator[ClockChange]:
    """The changes of a zone between two times, in their order."""
    before = state_of(zone, begin)
    for time in range(begin + _STEP, end, _STEP):
        after = state_of(zone, time)
        if after == before:
            continue
        low, high = time - _STEP, time
        while high - low > 1:
            middle = (low + high) // 2
            if state_of(zone, middle) == before:
                low = middle
            else:
                high = middle
        yield ClockChange(high, moment(high + before.offset), before, after)
        before = after


def _runs(changes: Sequence[ClockChange]) -> list[list[ClockChange]]:
    """Changes of the same kind in years that follow each other, by the same weekday and time."""
    runs: list[list[ClockChange]] = []
    open_runs: dict[tuple[object, ...], list[ClockChange]] = {}
    for change in changes:
        key = (change.before, change.after, change.onset.month, change.onset.weekday(), change.onset.time())
        run = open_runs.get(key)
        if run is None or change.onset.year != run[-1].onset.year + 1 or not _places([*run, change]):
            run = []
            runs.append(run)
            open_runs[key] = run
        run.append(change)
    return runs


def _places(run: Sequence[ClockChange]) -> set[int]:
    """The places of the weekday in its month that all changes of a run have."""
    places = {-1, 1, 2, 3, 4}
    for change in run:
        day, length = change.onset.day, monthrange(change.onset.year, change.onset.month)[1]
        places &= {(day - 1) // 7 + 1, -1 if day > length - 7 else 0}
    return places


def _written_run(run: Sequence[ClockChange], changes: Sequence[ClockChange], last: int) -> Component:
    first = run[0]
    if len(run) == 1:
        return _part(first, [])
    place = min(_places(run))  # the last week of a month, if it may be that
    rule = f"FREQ=YEARLY;BYMONTH={first.onset.month};BYDAY={place}{WEEKDAYS[first.onset.weekday()]}"
    later = [change for change in changes if change.onset.year > last and _is_alike(change, first)]
    if run[-1].onset.year < last or len(later) < 2 or place not in _places(later):
        # A day later, for readers that take UNTIL for a local time.
        rule += f";UNTIL={written_utc(run[-1].utc + 86_400)}"
    return _part(first, [line("RRULE", rule)])


def _is_alike(change: ClockChange, first: ClockChange) -> bool:
    return (change.before, change.after, change.onset.month, change.onset.time()) == (
        first.before,
        first.after,
        first.onset.month,
        first.onset.time(),
    )


def _part(change: ClockChange, more: Sequence[Line]) -> Component:
    lines = [
        line("DTSTART", written_time(change.onset)),
        line("TZOFFSETFROM", written_offset(change.before.offset)),
        line("TZOFFSETTO", written_offset(change.after.offset)),
    ]
    if change.after.name:
        lines.append(line("TZNAME", escaped(change.after.name)))
    return component("DAYLIGHT" if change.after.summer else "STANDARD", [*lines, *more])
