"""The rules of a time zone in one year: its two offsets, and when one becomes the other.

So Windows describes zones, and with it MS-OXOCAL and Exchange Web Services. A zone that changes its offset otherwise than twice a
year, as Morocco does, has the offset alone that it has in January.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from postern.protocols.ical.zone_writing import changes_of, state_of
from postern.protocols.ical.zones import Zone, seconds


class Onset(NamedTuple):
    """A day of the year by its place in a month, and the time of day at which the offset changes, in seconds. `place` is 1 to 4,
    or -1 for the last one; weekdays count from Monday, 0. For example `Onset(3, -1, 6, 7200)`."""

    month: int
    place: int
    weekday: int
    time: int


class ZoneRules(NamedTuple):
    """The offsets of a zone in seconds east of Greenwich. Without summer time, `daylight` and the onsets are None."""

    standard: int
    daylight: int | None = None
    to_standard: Onset | None = None
    to_daylight: Onset | None = None


def rules_of(zone: tzinfo, year: int) -> ZoneRules:
    """The rules that a zone of the time zone database has in a year."""
    begin = seconds(datetime(year, 1, 1))
    first = state_of(zone, begin)
    changes = [each for each in changes_of(zone, begin - 86_400, begin + 380 * 86_400) if each.onset.year == year]
    if len(changes) != 2 or changes[0].after.offset == changes[0].before.offset:
        return ZoneRules(first.offset)
    summer, winter = sorted(changes, key=lambda each: each.after.offset, reverse=True)
    if summer.after.offset == winter.after.offset or summer.after.offset != winter.before.offset:
        return ZoneRules(first.offset)
    return ZoneRules(winter.after.offset, summer.after.offset, _onset(winter.onset), _onset(summer.onset))


class _Clock(tzinfo):
    """A zone that a calendar describes, as far as its changes are looked for: what its clock shows at a time in UTC."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def fromutc(self, dt: datetime) -> datetime:
        utc = seconds(dt.replace(tzinfo=None))
        local = self._zone.local(utc)
        away = max(-_LONGEST, min(seconds(local) - utc, _LONGEST))
        return local.replace(tzinfo=timezone(timedelta(seconds=away)))

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None

    def dst(self, dt: datetime | None) -> timedelta | None:
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        return None


_LONGEST = 86_399
"""Seconds of the longest offset that a `timezone` has."""


def rules_of_calendar(zone: Zone, year: int) -> ZoneRules:
    """The rules that a zone of a calendar's own has in a year."""
    return rules_of(_Clock(zone), year)


def _onset(local: datetime) -> Onset:
    """A change in the last week of a month is meant for that one, and not for the fourth: so all laws of today have it."""
    is_last = local.day > monthrange(local.year, local.month)[1] - 7
    place = -1 if is_last else (local.day - 1) // 7 + 1
    return Onset(local.month, place, local.weekday(), 3600 * local.hour + 60 * local.minute + local.second)
