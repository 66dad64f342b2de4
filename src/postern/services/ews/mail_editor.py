"""Messages that a request makes or changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate

from postern.items import html
from postern.items.calendar_properties import KEYWORDS
from postern.items.mail_content import Attached, Form, MailContent
from postern.items.message_properties import (
    DELIVERY_TIME,
    FLAG_STATUS,
    IMPORTANCES,
    MESSAGE_FLAGS,
    MESSAGE_PROPERTIES,
    REMINDER_DELTA,
    REMINDER_SET,
    REMINDER_SIGNAL,
    REMINDER_TIME,
    REPLY_REQUESTED,
    SENSITIVITIES,
    SUBMIT_TIME,
    MailRecord,
)
from postern.items.properties import Property, Type, Value
from postern.model.folders import is_class
from postern.model.items import MESSAGE, Flag
from postern.protocols import xml
from postern.protocols.ews import names
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, is_true
from postern.protocols.ews.times import read_time
from postern.protocols.mime.dates import parse_date
from postern.protocols.mime.words import decode_words
from postern.services.ews import attached, sending
from postern.services.ews.access import Call
from postern.services.ews.editing import Disposition, Editor, How, Saved
from postern.services.ews.fields import people
from postern.services.ews.fields.mapped import read_categories, whole
from postern.services.ews.follow_up import read_follow_up
from postern.services.ews.item_view import ItemView, Need, load
from postern.services.ews.places import Place
from postern.services.scheduling.aside import AT_ONCE

MAX_BODY = 8 << 20
"""Characters of a body that a request brings."""
MAX_MINUTES = 2_629_800
"""Minutes before which a reminder may be: five years (MS-OXWSCDATA section 2.2.5.22)."""
MAX_FIELDS = 10_000
"""Fields of a header that a request brings. Each property that is set is looked for among them."""
_MIME_LIMIT = 40 << 20
_TIMES = (DELIVERY_TIME.key, SUBMIT_TIME.key)
Nested = Callable[[Call, Place, xml.Element], bytes]
"""Makes the octets of an item that is attached to another, of its element. Raises EwsError."""


class MailEditor(Editor):
    """A message. `message` is its content as it becomes."""

    def __init__(self, call: Call, place: Place, view: ItemView | None, nested: Nested | None = None) -> None:
        super().__init__(call, place, view, MESSAGE)
        self.message = MailContent(view.content or b"") if view is not None else MailContent()
        self._nested = nested
        self._has_mime = False
        self._has_read = False
        self._has_flags = False
        self._made: bytes | None = None

    def content(self) -> bytes:
        return self._made if self._made is not None else self.message.octets()

    async def make(self) -> None:
        """Makes the content of a large message in a thread, before it is stored."""
        if self.message.size > AT_ONCE:
            self._made = await asyncio.to_thread(self.message.octets)

    # Properties of items

    def set_mime(self, field: xml.Element | None) -> None:
        """MimeContent: the whole message, before whose other properties it is put in."""
        text = field.text if field is not None else ""
        if len(text) > _MIME_LIMIT * 3 // 2:
            raise EwsError(Code.MESSAGE_SIZE_EXCEEDED)
        try:
            octets = attached.base64_octets(text)
        except ValueError:
            raise EwsError(Code.MIME_CONTENT_INVALID_BASE64_STRING) from None
        self.message = MailContent(octets)
        self._has_mime = True
        if self.message.field_count > MAX_FIELDS:
            raise EwsError(Code.MIME_CONTENT_INVALID, f"A header has at most {MAX_FIELDS} fields.")

    def set_class(self, field: xml.Element | None) -> None:
        wanted = field.text.strip() if field is not None else ""
        if self.view is None and self._has_mime and wanted.lower().startswith("report."):
            # Evolution says it of a receipt. Reports are messages here, known by their content.
            return
        if not wanted.lower().startswith("ipm.") or len(wanted) > 255 or not wanted.isascii():
            raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY, path=element("t:FieldURI", FieldURI="item:ItemClass"))
        self.item_class = wanted

    def set_subject(self, field: xml.Element | None) -> None:
        self.message.set_text("Subject", _text(field))

    def set_sensitivity(self, field: xml.Element | None) -> None:
        self.message.set_text("Sensitivity", SENSITIVITIES[_choice(field, names.SENSITIVITIES)].title())

    def set_importance(self, field: xml.Element | None) -> None:
        level = _choice(field, names.IMPORTANCES, 1)
        self.message.set_text("X-Priority", "")
        self.message.set_text("Importance", IMPORTANCES[level] if level != 1 else "")

    def set_body(self, field: xml.Element | None) -> None:
        self.message.set_form(read_body(field))

    def append_body(self, field: xml.Element | None) -> None:
        more, there = read_body(field), self.message.form
        if len(more.text) + len(there.text) > MAX_BODY:
            raise EwsError(Code.MESSAGE_SIZE_EXCEEDED)
        if not there.text:
            self.message.set_form(more)
        elif more.is_html == there.is_html:
            self.message.set_form(Form(there.text + more.text, there.is_html))
        else:
            added = html.fragment_of_text(more.text) if there.is_html else html.text_of(more.text)
            self.message.set_form(Form(there.text + added, there.is_html))

    def set_attachments(self, field: xml.Element | None) -> None:
        """Adds the files of a new message; those of one that is there are made by CreateAttachment."""
        if self.view is not None:
            raise EwsError(Code.INVALID_PROPERTY_SET if field is not None else Code.INVALID_PROPERTY_DELETE)
        for each in field.elements if field is not None else []:
            self.attach(each)

    def attach(self, wanted: xml.Element) -> Attached:
        """Adds an attachment of a request. Raises EwsError."""
        try:
            made = attached.read(wanted, self._item)
            self.message.attach(made)
            return made
        except ValueError:
            raise EwsError(Code.ATTACHMENT_SIZE_LIMIT_EXCEEDED, "The item has too many attachments.") from None

    def _item(self, wanted: xml.Element) -> bytes:
        if self._nested is None:
            raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_CREATE_ITEM_ATTACHMENT)
        return self._nested(self.call, self.place, wanted)

    def set_categories(self, field: xml.Element | None) -> None:
        self.bag[KEYWORDS] = (read_categories(field) if field is not None else ()) or None

    def set_in_reply_to(self, field: xml.Element | None) -> None:
        self.message.set_text("In-Reply-To", _text(field))

    def set_culture(self, field: xml.Element | None) -> None:
        self.message.set_text("Content-Language", _text(field)[:35])

    def set_reminder(self, field: xml.Element | None) -> None:
        self.bag[REMINDER_SET] = is_true(field.text) if field is not None else None

    def set_reminder_due(self, field: xml.Element | None) -> None:
        due = read_time(field.text) if field is not None else None
        self.bag[REMINDER_TIME] = self.bag[REMINDER_SIGNAL] = due

    def set_reminder_minutes(self, field: xml.Element | None) -> None:
        minutes = whole(field) if field is not None else None
        if minutes is not None and not 0 <= minutes <= MAX_MINUTES:
            raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY)
        self.bag[REMINDER_DELTA] = minutes

    def set_flag(self, field: xml.Element | None) -> None:
        is_flagged, bag = read_follow_up(field)
        self.flags = self.flags | Flag.FLAGGED if is_flagged else self.flags & ~Flag.FLAGGED
        self.bag |= bag

    # Properties of messages

    def set_sender(self, field: xml.Element | None) -> None:
        self._set_people("Sender", people.read_people(field)[:1])

    def set_from(self, field: xml.Element | None) -> None:
        self._set_people("From", people.read_people(field)[:1])

    def set_to(self, field: xml.Element | None) -> None:
        self._set_people("To", people.read_people(field))

    def append_to(self, field: xml.Element | None) -> None:
        self._append_people("To", field)

    def set_cc(self, field: xml.Element | None) -> None:
        self._set_people("Cc", people.read_people(field))

    def append_cc(self, field: xml.Element | None) -> None:
        self._append_people("Cc", field)

    def set_bcc(self, field: xml.Element | None) -> None:
        self._set_people("Bcc", people.read_people(field))

    def append_bcc(self, field: xml.Element | None) -> None:
        self._append_people("Bcc", field)

    def set_reply_to(self, field: xml.Element | None) -> None:
        self._set_people("Reply-To", people.read_people(field))

    def append_reply_to(self, field: xml.Element | None) -> None:
        self._append_people("Reply-To", field)

    def _set_people(self, name: str, told: list[tuple[str, str]]) -> None:
        self._demand_unsent()
        self.message.set_people(name, told)

    def _append_people(self, name: str, field: xml.Element | None) -> None:
        there = [(decode_words(each.name or b""), each.spec) for each in self.message.people(name)]
        self._set_people(name, [*there, *people.read_people(field)])

    def _demand_unsent(self) -> None:
        """Raises EwsError where the message was sent: who got it from whom is not changed afterwards."""
        if self.view is not None and not self.view.stored.flags & Flag.DRAFT:
            raise EwsError(Code.INVALID_PROPERTY_UPDATE_SENT_MESSAGE)

    def set_read_receipt(self, field: xml.Element | None) -> None:
        self._receipt("Disposition-Notification-To", field)

    def set_delivery_receipt(self, field: xml.Element | None) -> None:
        self._receipt("Return-Receipt-To", field)

    def _receipt(self, name: str, field: xml.Element | None) -> None:
        is_wanted = field is not None and is_true(field.text)
        if is_wanted != bool(self.message.raw(name)):
            self._demand_unsent()
            own = self.place.mailbox.recipient
            self.message.set_people(name, [("", own.primary)] if is_wanted else [])

    def set_message_id(self, field: xml.Element | None) -> None:
        self.message.set_text("Message-ID", "".join(_text(field).split()))

    def set_references(self, field: xml.Element | None) -> None:
        self.message.set_text("References", _text(field))

    def set_read(self, field: xml.Element | None) -> None:
        is_read = field is not None and is_true(field.text)
        self.flags = self.flags | Flag.SEEN if is_read else self.flags & ~Flag.SEEN
        self._has_read = True

    def set_response_requested(self, field: xml.Element | None) -> None:
        self.bag[REPLY_REQUESTED] = True if field is not None and is_true(field.text) else None

    def extend(self, property_: Property, kept: Value | None) -> None:
        if self.view is None and isinstance(kept, int) and property_.type is Type.TIME and property_.key in _TIMES:
            self._set_time(property_, kept)
            return
        entry = MESSAGE_PROPERTIES.find(property_.key)
        if entry is None or not entry.place:
            super().extend(property_, kept)
        elif entry.write is not None:
            record = MailRecord(self.message, self.flags)
            entry.write(record, kept)
            self.flags = record.flags
            if entry.property.key == MESSAGE_FLAGS.key:
                self._has_flags = True
            if entry.property.key == FLAG_STATUS.key:
                self.bag[FLAG_STATUS] = record.flag_status

    def _set_time(self, property_: Property, seconds: int) -> None:
        """Takes in a time of a message that is brought here (MS-OXOMSG section 2.2.3); one at which nothing came is not."""
        if not 0 <= seconds <= time.time():
            return
        if property_.key == DELIVERY_TIME.key:
            self.received = seconds
        else:
            self.message.set_text("Date", formatdate(seconds))

    # Storing and sending

    async def create(self, how: How) -> Saved | None:
        if how.disposition is None and is_class(self.item_class, MESSAGE):
            raise EwsError(Code.MESSAGE_DISPOSITION_REQUIRED)
        if how.disposition in (None, Disposition.SAVE_ONLY):
            if not self._has_flags:
                # What is written here has been read, and is a draft until it is sent (MS-OXCMSG section 2.2.1.6).
                self.flags |= Flag.DRAFT if self._has_read else Flag.DRAFT | Flag.SEEN
            if self.received is None and self._has_mime and (date := parse_date(self.message.raw("Date"))) is not None:
                # Clients that bring messages from elsewhere rely on it, and say no other time.
                self._set_time(DELIVERY_TIME, date[0])
            await self.make()
            saved = await super().create(how)
            return await self._with_attachments(saved)
        await sending.send(self.call, self.message, self._copy(how), self.bag, self.item_class)
        return None

    async def update(self, how: How, known: int | None) -> Saved:
        if how.disposition is None and is_class(self.item_class, MESSAGE):
            raise EwsError(Code.MESSAGE_DISPOSITION_REQUIRED)
        await self.make()
        saved = await super().update(how, known)
        if how.disposition is not Disposition.SAVE_ONLY and how.disposition is not None:
            await sending.send_stored(self.call, saved.id, self._copy(how))
        return saved

    def _copy(self, how: How) -> sending.Copy:
        return sending.Copy(how.disposition is Disposition.SEND_AND_SAVE_COPY, how.saved)

    async def _with_attachments(self, saved: Saved | None) -> Saved | None:
        """Tells the ids of the attachments, in the order in which the request has them."""
        made = self.message.parts.attached
        if saved is None or not made:
            return saved
        mailbox = self.place.mailbox
        for view in await load(self.call, mailbox, [saved.id.item], Need.STRUCTURE):
            ids = attached.ids(view)
            written = self.message.parts.written_order
            places = [next(place for place, other in enumerate(written) if other is each) for each in made]
            told = "".join([ids[place] for place in places if place < len(ids)])
            return replace(saved, more=f"<t:Attachments>{told}</t:Attachments>")
        return saved


def read_body(field: xml.Element | None) -> Form:
    """Reads a Body or a NewBodyContent. Raises EwsError ErrorSchemaValidation."""
    if field is None:
        return Form("", False)
    kind = field.attributes.get("BodyType", "")
    if kind not in ("HTML", "Text"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    if len(field.text) > MAX_BODY:
        raise EwsError(Code.MESSAGE_SIZE_EXCEEDED)
    return Form(field.text, kind == "HTML")


def _text(field: xml.Element | None) -> str:
    return field.text if field is not None else ""


def _choice(field: xml.Element | None, names: tuple[str, ...], default: int = 0) -> int:
    if field is None:
        return default
    text = field.text.strip()
    if text not in names:
        raise EwsError(Code.SCHEMA_VALIDATION)
    return names.index(text)
