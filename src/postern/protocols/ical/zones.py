"""Time zones: from what a clock on the wall shows to UTC and back (RFC 5545 section 3.3.5).

UTC is in seconds since the epoch. A local time that a change to summer time leaves out is read with the offset before the change;
one that comes twice is the first of the two.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple, Protocol

from postern.protocols.content_lines import Component
from postern.protocols.ical import windows_zones
from postern.protocols.ical.expansion import Budget, expand
from postern.protocols.ical.rule import Rule, read_rule
from postern.protocols.ical.values import Kind, When, read_offset, when_of, whens_of, written_time

MAX_OBSERVANCES = 500
"""STANDARD and DAYLIGHT parts of a VTIMEZONE; one that tells every change since 1900 has fewer."""
MAX_CHANGES = 1_000
"""Changes of offset that a VTIMEZONE may list, those of its bounded rules among them."""
ZONE_STEPS = 500_000
"""Steps that the rules of one VTIMEZONE may take together, over its life as an object. A year takes 300."""
MAX_NAME = 255
"""Characters of a TZID that are looked at."""

EPOCH = datetime(1970, 1, 1)
_FIXED = re.compile(r"(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d\d))?+", re.IGNORECASE)
_UTC_NAMES = frozenset({"utc", "gmt", "z", "etc/utc", "etc/gmt", "coordinated universal time"})

Find = Callable[[str], tzinfo | None]
"""Looks a zone up by IANA's name; None: there is none."""


def seconds(local: datetime) -> int:
    """A time without zone as if it were UTC."""
    return (local.toordinal() - 719_163) * 86_400 + 3_600 * local.hour + 60 * local.minute + local.second


def moment(epoch: int) -> datetime:
    """The reverse of `seconds`; what lies beyond the years 1 to 9999 becomes their end."""
    try:
        return EPOCH + timedelta(seconds=epoch)
    except OverflowError:
        return datetime.min if epoch < 0 else datetime.max.replace(microsecond=0)


def written_utc(epoch: int) -> str:
    """A time as a DATE-TIME in UTC, for example "20260301T080000Z"."""
    return written_time(moment(epoch)) + "Z"


class Zone(Protocol):
    """A time zone. `name` is IANA's, or the TZID where only the calendar itself knows the zone."""

    name: str

    def utc(self, local: datetime) -> int:
        """The time at which the clock shows `local`."""
        ...

    def local(self, epoch: int) -> datetime:
        """Reads the clock."""
        ...


class NamedZone:
    """A zone of the time zone database."""

    __slots__ = ("name", "tzinfo")

    def __init__(self, name: str, tzinfo: tzinfo) -> None:
        self.name = name
        self.tzinfo = tzinfo

    def utc(self, local: datetime) -> int:
        offset = self.tzinfo.utcoffset(local)
        return seconds(local) - (0 if offset is None else round(offset.total_seconds()))

    def local(self, epoch: int) -> datetime:
        try:
            return datetime.fromtimestamp(epoch, self.tzinfo).replace(tzinfo=None, fold=0)
        except (OverflowError, ValueError, OSError):
            return moment(epoch)


UTC_ZONE = NamedZone("UTC", UTC)


class _Change(NamedTuple):
    """A change of offset: `utc` is when it happens, `local` the first local time that has the new offset for certain."""

    utc: int
    local: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class _Observance:
    start: datetime
    before: int
    after: int
    rules: tuple[Rule, ...]
    dates: tuple[datetime, ...]


class RuledZone:
    """A zone as a VTIMEZONE describes it."""

    def __init__(self, name: str, observances: list[_Observance]) -> None:
        self.name = name
        self._observances = observances
        self._budget = Budget(ZONE_STEPS)
        self._by_year: dict[int, list[_Change]] = {}
        self._listed = sorted(set(self._lists()))

    def utc(self, local: datetime) -> int:
        shown = seconds(local)
        changes = self._changes(local.year)
        place = bisect_right(changes, shown, key=lambda change: change.local)
        return shown - (changes[place - 1].after if place else changes[0].before)

    def local(self, epoch: int) -> datetime:
        changes = self._changes(moment(epoch).year)
        place = bisect_right(changes, epoch, key=lambda change: change.utc)
        return moment(epoch + (changes[place - 1].after if place else changes[0].before))

    def _lists(self) -> Iterator[_Change]:
        """The changes that do not come from endless rules."""
        left = MAX_CHANGES
        for observance in self._observances:
            onsets = [observance.start, *observance.dates]
            for rule in observance.rules:
                if not rule.is_endless:
                    onsets += _onsets(rule, observance, self._budget, None, None)
            yield from [_change(onset, observance) for onset in onsets[:left]]
            left = max(left - len(onsets), 1)

    def _changes(self, year: int) -> list[_Change]:
        """The changes that decide about a year: those that are listed, and those of endless rules in and before the year."""
        if year not in self._by_year:
            first, last = datetime(max(year - 2, 1), 1, 1), datetime(min(year + 1, 9999), 12, 31)
            changes = [
                _change(onset, observance)
                for observance in self._observances
                for rule in observance.rules
                if rule.is_endless
                for onset in _onsets(rule, observance, self._budget, first, last)
            ]
            if len(self._by_year) > 400:
                self._by_year.clear()
            self._by_year[year] = sorted({*self._listed, *changes}) if changes else self._listed
        return self._by_year[year]


def _change(onset: datetime, observance: _Observance) -> _Change:
    shown, before, after = seconds(onset), observance.before, observance.after
    return _Change(shown - before, shown + max(after - before, 0), before, after)


def _onsets(
    rule: Rule, observance: _Observance, budget: Budget, after: datetime | None, before: datetime | None
) -> list[datetime]:
    until = None
    if rule.until is not None:
        until = rule.until.local
        if rule.until.kind is Kind.UTC:
            until = moment(seconds(until) + observance.before)
        elif rule.until.is_date:
            until = until.replace(hour=23, minute=59, second=59)
        before = until if before is None else min(before, until)
    onsets = []
    for onset in expand(rule, observance.start, budget, after, before):
        onsets.append(onset)
        if len(onsets) >= MAX_CHANGES:
            break
    return onsets


def read_zone(timezone: Component) -> RuledZone | None:
    """Reads a VTIMEZONE by its rules. None: it has no part that can be read.

    Bound: linear in the component; at most MAX_OBSERVANCES parts, MAX_CHANGES changes of each, and ZONE_STEPS steps of rules.
    """
    observances: list[_Observance] = []
    for part in timezone.components("STANDARD", "DAYLIGHT"):
        if len(observances) >= MAX_OBSERVANCES:
            break
        observance = _observance(part)
        if observance is not None:
            observances.append(observance)
    return RuledZone(timezone.value("TZID")[:MAX_NAME], observances) if observances else None


def _observance(part: Component) -> _Observance | None:
    start = when_of(part.first("DTSTART"))
    after = read_offset(part.value("TZOFFSETTO"))
    before = read_offset(part.value("TZOFFSETFROM"))
    if start is None or after is None:
        return None
    rules = [rule for line in part.lines("RRULE") if (rule := read_rule(line.value)) is not None]
    dates: list[datetime] = []
    for line in part.lines("RDATE"):
        for value in whens_of(line):
            if isinstance(value, When) and len(dates) < MAX_CHANGES:
                dates.append(value.local)
    return _Observance(start.local, after if before is None else before, after, tuple(rules[:4]), tuple(dates))


def named_zone(tzid: str, find: Find) -> NamedZone | None:
    """The zone that a TZID names: IANA's name, alone or behind a prefix such as "/freeassociation.sourceforge.net/"; Windows'
    name; or "UTC+02:00".

    Bound: constant; at most MAX_NAME characters are looked at, and four names looked up.
    """
    if not tzid or len(tzid) > MAX_NAME:
        return None
    name = tzid.strip().strip('"')
    if name.lower() in _UTC_NAMES:
        return UTC_ZONE
    name = windows_zones.IANA.get(name, name)
    parts = name.strip("/").split("/")
    for count in dict.fromkeys((len(parts), 3, 2, 1)):
        if count > len(parts):
            continue
        candidate = "/".join(parts[-count:])
        zone = find(candidate)
        if zone is not None:
            return NamedZone(candidate, zone)
    match = _FIXED.fullmatch(name)
    if match is not None and int(match[2]) <= 18:
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0) % 60)
        return NamedZone(name, timezone(offset if match[1] == "+" else -offset))
    return None


class Zones:
    """The zones of one calendar object, by TZID, looked up as they are asked for."""

    def __init__(self, timezones: Mapping[str, Component], find: Find) -> None:
        self._timezones = timezones
        self._find = find
        self._known: dict[str, Zone | None] = {}

    def get(self, tzid: str) -> Zone | None:
        """The zone of a TZID. None: nobody knows it. A name of the database counts more than the rules that a calendar brings:
        those were right when it was written."""
        if tzid not in self._known:
            self._known[tzid] = self._look_up(tzid)
        return self._known[tzid]

    def _look_up(self, tzid: str) -> Zone | None:
        zone = named_zone(tzid, self._find)
        described = self._timezones.get(tzid)
        if zone is not None or described is None:
            return zone
        return named_zone(described.value("X-LIC-LOCATION"), self._find) or read_zone(described)

    def utc(self, when: When, floating: Zone) -> int:
        """A time in UTC. Dates, floating times and those of a zone that nobody knows are read in the zone `floating`."""
        if when.kind is Kind.UTC:
            return seconds(when.local)
        zone = self.get(when.zone) if when.kind is Kind.ZONED else None
        return (zone or floating).utc(when.local)
