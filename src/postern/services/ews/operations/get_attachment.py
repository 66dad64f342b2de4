"""GetAttachment (MS-OXWSATT section 3.1.4.3). The content of a file is sent while it is encoded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from postern.items.mail_content import octets_of
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.shapes import Base, read_shape
from postern.protocols.ews.versions import Version
from postern.services.ews import attached, calendar_attachments, line_attachments
from postern.services.ews.access import Call
from postern.services.ews.attached_places import AttachmentPlace, find, holder, read_attachment_id
from postern.services.ews.fields import mime
from postern.services.ews.item_view import ReadOnce
from postern.services.ews.kinds import kind_of
from postern.services.ews.operation import Batch, Long, attempted
from postern.services.ews.rendering import Rendering

MAX_IDS = 500


async def run(call: Call, request: xml.Element) -> AsyncIterator[Long | EwsError]:
    shape = read_shape(request.find(m("AttachmentShape")))
    rendering = Rendering(shape, call.header.version, base=Base.ALL, is_attached=True)
    named = (request.find(m("AttachmentIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_IDS} attachments.")
    items = ReadOnce(call)
    for each in named:
        yield await attempted(_attachment(items, each, rendering))


async def _attachment(items: ReadOnce, named: xml.Element, rendering: Rendering) -> Long:
    wanted = read_attachment_id(named)
    view = await holder(items, wanted.mailbox, wanted.item)
    if kind_of(view.stored.item_class).element == "CalendarItem":
        return await asyncio.to_thread(calendar_attachments.get, view, wanted)
    if line_attachments.has_lines(view):
        return await asyncio.to_thread(line_attachments.get, view, wanted)
    place = await asyncio.to_thread(find, view, wanted)
    start, end = attached.tags(place.view, place.node, place.is_inline)
    inner = await asyncio.to_thread(_content, place, rendering)
    return Long(["<m:Attachments>", start, *inner, end, "</m:Attachments>"])


def _content(place: AttachmentPlace, rendering: Rendering) -> list[str | bytes]:
    octets = octets_of(place.view.content or b"", place.node)
    if not place.node.is_message:
        return ["<t:Content>", octets, "</t:Content>"]
    return rendering.parts(mime.with_content(place.view, octets, place.node.number + 1), is_streamed=True)


GET_ATTACHMENT = Batch("GetAttachment", Version.V2007, "MS-OXWSATT 3.1.4.3", run)
