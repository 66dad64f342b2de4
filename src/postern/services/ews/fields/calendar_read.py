"""Reads the properties of appointments and of meeting messages as elements (MS-OXWSMTGS section 2.2.4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from postern.items.answers import PROPOSED, REPLIED
from postern.items.calendar_object import organizer_of
from postern.items.imip import described
from postern.items.rendered import answer_of, attendee_of, busy_of, sequence_of, status_of
from postern.items.series import Occurrence
from postern.items.task import time_of
from postern.items.text import readable, text_of
from postern.protocols.content_lines import Line
from postern.protocols.ews.ids import ItemId, change_key
from postern.protocols.ews.names import boolean, element, number, value
from postern.protocols.ews.recurrences import recurrence_markup
from postern.protocols.ews.shapes import Shape
from postern.protocols.ews.time_zones import meeting_zone_markup, written_duration
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.protocols.ical.rule import read_rule
from postern.protocols.ical.values import address_of, read_interval, read_when
from postern.protocols.ical.zones import UTC_ZONE, Zone
from postern.services.ews import time_zones
from postern.services.ews.appointments import Appointment, Times, of_view
from postern.services.ews.fields.field import Read
from postern.services.ews.item_view import ItemView
from postern.services.ews.meeting_messages import ANSWERS

MAX_ATTENDEES = 1_000
"""Attendees of one kind that are told."""
_BUSY = ("Free", "Tentative", "Busy", "OOF", "WorkingElsewhere")


def of(read: Callable[[Appointment], str]) -> Read:
    """A property that is read of the appointment alone."""
    return lambda view, shape: read(of_view(view))


def uid(it: Appointment) -> str:
    return value("t:UID", it.calendar.uid) if it.calendar.uid else ""


def moment_of(tag: str, name: str) -> Callable[[Appointment], str]:
    """The time of a line as an element."""

    def read(it: Appointment) -> str:
        seconds = time_of(it.calendar, it.part, name, it.content.floating)
        return "" if seconds is None else value(tag, written(seconds))

    return read


def start(it: Appointment) -> str:
    times = it.times
    return value("t:Start", written(times.start)) if times is not None else ""


def end(it: Appointment) -> str:
    times = it.times
    return value("t:End", written(times.end)) if times is not None else ""


def original_start(it: Appointment) -> str:
    original = it.original
    return value("t:OriginalStart", written(original)) if original is not None else ""


def busy(view: ItemView, shape: Shape) -> str:
    status = _BUSY[busy_of(of_view(view).part, view.mailbox.recipient.folded_addresses)]
    if status == "WorkingElsewhere" and view.call.header.version < Version.V2013:
        status = "Free"
    return value("t:LegacyFreeBusyStatus", status)


def intended_busy(it: Appointment) -> str:
    term = it.part.value("X-MICROSOFT-CDO-INTENDEDSTATUS").strip().upper()
    status = {"FREE": "Free", "TENTATIVE": "Tentative", "OOF": "OOF"}.get(term) or _BUSY[busy_of(it.part)]
    return value("t:IntendedFreeBusyStatus", status if status != "WorkingElsewhere" else "Free")


def subject(it: Appointment) -> str:
    text = text_of(it.part.value("SUMMARY"))
    return value("t:Subject", text) if text else ""


def location(it: Appointment) -> str:
    text = text_of(it.part.value("LOCATION"))
    return value("t:Location", text) if text else ""


def enhanced_location(it: Appointment) -> str:
    text = text_of(it.part.value("LOCATION"))
    return element("t:EnhancedLocation", value("t:DisplayName", text)) if text else ""


def when(it: Appointment) -> str:
    """The time for people, of what the text of an invitation says: its second line, or its first without a summary."""
    lines = described(it.calendar, it.part).splitlines()
    place = 1 if text_of(it.part.value("SUMMARY")) else 0
    return value("t:When", lines[place]) if it.timing is not None and len(lines) > place else ""


def is_meeting(it: Appointment) -> bool:
    return bool(organizer_of(it.part) or organizer_of(it.calendar.main))


def is_mine(it: Appointment) -> bool:
    """Whether the owner of the calendar is the organizer; he is of what is no meeting."""
    organizer = organizer_of(it.calendar.main)
    return not organizer or organizer in it.content.me


def is_cancelled(it: Appointment) -> str:
    return boolean("t:IsCancelled", status_of(it.part) == "CANCELLED" or it.calendar.method == "CANCEL")


def is_recurring(it: Appointment) -> str:
    """Whether it is a part of a series (MS-OXWSMTGS section 2.2.4.4)."""
    return boolean("t:IsRecurring", it.key is not None or it.is_master or it.original is not None)


def request_was_sent(it: Appointment) -> str:
    """Whether invitations went out: the server notes what became of them behind each attendee."""
    sent = any(entry.parameter("SCHEDULE-STATUS") for entry in it.part.lines("ATTENDEE"))
    return boolean("t:MeetingRequestWasSent", is_mine(it) and sent)


def asks_for_answers(it: Appointment) -> str:
    attendees = list(it.part.lines("ATTENDEE"))
    return boolean(
        "t:IsResponseRequested", not attendees or any(each.parameter("RSVP").upper() == "TRUE" for each in attendees)
    )


def item_type(it: Appointment) -> str:
    if it.key is not None:
        return value("t:CalendarItemType", "Exception" if it.is_exception else "Occurrence")
    if it.is_master:
        return value("t:CalendarItemType", "RecurringMaster")
    return value("t:CalendarItemType", "Exception" if it.original is not None and it.calendar.method else "Single")


def my_response(it: Appointment) -> str:
    if is_meeting(it) and is_mine(it):
        answer = "Organizer"
    else:
        answer = ANSWERS.get(answer_of(it.part, it.content.me), "Unknown") if is_meeting(it) else "Organizer"
    return value("t:MyResponseType", answer)


def mailbox_markup(entry: Line) -> str:
    """The person of an ORGANIZER or ATTENDEE."""
    address = address_of(readable(entry.value))
    name = readable(entry.parameter("CN")) or address
    return element(
        "t:Mailbox",
        value("t:Name", name),
        value("t:EmailAddress", address),
        value("t:RoutingType", "SMTP"),
    )


def organizer(it: Appointment) -> str:
    entry = it.part.first("ORGANIZER") or it.calendar.main.first("ORGANIZER")
    return element("t:Organizer", mailbox_markup(entry)) if entry is not None else ""


REQUIRED, OPTIONAL, RESOURCE = "RequiredAttendees", "OptionalAttendees", "Resources"


def kind_of_attendee(entry: Line) -> str:
    """The list in which an attendee stands (MS-OXCICAL section 2.1.3.1.1.20.2)."""
    if (
        entry.parameter("CUTYPE").upper() in ("RESOURCE", "ROOM")
        or entry.parameter("ROLE").upper() == "NON-PARTICIPANT"
    ):
        return RESOURCE
    return OPTIONAL if entry.parameter("ROLE").upper() == "OPT-PARTICIPANT" else REQUIRED


def attendees(kind: str) -> Callable[[Appointment], str]:
    """The attendees of a list, without the organizer, whom some programs invite, too."""

    def read(it: Appointment) -> str:
        host = organizer_of(it.part) or organizer_of(it.calendar.main)
        told: list[str] = []
        for entry in it.part.lines("ATTENDEE"):
            if kind_of_attendee(entry) == kind and address_of(entry.value) != host and len(told) < MAX_ATTENDEES:
                told.append(_attendee(it, entry))
        return element(f"t:{kind}", *told) if told else ""

    return read


def _attendee(it: Appointment, entry: Line) -> str:
    answer = ANSWERS.get(entry.parameter("PARTSTAT").strip().upper() or "NEEDS-ACTION", "Unknown")
    replied = read_when(entry.parameter(REPLIED))
    parts = [mailbox_markup(entry), value("t:ResponseType", answer)]
    if replied is not None:
        parts.append(value("t:LastResponseTime", written(it.calendar.zones.utc(replied, UTC_ZONE))))
    return element("t:Attendee", *parts)


def duration(it: Appointment) -> str:
    times = it.times
    return value("t:Duration", written_duration(times.end - times.start)) if times is not None else ""


def zone_name(it: Appointment) -> str:
    return value("t:TimeZone", _known_name(it.zone))


def reply_time(it: Appointment) -> str:
    mine = attendee_of(it.part, it.content.me)
    replied = read_when(mine.parameter(REPLIED)) if mine is not None else None
    if replied is None:
        return ""
    return value("t:AppointmentReplyTime", written(it.calendar.zones.utc(replied, UTC_ZONE)))


def sequence(it: Appointment) -> str:
    return number("t:AppointmentSequenceNumber", sequence_of(it.part))


def state(it: Appointment) -> str:
    """AppointmentState: a meeting, received from its organizer, cancelled (MS-OXOCAL section 2.2.1.10)."""
    flags = 0
    if is_meeting(it):
        flags = 1 | (0 if is_mine(it) else 2) | (4 if status_of(it.part) == "CANCELLED" else 0)
    return number("t:AppointmentState", flags)


def recurrence(it: Appointment) -> str:
    rule = read_rule(it.calendar.main.value("RRULE"))
    if not it.is_master or rule is None:
        return ""
    base = it.series.masters[0]
    return recurrence_markup(rule, base.timing.start.local, base.until(rule))


def first_occurrence(view: ItemView, shape: Shape) -> str:
    it = of_view(view)
    first = it.edges()[0] if it.is_master else None
    return _edge(view, it, "t:FirstOccurrence", first)


def last_occurrence(view: ItemView, shape: Shape) -> str:
    it = of_view(view)
    last = it.edges()[1] if it.is_master else None
    return _edge(view, it, "t:LastOccurrence", last)


def _edge(view: ItemView, it: Appointment, tag: str, occurrence: Occurrence | None) -> str:
    if occurrence is None or occurrence.recurrence is None:
        return ""
    key = it.series.masters[0].key(occurrence.recurrence)
    return _info(view, it, tag, key, Times(occurrence.start, occurrence.end))


def _info(view: ItemView, it: Appointment, tag: str, key: int, times: Times) -> str:
    """An OccurrenceInfoType (MS-OXWSMTGS section 2.2.4.20)."""
    id_ = ItemId(view.mailbox.id, view.stored.id, key)
    return element(
        tag,
        element("t:ItemId", Id=str(id_), ChangeKey=change_key(view.stored.change)),
        value("t:Start", written(times.start)),
        value("t:End", written(times.end)),
        value("t:OriginalStart", written(it.start_of(key))),
    )


def modified_occurrences(view: ItemView, shape: Shape) -> str:
    it = of_view(view)
    if not it.is_master:
        return ""
    told = [_info(view, it, "t:Occurrence", key, times) for key, times in it.modified()]
    return element("t:ModifiedOccurrences", *told) if told else ""


def deleted_occurrences(it: Appointment) -> str:
    if not it.is_master:
        return ""
    told = [element("t:DeletedOccurrence", value("t:Start", written(each))) for each in it.deleted()]
    return element("t:DeletedOccurrences", *told) if told else ""


def meeting_zone(view: ItemView, shape: Shape) -> str:
    """The zone as Exchange 2007 has it; from 2010 on StartTimeZone takes its place (MS-OXWSMTGS section 2.2.4.4)."""
    zone = of_view(view).zone
    return meeting_zone_markup(_known_name(zone), time_zones.rules_now(zone))


def _known_name(zone: Zone) -> str:
    name = time_zones.windows_name(zone)
    return zone.name if name == time_zones.CUSTOM else name


def start_zone(it: Appointment) -> str:
    return time_zones.markup("t:StartTimeZone", it.zone)


def end_zone(it: Appointment) -> str:
    return time_zones.markup("t:EndTimeZone", it.end_zone)


def start_zone_id(it: Appointment) -> str:
    return value("t:StartTimeZoneId", time_zones.windows_name(it.zone))


def end_zone_id(it: Appointment) -> str:
    return value("t:EndTimeZoneId", time_zones.windows_name(it.end_zone))


def start_clock(it: Appointment) -> str:
    """The start as the clock of its zone shows it."""
    times = it.times
    return value("t:StartWallClock", _clock(it.zone.local(times.start))) if times is not None else ""


def end_clock(it: Appointment) -> str:
    times = it.times
    return value("t:EndWallClock", _clock(it.end_zone.local(times.end))) if times is not None else ""


def _clock(local: datetime) -> str:
    return local.isoformat(timespec="seconds")


def allows_proposals(it: Appointment) -> str:
    is_refused = it.calendar.main.value("X-MICROSOFT-DISALLOW-COUNTER").strip().upper() == "TRUE"
    return boolean("t:AllowNewTimeProposal", not is_refused)


def proposed(tag: str, is_end: bool) -> Callable[[Appointment], str]:
    """The time that an attendee proposes: in a proposal, the time that it names."""

    def read(it: Appointment) -> str:
        if it.calendar.method == "COUNTER":
            times = it.times
            return "" if times is None else value(tag, written(times.end if is_end else times.start))
        mine = attendee_of(it.part, it.content.me)
        period = read_interval(mine.parameter(PROPOSED)) if mine is not None else None
        if period is None or period.end is None:
            return ""
        return value(tag, written(it.content.utc(period.end if is_end else period.start)))

    return read
