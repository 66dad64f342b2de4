"""CalendarView of FindItem: the appointments and occurrences of a span of time (MS-OXWSMTGS section 2.2.4.9, MS-OXWSSRCH section
3.1.4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from postern.model.folders import Right
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import unsigned
from postern.protocols.ews.times import read_local
from postern.services.ews.access import Call
from postern.services.ews.appointments import zone_of_request
from postern.services.ews.calendar_span import Entry, Span, entries_in, views_of
from postern.services.ews.calendar_times import GivenTime
from postern.services.ews.item_reading import prepare
from postern.services.ews.item_view import Need, load_pages
from postern.services.ews.places import Place
from postern.services.ews.rendering import Rendering, markup_of_view

MAX_SPAN = 731 * 86_400
"""Seconds of a view: two years (ErrorCalendarViewRangeTooBig)."""
MAX_ROWS = 1_000
"""Appointments of one answer, as Exchange 2010 and later bound it."""


def read_view(call: Call, view: xml.Element) -> Span:
    """Reads a CalendarView. Raises EwsError: ErrorCalendarEndDateIsEarlierThanStartDate, ErrorCalendarViewRangeTooBig,
    ErrorInvalidPagingMaxRows, ErrorSchemaValidation."""
    zone = zone_of_request(call)
    times = [GivenTime(*read_local(view.attributes.get(name, ""))).utc(zone) for name in ("StartDate", "EndDate")]
    if times[1] < times[0]:
        raise EwsError(Code.CALENDAR_END_DATE_IS_EARLIER_THAN_START_DATE)
    if times[1] - times[0] > MAX_SPAN:
        raise EwsError(Code.CALENDAR_VIEW_RANGE_TOO_BIG)
    most = unsigned(view.attributes.get("MaxEntriesReturned", str(MAX_ROWS)))
    if not most:
        raise EwsError(Code.INVALID_PAGING_MAX_ROWS)
    return Span(times[0], times[1], min(most, MAX_ROWS))


async def root_folder(call: Call, place: Place, span: Span, rendering: Rendering) -> str:
    """The m:RootFolder with what is in the span, in the order of starts. Raises EwsError:
    ErrorCalendarFolderIsInvalidForCalendarView, ErrorAccessDenied; MailboxError."""
    mailbox = place.mailbox
    await mailbox.nodes()
    if not place.node.is_calendar:
        raise EwsError(Code.CALENDAR_FOLDER_IS_INVALID_FOR_CALENDAR_VIEW)
    mailbox.demand(place.node, Right.READ_ANY)
    entries, is_whole = await entries_in(call, place, span)
    shown = entries[: span.most]
    items = "".join(await _elements(call, place, shown, rendering))
    is_last = "true" if is_whole and len(shown) == len(entries) else "false"
    return (
        f'<m:RootFolder TotalItemsInView="{len(shown)}" IncludesLastItemInRange="{is_last}">'
        f"<t:Items>{items}</t:Items></m:RootFolder>"
    )


async def _elements(call: Call, place: Place, entries: Sequence[Entry], rendering: Rendering) -> list[str]:
    """The elements of these entries. Each content is read once for all of its occurrences."""
    mailbox, elements = place.mailbox, dict[Entry, str]()
    by_item: dict[int, list[Entry]] = {}
    for entry in entries:
        by_item.setdefault(entry.item, []).append(entry)
    async for views in load_pages(call, mailbox, list(by_item), Need.CONTENT | Need.BAG):
        shown = {entry: view for whole in views for entry, view in await views_of(whole, by_item[whole.stored.id])}
        await prepare(mailbox, list(shown.values()), rendering)
        for entry, view in shown.items():
            elements[entry] = await markup_of_view(view, rendering)
    return [elements[entry] for entry in entries if entry in elements]
