"""calendar-query and free-busy-query (RFC 4791 sections 7.8 and 7.10).

The store names those that may be in a span of time; only of series, and where more is asked for, the content is read.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from postern.items import calendar_object, calendar_query, free_busy
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.filters import ComponentFilter, TimeRange
from postern.items.free_busy import merged, published
from postern.model.item_store import RenderedItem
from postern.model.resources import Resource
from postern.protocols import xml
from postern.protocols.content_lines import component, line
from postern.protocols.dav import multistatus
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.reports import FreeBusyQuery, Query
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import Zone
from postern.services.dav import busy, filters, folders, time_zones
from postern.services.dav.contents import CLASSES
from postern.services.dav.data import Data
from postern.services.dav.folders import Collection
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.octets import content_of, may_recur
from postern.services.dav.propfind import PAGE
from postern.services.dav.request import TOO_MANY, Answer, Request, applied
from postern.services.dav.request import multistatus as answer_of
from postern.services.dav.resource_properties import ResourceResponses
from postern.services.dav.time_zones import TIME_ZONE, TIME_ZONE_ID
from postern.services.scheduling.aside import aside

BATCH = 250
"""Objects whose contents are read at a time."""
STEPS = 5_000_000
"""Steps that the rules of all objects may take for one query: about five seconds."""
FAR = 1 << 62
PRODUCT = "-//Postern//CalDAV//EN"


async def zone_of(box: OwnMailbox, collection: Collection, text: str = "", name: str = "") -> Zone:
    """Returns the zone of times without one: that of a query by its text or name, or the calendar's. Raises Refusal."""
    if text or name:
        return filters.floating_zone(text, name)
    (collection,) = await folders.with_properties(box, [collection])
    kept, id_ = (collection.dead.get(each, "") for each in (TIME_ZONE, TIME_ZONE_ID))
    return filters.kept_zone(*[xml.read(markup.encode()).text if markup else "" for markup in (kept, id_)])


@dataclass(frozen=True, slots=True)
class _Plan:
    """The way to answer a filter. `item_class` is the class that its one component wants ("" for any), `span` the time range
    of that component. `is_simple`: nothing else is asked for, so that the rendered values decide."""

    filter: ComponentFilter
    item_class: str = ""
    span: TimeRange | None = None
    is_simple: bool = False

    @classmethod
    def of(cls, wanted: ComponentFilter) -> _Plan:
        if len(wanted.components) != 1 or wanted.properties or wanted.time_range is not None:
            is_all = not wanted.components and not wanted.properties and wanted.time_range is None
            return cls(wanted, is_simple=is_all and not wanted.is_not_defined)
        (inner,) = wanted.components
        item_class = CLASSES.get(inner.name, "")
        if inner.is_not_defined or not item_class:
            return cls(wanted)
        is_plain = not inner.properties and not inner.components
        # When a task is in a span depends on which of its dates it has.
        is_simple = is_plain and (inner.time_range is None or inner.name == "VEVENT")
        return cls(wanted, item_class, inner.time_range, is_simple)

    def decides(self, resource: Resource, rendered: RenderedItem | None) -> bool | None:
        """Whether a resource is wanted; None where its content has to be read."""
        if self.item_class and resource.item_class != self.item_class:
            return False
        if not self.is_simple or (rendered is not None and rendered.expands):
            return None
        return True


async def query(box: OwnMailbox, collection: Collection, body: Query, request: Request) -> Answer:
    floating = await zone_of(box, collection, body.timezone, body.timezone_id)
    plan = _Plan.of(filters.component_filter(body.filter))
    budget = Budget(STEPS)
    data = Data.of(body.properties, floating, time_zones.asked(request), budget)
    preferences = request.preferences
    writer = ResourceResponses(box, collection, body.properties, preferences)

    async def pieces() -> AsyncIterator[str]:
        yield multistatus.BEGIN
        async for page, rendered in _candidates(box, collection, plan.span):
            wanted = [(each, plan.decides(each, rendered.get(each.id))) for each in page]
            wanted = [(each, decision) for each, decision in wanted if decision is not False]
            for start in range(0, len(wanted), BATCH):
                batch = wanted[start : start + BATCH]
                decisions = {each.id: decision for each, decision in batch}
                resources = [each for each, _ in batch]
                if data is not None or None in decisions.values():
                    resources = list(await box.store.with_ids(box.id, list(decisions), True))
                await writer.prepare(resources)
                for resource in resources:
                    if budget.is_spent:
                        break
                    read = None
                    if decisions[resource.id] is None:
                        read = await _fitting(box, resource, plan.filter, floating, budget)
                        if read is None:
                            continue
                    markup = await data.markup(box, resource, read) if data is not None else ""
                    yield writer.response(resource, markup)
            if budget.is_spent:
                yield multistatus.state(href_of(collection.path), HTTPStatus.INSUFFICIENT_STORAGE, TOO_MANY)
                break
        yield multistatus.END

    return answer_of(pieces(), applied(preferences))


async def _fitting(
    box: OwnMailbox, resource: Resource, wanted: ComponentFilter, floating: Zone, budget: Budget
) -> CalendarObject | None:
    """Reads an object; None for one that the filter does not want."""
    content = await content_of(box, resource)

    def work() -> CalendarObject | None:
        calendar = calendar_object.read(content)
        if isinstance(calendar, Refused) or not calendar_query.matches(calendar, wanted, floating, budget):
            return None
        return calendar

    return await aside(content, work, may_recur(content))


async def _candidates(
    box: OwnMailbox, collection: Collection, span: TimeRange | None
) -> AsyncIterator[tuple[list[Resource], dict[int, RenderedItem]]]:
    """Gives pages of the resources that may be in the span, with their rendered values; without a span, all resources."""
    if span is None:
        async for page in box.pages(collection.id, PAGE):
            yield list(page), {}
        return
    start = -FAR if span.start is None else span.start
    end = FAR if span.end is None else span.end
    after = 0
    while rendered := await box.store.overlapping(box.id, collection.id, start, end, after, PAGE):
        yield list(await box.store.with_ids(box.id, list(rendered))), rendered
        after = max(rendered)


async def busy_times(box: OwnMailbox, collection: Collection, body: FreeBusyQuery) -> Answer:
    """Says when the owner is not free. Of series alone the content is read."""
    span = filters.time_range(body.start, body.end)
    start, end = span.start or 0, span.end or 0
    floating = await zone_of(box, collection)
    periods = await busy.periods_of(box, collection, start, end, floating, Budget(free_busy.STEPS))

    def work() -> bytes:
        times = published(merged(periods), start, end, int(time.time()))
        return component("VCALENDAR", [line("VERSION", "2.0"), line("PRODID", PRODUCT), times]).octets()

    octets = await aside(b"", work, len(periods) > busy.MANY)
    return Answer(HTTPStatus.OK, [(b"content-type", b"text/calendar; charset=utf-8")], octets)
