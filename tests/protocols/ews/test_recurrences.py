"""Recurrences as patterns and ranges, and as rules of iCalendar."""

from __future__ import annotations

from datetime import datetime

import pytest

from postern.protocols import xml
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import TYPES
from postern.protocols.ews.recurrences import read_recurrence, recurrence_markup
from postern.protocols.ical.rule import read_rule, written_rule

START = datetime(2026, 1, 31, 9)
NO_END = "<NoEndRecurrence><StartDate>2026-01-31</StartDate></NoEndRecurrence>"


def element(inner: str) -> xml.Element:
    return xml.read(f'<Recurrence xmlns="{TYPES}">{inner}</Recurrence>'.encode())


PATTERNS = [
    ("<DailyRecurrence><Interval>3</Interval></DailyRecurrence>", "FREQ=DAILY;INTERVAL=3"),
    (
        "<WeeklyRecurrence><Interval>2</Interval><DaysOfWeek>Monday Friday</DaysOfWeek>"
        "<FirstDayOfWeek>Sunday</FirstDayOfWeek></WeeklyRecurrence>",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU",
    ),
    (
        "<AbsoluteMonthlyRecurrence><Interval>1</Interval><DayOfMonth>15</DayOfMonth></AbsoluteMonthlyRecurrence>",
        "FREQ=MONTHLY;BYMONTHDAY=15",
    ),
    (
        "<AbsoluteMonthlyRecurrence><Interval>1</Interval><DayOfMonth>31</DayOfMonth></AbsoluteMonthlyRecurrence>",
        "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
    ),
    (
        "<RelativeMonthlyRecurrence><Interval>1</Interval><DaysOfWeek>Tuesday</DaysOfWeek>"
        "<DayOfWeekIndex>Last</DayOfWeekIndex></RelativeMonthlyRecurrence>",
        "FREQ=MONTHLY;BYDAY=-1TU",
    ),
    (
        "<RelativeMonthlyRecurrence><Interval>2</Interval><DaysOfWeek>Weekday</DaysOfWeek>"
        "<DayOfWeekIndex>First</DayOfWeekIndex></RelativeMonthlyRecurrence>",
        "FREQ=MONTHLY;INTERVAL=2;BYSETPOS=1;BYDAY=MO,TU,WE,TH,FR",
    ),
    (
        "<AbsoluteYearlyRecurrence><DayOfMonth>3</DayOfMonth><Month>May</Month></AbsoluteYearlyRecurrence>",
        "FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=3",
    ),
    (
        "<RelativeYearlyRecurrence><DaysOfWeek>Thursday</DaysOfWeek><DayOfWeekIndex>Fourth</DayOfWeekIndex>"
        "<Month>November</Month></RelativeYearlyRecurrence>",
        "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
    ),
]


@pytest.mark.parametrize(("pattern", "rule"), PATTERNS)
def test_each_pattern_becomes_a_rule_and_comes_back(pattern: str, rule: str) -> None:
    read = read_recurrence(element(pattern + NO_END))
    assert sorted(written_rule(read.rule).split(";")) == sorted(rule.split(";"))
    told = recurrence_markup(read.rule, START).replace("t:", "")
    assert told == f"<Recurrence>{pattern}{NO_END}</Recurrence>"


def test_each_range_comes_back() -> None:
    daily = PATTERNS[0][0]
    for limits in (
        "<NumberedRecurrence><StartDate>2026-01-31</StartDate><NumberOfOccurrences>7</NumberOfOccurrences>"
        "</NumberedRecurrence>",
        "<EndDateRecurrence><StartDate>2026-01-31</StartDate><EndDate>2026-03-01</EndDate></EndDateRecurrence>",
    ):
        rule = read_recurrence(element(daily + limits)).rule
        until = rule.until.local if rule.until is not None else None
        assert limits in recurrence_markup(rule, START, until).replace("t:", "")


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("FREQ=WEEKLY", "<t:DaysOfWeek>Saturday</t:DaysOfWeek>"),
        ("FREQ=DAILY;BYDAY=MO,TU", "<t:DaysOfWeek>Monday Tuesday</t:DaysOfWeek>"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "<t:DayOfMonth>31</t:DayOfMonth>"),
        ("FREQ=YEARLY", "<t:DayOfMonth>31</t:DayOfMonth><t:Month>January</t:Month>"),
        ("FREQ=YEARLY;INTERVAL=2", "<t:Interval>24</t:Interval><t:DayOfMonth>31</t:DayOfMonth>"),
        ("FREQ=YEARLY;BYMONTHDAY=13", ""),
        ("FREQ=YEARLY;BYDAY=MO;BYSETPOS=-1", ""),
        ("FREQ=YEARLY;BYDAY=1MO", ""),
        ("FREQ=YEARLY;INTERVAL=2;BYMONTHDAY=13", ""),
        (
            "FREQ=YEARLY;INTERVAL=2;BYMONTH=1;BYMONTHDAY=13",
            "<t:Interval>24</t:Interval><t:DayOfMonth>13</t:DayOfMonth>",
        ),
        ("FREQ=YEARLY;INTERVAL=8", "<t:Interval>96</t:Interval>"),
        ("FREQ=YEARLY;INTERVAL=9", ""),
        ("FREQ=DAILY;INTERVAL=999", "<t:Interval>999</t:Interval>"),
        ("FREQ=DAILY;INTERVAL=1000", ""),
        ("FREQ=WEEKLY;INTERVAL=100", ""),
        ("FREQ=MONTHLY;INTERVAL=100", ""),
        ("FREQ=DAILY;COUNT=999", "<t:NumberOfOccurrences>999</t:NumberOfOccurrences>"),
        ("FREQ=DAILY;COUNT=1000", ""),
        ("FREQ=HOURLY", ""),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", ""),
        ("FREQ=MONTHLY;BYDAY=MO", ""),
        ("FREQ=YEARLY;BYWEEKNO=20", ""),
    ],
)
def test_rules_of_others_are_told_as_patterns_where_one_says_them(rule: str, told: str) -> None:
    read = read_rule(rule)
    assert read is not None
    markup = recurrence_markup(read, START)
    assert told in markup if told else not markup
    if markup:
        read_recurrence(xml.read(markup.replace("<t:Recurrence>", f'<t:Recurrence xmlns:t="{TYPES}">').encode()))


@pytest.mark.parametrize(
    "inner",
    [
        "",
        NO_END,
        PATTERNS[0][0],
        "<DailyRecurrence><Interval>0</Interval></DailyRecurrence>" + NO_END,
        "<DailyRecurrence><Interval>1000</Interval></DailyRecurrence>" + NO_END,
        "<HourlyRecurrence><Interval>1</Interval></HourlyRecurrence>" + NO_END,
        "<WeeklyRecurrence><Interval>1</Interval><DaysOfWeek>Someday</DaysOfWeek></WeeklyRecurrence>" + NO_END,
        "<AbsoluteYearlyRecurrence><DayOfMonth>32</DayOfMonth><Month>May</Month></AbsoluteYearlyRecurrence>" + NO_END,
        PATTERNS[0][0]
        + "<EndDateRecurrence><StartDate>2026-01-31</StartDate><EndDate>2026-01-30</EndDate></EndDateRecurrence>",
    ],
)
def test_what_is_no_recurrence_is_refused(inner: str) -> None:
    with pytest.raises(EwsError):
        read_recurrence(element(inner))
