"""Time zones by the names of Windows, which clients speak, and by those of the database, which calendars are stored with."""

from __future__ import annotations

import time
from functools import lru_cache

from postern.items.zones import find_zone, zone_named
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.time_zones import GivenZone, definition_markup, read_definition, read_meeting_zone
from postern.protocols.ical.windows_zones import IANA
from postern.protocols.ical.zone_rules import ZoneRules, rules_of, rules_of_calendar
from postern.protocols.ical.zones import UTC_ZONE, NamedZone, Zone

CUSTOM, UTC = "Customized Time Zone", "tzone://Microsoft/Utc"
"""The id of a zone without a name of Windows', and that of UTC. Exchange gives the first `tzone://Microsoft/Custom`, on which
exchangelib fails for a whole folder, and this name; programs go by the rules. A client that was told the second asks for it."""
_ALIKE: dict[int, dict[ZoneRules, list[str]]] = {}
"""Windows' names by the rules that their zones have, by year."""


def this_year() -> int:
    return time.gmtime().tm_year


def zone_of(asked: GivenZone) -> NamedZone:
    """The zone that a request gives: the one of its name, else one with the same rules, else one with the same offset all year.
    Raises EwsError ErrorCalendarInvalidTimeZone."""
    for name in asked.names:
        zone = zone_named(name)
        if zone is not None:
            return zone
    if asked.rules is None:
        raise EwsError(Code.CALENDAR_INVALID_TIME_ZONE)
    alike = _by_rules(this_year()).get(asked.rules)
    if alike and (zone := zone_named(alike[0])) is not None:
        return zone
    return _fixed(asked.rules.standard)


def _fixed(offset: int) -> NamedZone:
    if not offset:
        return UTC_ZONE
    if offset % 3600 == 0 and abs(offset) <= 12 * 3600 and (hours := find_zone(f"Etc/GMT{-offset // 3600:+d}")):
        return NamedZone(f"Etc/GMT{-offset // 3600:+d}", hours)
    zone = zone_named(f"UTC{'-' if offset < 0 else '+'}{abs(offset) // 3600:02d}:{abs(offset) // 60 % 60:02d}")
    return zone or UTC_ZONE


def definition_zone(definition: xml.Element) -> NamedZone:
    """The zone of a TimeZoneDefinition. Raises EwsError ErrorCalendarInvalidTimeZone."""
    return zone_of(read_definition(definition))


def meeting_zone(zone: xml.Element) -> NamedZone:
    """The zone of a MeetingTimeZone. Raises EwsError ErrorCalendarInvalidTimeZone."""
    return zone_of(read_meeting_zone(zone))


def _by_rules(year: int) -> dict[ZoneRules, list[str]]:
    if year not in _ALIKE:
        by_rules: dict[ZoneRules, list[str]] = {}
        for name in IANA:
            by_rules.setdefault(rules_in(name, year), []).append(name)
        _ALIKE.clear()
        _ALIKE[year] = by_rules
    return _ALIKE[year]


@lru_cache(maxsize=1_024)
def rules_in(name: str, year: int) -> ZoneRules:
    """The rules in a year of the zone of this name, of Windows' or of the database's."""
    zone = zone_named(name) or UTC_ZONE
    return rules_of(zone.tzinfo, year)


@lru_cache(maxsize=1_024)
def _windows_name(zone: str, year: int) -> str:
    direct = [name for name, iana in IANA.items() if iana == zone]
    rules = rules_in(zone, year)
    if zone.partition("/")[0] in ("Etc", zone) and rules == rules_in(UTC_ZONE.name, year):
        # "Zulu" and "Utc" are no places: of Windows' zones with these rules they are UTC, and not Greenwich.
        direct = ["UTC"]
    if direct:
        return direct[0]
    alike = _by_rules(year).get(rules, [])
    near = [name for name in alike if IANA[name].partition("/")[0] == zone.partition("/")[0]]
    return (near or alike or [zone])[0]


def windows_name(zone: Zone) -> str:
    """Windows' name for a zone: that of a zone with the same rules, where Windows has none for this one. A zone that is like none
    of Windows' keeps its name, and is CUSTOM if only its calendar knows it."""
    if isinstance(zone, NamedZone):
        return _windows_name(zone.name, this_year())
    return next(iter(_by_rules(this_year()).get(rules_now(zone), ())), CUSTOM)


def rules_now(zone: Zone) -> ZoneRules:
    """The rules that a zone has this year."""
    if isinstance(zone, NamedZone):
        return rules_in(zone.name, this_year())
    return rules_of_calendar(zone, this_year())


def shown_name(name: str, year: int) -> str:
    """The name of a zone of Windows' for people: "(UTC+01:00) W. Europe Standard Time"."""
    offset = rules_in(name, year).standard
    hours, minutes = divmod(abs(offset) // 60, 60)
    place = f"UTC{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}" if offset else "UTC"
    return f"({place}) {name}"


def markup(tag: str, zone: Zone, is_whole: bool = False) -> str:
    """A zone as a TimeZoneDefinitionType in an element such as "t:StartTimeZone"; `is_whole`: with its rules. One that nobody
    knows by its name always has them."""
    name = windows_name(zone)
    if name == CUSTOM:
        return definition_markup(tag, name, zone.name, rules_now(zone))
    return definition_markup(tag, name, shown_name(name, this_year()), rules_now(zone) if is_whole else None)


def definition_named(tag: str, name: str, is_whole: bool) -> str:
    """The zone that has one of Windows' names, or UTC; "" where there is none."""
    if name == UTC:
        return definition_markup(tag, UTC, "UTC", ZoneRules(0) if is_whole else None)
    zone = zone_named(name) if name in IANA else None
    return markup(tag, zone, is_whole) if zone is not None else ""
