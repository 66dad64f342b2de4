"""Appointments: VEVENT objects, and the journal entries (VJOURNAL) and published busy times (VFREEBUSY) beside them.

`postern.items.calendar_object` reads and checks them; `postern.items.series` has their occurrences.
"""

from __future__ import annotations

from collections.abc import Collection

from postern.items.calendar_object import CalendarObject
from postern.items.rendered import Rendered, rendered
from postern.items.series import Extent, Series
from postern.protocols.ical.values import When, when_of
from postern.protocols.ical.zones import UTC_ZONE, Zone

ITEM_CLASS = "IPM.Appointment"
JOURNAL_CLASS = "IPM.Activity"


def render(calendar: CalendarObject, floating: Zone = UTC_ZONE, me: Collection[str] = ()) -> Rendered:
    """The searched values of an appointment. `floating` is the zone of dates and of times without zone; `me`
    are the owner's addresses in lower case, whose answer counts for how the appointment shows.

    Bound: linear in the object, and COUNTED steps of rules with a COUNT.
    """
    series = Series(calendar, floating)
    extent = series.extent()
    if extent is None and calendar.kind == "VFREEBUSY":
        extent = _published(calendar, floating)
    return rendered(calendar, extent, series, me)


def _published(calendar: CalendarObject, floating: Zone) -> Extent | None:
    """The span of busy times without DTSTART: all of them are looked at."""
    ends: list[When] = [
        when for part in calendar.parts for line in part.lines("DTEND") if (when := when_of(line)) is not None
    ]
    if not ends:
        return None
    end = max(calendar.zones.utc(when, floating) for when in ends)
    return Extent(0, end, end)
