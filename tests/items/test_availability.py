"""Appointments as free/busy tells them, and their digits."""

from __future__ import annotations

from datetime import datetime

from postern.items.availability import events_of, merged_digits, together
from postern.model.availability import BusyEvent, EventFlag
from postern.model.item_store import Busy
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import UTC_ZONE, seconds
from tests.items.calendars import event, read

DAY = seconds(datetime(2026, 3, 2))
HOUR = 3_600


def _events(*lines: str, start: int = DAY, end: int = DAY + 7 * 86_400, me: tuple[str, ...] = ()) -> list[BusyEvent]:
    return events_of(read(*lines), start, end, UTC_ZONE, Budget(), me, 100)


def test_an_appointment_has_its_details() -> None:
    lines = event(
        "DTSTART:20260302T090000Z",
        "DTEND:20260302T100000Z",
        "SUMMARY:Board\\, part one",
        "LOCATION:Room 1",
        "CLASS:PRIVATE",
        "ATTENDEE:mailto:a@example.test",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT5M",
        "END:VALARM",
    )
    flags = EventFlag.MEETING | EventFlag.REMINDER | EventFlag.PRIVATE
    nine = DAY + 9 * HOUR
    assert _events(*lines) == [BusyEvent(nine, nine + HOUR, Busy.BUSY, flags, 0, "Board, part one", "Room 1")]


def test_occurrences_and_exceptions_are_told_apart() -> None:
    series = event("DTSTART:20260302T090000Z", "DTEND:20260302T100000Z", "RRULE:FREQ=DAILY;COUNT=3", "SUMMARY:Daily")
    moved = event(
        *("RECURRENCE-ID:20260303T090000Z", "DTSTART:20260303T120000Z", "DTEND:20260303T130000Z", "SUMMARY:Late")
    )
    told = _events(*series, *moved)
    assert [((each.start - DAY) // HOUR, each.subject, each.flags) for each in told] == [
        (9, "Daily", EventFlag.RECURRING),
        (36, "Late", EventFlag.RECURRING | EventFlag.EXCEPTION),
        (57, "Daily", EventFlag.RECURRING),
    ]


def test_what_the_owner_declined_is_free() -> None:
    lines = event("DTSTART:20260302T090000Z", "ATTENDEE;PARTSTAT=DECLINED:mailto:a@example.test")
    assert [each.busy for each in _events(*lines, me=("a@example.test",))] == [Busy.FREE]
    assert [each.busy for each in _events(*lines)] == [Busy.BUSY]


def test_published_busy_times_have_no_details() -> None:
    lines = ["BEGIN:VFREEBUSY", "UID:u", "DTSTAMP:20260101T000000Z"]
    lines += ["FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260302T090000Z/PT1H,20200101T000000Z/PT1H", "END:VFREEBUSY"]
    assert _events(*lines) == [BusyEvent(DAY + 9 * HOUR, DAY + 10 * HOUR, Busy.TENTATIVE)]


def test_no_more_than_asked_for() -> None:
    lines = event("DTSTART:20260302T090000Z", "RRULE:FREQ=DAILY")
    assert len(events_of(read(*lines), DAY, DAY + 50 * 86_400, UTC_ZONE, Budget(), (), 7)) == 7


def test_free_ones_are_left_out_where_they_are_not_asked_for() -> None:
    lines = event("DTSTART:20260302T090000Z", "RRULE:FREQ=DAILY", "TRANSP:TRANSPARENT")
    lines += event("RECURRENCE-ID:20260304T090000Z", "DTSTART:20260304T090000Z")
    told = events_of(read(*lines), DAY, DAY + 50 * 86_400, UTC_ZONE, Budget(), (), 2, False)
    assert [(each.start, each.busy) for each in told] == [(DAY + 57 * HOUR, Busy.BUSY)]


def test_the_strongest_state_of_an_interval_counts() -> None:
    events = [
        BusyEvent(DAY + HOUR, DAY + 2 * HOUR + 60, Busy.OUT_OF_OFFICE),
        BusyEvent(DAY, DAY + 3 * HOUR, Busy.TENTATIVE),
        BusyEvent(DAY + 5 * HOUR, DAY + 6 * HOUR, Busy.FREE),
        BusyEvent(DAY - HOUR, DAY + 60, Busy.BUSY),
        BusyEvent(DAY + 3 * HOUR, DAY + 4 * HOUR, Busy.ELSEWHERE),
    ]
    assert merged_digits(events, DAY, DAY + 4 * HOUR, 1_800) == "21333100"
    assert merged_digits(events, DAY, DAY + 100 * 60, 3_600) == "23"
    assert merged_digits(events, DAY, DAY, 3_600) == ""


def test_a_group_is_as_busy_as_its_busiest_member() -> None:
    assert together(["0012", "2100", "4444"], 4) == "2112"
    assert together([], 3) == "000"
