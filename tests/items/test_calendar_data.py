"""Partial retrieval of calendar objects (RFC 4791 section 9.6)."""

from __future__ import annotations

from datetime import datetime

from postern.items.calendar_data import Pick, Wanted, retrieve
from postern.items.calendar_object import Refused
from postern.items.filters import TimeRange
from postern.protocols.ical.zones import seconds
from tests.items.calendars import event, octets, read, todo

ZONE = ["BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "END:VTIMEZONE"]
SERIES = [
    *ZONE,
    *event(
        "DTSTART;TZID=Europe/Berlin:20260107T090000",
        "DURATION:PT1H",
        "RRULE:FREQ=DAILY",
        "EXDATE;TZID=Europe/Berlin:20260108T090000",
        "SUMMARY:a",
        "X-OTHER;TZID=Europe/Berlin:20260107T090000",
    ),
    *event("RECURRENCE-ID;TZID=Europe/Berlin:20260109T090000", "DTSTART:20260120T120000Z", "SUMMARY:b"),
]


def _range(first: int, last: int) -> TimeRange:
    return TimeRange(seconds(datetime(2026, 1, first)), seconds(datetime(2026, 1, last)))


def _lines(wanted: Wanted, *lines: str) -> list[str]:
    octets_ = retrieve(read(*lines), wanted)
    assert isinstance(octets_, bytes)
    return octets_.decode().split("\r\n")


def test_without_wishes_the_octets_are_the_stored_ones() -> None:
    assert Wanted().is_whole and not Wanted(expand=_range(1, 2)).is_whole
    assert retrieve(read(*SERIES), Wanted()) == octets(*SERIES)


def test_properties_and_components_are_picked() -> None:
    pick = Pick("VCALENDAR", (), (Pick("VEVENT", (("UID", False), ("SUMMARY", True)), ()),))
    assert _lines(Wanted(pick), *SERIES) == [
        "BEGIN:VCALENDAR",
        *["BEGIN:VEVENT", "UID:u1", "SUMMARY:", "END:VEVENT"] * 2,
        "END:VCALENDAR",
        "",
    ]
    assert retrieve(read(*SERIES), Wanted(Pick("VCALENDAR"))) == octets(*SERIES)


def test_a_series_is_expanded() -> None:
    found = _lines(Wanted(expand=_range(7, 11)), *SERIES)
    assert found[3:] == [
        "BEGIN:VEVENT",
        "DTSTART:20260107T080000Z",
        "DTEND:20260107T090000Z",
        "RECURRENCE-ID:20260107T080000Z",
        "UID:u1",
        "DTSTAMP:20260101T000000Z",
        "SUMMARY:a",
        "X-OTHER:20260107T080000Z",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "DTSTART:20260110T080000Z",
        "DTEND:20260110T090000Z",
        "RECURRENCE-ID:20260110T080000Z",
        "UID:u1",
        "DTSTAMP:20260101T000000Z",
        "SUMMARY:a",
        "X-OTHER:20260107T080000Z",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]
    moved = _lines(Wanted(expand=TimeRange(_range(20, 21).start, seconds(datetime(2026, 1, 20, 13)))), *SERIES)
    assert "RECURRENCE-ID:20260109T080000Z" in moved and "SUMMARY:b" in moved


def test_dates_and_times_without_zone_are_expanded_as_such() -> None:
    found = _lines(
        Wanted(expand=_range(3, 4)), *event("DTSTART;VALUE=DATE:20260101", "DURATION:P2D", "RRULE:FREQ=DAILY")
    )
    assert [line for line in found if "DATE" in line] == [
        f"{name};VALUE=DATE:2026010{day}"
        for first in (2, 3)
        for name, day in (("DTSTART", first), ("DTEND", first + 2), ("RECURRENCE-ID", first))
    ]
    found = _lines(Wanted(expand=_range(3, 4)), *event("DTSTART:20260101T100000", "DURATION:PT1H", "RRULE:FREQ=DAILY"))
    assert found[4:7] == ["DTSTART:20260103T100000", "DTEND:20260103T110000", "RECURRENCE-ID:20260103T100000"]


def test_an_object_without_series_has_no_recurrence_id() -> None:
    found = _lines(Wanted(expand=_range(1, 9)), *todo("DTSTART:20260105T100000Z", "DUE:20260105T120000Z"))
    assert found[4:6] == ["DTSTART:20260105T100000Z", "DUE:20260105T120000Z"] and "RECURRENCE" not in "".join(found)


def test_exceptions_are_limited() -> None:
    here = _lines(Wanted(limit_series=_range(20, 21)), *SERIES)
    assert "SUMMARY:a" in here and "SUMMARY:b" in here and "TZID:Europe/Berlin" in here
    was = _lines(Wanted(limit_series=_range(9, 10)), *SERIES)
    assert "SUMMARY:b" in was
    elsewhere = _lines(Wanted(limit_series=_range(15, 16)), *SERIES)
    assert "SUMMARY:a" in elsewhere and "SUMMARY:b" not in elsewhere


def test_busy_times_are_limited() -> None:
    lines = [
        "BEGIN:VFREEBUSY",
        "UID:f",
        "FREEBUSY:20260105T100000Z/PT1H",
        "FREEBUSY:20260107T100000Z/PT1H",
        "END:VFREEBUSY",
    ]
    found = _lines(Wanted(limit_busy=_range(5, 6)), *lines)
    assert "FREEBUSY:20260105T100000Z/PT1H" in found and "FREEBUSY:20260107T100000Z/PT1H" not in found


def test_what_would_grow_too_large_is_refused() -> None:
    lines = event("DTSTART:20260105T100000Z", "RRULE:FREQ=MINUTELY", *[f"COMMENT:{number}" for number in range(300)])
    assert isinstance(retrieve(read(*lines), Wanted(expand=_range(5, 20))), Refused)
    assert isinstance(retrieve(read(*lines), Wanted(expand=_range(1, 5))), bytes)
