"""Time zones of calendar objects by reference (RFC 7809): without the VTIMEZONEs that all know, and with missing ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from postern.items import calendar_object
from postern.items.calendar_object import Refused
from postern.items.zones import canonical_name, zone_named
from postern.protocols.content_lines import Component, Line, component, line
from postern.protocols.ical.zone_writing import timezone_component
from postern.protocols.ical.zones import NamedZone

FIRST_YEAR = 1970
"""The year from which a VTIMEZONE that is added to an object is right: that of the time zone database's own promise."""
MAX_ZONES = 50
"""Zones that are added to one object."""


def without_known(octets: bytes) -> bytes:
    """The object without the VTIMEZONEs whose TZID is a name of the time zone database. What cannot be read stays as it is.

    Bound: linear in the octets.
    """
    read = calendar_object.read(octets) if b"VTIMEZONE" in octets else None
    if read is None or isinstance(read, Refused) or not read.is_single:
        return octets
    kept = [entry for entry in read.root.entries if not _is_known(entry)]
    return replace(read.root, entries=kept).octets() if len(kept) < len(read.root.entries) else octets


def _is_known(entry: Line | Component) -> bool:
    if not isinstance(entry, Component) or entry.name != "VTIMEZONE":
        return False
    tzid = entry.value("TZID").strip()
    return canonical_name(tzid) == tzid != ""


def with_all(octets: bytes, until: int) -> bytes:
    """The object with a VTIMEZONE for each zone that its times name, where the database has the zone and the object does not. It
    is right until the year `until`.

    Bound: linear in the octets; at most MAX_ZONES zones.
    """
    read = calendar_object.read(octets) if b"TZID" in octets else None
    if read is None or isinstance(read, Refused) or not read.is_single:
        return octets
    there = {zone.value("TZID").strip() for zone in read.root.components("VTIMEZONE")}
    named = dict.fromkeys(tzid for part in read.parts for tzid in _zones_of(part) if tzid not in there)
    added = [made for tzid in list(named)[:MAX_ZONES] if (made := _written(tzid, FIRST_YEAR, until)) is not None]
    if not added:
        return octets
    first = next(place for place, entry in enumerate(read.root.entries) if isinstance(entry, Component))
    entries = [*read.root.entries[:first], *added, *read.root.entries[first:]]
    return replace(read.root, entries=entries).octets()


def _zones_of(part: Component) -> Iterator[str]:
    for entry in part.lines():
        if entry.head and (tzid := entry.parameter("TZID")) and tzid.isprintable():  # else a line cannot name it
            yield tzid
    for inner in part.components():
        yield from _zones_of(inner)


@lru_cache(maxsize=256)
def _written(tzid: str, first: int, last: int) -> Component | None:
    zone = zone_named(tzid)
    return None if zone is None else timezone_component(NamedZone(tzid, zone.tzinfo), first, last)


def calendar_of(zone: NamedZone, first: int, last: int) -> bytes:
    """A calendar that has nothing but the VTIMEZONE of a zone, as calendar-timezone wants it (RFC 4791 section 5.2.2)."""
    lines = [line("VERSION", "2.0"), line("PRODID", "-//Postern//Time zones//EN")]
    return component("VCALENDAR", [*lines, timezone_component(zone, first, last)]).octets()
