"""Looks time zones up in the time zone database, by IANA's name in any case, and by those that calendars and Windows have."""

from __future__ import annotations

from datetime import tzinfo
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from postern.protocols.content_lines import read
from postern.protocols.ical.zones import NamedZone, Zone, Zones, named_zone

MAX_NAME = 64
"""Characters of a zone's name; the longest known one has half as many."""


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """The names of the database, by the name in lower case."""
    text = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii")
    return {name.lower(): name for name in text.split()}


def canonical_name(name: str) -> str:
    """The name as the database has it; "" if there is no such zone.

    Bound: constant; a name of more than MAX_NAME characters is not looked at.
    """
    return _names().get(name.lower(), "") if len(name) <= MAX_NAME else ""


def find_zone(name: str) -> tzinfo | None:
    """The zone of this name. Only names of the database's list are looked up, so that no name leads to another file."""
    canonical = canonical_name(name)
    return ZoneInfo(canonical) if canonical else None


def zone_named(tzid: str) -> NamedZone | None:
    """The zone of a TZID, of a name of Windows' or of IANA's; None: nobody knows it."""
    return named_zone(tzid, find_zone)


def zone_of_calendar(octets: bytes) -> Zone | None:
    """The zone of a VCALENDAR with a VTIMEZONE, as CalDAV's calendar-timezone property has it (RFC 4791 section 5.2.2). None: it
    has none that can be read.

    Bound: linear in the octets.
    """
    for root in read(octets).roots:
        for timezone in root.components("VTIMEZONE"):
            tzid = timezone.value("TZID")
            return Zones({tzid: timezone}, find_zone).get(tzid)
    return None
