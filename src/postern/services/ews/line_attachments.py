"""Attachments that are lines of a content (docs/decisions/0003): those of contacts, a photo among them, and of tasks.

Their numbers count the lines. An id knows by a check whether the content is still the one whose lines were counted. Attachments
of appointments are alike and told here, too; `calendar_attachments` changes them, for a series has several components.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from postern.items import attachments, calendar_object, contact, stored, task
from postern.items.attachments import Attachment
from postern.items.calendar_object import CalendarObject
from postern.items.contact import Contact
from postern.model.edits import NOTHING_BESIDE
from postern.model.folders import is_class
from postern.model.item_store import RenderedItem
from postern.protocols import xml
from postern.protocols.content_lines import Component, Line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import AttachmentId, change_key
from postern.protocols.ews.names import boolean, element, is_true, number, t, value
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.services.ews import attached
from postern.services.ews.contact_editor import card_of
from postern.services.ews.item_view import ItemView
from postern.services.ews.operation import Long
from postern.services.ews.task_editor import task_of

MAX_ATTACHMENTS = 200
"""Attachments that one item may get here."""
PHOTO_NAME = "ContactPicture.jpg"
"""The name by which Exchange and its clients know the photo of a contact (MS-OXOCNTC section 2.2.1.8.3)."""
_CARDS = (contact.ITEM_CLASS, contact.LIST_CLASS)


def has_lines(view: ItemView) -> bool:
    """Whether the attachments of an item are lines of its content."""
    return is_class(view.stored.item_class, *_CARDS, task.ITEM_CLASS)


class _Content(NamedTuple):
    """The content of an item, the component that gets new lines, and the attachments that are in it, not elsewhere."""

    whole: Contact | CalendarObject
    part: Component
    files: list[Attachment]


def _content(view: ItemView) -> _Content:
    """Reads a content."""
    if is_class(view.stored.item_class, *_CARDS):
        card = card_of(view)
        return _Content(card, card.card.root, [each for each in attachments.of_contact(card) if not each.uri])
    calendar = task_of(view).calendar
    return _Content(calendar, calendar.main, [each for each in attachments.of_calendar(calendar) if not each.uri])


def check_of(view: ItemView) -> int:
    """The number by which an id of an attachment knows the content."""
    return zlib.crc32(view.content or b"")


def markup(view: ItemView, shape: Shape) -> str:
    """The Attachments of an item, without their contents; "" without any."""
    return markup_of(view, _content(view).files)


def markup_of(view: ItemView, files: Sequence[Attachment]) -> str:
    """The Attachments element with these, without their contents; "" for none."""
    told = ["".join(_tags(view, each)) for each in files[: attached.MAX_TOLD]]
    return element("t:Attachments", *told) if told else ""


def has_files(view: ItemView, shape: Shape) -> str:
    return boolean("t:HasAttachments", bool(_content(view).files))


def _tags(view: ItemView, file: Attachment) -> tuple[str, str]:
    """The markup before and behind the content of an attachment, in the order of FileAttachmentType (MS-OXWSATT 2.2.4.6)."""
    is_photo = file.line.name == "PHOTO"
    own_id = AttachmentId(view.mailbox.id, view.stored.id, file.number, check_of(view))
    parts = [
        element("t:AttachmentId", Id=str(own_id)),
        value("t:Name", file.name or (PHOTO_NAME if is_photo else f"attachment.{file.media.rpartition('/')[2][:20]}")),
        value("t:ContentType", file.media),
    ]
    if view.call.header.version >= Version.V2010:
        parts += [
            number("t:Size", len(file.octets or b"")),
            value("t:LastModifiedTime", written(view.stored.modified)),
            boolean("t:IsInline", False),
            boolean("t:IsContactPhoto", is_photo),
        ]
    return f"<t:FileAttachment>{''.join(parts)}", "</t:FileAttachment>"


def get(view: ItemView, wanted: AttachmentId) -> Long:
    """An attachment with its content. Raises EwsError ErrorItemNotFound where it is not there, or the content is another."""
    return whole(view, _content(view).files, wanted)


def whole(view: ItemView, files: Sequence[Attachment], wanted: AttachmentId) -> Long:
    """That one of these files with its content. Raises EwsError as `get`."""
    file = find(view, files, wanted)
    start, end = _tags(view, file)
    return Long(["<m:Attachments>", start, "<t:Content>", file.octets or b"", "</t:Content>", end, "</m:Attachments>"])


def find(view: ItemView, files: Sequence[Attachment], wanted: AttachmentId) -> Attachment:
    """That one of these files. Raises EwsError ErrorItemNotFound where it is not there, or the content is another."""
    for file in files:
        if file.number == wanted.index and check_of(view) == wanted.check:
            return file
    raise EwsError(Code.ITEM_NOT_FOUND)


async def create(view: ItemView, wanted: Sequence[xml.Element]) -> list[str | EwsError]:
    """Adds attachments, and says of each what became of it. Raises EwsError, MailboxError."""
    content = _content(view)
    made: list[Line | EwsError] = []
    for each in wanted:
        try:
            if len(content.files) + len(made) >= MAX_ATTACHMENTS:
                raise EwsError(Code.ATTACHMENT_SIZE_LIMIT_EXCEEDED, "The item has too many attachments.")
            made.append(await asyncio.to_thread(new_line, content.whole, each))
        except EwsError as error:
            made.append(error)
    lines = [each for each in made if not isinstance(each, EwsError)]
    if not lines:
        return [each for each in made if isinstance(each, EwsError)]
    if any(each.name == "PHOTO" for each in lines):
        # A contact has one photo.
        content.part.entries = [each for each in content.part.entries if each.name != "PHOTO"]
    content.part.entries = [*content.part.entries, *lines]
    changed = await _store(view, content)
    numbers = {id(each.line): each.number for each in _numbered(content)}
    root = {"RootItemId": str(view.id), "RootItemChangeKey": change_key(changed[0])}
    told: list[str | EwsError] = []
    for entry in made:
        if isinstance(entry, EwsError) or id(entry) not in numbers:
            told.append(entry if isinstance(entry, EwsError) else EwsError(Code.CANNOT_DELETE_OBJECT))
            continue
        new = AttachmentId(view.mailbox.id, view.stored.id, numbers[id(entry)], changed[1])
        inner = element("t:FileAttachment", element("t:AttachmentId", Id=str(new), **root))
        told.append(f"<m:Attachments>{inner}</m:Attachments>")
    return told


def _numbered(content: _Content) -> list[Attachment]:
    if isinstance(content.whole, Contact):
        return attachments.of_contact(content.whole)
    return attachments.of_calendar(content.whole)


def new_line(whole: Contact | CalendarObject, wanted: xml.Element) -> Line:
    """The line of a FileAttachment. Raises EwsError."""
    if wanted.name != t("FileAttachment"):
        raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_CREATE_ITEM_ATTACHMENT)
    inner = wanted.find(t("Content"))
    if inner is None:
        raise EwsError(Code.REQUIRED_PROPERTY_MISSING, path=element("t:FieldURI", FieldURI="item:Attachments"))
    octets, name = attached.octets_of(inner.text), wanted.text_of(t("Name"))
    media = wanted.text_of(t("ContentType"))
    if isinstance(whole, CalendarObject):
        return attachments.calendar_line(octets, name, media)
    is_photo = is_true(wanted.text_of(t("IsContactPhoto"))) or name.lower() == PHOTO_NAME.lower()
    if is_photo and not media.lower().startswith("image/"):
        media = "image/png" if octets[:4] == b"\x89PNG" else "image/jpeg"
    return attachments.contact_line(octets, name, media, is_photo, whole.card.version)


async def delete(view: ItemView, wanted: Sequence[AttachmentId]) -> dict[AttachmentId, str | EwsError]:
    """Takes attachments out, and says of each what became of it. Raises EwsError, MailboxError."""
    content = _content(view)
    told: dict[AttachmentId, str | EwsError] = {}
    gone: set[int] = set()
    for each in wanted:
        try:
            gone.add(id(find(view, content.files, each).line))
            told[each] = ""
        except EwsError as error:
            told[each] = error
    if not gone:
        return told
    parts = [content.part] if isinstance(content.whole, Contact) else content.whole.parts
    for part in parts:
        part.entries = [entry for entry in part.entries if id(entry) not in gone]
    change, _ = await _store(view, content)
    root = element("m:RootItemId", RootItemId=str(view.id), RootItemChangeKey=change_key(change))
    return {each: root if part == "" else part for each, part in told.items()}


async def _store(view: ItemView, content: _Content) -> tuple[int, int]:
    """Stores a changed content; returns the number of the change, and the check of the content."""
    mailbox, whole = view.mailbox, content.whole
    await mailbox.demand_edit([view.stored.id])
    octets = (whole.card.root if isinstance(whole, Contact) else whole.root).octets()
    if len(octets) > (contact.MAX_OCTETS if isinstance(whole, Contact) else calendar_object.MAX_OCTETS):
        raise EwsError(Code.ATTACHMENT_SIZE_LIMIT_EXCEEDED)
    values = await asyncio.to_thread(_rendered, view, whole)
    change = await mailbox.store.edit(
        mailbox.id, view.stored.id, NOTHING_BESIDE, octets, values, unchanged_since=view.stored.change
    )
    return change, zlib.crc32(octets)


def _rendered(view: ItemView, whole: Contact | CalendarObject) -> RenderedItem:
    if isinstance(whole, Contact):
        return stored.card_values(whole)
    return stored.values_of(whole, int(time.time()), view.mailbox.recipient.folded_addresses)
