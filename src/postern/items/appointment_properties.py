"""The properties of appointments and their places in iCalendar (MS-OXOCAL section 2.2.1, MS-OXCICAL section 2.1.3.1.1.20).

A time is written in the zone that its line has already, and in UTC where it has none. PidLidAppointmentRecur and the binary
descriptions of time zones are not here: they wait for MAPI, the only protocol that speaks them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from postern.items.answers import PROPOSED
from postern.items.calendar_object import organizer_of
from postern.items.calendar_properties import (
    CalendarContent,
    Entry,
    common,
    flag,
    moment_in_utc,
    number,
    number_of,
    recurs,
    set_word,
    text,
)
from postern.items.properties import (
    APPOINTMENT,
    COMMON,
    MEETING,
    Mapped,
    Property,
    PropertyMap,
    Type,
    Value,
    follows,
    in_bag,
    named,
    tagged,
)
from postern.items.recurrence import timing_of
from postern.items.rendered import answer_of, attendee_of, busy_of, status_of
from postern.items.series import Series
from postern.items.task import time_of
from postern.items.text import readable
from postern.model.item_store import Busy
from postern.protocols.content_lines import Line, line, with_parameters
from postern.protocols.ical.rule import read_rule
from postern.protocols.ical.values import Kind, When, address_of, read_interval, when_line, when_of
from postern.protocols.ical.zones import moment

_BUSY = ("FREE", "TENTATIVE", "BUSY", "OOF")
_MEETING, _RECEIVED, _CANCELLED = 1, 2, 4
_ORGANIZED = 1
_ANSWERS = {"TENTATIVE": 2, "ACCEPTED": 3, "DECLINED": 4, "NEEDS-ACTION": 5}
"""PidLidResponseStatus by PARTSTAT (MS-OXOCAL section 2.2.1.11)."""
_FREQUENCIES = {"DAILY": 1, "WEEKLY": 2, "MONTHLY": 3, "YEARLY": 4}
_FOREVER = 79_860_124_740
"""31 August 4500, 23:59: the end of a series without end (MS-OXOCAL section 2.2.1.15)."""
_ID_CLASS = bytes.fromhex("040000008200e00074c5b7101a82e008")
_FOREIGN_ID = b"vCal-Uid\x01\x00\x00\x00"
"""Octets before the UID of another program in PidLidGlobalObjectId (MS-OXCICAL section 2.1.3.1.1.20.26)."""


def _start(content: CalendarContent) -> Value | None:
    timing = timing_of(content.part, content.calendar.zones, content.floating)
    return None if timing is None else content.utc(timing.start)


def _end(content: CalendarContent) -> Value | None:
    timing = timing_of(content.part, content.calendar.zones, content.floating)
    if timing is None:
        return None
    return Series(content.calendar, content.floating).end_of(timing.start, timing.length)


def _duration(content: CalendarContent) -> Value | None:
    start, end = _start(content), _end(content)
    return (end - start) // 60 if isinstance(start, int) and isinstance(end, int) else None


def _set_start(content: CalendarContent, value: Value | None) -> None:
    if isinstance(value, int):
        end = _end(content) if content.part.first("DURATION") is not None else None
        _set_time(content, "DTSTART", value)
        if end is not None:  # which the length would move
            _set_end(content, end)


def _set_end(content: CalendarContent, value: Value | None) -> None:
    if isinstance(value, int):
        content.part.replace("DURATION", None)
        _set_time(content, "DTEND", value)


def _set_time(content: CalendarContent, name: str, value: int) -> None:
    if content.all_day:
        when = When(content.floating.local(value), Kind.DATE)
    else:
        model = content.part.first(name) or content.part.first("DTSTART")
        tzid = model.parameter("TZID") if model is not None else ""
        zone = content.calendar.zones.get(tzid) if tzid else None
        when = When(moment(value), Kind.UTC)
        # Of two hours that the clock shows alike, the second one is written in UTC.
        if zone is not None and zone.utc(local := zone.local(value)) == value:
            when = When(local, Kind.ZONED, tzid)
    content.part.replace(name, when_line(name, when))


def _set_all_day(content: CalendarContent, value: Value | None) -> None:
    start, end = _start(content), _end(content)
    content.all_day = bool(value)
    for times, name in ((start, "DTSTART"), (end, "DTEND")):
        if isinstance(times, int) and content.part.first("DTSTART") is not None:
            content.part.replace(name, None)
            _set_time(content, name, times)


def _busy(content: CalendarContent) -> Value | None:
    return int(min(busy_of(content.part), Busy.OUT_OF_OFFICE))


def _set_busy(content: CalendarContent, value: Value | None) -> None:
    set_word(content, "X-MICROSOFT-CDO-BUSYSTATUS", _BUSY, value)
    set_word(content, "TRANSP", ("TRANSPARENT", "OPAQUE", "OPAQUE", "OPAQUE"), value)


def _intended(content: CalendarContent) -> Value | None:
    return number_of(content.part.value("X-MICROSOFT-CDO-INTENDEDSTATUS"), _BUSY)


def _set_intended(content: CalendarContent, value: Value | None) -> None:
    set_word(content, "X-MICROSOFT-CDO-INTENDEDSTATUS", _BUSY, value)


def _state(content: CalendarContent) -> Value | None:
    organizer = organizer_of(content.part)
    if not organizer:
        return 0
    state = _MEETING if organizer in content.me else _MEETING | _RECEIVED
    return state | _CANCELLED if status_of(content.part) == "CANCELLED" else state


def _response(content: CalendarContent) -> Value | None:
    organizer = organizer_of(content.part)
    if not organizer:
        return 0
    return _ORGANIZED if organizer in content.me else _ANSWERS.get(answer_of(content.part, content.me), 0)


def _set_response(content: CalendarContent, value: Value | None) -> None:
    terms = [word for word, number_ in _ANSWERS.items() if number_ == value]
    mine = attendee_of(content.part, content.me)
    if terms and mine is not None:
        made = with_parameters(mine, {"PARTSTAT": terms[0]})
        content.part.change(lambda entry: made if entry is mine else entry, "ATTENDEE")


def _recurrence_type(content: CalendarContent) -> Value | None:
    rule = read_rule(content.part.value("RRULE"))
    return 0 if rule is None else _FREQUENCIES.get(rule.frequency.name, 0)


def _clip_start(content: CalendarContent) -> Value | None:
    extent = Series(content.calendar, content.floating).extent()
    return None if extent is None else extent.starts


def _clip_end(content: CalendarContent) -> Value | None:
    extent = Series(content.calendar, content.floating).extent()
    return None if extent is None else _FOREVER if extent.until is None else extent.until


def _zone(content: CalendarContent) -> Value | None:
    start = content.part.first("DTSTART")
    return readable(start.parameter("TZID")) or None if start is not None else None


def _people(*roles: str) -> Callable[[CalendarContent], Value | None]:
    """Reads the names of the attendees with one of these roles, as PidLidAllAttendeesString has them."""

    def read(content: CalendarContent) -> Value | None:
        lines = [entry for entry in content.part.lines("ATTENDEE") if _role(entry) in roles]
        return (
            "; ".join([readable(entry.parameter("CN")) or address_of(readable(entry.value)) for entry in lines]) or None
        )

    return read


def _role(entry: Line) -> str:
    return entry.parameter("ROLE").upper() or "REQ-PARTICIPANT"


def _organizer(content: CalendarContent) -> Value | None:
    return organizer_of(content.part) or None


def _set_organizer(content: CalendarContent, value: Value | None) -> None:
    old = content.part.first("ORGANIZER")
    kept = [] if old is None else [each for each in old.parameters if each[0] == "CN"]
    made = line("ORGANIZER", f"mailto:{value}", kept) if isinstance(value, str) and value else None
    content.part.replace("ORGANIZER", made)


def _organizer_name(content: CalendarContent) -> Value | None:
    entry = content.part.first("ORGANIZER")
    return readable(entry.parameter("CN")) or None if entry is not None else None


def _set_organizer_name(content: CalendarContent, value: Value | None) -> None:
    """A name alone is no organizer."""
    old = content.part.first("ORGANIZER")
    if old is not None:
        content.part.replace("ORGANIZER", with_parameters(old, {"CN": str(value or "")}))


def _sender(content: CalendarContent) -> Value | None:
    entry = content.part.first("ORGANIZER")
    sent_by = address_of(readable(entry.parameter("SENT-BY"))) if entry is not None else ""
    return sent_by or _organizer(content)


def _asks(content: CalendarContent) -> Value | None:
    lines = list(content.part.lines("ATTENDEE"))
    return any(entry.parameter("RSVP").upper() == "TRUE" for entry in lines) if lines else None


def _proposals(content: CalendarContent) -> int:
    return sum(bool(entry.parameter(PROPOSED)) for entry in content.part.lines("ATTENDEE"))


def _proposed(is_end: bool) -> Callable[[CalendarContent], Value | None]:
    """Reads the start or the end of the time that the owner, an attendee, has proposed."""

    def read(content: CalendarContent) -> Value | None:
        mine = attendee_of(content.part, content.me)
        period = read_interval(mine.parameter(PROPOSED)) if mine is not None else None
        if period is None or period.end is None:
            return None
        return content.utc(period.end if is_end else period.start)

    return read


def _global_id(is_clean: bool) -> Callable[[CalendarContent], Value | None]:
    """Reads the UID as PidLidGlobalObjectId (MS-OXOCAL section 2.2.1.27): Outlook's own are hexadecimal, others stand within. The
    date of an exception is in it, unless it `is_clean`."""

    def read(content: CalendarContent) -> Value | None:
        uid = content.calendar.uid.encode("utf-8", "replace")
        try:
            octets = bytes.fromhex(content.calendar.uid)
        except ValueError:
            octets = b""
        if not octets.startswith(_ID_CLASS) or len(octets) < 40:
            data = _FOREIGN_ID + uid + b"\0"
            octets = _ID_CLASS + bytes(20) + struct.pack("<I", len(data)) + data
        named_ = when_of(content.part.first("RECURRENCE-ID"))
        day = bytes(4)
        if named_ is not None and not is_clean:
            day = struct.pack(">HBB", named_.local.year, named_.local.month, named_.local.day)
        return octets[:16] + day + octets[20:]

    return read


def uid_of_global_id(octets: bytes) -> str:
    """The UID that is in a PidLidGlobalObjectId; "" if it is none.

    Bound: linear in the octets.
    """
    if len(octets) < 40 or not octets.startswith(_ID_CLASS):
        return ""
    data = octets[40:]
    if data.startswith(_FOREIGN_ID):
        return data[len(_FOREIGN_ID) :].rstrip(b"\0").decode("utf-8", "replace")
    return (octets[:16] + bytes(4) + octets[20:]).hex().upper()


def _time(canonical: str, lid: int) -> Property:
    return named(canonical, APPOINTMENT, lid, Type.TIME)


def _number(canonical: str, lid: int) -> Property:
    return named(canonical, APPOINTMENT, lid, Type.INTEGER32)


def _boolean(canonical: str, lid: int) -> Property:
    return named(canonical, APPOINTMENT, lid, Type.BOOLEAN)


def _string(canonical: str, lid: int) -> Property:
    return named(canonical, APPOINTMENT, lid)


_TIMES: list[Entry] = [
    Mapped(_boolean("PidLidAppointmentSubType", 0x8215), "DTSTART", lambda it: it.all_day, _set_all_day),
    Mapped(_time("PidLidAppointmentStartWhole", 0x820D), "DTSTART", _start, _set_start),
    Mapped(_time("PidLidAppointmentEndWhole", 0x820E), "DTEND", _end, _set_end),
    Mapped(_number("PidLidAppointmentDuration", 0x8213), "DTEND", _duration),
    Mapped(named("PidLidCommonStart", COMMON, 0x8516, Type.TIME), "DTSTART", _start),
    Mapped(named("PidLidCommonEnd", COMMON, 0x8517, Type.TIME), "DTEND", _end),
    Mapped(tagged("PidTagStartDate", 0x0060, Type.TIME), "DTSTART", _start),
    Mapped(tagged("PidTagEndDate", 0x0061, Type.TIME), "DTEND", _end),
    Mapped(_string("PidLidTimeZoneDescription", 0x8234), "DTSTART", _zone),
    Mapped(_boolean("PidLidRecurring", 0x8223), "RRULE", recurs),
    Mapped(named("PidLidIsRecurring", MEETING, 0x0005, Type.BOOLEAN), "RRULE", recurs),
    Mapped(_number("PidLidRecurrenceType", 0x8231), "RRULE", _recurrence_type),
    Mapped(_time("PidLidClipStart", 0x8235), "DTSTART", _clip_start),
    Mapped(_time("PidLidClipEnd", 0x8236), "RRULE", _clip_end),
    Mapped(
        named("PidLidIsException", MEETING, 0x000A, Type.BOOLEAN),
        "RECURRENCE-ID",
        lambda it: it.part.first("RECURRENCE-ID") is not None,
    ),
    Mapped(
        _time("PidLidExceptionReplaceTime", 0x8228),
        "RECURRENCE-ID",
        lambda it: time_of(it.calendar, it.part, "RECURRENCE-ID", it.floating),
    ),
]
_SHOWN: list[Entry] = [
    text(_string("PidLidLocation", 0x8208), "LOCATION"),
    follows(text(named("PidLidWhere", MEETING, 0x0002), "LOCATION")),
    Mapped(_number("PidLidBusyStatus", 0x8205), "X-MICROSOFT-CDO-BUSYSTATUS", _busy, _set_busy),
    Mapped(_number("PidLidIntendedBusyStatus", 0x8224), "X-MICROSOFT-CDO-INTENDEDSTATUS", _intended, _set_intended),
    text(_string("PidLidMeetingWorkspaceUrl", 0x8209), "URL"),
]
_MEETINGS: list[Entry] = [
    number(_number("PidLidAppointmentSequence", 0x8201), "SEQUENCE"),
    number(tagged("PidTagOwnerAppointmentId", 0x0062, Type.INTEGER32), "X-MICROSOFT-CDO-OWNERAPPTID"),
    moment_in_utc(named("PidLidOwnerCriticalChange", MEETING, 0x001A, Type.TIME), "DTSTAMP"),
    Mapped(_number("PidLidAppointmentStateFlags", 0x8217), "ORGANIZER", _state),
    Mapped(_number("PidLidResponseStatus", 0x8218), "ATTENDEE", _response, _set_response),
    Mapped(tagged("PidTagSentRepresentingEmailAddress", 0x0065), "ORGANIZER", _organizer, _set_organizer),
    Mapped(tagged("PidTagSentRepresentingName", 0x0042), "ORGANIZER", _organizer_name, _set_organizer_name),
    Mapped(tagged("PidTagSentRepresentingSmtpAddress", 0x5D02), "ORGANIZER", _organizer),
    Mapped(tagged("PidTagSenderEmailAddress", 0x0C1F), "ORGANIZER", _sender),
    Mapped(tagged("PidTagResponseRequested", 0x0063, Type.BOOLEAN), "ATTENDEE", _asks),
    Mapped(tagged("PidTagReplyRequested", 0x0C17, Type.BOOLEAN), "ATTENDEE", _asks),
    Mapped(
        _string("PidLidAllAttendeesString", 0x8238),
        "ATTENDEE",
        _people("REQ-PARTICIPANT", "OPT-PARTICIPANT", "CHAIR", "NON-PARTICIPANT"),
    ),
    Mapped(_string("PidLidToAttendeesString", 0x823B), "ATTENDEE", _people("REQ-PARTICIPANT", "CHAIR")),
    Mapped(_string("PidLidCcAttendeesString", 0x823C), "ATTENDEE", _people("OPT-PARTICIPANT")),
    flag(_boolean("PidLidAppointmentNotAllowPropose", 0x825A), "X-MICROSOFT-DISALLOW-COUNTER"),
    Mapped(_boolean("PidLidAppointmentCounterProposal", 0x8257), "ATTENDEE", lambda it: _proposals(it) > 0),
    Mapped(_number("PidLidAppointmentProposalNumber", 0x8259), "ATTENDEE", _proposals),
    Mapped(_time("PidLidAppointmentProposedStartWhole", 0x8250), "ATTENDEE", _proposed(is_end=False)),
    Mapped(_time("PidLidAppointmentProposedEndWhole", 0x8251), "ATTENDEE", _proposed(is_end=True)),
    Mapped(named("PidLidGlobalObjectId", MEETING, 0x0003, Type.BINARY), "UID", _global_id(is_clean=False)),
    Mapped(named("PidLidCleanGlobalObjectId", MEETING, 0x0023, Type.BINARY), "UID", _global_id(is_clean=True)),
]
_KEPT: list[Entry] = in_bag(
    _boolean("PidLidFInvited", 0x8229),
    _boolean("PidLidFExceptionalAttendees", 0x822B),
    _boolean("PidLidSendMeetingAsIcal", 0x8200),
    _time("PidLidAppointmentSequenceTime", 0x8202),
    _number("PidLidAppointmentLastSequence", 0x8203),
    _number("PidLidAppointmentAuxiliaryFlags", 0x8207),
    _number("PidLidAppointmentColor", 0x8214),
    _time("PidLidAppointmentReplyTime", 0x8220),
    _time("PidLidAppointmentUpdateTime", 0x8226),
    _string("PidLidOwnerName", 0x822E),
    _string("PidLidAppointmentReplyName", 0x8230),
    _string("PidLidRecurrencePattern", 0x8232),
    _boolean("PidLidAutoFillLocation", 0x823A),
    _boolean("PidLidConferencingCheck", 0x8240),
    _number("PidLidConferencingType", 0x8241),
    _string("PidLidDirectory", 0x8242),
    _string("PidLidOrganizerAlias", 0x8243),
    _string("PidLidNetShowUrl", 0x8248),
    _string("PidLidOnlinePassword", 0x8249),
    named("PidLidIsSilent", MEETING, 0x0004, Type.BOOLEAN),
    named("PidLidMeetingType", MEETING, 0x0026, Type.INTEGER32),
)
APPOINTMENT_PROPERTIES: PropertyMap[CalendarContent] = PropertyMap(
    [*common("DTSTART"), *_TIMES, *_SHOWN, *_MEETINGS, *_KEPT]
)
"""The map of IPM.Appointment."""
