"""FindItem (MS-OXWSSRCH section 3.1.4.2)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from enum import StrEnum

from postern.model.folders import Right
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.conditions import Condition
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, value
from postern.protocols.ews.query_strings import read_query
from postern.protocols.ews.shapes import read_shape
from postern.protocols.ews.versions import Version
from postern.protocols.ews.views import Seek, read_grouping, read_order, read_view
from postern.services.ews import places, search_folders
from postern.services.ews.access import Call
from postern.services.ews.calendar_span import Span
from postern.services.ews.finding import Finder, Page, Search, joined, paging
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.operations import find_calendar
from postern.services.ews.rendering import Rendering, markup_of

MAX_PARENTS = 100
_NOTHING = Page((), 0, 0, 0, True)


class Traversal(StrEnum):
    """Which items of a folder are searched (MS-OXWSSRCH section 2.2.5.5)."""

    SHALLOW = "Shallow"
    SOFT_DELETED = "SoftDeleted"
    ASSOCIATED = "Associated"


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    shape = read_shape(request.find(m("ItemShape")))
    rendering = Rendering(shape, call.header.version, listed=True, refuses=True)
    parents = (request.find(m("ParentFolderIds")) or xml.Element("")).elements
    if not 0 < len(parents) <= MAX_PARENTS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_PARENTS} folders.")
    calendar = request.find(m("CalendarView"))
    if calendar is not None:
        span = _span(call, request, calendar)
        for each in parents:
            yield await attempted(_calendar(call, each, span, rendering))
        return
    try:
        traversal = Traversal(request.attributes.get("Traversal", Traversal.SHALLOW))
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None
    view = read_view(request)
    if isinstance(view, Seek) and call.header.version < Version.V2013:
        raise EwsError(Code.INVALID_REQUEST, "SeekToConditionPageItemView came with Exchange2013.")
    search = Search(_condition(call, request), read_order(request.find(m("SortOrder"))), read_grouping(request))
    finder = Finder(call, search, view)
    for each in parents:
        yield await attempted(_answer(call, each, finder, rendering, traversal))


async def _calendar(call: Call, named: xml.Element, span: Span, rendering: Rendering) -> str:
    return await find_calendar.root_folder(call, await places.folder(call, named), span, rendering)


def _span(call: Call, request: xml.Element, view: xml.Element) -> Span:
    """Reads a CalendarView, beside which nothing else chooses or sorts appointments (MS-OXWSSRCH section 3.1.4.2.3.6)."""
    if request.find(m("Restriction")) is not None or request.find(m("QueryString")) is not None:
        raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
    if any(request.find(m(name)) is not None for name in ("SortOrder", "GroupBy", "DistinguishedGroupBy")):
        raise EwsError(Code.UNSUPPORTED_PATH_FOR_SORT_GROUP)
    return find_calendar.read_view(call, view)


def _condition(call: Call, request: xml.Element) -> Condition | None:
    text = request.text_of(m("QueryString"))
    if text and call.header.version < Version.V2010:
        raise EwsError(Code.INVALID_REQUEST, "QueryString came with Exchange2010.")
    query = read_query(text, int(time.time())) if text else None
    return joined(search_folders.condition_of(call, request.find(m("Restriction"))), query)


async def _answer(call: Call, named: xml.Element, finder: Finder, rendering: Rendering, traversal: Traversal) -> str:
    place = await places.folder(call, named)
    mailbox = place.mailbox
    await mailbox.nodes()
    page = _NOTHING
    if place.node.id > 0:
        mailbox.demand(place.node, Right.READ_ANY)
        # Nothing here is deleted softly, and nothing is associated with a folder.
        if traversal is Traversal.SHALLOW:
            page = await (search_folders.page(call, place, finder) if place.node.is_search else finder.page(place))
    elements = await markup_of(call, mailbox, page.ids, rendering)
    if finder.search.grouping is not None:
        groups = "".join(
            [
                f"<t:GroupedItems>{value('t:GroupIndex', text)}{_items(elements, ids)}</t:GroupedItems>"
                for text, ids in page.groups
            ]
        )
        content = f"<t:Groups>{groups}</t:Groups>"
    else:
        content = _items(elements, page.ids)
    return f"<m:RootFolder{paging(page, finder.view)}>{content}</m:RootFolder>"


def _items(elements: dict[int, str], ids: Sequence[int]) -> str:
    return f"<t:Items>{''.join([elements[number] for number in ids if number in elements])}</t:Items>"


FIND_ITEM = Batch("FindItem", Version.V2007, "MS-OXWSSRCH 3.1.4.2", run)
