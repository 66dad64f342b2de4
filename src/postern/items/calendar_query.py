"""Answers the filters of calendar queries (RFC 4791 section 9.7) on objects that are read."""

from __future__ import annotations

from collections.abc import Sequence

from postern.items import time_range
from postern.items.calendar_object import CalendarObject
from postern.items.collation import has_property
from postern.items.filters import ComponentFilter, PropertyFilter
from postern.items.text import text_of
from postern.protocols.content_lines import Component
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import UTC_ZONE, Zone


def matches(
    calendar: CalendarObject, wanted: ComponentFilter, floating: Zone = UTC_ZONE, budget: Budget | None = None
) -> bool:
    """Whether an object is wanted. `floating` is the zone of dates and of times without zone (CALDAV:timezone), and `budget` may
    be shared by the objects of a query.

    Bound: linear in the object for each filter, and `budget` steps of rules.
    """
    roots = [calendar.root] if wanted.name == "VCALENDAR" else []
    return _Query(calendar, floating, budget or Budget()).has(roots, wanted)


class _Query:
    def __init__(self, calendar: CalendarObject, floating: Zone, budget: Budget) -> None:
        self.calendar = calendar
        self.floating = floating
        self.budget = budget

    def has(self, components: Sequence[Component], wanted: ComponentFilter) -> bool:
        """Whether the filter finds one of the components of its name. Properties and components within, and the span of time,
        must be those of the same one."""
        if wanted.is_not_defined:
            return not components
        fitting = [component for component in components if self._fits(component, wanted)]
        if wanted.time_range is None or not fitting:
            return bool(fitting)
        if wanted.name == "VALARM":
            return time_range.alarm_in_range(self.calendar, fitting, wanted.time_range, self.floating, self.budget)
        if wanted.name != self.calendar.kind:
            return False
        return time_range.in_range(self.calendar, fitting, wanted.time_range, self.floating, self.budget)

    def _fits(self, component: Component, wanted: ComponentFilter) -> bool:
        if not all(self._has_property(component, each) for each in wanted.properties):
            return False
        return all(self.has(list(component.components(each.name)), each) for each in wanted.components)

    def _has_property(self, component: Component, wanted: PropertyFilter) -> bool:
        span = wanted.time_range
        return has_property(
            component.lines(wanted.name),
            wanted,
            lambda line: text_of(line.value),
            lambda line: span is None or time_range.property_in_range(self.calendar, line, span, self.floating),
        )
