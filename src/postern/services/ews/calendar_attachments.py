"""Attachments of appointments: the ATTACH lines that have their octets within (RFC 5545 section 3.8.1.1, MS-OXWSATT).

Those that stand elsewhere by a URI are not told. An id counts all ATTACH lines of the object, and knows its octets by a checksum.
"""

from __future__ import annotations

import asyncio
import base64
import zlib
from collections.abc import Sequence

from postern.items import calendar_object
from postern.items.attachments import Attachment, of_calendar
from postern.protocols import xml
from postern.protocols.content_lines import Component, Line, line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import AttachmentId, change_key
from postern.protocols.ews.names import boolean, element, number, t, value
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.services.ews import attached
from postern.services.ews.access import Call
from postern.services.ews.appointments import of_view
from postern.services.ews.calendar_editor import CalendarEditor
from postern.services.ews.editing import How, Saved
from postern.services.ews.item_view import ItemView
from postern.services.ews.meeting_changes import NOBODY
from postern.services.ews.operation import Long
from postern.services.ews.places import Place

MAX_MEDIA = 100
"""Characters of a media type."""
MAX_NAME = 255
"""Characters of a name."""
_MESSAGE = "message/rfc822"


def check_of(view: ItemView) -> int:
    """The number by which an id of an attachment knows the object."""
    return zlib.crc32(view.content or b"")


def every(view: ItemView) -> list[Attachment]:
    """The attachments of a whole object that have their octets."""
    return [each for each in of_calendar(of_view(view).calendar) if not each.uri]


def attachments_markup(view: ItemView, shape: Shape) -> str:
    """The Attachments of an appointment or of its occurrence; "" without any."""
    it = of_view(view)
    lines = {id(entry) for entry in it.part.lines("ATTACH")}
    told = ["".join(_tags(view, each, len(each.octets or b""))) for each in every(view) if id(each.line) in lines]
    return element("t:Attachments", *told) if told else ""


def _tags(view: ItemView, each: Attachment, size: int) -> tuple[str, str]:
    """The markup before and behind the content of an attachment, in the order of AttachmentType."""
    id_ = AttachmentId(view.mailbox.id, view.stored.id, each.number, check_of(view))
    parts = [f'<t:AttachmentId Id="{id_}"/>', value("t:Name", each.name or "attachment")]
    parts.append(value("t:ContentType", each.media))
    if view.call.header.version >= Version.V2010:
        parts.append(number("t:Size", size))
        parts.append(value("t:LastModifiedTime", written(view.stored.created)))
        parts.append(boolean("t:IsInline", False))
        parts.append(boolean("t:IsContactPhoto", False))
    return f"<t:FileAttachment>{''.join(parts)}", "</t:FileAttachment>"


def _find(view: ItemView, wanted: AttachmentId) -> Attachment:
    if wanted.check == check_of(view):
        for each in every(view):
            if each.number == wanted.index:
                return each
    raise EwsError(Code.ITEM_NOT_FOUND)


async def content(view: ItemView, wanted: AttachmentId) -> Long:
    """An attachment with its content. Raises EwsError ErrorItemNotFound where it is not there."""
    each = await asyncio.to_thread(_find, view, wanted)
    octets = await asyncio.to_thread(lambda: each.octets or b"")
    start, end = _tags(view, each, len(octets))
    return Long(["<m:Attachments>", start, "<t:Content>", octets, "</t:Content>", end, "</m:Attachments>"])


def attach(editor: CalendarEditor, wanted: xml.Element) -> Line:
    """Adds a file to the component that is changed. Raises EwsError: ErrorInvalidItemForOperationCreateItemAttachment for an
    item, ErrorAttachmentSizeLimitExceeded, ErrorSchemaValidation."""
    if wanted.name != t("FileAttachment"):
        raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_CREATE_ITEM_ATTACHMENT)
    inner = wanted.find(t("Content"))
    if inner is None:
        raise EwsError(Code.REQUIRED_PROPERTY_MISSING)
    octets = attached.octets_of(inner.text)
    if (
        2 * len(octets) + len(editor.view.content or b"" if editor.view is not None else b"")
        > calendar_object.MAX_OCTETS
    ):
        raise EwsError(Code.ATTACHMENT_SIZE_LIMIT_EXCEEDED)
    media = wanted.text_of(t("ContentType"))[:MAX_MEDIA]
    parameters = [("ENCODING", ["BASE64"]), ("VALUE", ["BINARY"])]
    if "/" in media and media.isascii() and media.isprintable():
        parameters.insert(0, ("FMTTYPE", [media]))
    name = wanted.text_of(t("Name"))[:MAX_NAME]
    if name:
        parameters.append(("X-FILENAME", [name]))
    made = line("ATTACH", base64.b64encode(octets).decode("ascii"), parameters)
    inner_parts = [entry for entry in editor.part.entries if isinstance(entry, Component)]
    editor.part.entries = [*editor.part.lines(), made, *inner_parts]
    return made


async def create(call: Call, view: ItemView, wanted: Sequence[xml.Element]) -> list[str | EwsError]:
    """Adds attachments to an appointment, and returns what the answer says of each. Nobody is told of it; the next change is, and
    brings the files along."""
    editor = CalendarEditor(call, Place(view.mailbox, view.node), view)
    made: list[Line | EwsError] = []
    for each in wanted:
        try:
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
    lines = {each.number: each.line for each in of_calendar(editor.calendar)}
    for each in wanted:
        try:
            gone.add(id(lines[_find(view, each).number]))
        except EwsError as error:
            missing[each] = error
    if not gone:
        return None, missing
    for part in editor.calendar.parts:
        part.entries = [entry for entry in part.entries if id(entry) not in gone]
    return await editor.update(How(meetings=NOBODY), None), missing
