"""Recurrences of appointments and tasks as requests and answers have them (MS-OXWSCDATA section 2.2.4, RecurrencePatternTypes and
RecurrenceRangeTypes), and as rules of iCalendar (RFC 5545 section 3.3.10).

A day of the month that a month does not have is its last one (MS-OXOCAL section 2.2.1.44.1). A rule says that by the last of
several days: BYMONTHDAY=28,29,30,31;BYSETPOS=-1.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import NamedTuple

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, number, t, unsigned, value
from postern.protocols.ews.times import read_local
from postern.protocols.ical.rule import Frequency, Rule
from postern.protocols.ical.values import Kind, When

MAX_INTERVAL = 999
"""Days between two occurrences (MS-OXWSCDATA)."""
MAX_LONGER = 99
"""Weeks or months between two occurrences."""
MAX_NUMBER = 999
"""Occurrences of a series with a number."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SETS = {"Day": range(7), "Weekday": range(5), "WeekendDay": range(5, 7)}
PLACES = {"First": 1, "Second": 2, "Third": 3, "Fourth": 4, "Last": -1}
_PLACE_NAMES = {place: name for name, place in PLACES.items()}
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_SURE = 28
"""The last day that every month has."""


class Recurrence(NamedTuple):
    """A recurrence: its rule, whose UNTIL is a date, and the date on which it begins."""

    rule: Rule
    first: date


def read_recurrence(recurrence: xml.Element) -> Recurrence:
    """Reads a Recurrence with a pattern and a range. Raises EwsError: ErrorCalendarInvalidRecurrence and its like.

    Bound: linear in the element.
    """
    rule: Rule | None = None
    limits: tuple[date, int | None, date | None] | None = None
    for part in recurrence.elements:
        if part.local in _RANGES:
            limits = _range(part)
        else:
            rule = _pattern(part)
    if rule is None or limits is None:
        raise EwsError(Code.CALENDAR_INVALID_RECURRENCE)
    first, count, last = limits
    if last is not None:
        if last < first:
            raise EwsError(Code.RECURRENCE_HAS_NO_OCCURRENCE)
        rule = replace(rule, until=When(datetime.combine(last, datetime.min.time()), Kind.DATE))
    return Recurrence(replace(rule, count=count), first)


_RANGES = frozenset({"NoEndRecurrence", "EndDateRecurrence", "NumberedRecurrence"})


def _range(part: xml.Element) -> tuple[date, int | None, date | None]:
    first = read_local(part.text_of(t("StartDate")))[0].date()
    if part.local == "NumberedRecurrence":
        return first, _number(part, "NumberOfOccurrences", MAX_NUMBER), None
    last = read_local(part.text_of(t("EndDate")))[0].date() if part.local == "EndDateRecurrence" else None
    return first, None, last


def _pattern(part: xml.Element) -> Rule:
    name = part.local
    if name == "DailyRecurrence":
        return Rule(Frequency.DAILY, _number(part, "Interval", MAX_INTERVAL))
    if name == "WeeklyRecurrence":
        return _weekly(part)
    if name == "AbsoluteMonthlyRecurrence":
        return _on_day(Rule(Frequency.MONTHLY, _number(part, "Interval", MAX_LONGER)), part)
    if name == "RelativeMonthlyRecurrence":
        return _on_weekday(Rule(Frequency.MONTHLY, _number(part, "Interval", MAX_LONGER)), part)
    if name == "AbsoluteYearlyRecurrence":
        return _on_day(Rule(Frequency.YEARLY, by_month=(_month(part),)), part)
    if name == "RelativeYearlyRecurrence":
        return _on_weekday(Rule(Frequency.YEARLY, by_month=(_month(part),)), part)
    raise EwsError(Code.CALENDAR_INVALID_RECURRENCE)


def _number(part: xml.Element, name: str, most: int) -> int:
    count = unsigned(part.text_of(t(name))) or 0
    if not 0 < count <= most:
        raise EwsError(Code.CALENDAR_INVALID_RECURRENCE)
    return count


def _month(part: xml.Element) -> int:
    name = part.text_of(t("Month"))
    if name not in MONTHS:
        raise EwsError(Code.CALENDAR_INVALID_RECURRENCE)
    return MONTHS.index(name) + 1


def _weekly(part: xml.Element) -> Rule:
    days: set[int] = set()
    for name in part.text_of(t("DaysOfWeek")).split()[:20]:
        days |= _weekdays(name, Code.CALENDAR_INVALID_DAY_FOR_WEEKLY_RECURRENCE)
    if not days:
        raise EwsError(Code.CALENDAR_INVALID_DAY_FOR_WEEKLY_RECURRENCE)
    begin = part.text_of(t("FirstDayOfWeek")) or "Sunday"
    if begin not in DAYS:
        raise EwsError(Code.CALENDAR_INVALID_RECURRENCE)
    return Rule(
        Frequency.WEEKLY,
        _number(part, "Interval", MAX_LONGER),
        week_start=DAYS.index(begin),
        by_day=tuple((0, day) for day in sorted(days)),
    )


def _weekdays(name: str, code: Code = Code.CALENDAR_INVALID_RECURRENCE) -> set[int]:
    if name in _SETS:
        return set(_SETS[name])
    if name not in DAYS:
        raise EwsError(code)
    return {DAYS.index(name)}


def _on_day(rule: Rule, part: xml.Element) -> Rule:
    day = _number(part, "DayOfMonth", 31)
    if day <= _SURE:
        return replace(rule, by_month_day=(day,))
    return replace(rule, by_month_day=tuple(range(_SURE, day + 1)), by_position=(-1,))


def _on_weekday(rule: Rule, part: xml.Element) -> Rule:
    days = _weekdays(part.text_of(t("DaysOfWeek")))
    place = PLACES.get(part.text_of(t("DayOfWeekIndex")))
    if place is None:
        raise EwsError(Code.CALENDAR_INVALID_RECURRENCE)
    if len(days) == 1:
        return replace(rule, by_day=((place, days.pop()),))
    return replace(rule, by_day=tuple((0, day) for day in sorted(days)), by_position=(place,))


def recurrence_markup(rule: Rule, start: datetime, until: datetime | None = None) -> str:
    """The Recurrence of a series by its rule. `start` is what the clock of the series shows at its start, `until` what it shows
    at UNTIL. "" for a rule that no pattern says, such as one by the hour, and for one that `read_recurrence` refuses."""
    pattern = _pattern_markup(rule, start)
    if not pattern or (until is None and rule.count is not None and rule.count > MAX_NUMBER):
        return ""
    first = value("t:StartDate", _written_date(start.date()))
    if until is not None:
        last = value("t:EndDate", _written_date(max(until.date(), start.date())))
        limits = element("t:EndDateRecurrence", first, last)
    elif rule.count is not None:
        limits = element("t:NumberedRecurrence", first, number("t:NumberOfOccurrences", max(rule.count, 1)))
    else:
        limits = element("t:NoEndRecurrence", first)
    return element("t:Recurrence", pattern, limits)


def _written_date(day: date) -> str:
    return f"{day.year:04d}-{day.month:02d}-{day.day:02d}"


def _pattern_markup(rule: Rule, start: datetime) -> str:
    if rule.by_hour or rule.by_minute or rule.by_second or rule.by_week or rule.by_year_day:
        return ""
    if rule.interval > (MAX_INTERVAL if rule.frequency is Frequency.DAILY else MAX_LONGER):
        return ""
    if rule.frequency is Frequency.DAILY:
        return _daily_markup(rule)
    if rule.frequency is Frequency.WEEKLY:
        return _weekly_markup(rule, start)
    if rule.frequency is Frequency.MONTHLY:
        return _monthly_markup(rule, start)
    return _yearly_markup(rule, start) if rule.frequency is Frequency.YEARLY else ""


def _daily_markup(rule: Rule) -> str:
    if rule.by_month or rule.by_month_day or rule.by_position:
        return ""
    if not rule.by_day:
        return element("t:DailyRecurrence", number("t:Interval", rule.interval))
    return _week_markup(rule) if rule.interval == 1 and not any(place for place, _ in rule.by_day) else ""


def _weekly_markup(rule: Rule, start: datetime) -> str:
    if rule.by_month or rule.by_month_day or rule.by_position or any(place for place, _ in rule.by_day):
        return ""
    return _week_markup(rule if rule.by_day else replace(rule, by_day=((0, start.weekday()),)))


def _week_markup(rule: Rule) -> str:
    days = " ".join([DAYS[day] for day in sorted({day for _, day in rule.by_day}, key=lambda day: (day + 1) % 7)])
    return element(
        "t:WeeklyRecurrence",
        number("t:Interval", rule.interval),
        value("t:DaysOfWeek", days),
        value("t:FirstDayOfWeek", DAYS[rule.week_start]),
    )


def _monthly_markup(rule: Rule, start: datetime) -> str:
    if rule.by_month:
        return ""
    interval = number("t:Interval", rule.interval)
    day = _day_of(rule, start)
    if day:
        return element("t:AbsoluteMonthlyRecurrence", interval, number("t:DayOfMonth", day))
    weekday = _weekday_of(rule)
    return element("t:RelativeMonthlyRecurrence", interval, weekday) if weekday else ""


def _yearly_markup(rule: Rule, start: datetime) -> str:
    # Without a month, lists of days mean those of every month, or of the year (RFC 5545 section 3.3.10).
    if len(rule.by_month) > 1 or (not rule.by_month and (rule.by_month_day or rule.by_day or rule.by_position)):
        return ""
    month = rule.by_month[0] if rule.by_month else start.month
    day, weekday = _day_of(rule, start), _weekday_of(rule)
    if rule.interval > 1:
        # No pattern leaves years out; so many months do.
        if month != start.month or 12 * rule.interval > MAX_LONGER:
            return ""
        return _monthly_markup(
            replace(rule, frequency=Frequency.MONTHLY, interval=12 * rule.interval, by_month=()), start
        )
    named = value("t:Month", MONTHS[month - 1])
    if day:
        return element("t:AbsoluteYearlyRecurrence", number("t:DayOfMonth", day), named)
    if weekday:
        return element("t:RelativeYearlyRecurrence", weekday, named)
    return ""


def _day_of(rule: Rule, start: datetime) -> int:
    """The day of the month on which a rule falls; 0: it names none, or several."""
    if rule.by_day:
        return 0
    days = rule.by_month_day
    if not days:
        return 0 if rule.by_position else start.day
    if days == (-1,):
        return 31
    if rule.by_position == (-1,) and days == tuple(range(_SURE, days[-1] + 1)):
        return days[-1]
    return days[0] if len(days) == 1 and days[0] > 0 and not rule.by_position else 0


def _weekday_of(rule: Rule) -> str:
    """The DaysOfWeek and DayOfWeekIndex of a rule; "" if it is no weekday with a place in the month."""
    if rule.by_month_day or not rule.by_day:
        return ""
    days = {day for _, day in rule.by_day}
    places = {place for place, _ in rule.by_day}
    if rule.by_position:
        if len(rule.by_position) > 1 or places != {0}:
            return ""
        places = set(rule.by_position)
    place = _PLACE_NAMES.get(places.pop()) if len(places) == 1 else None
    if place is None:
        return ""
    if len(days) == 1:
        name = DAYS[days.pop()]
    else:
        named = [name for name, each in _SETS.items() if set(each) == days]
        if not named or not rule.by_position:
            return ""
        name = named[0]
    return value("t:DaysOfWeek", name) + value("t:DayOfWeekIndex", place)


def last_moment(day: date) -> datetime:
    """The last second of a day, as the clock shows it."""
    return datetime.combine(day, datetime.min.time()) + timedelta(days=1, seconds=-1)
