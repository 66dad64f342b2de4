"""Tasks: VTODO objects."""

from __future__ import annotations

from collections.abc import Collection

from postern.items.calendar_object import CalendarObject
from postern.items.rendered import Rendered, rendered
from postern.items.series import Extent, Series
from postern.protocols.content_lines import Component
from postern.protocols.ical.values import when_of
from postern.protocols.ical.zones import UTC_ZONE, Zone

ITEM_CLASS = "IPM.Task"


def render(calendar: CalendarObject, floating: Zone = UTC_ZONE, me: Collection[str] = ()) -> Rendered:
    """The searched values of a task. Its span is the one in which a time-range test can find it (RFC 4791 section 9.9): a task
    without any date is found in each.

    Bound: linear in the object, and COUNTED steps of rules with a COUNT.
    """
    series = Series(calendar, floating)
    main = calendar.main
    due = time_of(calendar, main, "DUE", floating)
    completed = time_of(calendar, main, "COMPLETED", floating)
    created = time_of(calendar, main, "CREATED", floating)
    return rendered(calendar, series.extent() or _without_start(due, completed, created), series, me, due, completed)


def time_of(calendar: CalendarObject, part: Component, name: str, floating: Zone) -> int | None:
    """The time of a line of a component, in UTC; None if it has none that can be read."""
    when = when_of(part.first(name))
    return None if when is None else calendar.zones.utc(when, floating)


def _without_start(due: int | None, completed: int | None, created: int | None) -> Extent | None:
    """The span of a task without DTSTART. None: it is in every span."""
    if due is not None:
        return Extent(due, due, due)
    if completed is not None:
        first = completed if created is None else min(created, completed)
        return Extent(first, completed, completed if created is None else max(created, completed))
    return None if created is None else Extent(created, created, None)
