"""The request for free/busy and suggestions (MS-OXWAVLS section 3.1.4.1).

Times have no offset, and are in the zone that the request describes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from enum import IntFlag

from postern.model.availability import MAX_DAYS
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import is_true, m, t, unsigned
from postern.protocols.ews.times import read_local
from postern.protocols.ical.bias_zones import DAYS, BiasZone, Change
from postern.protocols.ical.zones import Zone, seconds

MAX_MAILBOXES = 100
"""Mailboxes of one request, as in Exchange."""
ATTENDEE_TYPES = frozenset({"Organizer", "Required", "Optional", "Room", "Resource"})
QUALITIES = ("Excellent", "Good", "Fair", "Poor")


class View(IntFlag):
    """The parts of a view (FreeBusyViewType, MS-OXWAVLS section 3.1.4.1.4.2)."""

    NONE = 0
    MERGED = 1
    EVENTS = 2
    DETAILS = 4

    @property
    def label(self) -> str:
        return _LABELS[self]


_VIEWS = {
    "MergedOnly": View.MERGED,
    "FreeBusy": View.EVENTS,
    "FreeBusyMerged": View.EVENTS | View.MERGED,
    "Detailed": View.EVENTS | View.DETAILS,
    "DetailedMerged": View.EVENTS | View.DETAILS | View.MERGED,
}
_LABELS = {view: label for label, view in _VIEWS.items()} | {View.NONE: "None"}


@dataclass(frozen=True, slots=True)
class MailboxData:
    """Somebody whom the request is about. `kind` is one of ATTENDEE_TYPES."""

    address: str
    kind: str
    excludes_conflicts: bool


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time in seconds since the epoch, UTC."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FreeBusyOptions:
    window: Window
    view: View
    minutes: int


@dataclass(frozen=True, slots=True)
class SuggestionsOptions:
    """The SuggestionsViewOptions of a request, with the defaults of MS-OXWAVLS 3.1.4.1.3.24. `worst` counts in QUALITIES."""

    window: Window
    good: int
    most_by_day: int
    most_out_of_hours: int
    minutes: int
    worst: int
    global_id: str


@dataclass(frozen=True, slots=True)
class AvailabilityRequest:
    zone: Zone
    mailboxes: tuple[MailboxData, ...]
    free_busy: FreeBusyOptions | None
    suggestions: SuggestionsOptions | None


def read_request(request: xml.Element, context: Zone | None) -> AvailabilityRequest:
    """Reads a GetUserAvailabilityRequest. `context` is the zone in the header of the request, for a request without a zone of
    its own. Raises EwsError: ErrorTimeZone, ErrorInvalidTimeInterval, ErrorTimeIntervalTooBig, ErrorInvalidFreeBusyViewType,
    ErrorInvalidMergedFreeBusyInterval, ErrorMailboxDataArrayEmpty, ErrorMailboxDataArrayTooBig, ErrorMissingArgument,
    ErrorInvalidArgument.

    Bound: linear in the request; at most MAX_MAILBOXES mailboxes.
    """
    described = request.find(t("TimeZone"))
    zone: Zone | None = read_zone(described) if described is not None else context
    if zone is None:
        raise EwsError(Code.TIME_ZONE)
    array = request.find(m("MailboxDataArray")) or xml.Element("")
    wanted = array.find_all(t("MailboxData"))
    if not wanted:
        raise EwsError(Code.MAILBOX_DATA_ARRAY_EMPTY)
    if len(wanted) > MAX_MAILBOXES:
        raise EwsError(Code.MAILBOX_DATA_ARRAY_TOO_BIG, f"A request names at most {MAX_MAILBOXES} mailboxes.")
    free_busy = request.find(t("FreeBusyViewOptions"))
    suggestions = request.find(t("SuggestionsViewOptions"))
    if free_busy is None and suggestions is None:
        raise EwsError(Code.MISSING_ARGUMENT)
    return AvailabilityRequest(
        zone,
        tuple([_mailbox(each) for each in wanted]),
        _free_busy(free_busy, zone) if free_busy is not None else None,
        _suggestions(suggestions, zone) if suggestions is not None else None,
    )


def _mailbox(data: xml.Element) -> MailboxData:
    address = data.text_of(t("Email"), t("Address"))
    kind = data.text_of(t("AttendeeType")) or "Required"
    if not address or len(address) > 1_000 or kind not in ATTENDEE_TYPES:
        raise EwsError(Code.INVALID_ARGUMENT)
    return MailboxData(address, kind, is_true(data.text_of(t("ExcludeConflicts"))))


def _window(window: xml.Element | None, zone: Zone) -> Window:
    if window is None:
        raise EwsError(Code.MISSING_ARGUMENT)
    start, end = (_time(window.text_of(t(name)), zone) for name in ("StartTime", "EndTime"))
    if end <= start:
        raise EwsError(Code.INVALID_TIME_INTERVAL)
    if end - start > MAX_DAYS * 86_400:
        raise EwsError(Code.TIME_INTERVAL_TOO_BIG)
    return Window(start, end)


def _time(text: str, zone: Zone) -> int:
    local, offset = read_local(text)
    if offset is None:
        return zone.utc(local)
    try:
        return seconds(local.replace(tzinfo=offset).astimezone(UTC).replace(tzinfo=None))
    except OverflowError:
        raise EwsError(Code.INVALID_TIME_INTERVAL) from None


def _free_busy(options: xml.Element, zone: Zone) -> FreeBusyOptions:
    view = View.NONE
    names = options.text_of(t("RequestedView")).split()
    for name in names:
        if name not in _VIEWS:
            raise EwsError(Code.INVALID_FREE_BUSY_VIEW_TYPE)
        view |= _VIEWS[name]
    if not names:
        raise EwsError(Code.INVALID_FREE_BUSY_VIEW_TYPE)
    minutes = _number(options, "MergedFreeBusyIntervalInMinutes", 30, 5, 1440, Code.INVALID_MERGED_FREE_BUSY_INTERVAL)
    return FreeBusyOptions(_window(options.find(t("TimeWindow")), zone), view, minutes)


def _suggestions(options: xml.Element, zone: Zone) -> SuggestionsOptions:
    worst = options.text_of(t("MinimumSuggestionQuality")) or "Fair"
    if worst not in QUALITIES:
        raise EwsError(Code.INVALID_ARGUMENT)
    return SuggestionsOptions(
        window=_window(options.find(t("DetailedSuggestionsWindow")), zone),
        good=_number(options, "GoodThreshold", 25, 0, 50),
        most_by_day=_number(options, "MaximumResultsByDay", 10, 0, 48),
        most_out_of_hours=_number(options, "MaximumNonWorkHourResultsByDay", 0, 0, 48),
        minutes=_number(options, "MeetingDurationInMinutes", 60, 30, 1440),
        worst=QUALITIES.index(worst),
        global_id=options.text_of(t("GlobalObjectId")),
    )


def _number(
    options: xml.Element, name: str, default: int, least: int, most: int, code: Code = Code.INVALID_ARGUMENT
) -> int:
    text = options.text_of(t(name))
    if not text:
        return default
    number = unsigned(text)
    if number is None or not least <= number <= most:
        raise EwsError(code, f"{name} is from {least} to {most}.")
    return number


def read_zone(described: xml.Element) -> BiasZone:
    """Reads a SerializableTimeZone (MS-OXWAVLS section 3.1.4.1.3.18). Raises EwsError ErrorTimeZone.

    Bound: linear in the element.
    """
    try:
        bias = int(described.text_of(t("Bias"))[:10])
        changes = [_change(described.find(t(name))) for name in ("StandardTime", "DaylightTime")]
        if None in changes:
            standard = described.text_of(t("StandardTime"), t("Bias"))[:10]
            return BiasZone(bias + int(standard or "0"))
        return BiasZone(bias, *changes)
    except ValueError:
        raise EwsError(Code.TIME_ZONE) from None


def _change(part: xml.Element | None) -> Change | None:
    """A change of the clocks; None: there is none. A month of 0 says so, too."""
    if part is None:
        return None
    numbers = [int(part.text_of(t(name))[:10] or "0") for name in ("Bias", "Month", "DayOrder", "Year")]
    bias, month, order, year = numbers
    if not month:
        return None
    weekday = part.text_of(t("DayOfWeek"))
    hour, minute = (int(number) for number in part.text_of(t("Time"))[:8].split(":")[:2])
    if weekday not in DAYS:
        raise ValueError("no day of the week")
    return Change(bias, month, order, DAYS.index(weekday), hour * 60 + minute, year)
