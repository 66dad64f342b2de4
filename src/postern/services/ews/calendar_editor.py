"""Appointments that a request makes or changes, as a whole or one occurrence of them (MS-OXWSMTGS section 3.1.4).

Texts are written into the iCalendar object as they come. What depends on each other, as times, zones, the recurrence and the
attendees do, is collected, and `calendar_times` writes it when the request has said all.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import uuid4

from postern.items import calendar_object
from postern.items.appointment import ITEM_CLASS
from postern.items.appointment_properties import APPOINTMENT_PROPERTIES
from postern.items.calendar_object import CalendarObject
from postern.items.calendar_properties import CalendarContent
from postern.items.properties import Property, Value
from postern.items.series import Series
from postern.items.stored import values_of
from postern.items.text import text_of
from postern.model.item_store import RenderedItem
from postern.protocols import xml
from postern.protocols.content_lines import Component, component, line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId
from postern.protocols.ews.names import element, is_true, t
from postern.protocols.ews.recurrences import Recurrence, read_recurrence
from postern.protocols.ews.times import read_local
from postern.protocols.ical.zones import Zone, written_utc
from postern.protocols.mime.text import html_text
from postern.services.ews import calendar_times, meeting_changes, time_zones
from postern.services.ews.access import Call
from postern.services.ews.appointments import event_in, exception_at, stamp_after, zone_of_days
from postern.services.ews.attendees import Invited, read_attendees
from postern.services.ews.calendar_times import GivenTime
from postern.services.ews.editing import Editor, How, Saved
from postern.services.ews.fields.mapped import read_categories, whole
from postern.services.ews.item_view import ItemView
from postern.services.ews.places import Place

_BUSY = {"Free": 0, "Tentative": 1, "Busy": 2, "OOF": 3, "WorkingElsewhere": 0}
_BY_NAME = {entry.property.canonical: entry.property for entry in APPOINTMENT_PROPERTIES}
_PRODUCT = "-//Postern//Exchange Web Services//EN"


@dataclass(slots=True)
class Pending:
    """The times and people that a request has named, until all is known. A list of attendees that is None was not spoken of;
    `recurrence` False takes the recurrence out."""

    start: GivenTime | None = None
    end: GivenTime | None = None
    start_zone: Zone | None = None
    end_zone: Zone | None = None
    all_day: bool | None = None
    recurrence: Recurrence | bool = True
    attendees: dict[str, list[Invited]] = field(default_factory=dict)
    asks: bool | None = None


class CalendarEditor(Editor):
    """An appointment. `calendar` is the object as it becomes, `body` the component that is changed in it, `key` the number of the
    occurrence that the request names."""

    def __init__(self, call: Call, place: Place, view: ItemView | None) -> None:
        super().__init__(call, place, view, ITEM_CLASS)
        self.me = place.mailbox.recipient.folded_addresses
        self.key = view.start if view is not None else None
        now = int(time.time())
        self.calendar = event_in(view.content or b"") if view is not None else new_object(now)
        self.now = now if view is None else stamp_after(self.calendar, now)
        self.pending = Pending()
        self._octets: bytes | None = None
        self._take_part()

    def _take_part(self) -> None:
        """Finds the component that is changed, or makes the exception of an occurrence."""
        floating = zone_of_days(self.call, self.calendar)
        self.part = self.calendar.main
        if self.key is not None:
            series = Series(self.calendar, floating)
            self.part = exception_at(self.calendar, series, self.key, self.call.steps)
            if self.key in series.exceptions:
                self.part = series.exceptions[self.key].component
            else:
                self.part = self.part.copy()
                self.calendar.root.entries.append(self.part)
                self.calendar.parts.append(self.part)
        self.mapped = CalendarContent(self.calendar, self.me, floating, part=self.part)

    # What is written at once

    def put(self, canonical: str, value: Value | None) -> None:
        """Writes a MAPI property into the object, or into the bag where the object has no place for it."""
        self.extend(_BY_NAME[canonical], value)

    def extend(self, property_: Property, held: Value | None) -> None:
        entry = APPOINTMENT_PROPERTIES.find(property_.key)
        if entry is None or not entry.place:
            self.bag[property_] = held
        elif entry.write is None and property_.name is not None:
            # It follows from others, and clients such as DavMail send it with a new item.
            return
        elif entry.write is None or property_.type != entry.property.type:
            raise EwsError(Code.INVALID_PROPERTY_SET)
        else:
            APPOINTMENT_PROPERTIES.write(self.mapped, {entry.property: held})

    def ignore(self, value: xml.Element | None) -> None:
        """A property that follows from others: clients send it back as they were told it."""

    def set_mime_content(self, value: xml.Element | None) -> None:
        """Takes the whole object, which is an iCalendar document (MS-OXWSMTGS section 2.2.4.4)."""
        if value is None or self.key is not None:
            raise EwsError(Code.INVALID_PROPERTY_DELETE if value is None else Code.INVALID_PROPERTY_SET)
        try:
            octets = base64.b64decode(value.text.encode("ascii"), validate=False)
        except (ValueError, binascii.Error):
            raise EwsError(Code.MIME_CONTENT_INVALID_BASE64_STRING) from None
        read = event_in(octets, Code.MIME_CONTENT_INVALID)
        if self.view is not None and read.uid != self.calendar.uid:
            raise EwsError(Code.INVALID_PROPERTY_SET, path=element("t:FieldURI", FieldURI="calendar:UID"))
        self.calendar = read
        self.calendar.root.replace("METHOD", None)
        self.calendar.method = ""
        if calendar_object.check(self.calendar) is not None or not self.calendar.is_single:
            raise EwsError(Code.MIME_CONTENT_INVALID)
        self._take_part()

    def set_subject(self, value: xml.Element | None) -> None:
        self.put("PidTagSubject", value.text if value is not None else None)

    def set_location(self, value: xml.Element | None) -> None:
        self.put("PidLidLocation", value.text if value is not None else None)

    def set_enhanced_location(self, value: xml.Element | None) -> None:
        self.put("PidLidLocation", value.text_of(t("DisplayName")) if value is not None else None)

    def set_workspace(self, value: xml.Element | None) -> None:
        self.put("PidLidMeetingWorkspaceUrl", value.text if value is not None else None)

    def set_body(self, value: xml.Element | None) -> None:
        text = value.text if value is not None else ""
        is_html = value is not None and value.attributes.get("BodyType") == "HTML"
        self.put("PidTagHtml", text.encode("utf-8", "replace") if is_html and text else None)
        self.put("PidTagBody", (html_text(text) if is_html else text) or None)

    def set_categories(self, value: xml.Element | None) -> None:
        self.put("PidNameKeywords", (read_categories(value) if value is not None else ()) or None)

    def set_busy(self, value: xml.Element | None) -> None:
        status = value.text.strip() if value is not None else "Busy"
        if status not in _BUSY:
            raise EwsError(Code.CALENDAR_INVALID_PROPERTY_VALUE)
        self.put("PidLidBusyStatus", _BUSY[status])

    def set_reminds(self, value: xml.Element | None) -> None:
        self.put("PidLidReminderSet", value is not None and is_true(value.text))

    def set_minutes(self, value: xml.Element | None) -> None:
        if value is None:
            return
        self.put("PidLidReminderDelta", whole(value))

    def set_allows_proposals(self, value: xml.Element | None) -> None:
        is_refused = value is not None and not is_true(value.text)
        self.part.replace(
            "X-MICROSOFT-DISALLOW-COUNTER", line("X-MICROSOFT-DISALLOW-COUNTER", "TRUE") if is_refused else None
        )

    def set_uid(self, value: xml.Element | None) -> None:
        """A UID is the appointment's for its life: one is given at its making, and the same one is no change."""
        uid = value.text.strip() if value is not None else ""
        if self.view is not None and uid != self.calendar.uid:
            raise EwsError(Code.INVALID_PROPERTY_SET, path=element("t:FieldURI", FieldURI="calendar:UID"))
        if uid and len(uid.encode()) <= calendar_object.MAX_UID and uid.isprintable():
            self.calendar.uid = uid
            for part in self.calendar.parts:
                part.replace("UID", line("UID", uid))

    @staticmethod
    def word_setter(canonical: str, terms: tuple[str, ...]) -> Callable[[CalendarEditor, xml.Element | None], None]:
        """Sets a property that is the number of a word."""

        def write(editor: CalendarEditor, value: xml.Element | None) -> None:
            if value is not None and value.text.strip() not in terms:
                raise EwsError(Code.SCHEMA_VALIDATION)
            editor.put(canonical, terms.index(value.text.strip()) if value is not None else None)

        return write

    @staticmethod
    def in_bag(name: str) -> Callable[[CalendarEditor, xml.Element | None], None]:
        """Sets a property that no format has a place for."""
        canonical, read = _IN_BAG[name]

        def write(editor: CalendarEditor, value: xml.Element | None) -> None:
            editor.put(canonical, read(value) if value is not None else None)

        return write

    # What is collected

    def set_start(self, value: xml.Element | None) -> None:
        self.pending.start = _time(value)

    def set_end(self, value: xml.Element | None) -> None:
        self.pending.end = _time(value)

    def set_all_day(self, value: xml.Element | None) -> None:
        self.pending.all_day = value is not None and is_true(value.text)

    def set_start_zone(self, value: xml.Element | None) -> None:
        self.pending.start_zone = time_zones.definition_zone(value) if value is not None else None

    def set_end_zone(self, value: xml.Element | None) -> None:
        self.pending.end_zone = time_zones.definition_zone(value) if value is not None else None

    def set_meeting_zone(self, value: xml.Element | None) -> None:
        """StartTimeZone takes precedence where a request has both."""
        if value is not None and self.pending.start_zone is None:
            self.pending.start_zone = time_zones.meeting_zone(value)

    def set_recurrence(self, value: xml.Element | None) -> None:
        if self.key is not None:
            if value is None:
                return
            raise EwsError(Code.CALENDAR_INVALID_PROPERTY_STATE)
        self.pending.recurrence = read_recurrence(value) if value is not None else False

    def set_asks(self, value: xml.Element | None) -> None:
        self.pending.asks = value is None or is_true(value.text)

    @staticmethod
    def attendees_setter(kind: str) -> Callable[[CalendarEditor, xml.Element | None], None]:
        """Sets the attendees of a list, for example those of "RequiredAttendees"."""

        def write(editor: CalendarEditor, value: xml.Element | None) -> None:
            editor.pending.attendees[kind] = read_attendees(value)

        return write

    # Storing

    def content(self) -> bytes:
        if self._octets is None:
            self._octets = calendar_times.finish(self)
        return self._octets

    async def rendered(self) -> RenderedItem:
        self.content()
        return await asyncio.to_thread(values_of, self.calendar, self.now, self.me)

    @property
    def name_end(self) -> str:
        return ".ics"

    async def create(self, how: How) -> Saved:
        return await meeting_changes.create(self, how)

    async def update(self, how: How, known: int | None) -> Saved:
        return await meeting_changes.update(self, how, known)

    async def saved(self, number: int) -> Saved:
        return replace(await super().saved(number), id=ItemId(self.place.mailbox.id, number, self.key))


_IN_BAG: dict[str, tuple[str, Callable[[xml.Element], Value]]] = {
    "ConferenceType": ("PidLidConferencingType", whole),
    "IsOnlineMeeting": ("PidLidConferencingCheck", lambda sent: is_true(sent.text)),
    "NetShowUrl": ("PidLidNetShowUrl", lambda sent: sent.text),
}


def new_object(now: int) -> CalendarObject:
    """A new appointment without anything but its UID."""
    part = component(
        "VEVENT", [line("UID", str(uuid4())), line("DTSTAMP", written_utc(now)), line("CREATED", written_utc(now))]
    )
    root = component("VCALENDAR", [line("VERSION", "2.0"), line("PRODID", _PRODUCT), part])
    read = calendar_object.read(root.octets())
    assert isinstance(read, CalendarObject)
    return read


def _time(value: xml.Element | None) -> GivenTime:
    if value is None:
        raise EwsError(Code.INVALID_PROPERTY_DELETE)
    return GivenTime(*read_local(value.text))


def subject_of(part: Component) -> str:
    """The subject of an appointment's component."""
    return text_of(part.value("SUMMARY"))
