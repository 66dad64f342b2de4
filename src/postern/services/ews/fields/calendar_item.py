"""The properties that appointments share with all items, in the order of ItemType (MS-OXWSCORE section 2.2.4.24), from
iCalendar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from postern.items import html
from postern.items.appointment_properties import APPOINTMENT_PROPERTIES
from postern.items.calendar_object import organizer_of
from postern.items.calendar_properties import CalendarContent
from postern.items.mail_content import Form
from postern.items.properties import Mapped, Property, Value
from postern.items.rendered import status_of
from postern.items.text import readable
from postern.protocols import xml
from postern.protocols.content_lines import Component, Line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import IMPORTANCES, SENSITIVITIES, boolean, element, number, value
from postern.protocols.ews.shapes import BodyType, Shape
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.protocols.ical.values import address_of
from postern.services.ews.appointments import Appointment, of_view
from postern.services.ews.calendar_attachments import attach, attachments_markup
from postern.services.ews.calendar_editor import CalendarEditor
from postern.services.ews.fields.body import body_markup
from postern.services.ews.fields.field import Field, Read
from postern.services.ews.fields.item import ITEM_FIELDS
from postern.services.ews.fields.own_items import item_fields
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.line_attachments import MAX_ATTACHMENTS

_MAP = {entry.property.canonical: entry for entry in APPOINTMENT_PROPERTIES}
_MIME_CONTENT = next(each for each in ITEM_FIELDS if each.uri == "item:MimeContent")


def nothing(view: ItemView, shape: Shape) -> str:
    """A property that is written into the bag, and read from there by MAPI alone."""
    return ""


def neighbours(name: str) -> Read:
    """Reads what `neighbours` has put into the view about the other appointments of that time."""
    return lambda view, shape: view.parsed.get(name, "")


def workspace(it: Appointment) -> str:
    url = readable(it.part.value("URL")).strip()
    return value("t:MeetingWorkspaceUrl", url) if url else ""


def mapped(canonical: str) -> Mapped[CalendarContent]:
    """The place of a MAPI property in iCalendar."""
    return _MAP[canonical]


def _read_of(canonical: str) -> Callable[[ItemView], Value | None]:
    entry = mapped(canonical)

    def read(view: ItemView) -> Value | None:
        return entry.read(of_view(view).content) if entry.read is not None else None

    return read


_subject = _read_of("PidTagSubject")
_sensitivity = _read_of("PidTagSensitivity")
_importance = _read_of("PidTagImportance")
_keywords = _read_of("PidNameKeywords")
_html = _read_of("PidTagHtml")
_plain = _read_of("PidTagBody")
_reminds = _read_of("PidLidReminderSet")
_minutes = _read_of("PidLidReminderDelta")


def _text(tag: str, read: Callable[[ItemView], Value | None]) -> Read:
    def markup(view: ItemView, shape: Shape) -> str:
        text = read(view)
        return value(tag, str(text)) if text else ""

    return markup


def _word(tag: str, terms: tuple[str, ...], read: Callable[[ItemView], Value | None], default: int) -> Read:
    def markup(view: ItemView, shape: Shape) -> str:
        place = read(view)
        return value(tag, terms[place if isinstance(place, int) and 0 <= place < len(terms) else default])

    return markup


def body(view: ItemView, shape: Shape) -> str:
    """Body in the form that the shape asks for (MS-OXWSCDATA section 2.2.4.9); where there is another one only, it is made of
    that."""
    markup, plain = _html(view), str(_plain(view) or "")
    as_html = shape.body is BodyType.HTML or (shape.body is BodyType.BEST and isinstance(markup, bytes))
    if as_html:
        text = markup.decode("utf-8", "replace") if isinstance(markup, bytes) else html.of_text(plain)
        if shape.filters_html and isinstance(markup, bytes):
            text = html.filtered(text)
    else:
        text = plain
    return body_markup("Body", Form(text, as_html), shape, view.call.header.version)


def _text_body(view: ItemView, shape: Shape) -> str:
    return body_markup("TextBody", Form(str(_plain(view) or ""), False), shape, view.call.header.version)


def _categories(view: ItemView, shape: Shape) -> str:
    terms = _keywords(view)
    if not isinstance(terms, tuple):
        return ""
    return element("t:Categories", *[value("t:String", each) for each in terms])


def _due(view: ItemView, shape: Shape) -> str:
    times = of_view(view).times
    return value("t:ReminderDueBy", written(times.start)) if times is not None and _reminds(view) else ""


def _is_reminding(view: ItemView, shape: Shape) -> str:
    return boolean("t:ReminderIsSet", bool(_reminds(view)))


def _minutes_before(view: ItemView, shape: Shape) -> str:
    minutes = _minutes(view)
    return number("t:ReminderMinutesBeforeStart", minutes if isinstance(minutes, int) else 0)


def _names(it: Appointment, is_optional: bool) -> str:
    host = organizer_of(it.calendar.main)
    return "; ".join(
        [
            readable(entry.parameter("CN")) or address_of(readable(entry.value))
            for entry in it.part.lines("ATTENDEE")
            if (entry.parameter("ROLE").upper() == "OPT-PARTICIPANT") is is_optional and address_of(entry.value) != host
        ]
    )


def _display_to(view: ItemView, shape: Shape) -> str:
    return value("t:DisplayTo", _names(of_view(view), False))


def _display_cc(view: ItemView, shape: Shape) -> str:
    return value("t:DisplayCc", _names(of_view(view), True))


def _has_attachments(view: ItemView, shape: Shape) -> str:
    it = of_view(view)
    return boolean("t:HasAttachments", next(it.part.lines("ATTACH"), None) is not None)


def _response_objects(view: ItemView, shape: Shape) -> str:
    """The answers that may be made to the appointment (MS-OXWSCDATA section 2.2.4.44)."""
    it = of_view(view)
    organizer = organizer_of(it.calendar.main)
    if not organizer:
        answers = ["ForwardItem"]
    elif organizer in it.content.me:
        answers = ["CancelCalendarItem", "ForwardItem"]
    elif status_of(it.part) == "CANCELLED":
        answers = ["RemoveItem", "ForwardItem"]
    else:
        answers = ["AcceptItem", "TentativelyAcceptItem", "DeclineItem", "ReplyToItem", "ReplyAllToItem", "ForwardItem"]
    return element("t:ResponseObjects", *[f"<t:{answer}/>" for answer in answers])


def set_attachments(editor: CalendarEditor, value: xml.Element | None) -> None:
    """Adds the files of a new appointment; those of one that is there are made by CreateAttachment."""
    if editor.view is not None:
        raise EwsError(Code.INVALID_PROPERTY_SET if value is not None else Code.INVALID_PROPERTY_DELETE)
    sent = value.elements if value is not None else []
    if len(sent) > MAX_ATTACHMENTS:
        raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY)
    for each in sent:
        attach(editor, each)


def mime_content(view: ItemView, shape: Shape) -> str:
    """The object as iCalendar; of an occurrence, the component that describes it and the zones that it names."""
    if view.start is None:
        return _MIME_CONTENT.read(view, shape)
    it = of_view(view)
    root = it.calendar.root
    entries: list[Line | Component] = [*root.lines(), *root.components("VTIMEZONE"), it.part]
    return _MIME_CONTENT.read(replace(view, content=replace(root, entries=entries).octets()), shape)


def _mapi(canonical: str) -> Property:
    return mapped(canonical).property


_E = CalendarEditor
CONTENT = Need.CONTENT
_OWN: tuple[Field, ...] = (
    Field(
        "item:MimeContent",
        "MimeContent",
        mime_content,
        needs=CONTENT,
        single=True,
        write=_E.set_mime_content,
    ),
    Field(
        "item:Subject",
        "Subject",
        _text("t:Subject", _subject),
        needs=CONTENT,
        default=True,
        property=_mapi("PidTagSubject"),
        write=_E.set_subject,
    ),
    Field(
        "item:Sensitivity",
        "Sensitivity",
        _word("t:Sensitivity", SENSITIVITIES, _sensitivity, 0),
        needs=CONTENT,
        property=_mapi("PidTagSensitivity"),
        write=_E.word_setter("PidTagSensitivity", SENSITIVITIES),
    ),
    Field("item:Attachments", "Attachments", attachments_markup, needs=CONTENT, single=True, write=set_attachments),
    Field("item:Body", "Body", body, needs=CONTENT, default=True, single=True, write=_E.set_body),
    Field(
        "item:Categories",
        "Categories",
        _categories,
        needs=CONTENT,
        property=_mapi("PidNameKeywords"),
        write=_E.set_categories,
    ),
    Field(
        "item:Importance",
        "Importance",
        _word("t:Importance", IMPORTANCES, _importance, 1),
        needs=CONTENT,
        property=_mapi("PidTagImportance"),
        write=_E.word_setter("PidTagImportance", IMPORTANCES),
    ),
    Field("item:InReplyTo", "InReplyTo", nothing, write=_E.ignore),
    Field("item:IsSubmitted", "IsSubmitted", lambda view, shape: boolean("t:IsSubmitted", False)),
    Field("item:IsDraft", "IsDraft", lambda view, shape: boolean("t:IsDraft", False)),
    Field("item:IsFromMe", "IsFromMe", lambda view, shape: boolean("t:IsFromMe", False)),
    Field("item:IsResend", "IsResend", lambda view, shape: boolean("t:IsResend", False)),
    Field("item:IsUnmodified", "IsUnmodified", lambda view, shape: boolean("t:IsUnmodified", False)),
    Field(
        "item:DateTimeSent", "DateTimeSent", lambda view, shape: value("t:DateTimeSent", written(view.stored.created))
    ),
    Field("item:ResponseObjects", "ResponseObjects", _response_objects, needs=CONTENT),
    Field("item:ReminderDueBy", "ReminderDueBy", _due, needs=CONTENT, write=_E.ignore),
    Field(
        "item:ReminderIsSet",
        "ReminderIsSet",
        _is_reminding,
        needs=CONTENT,
        property=_mapi("PidLidReminderSet"),
        write=_E.set_reminds,
    ),
    Field(
        "item:ReminderMinutesBeforeStart",
        "ReminderMinutesBeforeStart",
        _minutes_before,
        needs=CONTENT,
        property=_mapi("PidLidReminderDelta"),
        write=_E.set_minutes,
    ),
    Field("item:DisplayCc", "DisplayCc", _display_cc, needs=CONTENT),
    Field("item:DisplayTo", "DisplayTo", _display_to, needs=CONTENT),
    Field("item:HasAttachments", "HasAttachments", _has_attachments, needs=CONTENT, default=True),
    Field("item:TextBody", "TextBody", _text_body, Version.V2013, CONTENT, single=True, is_asked=True),
)
FIELDS = item_fields(_OWN)
