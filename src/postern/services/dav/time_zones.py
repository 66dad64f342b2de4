"""Time zones by reference in CalDAV (RFC 7809).

A client says in CalDAV-Timezones whether it wants the VTIMEZONEs of known zones ("T") or not ("F"). One that says nothing gets
the octets that were put. A calendar's time zone is told by its name (calendar-timezone-id) and as iCalendar (calendar-
timezone): who sets one of them sets the other, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from postern.items.calendar_zones import calendar_of, with_all, without_known
from postern.items.zones import canonical_name, zone_named, zone_of_calendar
from postern.protocols.dav.bodies import Change
from postern.protocols.dav.names import caldav
from postern.protocols.xml import Element
from postern.services.dav.request import Request

TIME_ZONE, TIME_ZONE_ID = caldav("calendar-timezone"), caldav("calendar-timezone-id")
YEARS = 10
"""Years ahead for which a VTIMEZONE that is made is right."""


def asked(request: Request) -> str:
    """Returns "T", "F", or "" where the client says nothing, or nothing that is known."""
    value = (request.field("caldav-timezones") or "").strip().upper()
    return value if value in ("T", "F") else ""


def as_asked(octets: bytes, wish: str) -> bytes:
    """Returns a calendar object with the zones that a client wants (`asked`)."""
    if not wish:
        return octets
    until = datetime.now(UTC).year + YEARS
    return without_known(octets) if wish == "F" else with_all(octets, until)


def both(changes: Iterable[Change]) -> dict[str, str | None]:
    """Returns what is kept of a calendar's zone after these changes: the markup of both properties, None for one that goes. A
    name that is set counts more than a VTIMEZONE beside it."""
    by_name = {change.name: change for change in changes if change.name in (TIME_ZONE, TIME_ZONE_ID)}
    set_ = {name: change.value.text for name, change in by_name.items() if change.value is not None}
    if not by_name:
        return {}
    if TIME_ZONE_ID in set_:
        zone = zone_named(set_[TIME_ZONE_ID].strip())
        if zone is None:
            return {}
        year = datetime.now(UTC).year
        text = calendar_of(zone, year - 1, year + YEARS).decode()
        return {TIME_ZONE: _markup(TIME_ZONE, text), TIME_ZONE_ID: _markup(TIME_ZONE_ID, zone.name)}
    if TIME_ZONE not in set_:
        return {TIME_ZONE: None, TIME_ZONE_ID: None}
    described = zone_of_calendar(set_[TIME_ZONE].encode())
    name = canonical_name(described.name) if described is not None else ""
    return {TIME_ZONE_ID: _markup(TIME_ZONE_ID, name) if name else None}


def _markup(name: str, text: str) -> str:
    return Change(name, Element(name, {}, [text])).markup
