"""FindItem (MS-OXWSSRCH section 3.1.4.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.model.folders import Right
from postern.model.search import SortKey
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.shapes import read_shape
from postern.protocols.ews.versions import Version
from postern.services.ews import places
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.operations import find_calendar
from postern.services.ews.rendering import Rendering, markup_of

MAX_PARENTS = 100
MAX_ROWS = 1_000
"""Items of one page, as Exchange 2010 and later have it."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    rendering = Rendering(read_shape(request.find(m("ItemShape"))), call.header.version, listed=True)
    parents = (request.find(m("ParentFolderIds")) or xml.Element("")).elements
    if not 0 < len(parents) <= MAX_PARENTS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_PARENTS} folders.")
    calendar = request.find(m("CalendarView"))
    if calendar is not None:
        span = find_calendar.read_view(call, calendar)
        for each in parents:
            yield await attempted(_calendar(call, each, span, rendering))
        return
    view = request.find(m("IndexedPageItemView"))
    offset = int(view.attributes.get("Offset", "0")) if view is not None else 0
    most = int(view.attributes.get("MaxEntriesReturned", str(MAX_ROWS))) if view is not None else MAX_ROWS
    for each in parents:
        yield await attempted(_page(call, each, rendering, offset, min(most, MAX_ROWS)))


async def _calendar(call: Call, named: xml.Element, span: find_calendar.Span, rendering: Rendering) -> str:
    return await find_calendar.root_folder(call, await places.folder(call, named), span, rendering)


async def _page(call: Call, named: xml.Element, rendering: Rendering, offset: int, most: int) -> str:
    place = await places.folder(call, named)
    mailbox = place.mailbox
    await mailbox.nodes()
    mailbox.demand(place.node, Right.READ_ANY)
    page = await mailbox.store.find(mailbox.id, place.node.id, [SortKey("arrival", True)], offset, most)
    elements = await markup_of(call, mailbox, page.ids, rendering)
    items = "".join([elements[number] for number in page.ids if number in elements])
    end = offset + len(page.ids)
    is_last = "true" if end >= page.total else "false"
    return (
        f'<m:RootFolder IndexedPagingOffset="{end}" TotalItemsInView="{page.total}" IncludesLastItemInRange="{is_last}">'
        f"<t:Items>{items}</t:Items></m:RootFolder>"
    )


FIND_ITEM = Batch("FindItem", Version.V2007, "MS-OXWSSRCH 3.1.4.2", run)
