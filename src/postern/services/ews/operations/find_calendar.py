"""CalendarView of FindItem: the appointments and occurrences of a span of time (MS-OXWSMTGS section 2.2.4.9, MS-OXWSSRCH section
3.1.4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from postern.model.folders import Right
from postern.model.item_store import RenderedItem
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.times import read_local
from postern.protocols.ical.expansion import Budget
from postern.services.ews.access import Call
from postern.services.ews.appointments import of_view, zone_of_request
from postern.services.ews.calendar_times import GivenTime
from postern.services.ews.item_view import ItemView, Need, load
from postern.services.ews.meeting_changes import is_calendar
from postern.services.ews.places import Place
from postern.services.ews.rendering import Rendering, prepare
from postern.services.scheduling.aside import aside

MAX_SPAN = 731 * 86_400
"""Seconds of a view: two years (ErrorCalendarViewRangeTooBig)."""
MAX_ROWS = 1_000
"""Appointments of one answer, as Exchange 2010 and later bound it."""
MAX_LOOKED = 10_000
"""Appointments of a folder that are looked at for one view, and occurrences that are made of them."""
STEPS = 1_000_000
"""Steps of rules that one view takes."""
PAGE = 200
"""Contents that are read at once."""


class Span(NamedTuple):
    """The span of a view in seconds since the epoch, and how many entries it wants."""

    start: int
    end: int
    most: int


class _Entry(NamedTuple):
    """An appointment, or an occurrence, of a view."""

    start: int
    item: int
    key: int | None


def read_view(call: Call, view: xml.Element) -> Span:
    """Reads a CalendarView. Raises EwsError: ErrorCalendarEndDateIsEarlierThanStartDate, ErrorCalendarViewRangeTooBig,
    ErrorInvalidPagingMaxRows, ErrorSchemaValidation."""
    zone = zone_of_request(call)
    times = [GivenTime(*read_local(view.attributes.get(name, ""))).utc(zone) for name in ("StartDate", "EndDate")]
    if times[1] < times[0]:
        raise EwsError(Code.CALENDAR_END_DATE_IS_EARLIER_THAN_START_DATE)
    if times[1] - times[0] > MAX_SPAN:
        raise EwsError(Code.CALENDAR_VIEW_RANGE_TOO_BIG)
    digits = view.attributes.get("MaxEntriesReturned", str(MAX_ROWS))
    most = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
    if most < 1:
        raise EwsError(Code.INVALID_PAGING_MAX_ROWS)
    return Span(times[0], times[1], min(most, MAX_ROWS))


async def root_folder(call: Call, place: Place, span: Span, rendering: Rendering) -> str:
    """The m:RootFolder with what is in the span, in the order of starts. Raises EwsError:
    ErrorCalendarFolderIsInvalidForCalendarView, ErrorAccessDenied; MailboxError."""
    mailbox = place.mailbox
    await mailbox.nodes()
    if not is_calendar(place.node.folder_class):
        raise EwsError(Code.CALENDAR_FOLDER_IS_INVALID_FOR_CALENDAR_VIEW)
    mailbox.demand(place.node, Right.READ_ANY)
    entries, is_whole = await _entries(call, place, span)
    shown = entries[: span.most]
    items = "".join(await _elements(call, place, shown, rendering))
    is_last = "true" if is_whole and len(shown) == len(entries) else "false"
    return (
        f'<m:RootFolder TotalItemsInView="{len(shown)}" IncludesLastItemInRange="{is_last}">'
        f"<t:Items>{items}</t:Items></m:RootFolder>"
    )


async def _entries(call: Call, place: Place, span: Span) -> tuple[list[_Entry], bool]:
    """The items in the span, in the order of starts, and whether it is all."""
    mailbox, entries = place.mailbox, list[_Entry]()
    budget = Budget(STEPS)
    after = looked = 0
    while looked < MAX_LOOKED:
        page = await mailbox.store.overlapping(mailbox.id, place.node.id, span.start, span.end, after, PAGE)
        if not page:
            entries.sort()
            return entries[:MAX_LOOKED], len(entries) <= MAX_LOOKED and not budget.is_spent
        after, looked = max(page), looked + len(page)
        entries.extend(_simple(page, span))
        expanding = [number for number, item in page.items() if item.expands]
        for view in await load(call, mailbox, expanding, Need.CONTENT) if expanding else []:
            work = partial(_expanded, view, span, budget)
            entries.extend(await aside(view.content or b"", work, b"RRULE" in (view.content or b"")))
    entries.sort()
    return entries, False


def _simple(page: dict[int, RenderedItem], span: Span) -> Iterator[_Entry]:
    """Those that happen once, at a time that the store knows."""
    for number, item in page.items():
        if item.expands or item.starts is None or item.starts >= span.end:
            continue
        if item.ends is None or item.ends > span.start or item.starts >= span.start:
            yield _Entry(item.starts, number, None)


def _expanded(view: ItemView, span: Span, budget: Budget) -> list[_Entry]:
    it = of_view(view)
    base = it.series.masters[0] if it.series.masters else None
    number = view.stored.id
    entries = {}
    for each in it.series.between(span.start, span.end, MAX_LOOKED, budget):
        key = base.key(each.recurrence) if base is not None and each.recurrence is not None else None
        entries[key] = _Entry(each.start, number, key)
    return list(entries.values())


async def _elements(call: Call, place: Place, entries: Sequence[_Entry], rendering: Rendering) -> list[str]:
    """The elements of these entries. Contents are read a page at a time, and each once for all of its occurrences on the page."""
    mailbox, elements = place.mailbox, list[str]()
    for begin in range(0, len(entries), PAGE):
        page = entries[begin : begin + PAGE]
        ids = list(dict.fromkeys(entry.item for entry in page))
        views = {view.stored.id: view for view in await load(call, mailbox, ids, Need.CONTENT | Need.BAG)}
        shown = [_of_entry(views[entry.item], entry) for entry in page if entry.item in views]
        await prepare(mailbox, shown, rendering)
        for view in shown:
            elements.append(await aside(view.content or b"", partial(rendering.markup, view)))
    return elements


def _of_entry(view: ItemView, entry: _Entry) -> ItemView:
    """The view of an occurrence, which shares what was read of the series."""
    of_view(view)
    return view if entry.key is None else replace(view, start=entry.key, parsed=dict(view.parsed))
