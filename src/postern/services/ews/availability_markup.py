"""Writes answers about free/busy and suggestions (MS-OXWAVLS section 3.1.4.1.3), in the order of the schema."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from postern.items import working_hours
from postern.items.availability import NO_DATA, merged_digits, together
from postern.items.suggestions import UNKNOWN, Attendee, Day, Suggestion
from postern.items.working_hours import DEFAULT, WorkingHours
from postern.model.availability import BusyEvent, EventFlag, Told, WhenBusy
from postern.model.item_store import Busy
from postern.protocols.ews.availability import QUALITIES, FreeBusyOptions, View
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId
from postern.protocols.ews.names import boolean, number, value
from postern.protocols.ews.versions import Version
from postern.protocols.ical.bias_zones import DAYS, BiasZone, Change, of_rules
from postern.protocols.ical.zone_rules import rules_of
from postern.protocols.ical.zones import NamedZone, Zone
from postern.services.access.availability import Found, Problem
from postern.services.ews.time_zones import this_year

_BUSY = {
    Busy.FREE: "Free",
    Busy.TENTATIVE: "Tentative",
    Busy.BUSY: "Busy",
    Busy.OUT_OF_OFFICE: "OOF",
    Busy.ELSEWHERE: "WorkingElsewhere",
}
_CODES = {
    Problem.NOBODY: Code.MAIL_RECIPIENT_NOT_FOUND,
    Problem.NO_ACCESS: Code.NO_FREE_BUSY_ACCESS,
    Problem.LARGE_GROUP: Code.FREE_BUSY_DL_LIMIT_REACHED,
    Problem.TOO_MANY: Code.RESULT_SET_TOO_BIG,
    Problem.UNREACHABLE: Code.MAILBOX_LOGON_FAILED,
    Problem.FOREIGN: Code.PROXY_REQUEST_PROCESSING_FAILED,
}
_SUCCESS = f'<m:ResponseMessage ResponseClass="Success">{value("m:ResponseCode", Code.NO_ERROR)}</m:ResponseMessage>'
_FLAGS = (
    ("t:IsMeeting", EventFlag.MEETING),
    ("t:IsRecurring", EventFlag.RECURRING),
    ("t:IsException", EventFlag.EXCEPTION),
    ("t:IsReminderSet", EventFlag.REMINDER),
    ("t:IsPrivate", EventFlag.PRIVATE),
)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes for one request, whose times are in `zone`."""

    zone: Zone
    version: Version

    # Free/busy

    def free_busy(self, finding: Found, mailbox: UUID | None, options: FreeBusyOptions) -> str:
        """The FreeBusyResponse of one mailbox. `mailbox` is that of a person who is here."""
        if finding.problem is not None:
            return self._refused(finding.problem)
        if finding.is_group:
            return self._of_group(finding, options)
        answer = finding.answers[0]
        assert isinstance(answer, WhenBusy)
        view = options.view if answer.told >= Told.DETAILS else options.view & ~View.DETAILS
        markup = value("t:FreeBusyViewType", view.label)
        if view & View.MERGED:
            markup += value("t:MergedFreeBusy", self._digits(answer.events, options))
        if view & View.EVENTS and answer.events:
            events = "".join([self._event(event, mailbox, view) for event in answer.events])
            markup += f"<t:CalendarEventArray>{events}</t:CalendarEventArray>"
        hours = (working_hours.read(answer.hours) if answer.hours else None) or DEFAULT
        return f"<m:FreeBusyResponse>{_SUCCESS}<m:FreeBusyView>{markup}{self._hours(hours)}</m:FreeBusyView></m:FreeBusyResponse>"

    def _refused(self, problem: Problem) -> str:
        code = _CODES[problem]
        if code is Code.FREE_BUSY_DL_LIMIT_REACHED and self.version < Version.V2010:
            code = Code.RESULT_SET_TOO_BIG
        error = EwsError(code)
        return (
            f'<m:FreeBusyResponse><m:ResponseMessage ResponseClass="Error">{error.markup}</m:ResponseMessage>'
            f"<m:FreeBusyView>{value('t:FreeBusyViewType', View.NONE.label)}</m:FreeBusyView></m:FreeBusyResponse>"
        )

    def _of_group(self, finding: Found, options: FreeBusyOptions) -> str:
        """A group has merged digits alone: nobody sees which member is busy."""
        window = options.window
        count = -((window.start - window.end) // (60 * options.minutes))
        digits = [
            self._digits(each.events, options) if isinstance(each, WhenBusy) else NO_DATA * count
            for each in finding.answers
        ]
        markup = value("t:FreeBusyViewType", View.MERGED.label) + value("t:MergedFreeBusy", together(digits, count))
        return f"<m:FreeBusyResponse>{_SUCCESS}<m:FreeBusyView>{markup}</m:FreeBusyView></m:FreeBusyResponse>"

    @staticmethod
    def _digits(events: Sequence[BusyEvent], options: FreeBusyOptions) -> str:
        return merged_digits(events, options.window.start, options.window.end, 60 * options.minutes)

    def _event(self, event: BusyEvent, mailbox: UUID | None, view: View) -> str:
        markup = value("t:StartTime", self._time(event.start)) + value("t:EndTime", self._time(event.end))
        markup += value("t:BusyType", self._busy(event.busy))
        if view & View.DETAILS:
            details = ""
            if event.item and mailbox is not None:
                details += value("t:ID", hex_id(ItemId(mailbox, event.item)))
            if event.subject:
                details += value("t:Subject", event.subject)
            if event.location:
                details += value("t:Location", event.location)
            details += "".join([boolean(name, bool(event.flags & flag)) for name, flag in _FLAGS])
            markup += f"<t:CalendarEventDetails>{details}</t:CalendarEventDetails>"
        return f"<t:CalendarEvent>{markup}</t:CalendarEvent>"

    def _hours(self, hours: WorkingHours) -> str:
        zone = hours.zone or described(self.zone)
        markup = number("t:Bias", zone.bias)
        for name, change in (("StandardTime", zone.standard), ("DaylightTime", zone.daylight)):
            markup += _change(name, change or Change(0, 0, 0, 0, 0))
        period = value("t:DayOfWeek", hours.names) if hours.days else ""
        period += number("t:StartTimeInMinutes", hours.start) + number("t:EndTimeInMinutes", hours.end)
        array = f"<t:WorkingPeriod>{period}</t:WorkingPeriod>" if hours.days else ""
        return (
            f"<t:WorkingHours><t:TimeZone>{markup}</t:TimeZone>"
            f"<t:WorkingPeriodArray>{array}</t:WorkingPeriodArray></t:WorkingHours>"
        )

    def _busy(self, busy: Busy) -> str:
        """A state by its name. Working elsewhere came with Exchange 2013; before, it was no reason to be away."""
        return _BUSY[Busy.FREE if busy is Busy.ELSEWHERE and self.version < Version.V2013 else busy]

    def _time(self, epoch: int) -> str:
        return written_local(self.zone.local(epoch))

    # Suggestions

    def suggestions(self, days: Sequence[Day], attendees: Sequence[Attendee]) -> Iterator[str]:
        """The SuggestionsResponse, day by day."""
        yield f"<m:SuggestionsResponse>{_SUCCESS}<m:SuggestionDayResultArray>"
        for day in days:
            head = value("t:Date", written_local(datetime(day.date.year, day.date.month, day.date.day)))
            head += value("t:DayQuality", QUALITIES[day.quality])
            yield f"<t:SuggestionDayResult>{head}<t:SuggestionArray>"
            for suggestion in day.suggestions:
                yield self._suggestion(suggestion, attendees)
            yield "</t:SuggestionArray></t:SuggestionDayResult>"
        yield "</m:SuggestionDayResultArray></m:SuggestionsResponse>"

    def _suggestion(self, suggestion: Suggestion, attendees: Sequence[Attendee]) -> str:
        conflicts = [
            self._conflicts(attendee, states) for attendee, states in zip(attendees, suggestion.states, strict=True)
        ]
        return (
            f"<t:Suggestion>{value('t:MeetingTime', self._time(suggestion.start))}"
            f"{boolean('t:IsWorkTime', suggestion.in_hours)}{value('t:SuggestionQuality', QUALITIES[suggestion.quality])}"
            f"<t:AttendeeConflictDataArray>{''.join(conflicts)}</t:AttendeeConflictDataArray></t:Suggestion>"
        )

    def _conflicts(self, attendee: Attendee, states: bytes) -> str:
        if attendee.is_too_big:
            return "<t:TooBigGroupAttendeeConflictData/>"
        if attendee.is_group:
            unknown = states.count(UNKNOWN)
            free = states.count(Busy.FREE) + states.count(Busy.ELSEWHERE)
            counts = (("", len(states)), ("Available", free), ("WithConflict", len(states) - free - unknown))
            inner = "".join(
                [number(f"t:NumberOfMembers{name}", count) for name, count in (*counts, ("WithNoData", unknown))]
            )
            return f"<t:GroupAttendeeConflictData>{inner}</t:GroupAttendeeConflictData>"
        if not states or states[0] == UNKNOWN:
            return "<t:UnknownAttendeeConflictData/>"
        busy = value("t:BusyType", self._busy(Busy(states[0])))
        return f"<t:IndividualAttendeeConflictData>{busy}</t:IndividualAttendeeConflictData>"


def hex_id(item: ItemId) -> str:
    """The id of an item as free/busy has it: the octets of the id in hexadecimal digits (HexEntryId of ConvertId)."""
    return base64.b64decode(str(item)).hex().upper()


def described(zone: Zone) -> BiasZone:
    """The zone as Windows describes it; one that is known by name has the rules of this year."""
    if isinstance(zone, NamedZone):
        return of_rules(rules_of(zone.tzinfo, this_year()))
    return zone if isinstance(zone, BiasZone) else BiasZone(0)


def written_local(local: datetime) -> str:
    """A time as the clock shows it."""
    return f"{local.year:04}-{local.month:02}-{local.day:02}T{local.hour:02}:{local.minute:02}:{local.second:02}"


def _change(name: str, change: Change) -> str:
    """A change of the clocks; one in month 0 is none (MS-OXWAVLS section 3.1.4.1.3.19)."""
    clock = f"{change.minute // 60:02}:{change.minute % 60:02}:00"
    inner = number("t:Bias", change.bias) + value("t:Time", clock)
    inner += number("t:DayOrder", change.order) + number("t:Month", change.month)
    inner += value("t:DayOfWeek", DAYS[change.weekday])
    if change.year:
        inner += number("t:Year", change.year)
    return f"<t:{name}>{inner}</t:{name}>"
