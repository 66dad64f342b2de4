"""The times at which the owner of a calendar is not free, as the store and the contents of series tell them."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from functools import partial

from postern.items import calendar_object, free_busy
from postern.items.calendar_object import Refused
from postern.items.free_busy import Period
from postern.model.item_store import Busy
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import Zone
from postern.services.dav.folders import Collection
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.octets import content_of, may_recur
from postern.services.scheduling.aside import aside

PAGE = 2_000
"""Appointments that are asked of the store at a time."""
MANY = 1_000
"""Periods that are put in order and written in a thread."""
BATCH = 250
"""Series whose contents are read at a time."""


async def periods_of(
    box: OwnMailbox, calendar: Collection, start: int, end: int, floating: Zone, budget: Budget
) -> list[Period]:
    """The periods of a calendar within a span, in no order. Of series alone the content is read."""
    periods: list[Period] = []
    after = 0
    while rendered := await box.store.overlapping(box.id, calendar.id, start, end, after, PAGE):
        after = max(rendered)
        series = []
        for number, item in rendered.items():
            if item.expands:
                series.append(number)
            elif item.busy and item.starts is not None and item.ends is not None:
                periods.append(Period(max(item.starts, start), min(item.ends, end), min(item.busy, Busy.OUT_OF_OFFICE)))
        for first in range(0, len(series), BATCH):
            for resource in await box.store.with_ids(box.id, series[first : first + BATCH], True):
                content = await content_of(box, resource)
                work = partial(_of_series, content, start, end, floating, budget, box.calendar_addresses)
                periods += await aside(content, work, may_recur(content))
    return periods


def _of_series(
    content: bytes, start: int, end: int, floating: Zone, budget: Budget, me: AbstractSet[str]
) -> list[Period]:
    read = calendar_object.read(content)
    return [] if isinstance(read, Refused) else free_busy.free_busy([read], start, end, floating, budget, me)
