"""Attachments of appointments: the ATTACH lines that have their octets within (RFC 5545 section 3.8.1.1, MS-OXWSATT).

Those that stand elsewhere by a URI are not told. An id counts all ATTACH lines of the object, and knows its octets by a checksum.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence

from postern.items.attachments import MAX_ATTACHMENTS, Attachment, of_calendar
from postern.items.calendar_object import MAX_OCTETS
from postern.protocols import xml
from postern.protocols.content_lines import Component, Line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import AttachmentId, change_key
from postern.protocols.ews.names import element
from postern.protocols.ews.shapes import Shape
from postern.services.ews import line_attachments
from postern.services.ews.access import Call
from postern.services.ews.appointments import of_view
from postern.services.ews.calendar_editor import CalendarEditor
from postern.services.ews.editing import How, Saved
from postern.services.ews.item_view import ItemView
from postern.services.ews.meeting_changes import NOBODY
from postern.services.ews.operation import Long
from postern.services.ews.places import Place


def _files(view: ItemView) -> list[Attachment]:
    """The attachments of a whole object that have their octets."""
    return [each for each in of_calendar(of_view(view).calendar) if not each.uri]


def attachments_markup(view: ItemView, shape: Shape) -> str:
    """The Attachments of an appointment or of its occurrence; "" without any."""
    lines = {id(entry) for entry in of_view(view).part.lines("ATTACH")}
    return line_attachments.markup_of(view, [each for each in _files(view) if id(each.line) in lines])


def get(view: ItemView, wanted: AttachmentId) -> Long:
    """An attachment with its content. Raises EwsError ErrorItemNotFound where it is not there."""
    return line_attachments.whole(view, _files(view), wanted)


def attach(editor: CalendarEditor, wanted: xml.Element) -> Line:
    """Adds a file to the component that is changed. Raises EwsError as `line_attachments.new_line`, and
    ErrorAttachmentSizeLimitExceeded where the object becomes too large."""
    made = line_attachments.new_line(editor.calendar, wanted)
    if len(made.value) + len((editor.view.content if editor.view is not None else None) or b"") > MAX_OCTETS:
        raise EwsError(Code.ATTACHMENT_SIZE_LIMIT_EXCEEDED)
    inner_parts = [entry for entry in editor.part.entries if isinstance(entry, Component)]
    editor.part.entries = [*editor.part.lines(), made, *inner_parts]
    return made


async def create(call: Call, view: ItemView, wanted: Sequence[xml.Element]) -> list[str | EwsError]:
    """Adds attachments to an appointment, and returns what the answer says of each. Nobody is told of it; the next change is, and
    brings the files along."""
    editor = CalendarEditor(call, Place(view.mailbox, view.node), view)
    made: list[Line | EwsError] = []
    there = len(of_calendar(editor.calendar))
    for each in wanted:
        try:
            if there + len(made) >= MAX_ATTACHMENTS:
                raise EwsError(Code.ATTACHMENT_SIZE_LIMIT_EXCEEDED, "The item has too many attachments.")
            made.append(await asyncio.to_thread(attach, editor, each))
        except EwsError as error:
            made.append(error)
    lines = [each for each in made if isinstance(each, Line)]
    if not lines:
        return [each for each in made if isinstance(each, EwsError)]
    numbers = {id(each.line): each.number for each in of_calendar(editor.calendar)}
    saved = await editor.update(How(meetings=NOBODY), None)
    octets = (await view.mailbox.store.get(view.mailbox.id, [view.stored.id], True))[0].content or b""
    told: list[str | EwsError] = []
    for entry in made:
        if isinstance(entry, EwsError):
            told.append(entry)
            continue
        id_ = AttachmentId(view.mailbox.id, view.stored.id, numbers[id(entry)], zlib.crc32(octets))
        root = element(
            "t:AttachmentId", Id=str(id_), RootItemId=str(saved.id), RootItemChangeKey=change_key(saved.change)
        )
        told.append(f"<m:Attachments><t:FileAttachment>{root}</t:FileAttachment></m:Attachments>")
    return told


async def delete(
    call: Call, view: ItemView, wanted: Sequence[AttachmentId]
) -> tuple[Saved | None, dict[AttachmentId, EwsError]]:
    """Deletes attachments of an appointment. Returns how it is stored then, and those that are not there."""
    missing: dict[AttachmentId, EwsError] = {}
    editor = CalendarEditor(call, Place(view.mailbox, view.node), view)
    gone: set[int] = set()
    files = _files(view)
    lines = {each.number: each.line for each in of_calendar(editor.calendar)}
    for each in wanted:
        try:
            gone.add(id(lines[line_attachments.find(view, files, each).number]))
        except EwsError as error:
            missing[each] = error
    if not gone:
        return None, missing
    for part in editor.calendar.parts:
        part.entries = [entry for entry in part.entries if id(entry) not in gone]
    return await editor.update(How(meetings=NOBODY), None), missing
