"""DeleteAttachment (MS-OXWSATT section 3.1.4.2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import AttachmentId, change_key
from postern.protocols.ews.names import element, m
from postern.protocols.ews.versions import Version
from postern.protocols.mime.layout import Node
from postern.services.ews import calendar_attachments, line_attachments
from postern.services.ews.access import Call
from postern.services.ews.attached_places import find, holder, read_attachment_id
from postern.services.ews.editing import Disposition, How, Saved
from postern.services.ews.item_view import ReadOnce
from postern.services.ews.kinds import kind_of
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.operations.create_attachment import mail_editor

MAX_IDS = 200


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    named = (request.find(m("AttachmentIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_IDS} attachments.")
    asked = [_id(each) for each in named]
    items: dict[tuple[UUID, int], list[AttachmentId]] = {}
    for each in asked:
        if isinstance(each, AttachmentId):
            items.setdefault((each.mailbox, each.item), []).append(each)
    # All attachments of an item go together, for the ids of the others change with the first.
    done: dict[AttachmentId, str | EwsError] = {}
    for (mailbox, item), several in items.items():
        told = await attempted(_delete(call, mailbox, item, several))
        done.update(dict.fromkeys(several, told) if isinstance(told, EwsError) else told)
    for each in asked:
        yield each if isinstance(each, EwsError) else done[each]


def _id(named: xml.Element) -> AttachmentId | EwsError:
    try:
        return read_attachment_id(named)
    except EwsError as error:
        return error


async def _delete(
    call: Call, mailbox: UUID, item: int, wanted: list[AttachmentId]
) -> dict[AttachmentId, str | EwsError]:
    """Deletes attachments of one item, and says of each what became of it."""
    view = await holder(ReadOnce(call), mailbox, item)
    if kind_of(view.stored.item_class).element == "CalendarItem":
        stored, missing = await calendar_attachments.delete(call, view, wanted)
        return {each: missing.get(each) or (_root(stored) if stored is not None else "") for each in wanted}
    if line_attachments.has_lines(view):
        return await line_attachments.delete(view, wanted)
    told: dict[AttachmentId, str | EwsError] = {}
    numbers: dict[int, AttachmentId] = {}
    top: list[Node] = []
    for each in wanted:
        try:
            top = (await asyncio.to_thread(find, view, each)).top
        except EwsError as error:
            told[each] = error
            continue
        numbers[each.index] = each
    editor = mail_editor(call, view)
    await asyncio.to_thread(lambda: editor.message.parts)
    for place in reversed(range(len(top))):
        if top[place].number in numbers:
            editor.message.detach(place)
            told[numbers.pop(top[place].number)] = ""
    # What is attached to an attached message is part of it.
    told.update(dict.fromkeys(numbers.values(), EwsError(Code.CANNOT_DELETE_OBJECT)))
    if "" not in told.values():
        return told
    saved = await editor.update(How(Disposition.SAVE_ONLY), None)
    root = _root(saved)
    return {each: root if part == "" else part for each, part in told.items()}


def _root(saved: Saved) -> str:
    return element("m:RootItemId", RootItemId=str(saved.id), RootItemChangeKey=change_key(saved.change))


DELETE_ATTACHMENT = Batch("DeleteAttachment", Version.V2007, "MS-OXWSATT 3.1.4.2", run)
