"""The properties of appointments, in the order of CalendarItemType (MS-OXWSMTGS section 2.2.4.4, and ItemType before them)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from postern.items.appointment_properties import APPOINTMENT_PROPERTIES
from postern.items.properties import Property
from postern.protocols import xml
from postern.protocols.ews.names import boolean
from postern.protocols.ews.versions import Version
from postern.services.ews.calendar_editor import CalendarEditor
from postern.services.ews.fields import calendar_item
from postern.services.ews.fields import calendar_read as read
from postern.services.ews.fields.calendar_read import of
from postern.services.ews.fields.field import Field, Read, Write
from postern.services.ews.item_view import Need
from postern.services.ews.neighbours import look_around

_BY_NAME = {entry.property.canonical: entry.property for entry in APPOINTMENT_PROPERTIES}


def _mapi(canonical: str) -> Property:
    return _BY_NAME[canonical]


def field(
    element: str,
    reader: Read,
    write: Callable[[CalendarEditor, xml.Element | None], None] | None = None,
    since: Version = Version.V2007,
    default: bool = False,
    property_: Property | None = None,
) -> Field:
    """A property of appointments by its element; its path is in "calendar:"."""
    writer: Write | None = write
    return Field(f"calendar:{element}", element, reader, since, Need.CONTENT, default, property=property_, write=writer)


_E = CalendarEditor
UID = field("UID", of(read.uid), _E.set_uid, Version.V2007_SP1)
RECURRENCE_ID = field("RecurrenceId", of(read.moment_of("t:RecurrenceId", "RECURRENCE-ID")), since=Version.V2007_SP1)
STAMP = field("DateTimeStamp", of(read.moment_of("t:DateTimeStamp", "DTSTAMP")), since=Version.V2007_SP1)
START = field("Start", of(read.start), _E.set_start, default=True, property_=_mapi("PidLidAppointmentStartWhole"))
END = field("End", of(read.end), _E.set_end, default=True, property_=_mapi("PidLidAppointmentEndWhole"))
LOCATION = field("Location", of(read.location), _E.set_location, default=True, property_=_mapi("PidLidLocation"))
RECURRENCE = field("Recurrence", of(read.recurrence), _E.set_recurrence)
ITEM_TYPE = field("CalendarItemType", of(read.item_type), default=True)
ENHANCED_LOCATION = field("EnhancedLocation", of(read.enhanced_location), _E.set_enhanced_location, Version.V2013)
INTENDED = field("IntendedFreeBusyStatus", of(read.intended_busy), since=Version.V2013)

TIMES: tuple[Field, ...] = (
    START,
    END,
    field("OriginalStart", of(read.original_start)),
    field(
        "IsAllDayEvent",
        of(lambda it: boolean("t:IsAllDayEvent", it.content.all_day)),
        _E.set_all_day,
        property_=_mapi("PidLidAppointmentSubType"),
    ),
    field("LegacyFreeBusyStatus", read.busy, _E.set_busy, default=True, property_=_mapi("PidLidBusyStatus")),
    LOCATION,
    field("When", of(read.when), _E.ignore),
    field("IsMeeting", of(lambda it: boolean("t:IsMeeting", read.is_meeting(it)))),
    field("IsCancelled", of(read.is_cancelled)),
    field("IsRecurring", of(read.is_recurring), property_=_mapi("PidLidRecurring")),
    field("MeetingRequestWasSent", of(read.request_was_sent)),
)
"""Those from Start to MeetingRequestWasSent, which meeting requests have, too."""
MEETING: tuple[Field, ...] = (
    ITEM_TYPE,
    field("MyResponseType", of(read.my_response), property_=_mapi("PidLidResponseStatus")),
    field("Organizer", of(read.organizer), default=True),
    *(
        field(kind, of(read.attendees(kind)), _E.attendees_setter(kind))
        for kind in (read.REQUIRED, read.OPTIONAL, read.RESOURCE)
    ),
    *(
        replace(field(name, calendar_item.neighbours(name)), prepare=look_around)
        for name in ("ConflictingMeetingCount", "AdjacentMeetingCount", "ConflictingMeetings", "AdjacentMeetings")
    ),
    field("Duration", of(read.duration)),
    field("TimeZone", of(read.zone_name)),
    field("AppointmentReplyTime", of(read.reply_time)),
    field("AppointmentSequenceNumber", of(read.sequence), property_=_mapi("PidLidAppointmentSequence")),
    field("AppointmentState", of(read.state), property_=_mapi("PidLidAppointmentStateFlags")),
    RECURRENCE,
    field("FirstOccurrence", read.first_occurrence),
    field("LastOccurrence", read.last_occurrence),
    field("ModifiedOccurrences", read.modified_occurrences),
    field("DeletedOccurrences", of(read.deleted_occurrences)),
    field("MeetingTimeZone", read.meeting_zone, _E.set_meeting_zone),
    field("StartTimeZone", of(read.start_zone), _E.set_start_zone, Version.V2010),
    field("EndTimeZone", of(read.end_zone), _E.set_end_zone, Version.V2010),
    field("ConferenceType", calendar_item.nothing, _E.in_bag("ConferenceType")),
    field("AllowNewTimeProposal", of(read.allows_proposals), _E.set_allows_proposals),
    field("IsOnlineMeeting", calendar_item.nothing, _E.in_bag("IsOnlineMeeting")),
    field("MeetingWorkspaceUrl", of(calendar_item.workspace), _E.set_workspace),
    field("NetShowUrl", calendar_item.nothing, _E.in_bag("NetShowUrl")),
    ENHANCED_LOCATION,
)
"""Those from CalendarItemType to EnhancedLocation."""
CLOCKS: tuple[Field, ...] = (
    field("StartWallClock", of(read.start_clock), since=Version.V2013),
    field("EndWallClock", of(read.end_clock), since=Version.V2013),
    field("StartTimeZoneId", of(read.start_zone_id), since=Version.V2013),
    field("EndTimeZoneId", of(read.end_zone_id), since=Version.V2013),
)

CALENDAR_FIELDS: tuple[Field, ...] = (
    *calendar_item.FIELDS,
    UID,
    RECURRENCE_ID,
    STAMP,
    *TIMES,
    field("IsResponseRequested", of(read.asks_for_answers), _E.set_asks),
    *MEETING,
    *CLOCKS,
    INTENDED,
    field(
        "IsOrganizer",
        of(lambda it: boolean("t:IsOrganizer", read.is_mine(it))),
        since=Version.V2013,
    ),
)
