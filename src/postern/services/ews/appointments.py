"""Appointments and meeting messages as they are read for an answer: the component that a view is of, its series and its times.

A view of an item of the calendar is of the whole appointment, or of one occurrence (`ItemView.start`). A view of a message with a
meeting in it is of that meeting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.calendar_properties import CalendarContent
from postern.items.imip import invitation_in
from postern.items.occurrence import known_occurrence, occurrence_at
from postern.items.recurrence import Timing, timing_of
from postern.items.series import COUNTED, Occurrence, Series
from postern.items.task import time_of
from postern.items.text import readable
from postern.items.zones import find_zone, zone_named
from postern.model.folders import is_class
from postern.model.items import MESSAGE
from postern.protocols.content_lines import Component, component
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import Kind, When, when_of
from postern.protocols.ical.zones import UTC_ZONE, Zone, Zones, moment
from postern.services.ews import time_zones
from postern.services.ews.access import Call
from postern.services.ews.item_view import ItemView

ZONE = "X-POSTERN-ZONE"
"""The property of an all-day appointment with the zone whose midnights begin and end its days, for clients of Exchange Web
Services; in iCalendar a date has none."""
EACH = 100_000
"""Steps of rules to find one occurrence."""
WIDER = (32 * 86_400, 400 * 86_400)
"""Seconds before the end of a series within which its last occurrence is looked for: most have one in the last month."""
MOST_AHEAD = 60
MAX_MODIFIED = 500
"""Exceptions, and again removed occurrences, of a series that are told."""


class Times(NamedTuple):
    """The start and the end of something, in seconds since the epoch."""

    start: int
    end: int


@dataclass(slots=True)
class Appointment:
    """An appointment, or one occurrence of it. `content` has the component that is shown, `key` the number of the occurrence, and
    `is_exception` says that it differs from its series."""

    content: CalendarContent
    series: Series
    key: int | None = None
    is_exception: bool = False
    steps: Budget = field(default_factory=Budget, repr=False)
    _edges: tuple[Occurrence | None, Occurrence | None] | None = field(default=None, repr=False)

    @property
    def calendar(self) -> CalendarObject:
        return self.content.calendar

    @property
    def part(self) -> Component:
        return self.content.part

    @property
    def timing(self) -> Timing | None:
        return timing_of(self.part, self.calendar.zones, self.content.floating)

    @property
    def times(self) -> Times | None:
        timing = self.timing
        if timing is None:
            return None
        return Times(self.content.utc(timing.start), self.series.end_of(timing.start, timing.length))

    @property
    def zone(self) -> Zone:
        return self._zone_of("DTSTART")

    @property
    def end_zone(self) -> Zone:
        return self._zone_of("DTEND" if self.part.first("DTEND") is not None else "DTSTART")

    def _zone_of(self, name: str) -> Zone:
        when = when_of(self.part.first(name))
        if when is None or when.kind in (Kind.DATE, Kind.FLOATING):
            return self.content.floating
        if when.kind is Kind.UTC:
            return UTC_ZONE
        return self.calendar.zones.get(when.zone) or self.content.floating

    @property
    def is_master(self) -> bool:
        """Whether this is a whole series."""
        return self.key is None and any(master.recurs for master in self.series.masters)

    @property
    def original(self) -> int | None:
        """The start that an occurrence has by the rules of its series."""
        when = when_of(self.part.first("RECURRENCE-ID"))
        return None if when is None else self.content.utc(when)

    def start_of(self, key: int) -> int:
        """The original start of the occurrence with this number; they differ where the series is one of days."""
        base = self.series.masters[0]
        return self.content.utc(base.when(moment(key))) if base.timing.start.is_date else key

    def edges(self) -> tuple[Occurrence | None, Occurrence | None]:
        """The first and the last occurrence of a series; None for one that there is not, or that takes too many steps to find."""
        if self._edges is None:
            first = next(self.series.between(most=1, budget=self.steps), None)
            counts = (rule.count or 0 for master in self.series.masters for rule in master.rules)
            self.steps.left -= sum(min(count, COUNTED) for count in counts)
            extent = self.series.extent() if not self.steps.is_spent else None
            last = self._last_before(extent.until) if extent is not None and extent.until is not None else None
            self._edges = first, last
        return self._edges

    def _last_before(self, until: int) -> Occurrence | None:
        """The last occurrence of a series that has none after `until`, which may be later: an UNTIL on no day of the rule."""
        last: Occurrence | None = None
        for wider in WIDER:
            for each in self.series.between(until - wider, None, budget=self.steps):
                last = each if last is None or each.start >= last.start else last
            if self.steps.is_spent:
                return None
            # One that began earlier may be long, and others may have begun and ended after it.
            if last is not None and last.start >= until - wider:
                break
        return last

    def modified(self) -> Sequence[tuple[int, Times]]:
        """The exceptions of a series, by their numbers; MAX_MODIFIED of them."""
        told = []
        for key, made in sorted(self.series.exceptions.items())[:MAX_MODIFIED]:
            start = self.content.utc(made.timing.start)
            told.append((key, Times(start, self.series.end_of(made.timing.start, made.timing.length))))
        return told

    def deleted(self) -> list[int]:
        """The original starts of the occurrences that are taken out; MAX_MODIFIED of them. Days that are taken out of a series of
        times are left out: a rule may have several occurrences a day."""
        if not self.series.masters:
            return []
        return [self.start_of(key) for key in sorted(self.series.masters[0].excluded)[:MAX_MODIFIED]]


def of_view(view: ItemView) -> Appointment:
    """The appointment of a view whose content has come along; it is read once. Raises EwsError for an occurrence that the series
    does not have: ErrorCalendarOccurrenceIsDeletedFromRecurrence, ErrorItemNotFound."""
    read: Appointment | None = view.parsed.get((of_view, view.start))
    if read is None:
        calendar, series = _object_of(view)
        me = view.mailbox.recipient.folded_addresses
        read = view.parsed[of_view, view.start] = _appointment(calendar, series, me, view.start, view.call.steps)
    return read


def _object_of(view: ItemView) -> tuple[CalendarObject, Series]:
    """The object of a view and its series, which its occurrences share."""
    read: tuple[CalendarObject, Series] | None = view.parsed.get(_object_of)
    if read is None:
        octets = view.content or b""
        is_mail = is_class(view.stored.item_class, MESSAGE)
        calendar = invitation_in(octets) if is_mail else calendar_object.read(octets)
        if calendar is None or isinstance(calendar, Refused):
            calendar = nothing()
        read = view.parsed[_object_of] = calendar, Series(calendar, zone_of_days(view.call, calendar))
    return read


def event_in(octets: bytes, code: Code = Code.CORRUPT_DATA) -> CalendarObject:
    """Reads an appointment that is to be changed. Raises EwsError with the code for what is none."""
    read = calendar_object.read(octets)
    if isinstance(read, Refused) or read.kind != "VEVENT":
        raise EwsError(code)
    return read


def stamp_after(calendar: CalendarObject, now: int) -> int:
    """The DTSTAMP of a change: now, or a second after the last change, so that others can tell which one is newer (RFC 5546
    section 2.1.5). A change that claims to be of the future is believed for MOST_AHEAD seconds."""
    stamps = (time_of(calendar, part, "DTSTAMP", UTC_ZONE) for part in calendar.parts)
    last = max((stamp for stamp in stamps if stamp is not None), default=0)
    return max(now, min(last + 1, now + MOST_AHEAD))


def nothing() -> CalendarObject:
    """An appointment that says nothing, in the place of what cannot be read."""
    part = component("VEVENT")
    return CalendarObject(component("VCALENDAR", [part]), "VEVENT", "", [part], Zones({}, find_zone), [])


def _appointment(
    calendar: CalendarObject, series: Series, me: frozenset[str], key: int | None, steps: Budget
) -> Appointment:
    """An appointment in the calendar of somebody with these addresses, or its occurrence with the number `key`."""
    content = CalendarContent(calendar, me, series.floating)
    if key is None:
        return Appointment(content, series, steps=steps)
    content = CalendarContent(calendar, me, series.floating, part=exception_at(calendar, series, key, steps))
    return Appointment(content, series, key, key in series.exceptions, steps)


def occurrence_of(view: ItemView, key: int, recurrence: When) -> ItemView:
    """The view of an occurrence that the series of a view is known to have, which shares what was read of it."""
    whole = of_view(view)
    part = known_occurrence(whole.series, key, recurrence)
    content = CalendarContent(whole.calendar, whole.content.me, whole.content.floating, part=part)
    it = Appointment(content, whole.series, key, key in whole.series.exceptions, whole.steps)
    return replace(view, start=key, parsed={**view.parsed, (of_view, key): it})


def occurrence_named(view: ItemView, key: int | None) -> ItemView:
    """The view of an occurrence that an id names, which shares what was read of the whole appointment. Raises EwsError as
    `of_view`."""
    of_view(view)
    occurrence = replace(view, start=key, parsed=dict(view.parsed))
    of_view(occurrence)
    return occurrence


def exception_at(calendar: CalendarObject, series: Series, key: int, steps: Budget) -> Component:
    """The component of an occurrence: the one that is there, else one that is made. Raises EwsError as `of_view`, and
    ErrorInsufficientResources where the steps do not suffice to find it."""
    if not series.masters:
        raise EwsError(Code.ITEM_NOT_FOUND)
    base = series.masters[0]
    when = When(moment(key), Kind.DATE if base.timing.start.is_date else Kind.UTC)
    own = Budget(min(steps.left, EACH))
    part = occurrence_at(series, calendar, when, own)
    steps.left -= min(steps.left, EACH) - own.left
    if part is None:
        if own.is_spent:
            raise EwsError(Code.INSUFFICIENT_RESOURCES, "The occurrence takes too many steps to find.")
        is_deleted = base.excludes(when)
        raise EwsError(Code.CALENDAR_OCCURRENCE_IS_DELETED_FROM_RECURRENCE if is_deleted else Code.ITEM_NOT_FOUND)
    return part


def zone_of_days(call: Call, calendar: CalendarObject) -> Zone:
    """The zone in which the days of an appointment begin: its own, else that of the request."""
    named = readable(calendar.main.value(ZONE)).strip()
    return (zone_named(named) if named else None) or zone_of_request(call)


def zone_of_request(call: Call) -> Zone:
    """The zone of TimeZoneContext (MS-OXWSGTZ section 2.2.3.2), in which a request writes times without an offset; else UTC. What
    is no zone is refused where it is used, by ErrorCalendarInvalidTimeZone."""
    definition = call.header.zone
    return time_zones.definition_zone(definition) if definition is not None else UTC_ZONE
