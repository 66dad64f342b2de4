"""Recurring tasks go on."""

from __future__ import annotations

from datetime import datetime

import pytest

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject
from postern.items.task_progress import advance, completed_copy, rule_of

DONE = datetime(2026, 1, 31, 15)


def task(*lines: str) -> CalendarObject:
    inner = "".join([f"{line}\r\n" for line in lines])
    octets = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTODO\r\nUID:1\r\n{inner}END:VTODO\r\nEND:VCALENDAR\r\n".encode()
    calendar = calendar_object.read(octets)
    assert isinstance(calendar, CalendarObject)
    return calendar


@pytest.mark.parametrize(
    ("start", "rule", "following"),
    [
        ("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY;INTERVAL=3", "20260108"),
        ("DUE;VALUE=DATE:20260105", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE", "20260107"),
        ("DTSTART;VALUE=DATE:20260131", "RRULE:FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "20260228"),
        ("DTSTART;VALUE=DATE:20260105", "X-POSTERN-REGENERATION:FREQ=DAILY;INTERVAL=2", "20260202"),
        ("DTSTART;VALUE=DATE:20260105", "X-POSTERN-REGENERATION:FREQ=WEEKLY", "20260207"),
        ("DTSTART;VALUE=DATE:20260105", "X-POSTERN-REGENERATION:FREQ=MONTHLY", "20260228"),
        ("DTSTART;VALUE=DATE:20260105", "X-POSTERN-REGENERATION:FREQ=YEARLY;INTERVAL=2", "20280131"),
    ],
)
def test_the_next_occurrence(start: str, rule: str, following: str) -> None:
    calendar = task(start, rule, "STATUS:COMPLETED", "PERCENT-COMPLETE:100", "COMPLETED:20260131T150000Z")
    assert advance(calendar, DONE)
    octets = calendar.root.octets().decode()
    assert f"{start.partition(':')[0]}:{following}" in octets
    assert "COMPLETE" not in octets and rule in octets


def test_a_task_keeps_its_length() -> None:
    calendar = task("DTSTART;VALUE=DATE:20260105", "DUE;VALUE=DATE:20260107", "RRULE:FREQ=WEEKLY;COUNT=3")
    assert advance(calendar, DONE)
    octets = calendar.root.octets()
    assert b"DTSTART;VALUE=DATE:20260112\r\nDUE;VALUE=DATE:20260114\r\n" in octets and b"COUNT=2" in octets


@pytest.mark.parametrize(
    ("rule", "following", "left"),
    [
        ("RRULE:FREQ=DAILY", "20260108", "RRULE:FREQ=DAILY\r\n"),
        ("RRULE:FREQ=DAILY;COUNT=9", "20260108", "COUNT=6"),
        ("RRULE:FREQ=DAILY;COUNT=4", "20260108", "COUNT=1"),
        ("RRULE:FREQ=DAILY;COUNT=3", "", ""),
        ("RRULE:FREQ=DAILY;UNTIL=20260107", "", ""),
    ],
)
def test_days_that_are_taken_out_are_passed_over(rule: str, following: str, left: str) -> None:
    days = ("EXDATE;VALUE=DATE:20260106", "EXDATE;VALUE=DATE:20260107,20260110")
    calendar = task("DTSTART;VALUE=DATE:20260105", "DUE;VALUE=DATE:20260106", rule, *days)
    assert advance(calendar, DONE) is bool(following)
    octets = calendar.root.octets().decode()
    if following:
        assert f"DTSTART;VALUE=DATE:{following}\r\n" in octets and left in octets and all(day in octets for day in days)


def test_a_reminder_moves_with_its_task() -> None:
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;VALUE=DATE-TIME:20260105T080000Z", "END:VALARM")
    early = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "END:VALARM")
    calendar = task("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=WEEKLY", *alarm, *early)
    assert advance(calendar, DONE)
    octets = calendar.root.octets()
    assert b"TRIGGER;VALUE=DATE-TIME:20260112T080000Z\r\n" in octets and b"TRIGGER:-PT5M\r\n" in octets


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART;VALUE=DATE:20260105",),
        ("RRULE:FREQ=DAILY",),
        ("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY;COUNT=1"),
        ("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY;UNTIL=20260105"),
        ("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31"),
        ("DTSTART;VALUE=DATE:20260105", "X-POSTERN-REGENERATION:FREQ=YEARLY;INTERVAL=9999"),
    ],
)
def test_the_last_occurrence(lines: tuple[str, ...]) -> None:
    calendar = task(*lines)
    before = calendar.root.octets()
    assert not advance(calendar, DONE)
    assert calendar.root.octets() == before


def test_what_is_done_is_a_task_of_its_own() -> None:
    calendar = task("SUMMARY:Water", "DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY", "STATUS:COMPLETED")
    copy = calendar_object.read(completed_copy(calendar))
    assert isinstance(copy, CalendarObject) and copy.uid != "1" and rule_of(copy.main) is None
    assert copy.main.value("SUMMARY") == "Water" and calendar.uid == "1" and rule_of(calendar.main) is not None
