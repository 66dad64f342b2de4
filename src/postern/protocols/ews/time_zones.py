"""Time zones as requests and answers have them: definitions by periods and transitions (MS-OXWSGTZ section 2.2.4), and the
MeetingTimeZone of Exchange 2007 (MS-OXWSMTGS section 2.2.4, TimeZoneType).

A request that names a zone is believed for the name; the rules beside it count where nobody knows the name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, number, t, value
from postern.protocols.ews.recurrences import DAYS, MONTHS, PLACES
from postern.protocols.ical.zone_rules import Onset, ZoneRules

MAX_PARTS = 400
"""Periods, and again transitions, of a definition that are read. Those that Windows has have fewer than fifty."""
MAX_BIAS = 18 * 3600
"""Seconds between a zone and Greenwich, at most."""
_DURATION = re.compile(
    r"(-?)P(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:(\d{1,6})(?:\.\d{1,9})?S)?)?", re.ASCII
)


class GivenZone(NamedTuple):
    """A zone as a request gives it: the names that it may be known by, and its rules (None: it has none)."""

    names: tuple[str, ...]
    rules: ZoneRules | None = None


def read_duration(text: str) -> int:
    """Reads an xs:duration without years and months as seconds. Raises EwsError ErrorSchemaValidation.

    Bound: constant; at most 64 characters.
    """
    match = _DURATION.fullmatch(text.strip()) if len(text) <= 64 else None
    if match is None or not any(match.groups()[1:]):
        raise EwsError(Code.SCHEMA_VALIDATION, "The request failed schema validation: a duration is not valid.")
    days, hours, minutes, seconds = (int(digits or 0) for digits in match.groups()[1:])
    total = 86_400 * days + 3600 * hours + 60 * minutes + seconds
    return -total if match[1] else total


def written_duration(seconds: int) -> str:
    """A duration: "-PT1H30M"."""
    minutes, rest = divmod(abs(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = "".join([f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if count])
    return f"{'-' if seconds < 0 else ''}PT{clock or '0S'}"


def read_definition(definition: xml.Element) -> GivenZone:
    """Reads a TimeZoneDefinition. Raises EwsError: ErrorCalendarInvalidTimeZone, ErrorCalendarInvalidDayForTimeChangePattern, and
    ErrorSchemaValidation for a text that is no time, number or date.

    Bound: linear in the element; at most MAX_PARTS periods and transitions.
    """
    names = tuple(name for name in (definition.attributes.get("Id", ""), definition.attributes.get("Name", "")) if name)
    periods = definition.find(t("Periods"))
    if periods is None:
        return GivenZone(names)
    biases: dict[str, tuple[str, int]] = {}
    for period in periods.elements[:MAX_PARTS]:
        says = period.attributes
        biases[says.get("Id", "")] = says.get("Name", ""), _bias(says.get("Bias", ""))
    return GivenZone(names, _rules(definition, biases))


def _bias(text: str) -> int:
    """Reads a Bias, which is what is added to local time to get UTC, as seconds east of Greenwich."""
    bias = read_duration(text)
    if abs(bias) > MAX_BIAS:
        raise EwsError(Code.CALENDAR_INVALID_TIME_ZONE)
    return -bias


def _rules(definition: xml.Element, biases: Mapping[str, tuple[str, int]]) -> ZoneRules | None:
    """The rules of the last group, which are those that hold today."""
    groups = definition.find(t("TransitionsGroups"))
    every = groups.elements[:MAX_PARTS] if groups is not None else []
    if not every:
        named = [bias for name, bias in biases.values() if name == "Standard"] or [bias for _, bias in biases.values()]
        return ZoneRules(named[0]) if named else None
    last = every[-1]
    wanted = definition.find(t("Transitions"))
    for transition in reversed(wanted.elements[:MAX_PARTS] if wanted is not None else []):
        target = transition.find(t("To"))
        if target is not None and target.attributes.get("Kind") == "Group":
            last = next((each for each in every if each.attributes.get("Id") == target.text.strip()), last)
            break
    offsets = {}
    onsets = {}
    for transition in last.elements[:MAX_PARTS]:
        period = transition.text_of(t("To"))
        if period not in biases:
            raise EwsError(Code.CALENDAR_INVALID_TIME_ZONE)
        offsets[period] = biases[period][1]
        onset = _recurring_day(transition)
        if onset is not None:
            onsets[period] = onset
    ordered = sorted(offsets, key=lambda period: offsets[period])
    if not ordered:
        return None
    if len(ordered) != 2 or len(onsets) != 2:
        return ZoneRules(offsets[ordered[0]])
    standard, daylight = ordered
    return ZoneRules(offsets[standard], offsets[daylight], onsets[standard], onsets[daylight])


def _recurring_day(transition: xml.Element) -> Onset | None:
    """Reads a RecurringDayTransition; None: it is another one."""
    if transition.local != "RecurringDayTransition":
        return None
    day = transition.text_of(t("DayOfWeek"))
    month, place = _integer(transition.text_of(t("Month"))), _integer(transition.text_of(t("Occurrence")))
    if day not in DAYS or not 1 <= month <= 12 or place not in (1, 2, 3, 4, 5, -1):
        raise EwsError(Code.CALENDAR_INVALID_DAY_FOR_TIME_CHANGE_PATTERN)
    time = read_duration(transition.text_of(t("TimeOffset")))
    return Onset(month, -1 if place == 5 else place, DAYS.index(day), time)


def _integer(text: str) -> int:
    try:
        return int(text) if len(text) < 4 else 0
    except ValueError:
        return 0


def read_meeting_zone(zone: xml.Element) -> GivenZone:
    """Reads a MeetingTimeZone. Raises EwsError: ErrorCalendarInvalidTimeZone, ErrorCalendarInvalidDayForTimeChangePattern, and
    ErrorSchemaValidation for a text that is no time, number or date.

    Bound: linear in the element.
    """
    name = zone.attributes.get("TimeZoneName", "")
    names = (name,) if name else ()
    if zone.find(t("BaseOffset")) is None:
        return GivenZone(names)
    base = _bias(zone.text_of(t("BaseOffset")))
    standard, daylight = zone.find(t("Standard")), zone.find(t("Daylight"))
    if standard is None or daylight is None:
        return GivenZone(names, ZoneRules(base))
    offsets = [base - read_duration(each.text_of(t("Offset"))) for each in (standard, daylight)]
    if any(abs(offset) > MAX_BIAS for offset in offsets):
        raise EwsError(Code.CALENDAR_INVALID_TIME_ZONE)
    onsets = [_change_day(each) for each in (standard, daylight)]
    if None in onsets or offsets[0] == offsets[1]:
        return GivenZone(names, ZoneRules(offsets[0]))
    return GivenZone(names, ZoneRules(offsets[0], offsets[1], onsets[0], onsets[1]))


def _change_day(change: xml.Element) -> Onset | None:
    """Reads the day of a TimeChangeType; None: it is a date of one year."""
    day = change.find(t("RelativeYearlyRecurrence"))
    if day is None:
        return None
    weekday, place, month = (day.text_of(t(name)) for name in ("DaysOfWeek", "DayOfWeekIndex", "Month"))
    if weekday not in DAYS or place not in PLACES or month not in MONTHS:
        raise EwsError(Code.CALENDAR_INVALID_DAY_FOR_TIME_CHANGE_PATTERN)
    clock = re.fullmatch(
        r"(\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?", change.text_of(t("Time"))[:40], re.ASCII
    )
    if clock is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    time = 3600 * int(clock[1]) + 60 * int(clock[2]) + int(clock[3])
    return Onset(MONTHS.index(month) + 1, PLACES[place], DAYS.index(weekday), time)


def definition_markup(tag: str, name: str, shown: str, rules: ZoneRules | None = None) -> str:
    """A TimeZoneDefinitionType in an element such as "t:StartTimeZone"; without `rules`, its names alone."""
    if rules is None:
        return element(tag, Id=name, Name=shown)
    standard = element("t:Period", Bias=written_duration(-rules.standard), Name="Standard", Id="Standard")
    periods, steps = standard, ""
    if rules.daylight is not None and rules.to_standard is not None and rules.to_daylight is not None:
        bias = written_duration(-rules.daylight)
        periods += element("t:Period", Bias=bias, Name="Daylight", Id="Daylight")
        steps = _transition("Daylight", rules.to_daylight) + _transition("Standard", rules.to_standard)
    else:
        steps = element("t:Transition", '<t:To Kind="Period">Standard</t:To>')
    return element(
        tag,
        element("t:Periods", periods),
        element("t:TransitionsGroups", element("t:TransitionsGroup", steps, Id="0")),
        element("t:Transitions", element("t:Transition", '<t:To Kind="Group">0</t:To>')),
        Id=name,
        Name=shown,
    )


def _transition(period: str, onset: Onset) -> str:
    return element(
        "t:RecurringDayTransition",
        f'<t:To Kind="Period">{period}</t:To>',
        value("t:TimeOffset", written_duration(onset.time)),
        number("t:Month", onset.month),
        value("t:DayOfWeek", DAYS[onset.weekday]),
        number("t:Occurrence", onset.place),
    )


def meeting_zone_markup(name: str, rules: ZoneRules) -> str:
    """The MeetingTimeZone of an appointment."""
    if rules.daylight is None or rules.to_standard is None or rules.to_daylight is None:
        return element("t:MeetingTimeZone", value("t:BaseOffset", written_duration(-rules.standard)), TimeZoneName=name)
    return element(
        "t:MeetingTimeZone",
        value("t:BaseOffset", written_duration(-rules.standard)),
        _change("t:Standard", 0, rules.to_standard),
        _change("t:Daylight", rules.standard - rules.daylight, rules.to_daylight),
        TimeZoneName=name,
    )


def _change(tag: str, offset: int, onset: Onset) -> str:
    place = next(name for name, number_ in PLACES.items() if number_ == onset.place)
    minutes, seconds = divmod(onset.time, 60)
    day = element(
        "t:RelativeYearlyRecurrence",
        value("t:DaysOfWeek", DAYS[onset.weekday]),
        value("t:DayOfWeekIndex", place),
        value("t:Month", MONTHS[onset.month - 1]),
    )
    clock = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return element(tag, value("t:Offset", written_duration(offset)), day, value("t:Time", clock))
