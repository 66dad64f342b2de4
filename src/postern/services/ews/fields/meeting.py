"""The properties of meeting requests, answers and cancellations, behind those of messages (MS-OXWSMTGS section 2.2.4)."""

from __future__ import annotations

from dataclasses import replace

from postern.items.calendar_object import organizer_of
from postern.items.rendered import sequence_of, status_of
from postern.protocols.ews.names import boolean, element, value
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.appointments import Appointment, of_view
from postern.services.ews.fields import calendar
from postern.services.ews.fields import calendar_read as read
from postern.services.ews.fields.calendar_read import of
from postern.services.ews.fields.field import Field, Read
from postern.services.ews.fields.message import MESSAGE_FIELDS
from postern.services.ews.item_view import ItemView, Need
from postern.services.ews.meeting_messages import (
    ANSWERS,
    ASSOCIATED,
    CANCELLATION,
    REQUEST,
    Associated,
    associate,
    class_of,
    element_of,
)


def _associated(view: ItemView) -> Associated:
    """The appointment of a message, as `meeting_messages.associate` has found it."""
    there: Associated = view.parsed.get(ASSOCIATED) or Associated()
    return there


def _associated_id(view: ItemView, shape: Shape) -> str:
    there = _associated(view)
    return element("t:AssociatedCalendarItemId", Id=there.id, ChangeKey=there.change_key) if there.id else ""


def _is_out_of_date(view: ItemView, shape: Shape) -> str:
    return boolean("t:IsOutOfDate", _associated(view).sequence > sequence_of(of_view(view).part))


def _has_been_processed(view: ItemView, shape: Shape) -> str:
    """Whether the calendar attendant has applied it: then the appointment is there."""
    return boolean("t:HasBeenProcessed", bool(_associated(view).id))


def _response_type(view: ItemView, shape: Shape) -> str:
    it = of_view(view)
    if element_of(view) == REQUEST:
        return value("t:ResponseType", _associated(view).answer or "NoResponseReceived")
    attendee = it.part.first("ATTENDEE")
    answer = ANSWERS.get(attendee.parameter("PARTSTAT").strip().upper(), "") if attendee is not None else ""
    return value("t:ResponseType", answer or "Unknown")


def _request_type(view: ItemView, shape: Shape) -> str:
    """Whether a request is new, moves a meeting, or changes something else of one that is known (MS-OXOCAL section 2.2.6.5)."""
    it, there = of_view(view), _associated(view)
    if there.sequence > sequence_of(it.part):
        kind = "Outdated"
    elif any(
        map(sequence_of, it.calendar.parts)
    ):  # a series comes with its exceptions, of which one may have been moved
        kind = "FullUpdate"
    elif not there.was_there(view.stored.internal_date):
        kind = "NewMeetingRequest"
    else:
        kind = "InformationalUpdate" if there.has_times_of(it.calendar) else "FullUpdate"
    return value("t:MeetingRequestType", kind)


def _response_objects(view: ItemView, shape: Shape) -> str:
    """The answers that may be made to a message with a meeting (MS-OXWSCDATA section 2.2.4.44)."""
    it, kind = of_view(view), element_of(view)
    if kind == CANCELLATION:
        answers = ["RemoveItem", "ReplyToItem", "ReplyAllToItem", "ForwardItem"]
    elif kind == REQUEST and organizer_of(it.calendar.main) not in it.content.me and status_of(it.part) != "CANCELLED":
        answers = ["AcceptItem", "TentativelyAcceptItem", "DeclineItem", "ReplyToItem", "ReplyAllToItem", "ForwardItem"]
    else:
        answers = ["ReplyToItem", "ReplyAllToItem", "ForwardItem"]
    return element("t:ResponseObjects", *[f"<t:{answer}/>" for answer in answers])


def _field(uri: str, reader: Read, since: Version = Version.V2007) -> Field:
    return Field(uri, uri.partition(":")[2], reader, since, Need.CONTENT)


def _only_read(*fields: Field) -> tuple[Field, ...]:
    """Properties of appointments as messages have them: nobody writes them, and the Default shape has some."""
    return tuple(replace(each, write=None) for each in fields)


def _item_class(view: ItemView, shape: Shape) -> str:
    return value("t:ItemClass", class_of(view))


_OVER = {"item:ItemClass": _item_class, "item:ResponseObjects": _response_objects}


def _of_messages() -> list[Field]:
    """The properties of messages, with those that a meeting has another value for."""
    fields = [
        replace(each, read=_OVER[each.uri], needs=Need.CONTENT) if each.uri in _OVER else each
        for each in MESSAGE_FIELDS
    ]
    uris = [each.uri for each in fields]
    if "item:ResponseObjects" not in uris:
        fields.insert(uris.index("item:DateTimeCreated") + 1, _field("item:ResponseObjects", _response_objects))
    return fields


def _is_mine(it: Appointment) -> str:
    return boolean("t:IsOrganizer", organizer_of(it.calendar.main) in it.content.me)


MEETING_FIELDS: tuple[Field, ...] = (
    *_of_messages(),
    replace(_field("meeting:AssociatedCalendarItemId", _associated_id), default=True, prepare=associate),
    _field("meeting:IsDelegated", lambda view, shape: boolean("t:IsDelegated", False)),
    replace(_field("meeting:IsOutOfDate", _is_out_of_date), default=True, prepare=associate),
    replace(_field("meeting:HasBeenProcessed", _has_been_processed), default=True, prepare=associate),
    replace(_field("meeting:ResponseType", _response_type), default=True, prepare=associate),
    *_only_read(calendar.UID, calendar.RECURRENCE_ID, calendar.STAMP),
    _field("calendar:IsOrganizer", of(_is_mine), Version.V2013),
)
_BRIEF = _only_read(
    *(replace(each, since=Version.V2010) for each in (calendar.START, calendar.END, calendar.LOCATION)),
    *(replace(each, since=Version.V2010) for each in (calendar.RECURRENCE, calendar.ITEM_TYPE)),
)
"""Properties that answers and cancellations have of their meeting."""

REQUEST_FIELDS: tuple[Field, ...] = (
    *MEETING_FIELDS,
    replace(_field("meetingRequest:MeetingRequestType", _request_type), default=True, prepare=associate),
    replace(_field("meetingRequest:IntendedFreeBusyStatus", of(read.intended_busy)), default=True),
    *_only_read(*calendar.TIMES, *calendar.MEETING, *calendar.CLOCKS),
)
RESPONSE_FIELDS: tuple[Field, ...] = (
    *MEETING_FIELDS,
    *_BRIEF,
    _field("meeting:ProposedStart", of(read.proposed("t:ProposedStart", is_end=False)), Version.V2013),
    _field("meeting:ProposedEnd", of(read.proposed("t:ProposedEnd", is_end=True)), Version.V2013),
    *_only_read(calendar.ENHANCED_LOCATION),
)
CANCELLATION_FIELDS: tuple[Field, ...] = (*MEETING_FIELDS, *_BRIEF, *_only_read(calendar.ENHANCED_LOCATION))
