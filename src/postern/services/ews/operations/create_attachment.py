"""CreateAttachment (MS-OXWSATT section 3.1.4.1)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, t
from postern.protocols.ews.versions import Version
from postern.services.ews import attached, calendar_attachments, line_attachments
from postern.services.ews.access import Call
from postern.services.ews.attached_places import holder
from postern.services.ews.editing import Disposition, How
from postern.services.ews.item_view import ItemView, ReadOnce
from postern.services.ews.kinds import kind_of
from postern.services.ews.mail_editor import MailEditor
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import Place, item_ref

MAX_ATTACHMENTS = 200


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    parent = request.find(m("ParentItemId"))
    wanted = (request.find(m("Attachments")) or xml.Element("")).elements
    if parent is None or not 0 < len(wanted) <= MAX_ATTACHMENTS:
        raise EwsError(Code.INVALID_REQUEST, f"A request makes 1 to {MAX_ATTACHMENTS} attachments of an item.")
    ref = item_ref(xml.Element(t("ItemId"), parent.attributes))
    view = await holder(ReadOnce(call), ref.id.mailbox, ref.id.item)
    if ref.change is not None and ref.change < view.stored.change:
        raise EwsError(Code.STALE_OBJECT)
    if kind_of(view.stored.item_class).element == "CalendarItem":
        view.start = ref.id.start
        for told in await calendar_attachments.create(call, view, wanted):
            yield told
        return
    if line_attachments.has_lines(view):
        for part in await line_attachments.create(view, wanted):
            yield part
        return
    editor = mail_editor(call, view)
    made = [await attempted(asyncio.to_thread(editor.attach, each)) for each in wanted]
    if all(isinstance(each, EwsError) for each in made):
        for each in made:
            if isinstance(each, EwsError):
                yield each
        return
    await editor.update(How(Disposition.SAVE_ONLY), None)
    written = editor.message.parts.written_order
    ids = attached.ids(await holder(ReadOnce(call), ref.id.mailbox, ref.id.item))
    for each in made:
        if isinstance(each, EwsError):
            yield each
        else:
            place = next(place for place, other in enumerate(written) if other is each)
            # BODYSTRUCTURE may end before the new part: then it is there, and has no id.
            yield f"<m:Attachments>{ids[place] if place < len(ids) else ''}</m:Attachments>"


def mail_editor(call: Call, view: ItemView) -> MailEditor:
    """The editor of an item whose attachments are parts of its content."""
    kind = kind_of(view.stored.item_class)
    editor = kind.edit(call, Place(view.mailbox, view.node), view) if kind.edit is not None else None
    if not isinstance(editor, MailEditor):
        raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_CREATE_ITEM_ATTACHMENT)
    return editor


CREATE_ATTACHMENT = Batch("CreateAttachment", Version.V2007, "MS-OXWSATT 3.1.4.1", run)
