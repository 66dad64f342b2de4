"""The properties of ItemType for items whose content is not mail: contacts, lists, tasks (MS-OXWSCORE section 2.2.4.24)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from postern.items import mail_content
from postern.items.contact import Contact
from postern.items.properties import Value
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import IMPORTANCES, SENSITIVITIES, boolean, value
from postern.protocols.ews.shapes import BodyType, Shape
from postern.protocols.ews.times import written
from postern.protocols.mime.text import html_text
from postern.services.ews import line_attachments
from postern.services.ews.fields.body import body_markup
from postern.services.ews.fields.field import Field
from postern.services.ews.fields.item import ITEM_FIELDS
from postern.services.ews.fields.item_values import is_language
from postern.services.ews.fields.mapped import CATEGORIES, Form, MapSource, choices, constant
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.map_editor import MapEditor

SENSITIVITY = choices(*SENSITIVITIES)
IMPORTANCE = choices(*IMPORTANCES)
_ORDER = """
MimeContent ItemId ParentFolderId ItemClass Subject Sensitivity Body Attachments DateTimeReceived Size Categories
Importance InReplyTo IsSubmitted IsDraft IsFromMe IsResend IsUnmodified InternetMessageHeaders DateTimeSent
DateTimeCreated ResponseObjects ReminderDueBy ReminderIsSet ReminderNextTime ReminderMinutesBeforeStart DisplayCc
DisplayTo HasAttachments ExtendedProperty Culture EffectiveRights LastModifiedName LastModifiedTime IsAssociated
WebClientReadFormQueryString WebClientEditFormQueryString ConversationId UniqueBody Flag StoreEntryId InstanceKey
NormalizedBody EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview RightsManagementLicenseData
PredictedActionReasons IsClutter NextPredictedAction GroupingAction BlockStatus HasBlockedImages TextBody IconIndex
"""
_PLACES = {name: place for place, name in enumerate(_ORDER.split())}
"""The order of the elements."""


def _language(sent: xml.Element) -> Value:
    text = sent.text.strip()
    if not is_language(text):
        raise EwsError(Code.SCHEMA_VALIDATION)
    return text


_LANGUAGE = Form(lambda held: xml.text(str(held)), _language)
_OF_MAIL = (
    "InternetMessageHeaders",
    "WebClientReadFormQueryString",
    "WebClientEditFormQueryString",
    "ConversationId",
)
"""Properties of every item that only mail has a value of."""


def item_fields(own: Sequence[Field]) -> tuple[Field, ...]:
    """The properties of ItemType for a kind: its own, and of mail's those that are read from no content."""
    fields = {each.uri: each for each in ITEM_FIELDS if not each.needs & ~Need.BAG and each.element in _PLACES}
    for uri, each in fields.items():
        if each.write is not None:
            fields[uri] = replace(each, write=None)
    fields |= {each.uri: each for each in own}
    return tuple(sorted(fields.values(), key=lambda each: _PLACES[each.element]))


def common(source: MapSource) -> list[Field]:
    """The properties of ItemType that every such kind has in its map."""
    return [
        Field("item:ItemClass", "ItemClass", _item_class, write=_set_class),
        source.field("item:Subject", "PidTagSubject", default=True),
        source.field("item:Sensitivity", "PidTagSensitivity", SENSITIVITY, absent=0),
        body(source),
        Field(
            "item:Attachments",
            "Attachments",
            line_attachments.markup,
            needs=Need.CONTENT,
            default=True,
            single=True,
            write=_attach,
        ),
        source.field("item:Categories", "PidNameKeywords", CATEGORIES),
        source.field("item:Importance", "PidTagImportance", IMPORTANCE, absent=1),
        constant("item:IsSubmitted", boolean("t:IsSubmitted", False)),
        constant("item:IsDraft", boolean("t:IsDraft", False)),
        constant("item:IsFromMe", boolean("t:IsFromMe", False)),
        constant("item:IsResend", boolean("t:IsResend", False)),
        constant("item:IsUnmodified", boolean("t:IsUnmodified", False)),
        Field("item:DateTimeSent", "DateTimeSent", _sent),
        source.field("item:ReminderDueBy", "PidLidReminderTime"),
        source.field("item:ReminderIsSet", "PidLidReminderSet", absent=False),
        source.field("item:ReminderMinutesBeforeStart", "PidLidReminderDelta", absent=0),
        constant("item:DisplayCc", "<t:DisplayCc/>"),
        constant("item:DisplayTo", "<t:DisplayTo/>"),
        Field(
            "item:HasAttachments",
            "HasAttachments",
            line_attachments.has_files,
            needs=Need.CONTENT,
            default=True,
        ),
        source.field("item:Culture", "PidNameContentLanguage", _LANGUAGE, absent="en-US"),
        replace(constant("item:InReplyTo", ""), write=_set_nothing),
        *[constant(f"item:{name}", "") for name in _OF_MAIL],
    ]


def body(source: MapSource) -> Field:
    """The Body of a kind whose content has a plain text (MS-OXWSCDATA section 2.2.4.7)."""
    property_ = source.property("PidTagBody")

    def read(view: ItemView, shape: Shape) -> str:
        return body_markup("Body", _form_of(source.value(view, property_), shape), shape, view.call.header.version)

    def write(editor: MapEditor, sent: xml.Element | None) -> None:
        editor.put(property_, body_text(sent) or None)

    def append(editor: MapEditor, sent: xml.Element | None) -> None:
        editor.put(property_, str(editor.value(property_) or "") + body_text(sent) or None)

    return Field(
        *("item:Body", "Body", read),
        needs=Need.CONTENT,
        single=True,
        property=property_,
        write=write,
        append=append,
    )


def _form_of(held: Value | None, shape: Shape) -> mail_content.Form:
    """The Body for a text; HTML is made of it where that is asked for."""
    text = str(held) if held is not None else ""
    if shape.body is not BodyType.HTML:
        return mail_content.Form(text, False)
    lines = "<br>".join(escape(text).splitlines())
    return mail_content.Form(f"<html><body>{lines}</body></html>", True)


def body_text(sent: xml.Element | None) -> str:
    """The text of a Body that a request gives; HTML is shown as text."""
    if sent is None:
        return ""
    return html_text(sent.text).strip() if sent.attributes.get("BodyType") == "HTML" else sent.text


def _item_class(view: ItemView, shape: Shape) -> str:
    return value("t:ItemClass", view.stored.item_class)


def _set_class(editor: MapEditor, sent: xml.Element | None) -> None:
    editor.set_class(sent.text.strip() if sent is not None else "")


def _set_nothing(editor: MapEditor, sent: xml.Element | None) -> None:
    """A property that no such item has can be deleted."""
    if sent is not None:
        raise EwsError(Code.INVALID_PROPERTY_SET)


def _attach(editor: MapEditor, sent: xml.Element | None) -> None:
    """Adds the files of a new item; those of one that is there are made by CreateAttachment."""
    if editor.view is not None or sent is None:
        raise EwsError(Code.INVALID_PROPERTY_SET if sent is not None else Code.INVALID_PROPERTY_DELETE)
    if len(sent.elements) > line_attachments.MAX_ATTACHMENTS:
        raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY)
    for each in sent.elements:
        whole = editor.item if isinstance(editor.item, Contact) else editor.item.calendar
        editor.attach(line_attachments.new_line(whole, each))


def _sent(view: ItemView, shape: Shape) -> str:
    return value("t:DateTimeSent", written(view.stored.created))
