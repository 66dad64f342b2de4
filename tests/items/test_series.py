"""Occurrences of calendar objects: what RFC 5545 says of rules, dates, exclusions and exceptions together; covers: recurrence"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.items import appointment
from postern.items.series import OCCURRENCE, Series
from postern.items.zones import find_zone
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import NamedZone, seconds
from tests.items.calendars import event, octets, read

BERLIN = "TZID=Europe/Berlin"


def _utc(text: str) -> int:
    return seconds(datetime.strptime(text, "%Y%m%dT%H%M" if "T" in text else "%Y%m%d"))


def _starts(lines: list[str], start: str = "", end: str = "", most: int = 20) -> list[str]:
    series = Series(read(*lines))
    found = series.between(_utc(start) if start else None, _utc(end) if end else None, most)
    return [f"{datetime.utcfromtimestamp(occurrence.start):%m%dT%H%M}" for occurrence in found]


def test_an_appointment_without_rule_happens_once() -> None:
    lines = event(f"DTSTART;{BERLIN}:20260701T100000", f"DTEND;{BERLIN}:20260701T110000")
    assert _starts(lines) == ["0701T0800"]
    assert _starts(lines, "20260701T0859", "20260702") == ["0701T0800"]
    assert _starts(lines, "20260701T0900", "20260702") == []
    assert _starts(lines, "20260601", "20260701T0800") == []
    assert _starts(lines, "20260601", "20260701T0801") == ["0701T0800"]


def test_a_series_keeps_to_the_clock_on_the_wall() -> None:
    lines = event(f"DTSTART;{BERLIN}:20260323T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=3")
    assert _starts(lines) == ["0323T0900", "0330T0800", "0406T0800"]


def test_a_gap_is_read_with_the_offset_before_it_and_a_fold_is_the_first_of_the_two() -> None:
    daily = event(f"DTSTART;{BERLIN}:20260328T023000", "RRULE:FREQ=DAILY;COUNT=3")
    assert _starts(daily) == ["0328T0130", "0329T0130", "0330T0030"]
    daily = event(f"DTSTART;{BERLIN}:20261024T023000", "RRULE:FREQ=DAILY;COUNT=3")
    assert _starts(daily) == ["1024T0030", "1025T0030", "1026T0130"]


def test_dates_exclusions_and_excluding_rules() -> None:
    lines = event(
        "DTSTART:20260101T120000Z",
        "RRULE:FREQ=DAILY;COUNT=6",
        "RDATE:20260110T120000Z,20260103T120000Z",
        "RDATE;VALUE=PERIOD:20260112T080000Z/PT2H",
        "EXDATE:20260102T120000Z",
        "EXDATE;VALUE=DATE:20260104",
        "EXRULE:FREQ=DAILY;INTERVAL=5;COUNT=2",
    )
    assert _starts(lines) == ["0103T1200", "0105T1200", "0110T1200", "0112T0800"]
    assert [o.end - o.start for o in Series(read(*lines)).between()] == [0, 0, 0, 7200]


def test_exceptions_replace_their_occurrence_wherever_they_move_it() -> None:
    lines = [
        *event("DTSTART:20260101T120000Z", "DTEND:20260101T130000Z", "RRULE:FREQ=DAILY;COUNT=4"),
        *event("RECURRENCE-ID:20260102T120000Z", "DTSTART:20260105T090000Z", "DTEND:20260105T093000Z"),
    ]
    assert _starts(lines) == ["0101T1200", "0103T1200", "0104T1200", "0105T0900"]
    assert _starts(lines, "20260105", "20260106") == ["0105T0900"]
    assert _starts(lines, "20260102", "20260103") == []
    occurrence = list(Series(read(*lines)).between())[-1]
    assert occurrence.recurrence is not None and occurrence.recurrence.local == datetime(2026, 1, 2, 12)


def test_this_and_future_moves_what_follows() -> None:
    lines = [
        *event("DTSTART:20260101T120000Z", "DTEND:20260101T130000Z", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:a"),
        *event(
            "RECURRENCE-ID;RANGE=THISANDFUTURE:20260103T120000Z",
            "DTSTART:20260103T150000Z",
            "DURATION:PT3H",
            "SUMMARY:b",
        ),
        *event("RECURRENCE-ID:20260104T120000Z", "DTSTART:20260104T080000Z", "SUMMARY:c"),
    ]
    assert _starts(lines) == ["0101T1200", "0102T1200", "0103T1500", "0104T0800", "0105T1500"]
    told = [(o.component.value("SUMMARY"), o.end - o.start) for o in Series(read(*lines)).between()]
    assert told == [("a", 3600), ("a", 3600), ("b", 10800), ("c", 0), ("b", 10800)]
    assert _starts(lines, "20260105T1630", "20260106") == ["0105T1500"]


def test_all_day_appointments_are_where_the_asker_is() -> None:
    lines = event("DTSTART;VALUE=DATE:20260701", "DTEND;VALUE=DATE:20260703", "RRULE:FREQ=YEARLY")
    seoul = find_zone("Asia/Seoul")
    assert seoul is not None
    series = Series(read(*lines), NamedZone("Asia/Seoul", seoul))
    first = next(series.between())
    assert (first.start, first.end) == (_utc("20260630T1500"), _utc("20260702T1500"))
    assert next(Series(read(*lines)).between(_utc("20300101"))).start == _utc("20300701")


@pytest.mark.parametrize(
    ("until", "count"),
    [("20260103T120000Z", 3), ("20260103", 3), ("20260103T120000", 3), ("20260103T115959Z", 2), ("20251231", 1)],
)
def test_until_may_have_the_wrong_type(until: str, count: int) -> None:
    assert len(_starts(event("DTSTART:20260101T120000Z", f"RRULE:FREQ=DAILY;UNTIL={until}"))) == count


def test_until_of_an_all_day_series_may_be_a_time() -> None:
    assert len(_starts(event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=DAILY;UNTIL=20260103T000000Z"))) == 3


def test_ten_thousand_exceptions() -> None:
    lines = event("DTSTART:20200101T120000Z", "DURATION:PT1H", "RRULE:FREQ=HOURLY")
    for day in range(1, 401):
        for hour in range(25):
            at = f"{2020 + day // 366}{day % 12 + 1:02d}{day % 28 + 1:02d}T{hour % 24:02d}0000Z"
            lines += event(f"RECURRENCE-ID:{at}", f"DTSTART:{at[:-3]}30Z", "DURATION:PT1H")
    calendar = read(*lines)
    assert len(calendar.parts) == 10_001
    rendered = appointment.render(calendar)
    assert rendered.recurs_until is None
    assert len(list(Series(calendar).between(_utc("20200301"), _utc("20200302")))) in (24, 25)


def test_the_span_of_an_object_holds_all_its_occurrences() -> None:
    rendered = appointment.render(
        read(
            *event("DTSTART:20260105T120000Z", "DTEND:20260105T130000Z", "RRULE:FREQ=DAILY;COUNT=4"),
            *event("RECURRENCE-ID:20260106T120000Z", "DTSTART:20260101T120000Z", "DURATION:PT1H"),
            *event("RECURRENCE-ID:20260107T120000Z", "DTSTART:20260201T120000Z", "DURATION:PT1H"),
        )
    )
    assert (rendered.starts, rendered.ends) == (_utc("20260101T1200"), _utc("20260105T1300"))
    assert rendered.recurs_until == _utc("20260201T1300")
    assert rendered.recurs and not rendered.all_day and not rendered.floating


def test_a_rule_that_runs_away_is_cut() -> None:
    lines = event("DTSTART:20260101T120000Z", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30")
    budget = Budget(1_000)
    assert [o.start for o in Series(read(*lines)).between(budget=budget)] == [_utc("20260101T1200")]
    assert budget.is_spent


def test_an_occurrence_costs_more_of_a_shared_budget_than_a_step() -> None:
    budget = Budget(1_000)
    lines = event("DTSTART:20260101T120000Z", "RRULE:FREQ=DAILY")
    assert len(list(Series(read(*lines)).between(most=50, budget=budget))) == 50
    assert 1_000 - 50 * (OCCURRENCE + 3) < budget.left < 1_000 - 50 * OCCURRENCE


def test_a_series_that_is_cut_says_so_to_those_who_share_a_budget() -> None:
    for rule, before, is_cut in (
        ("FREQ=HOURLY;COUNT=1000000", _utc("20270101T0000"), True),
        ("FREQ=HOURLY;COUNT=100", _utc("20270101T0000"), False),
        ("FREQ=SECONDLY", _utc("20050102T0000"), True),
        ("FREQ=DAILY", _utc("20050102T0000"), False),
    ):
        budget = Budget(1_000_000)
        lines = event("DTSTART:20050101T000000Z", "DTEND:20050101T000000Z", f"RRULE:{rule}")
        list(Series(read(*lines)).between(before - 86_400, before, budget=budget))
        assert not budget.is_spent and budget.is_cut is is_cut, rule


RULES = ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,WE", "FREQ=MONTHLY;BYDAY=-1FR", "FREQ=YEARLY", "FREQ=DAILY;COUNT=9"]
FORMS = ["", ";TZID=Europe/Berlin", ";TZID=America/New_York", "Z", ";VALUE=DATE"]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(RULES),
    st.sampled_from(FORMS),
    st.integers(1, 28),
    st.integers(0, 23),
    st.lists(st.integers(1, 25), max_size=4, unique=True),
    st.dictionaries(st.integers(1, 25), st.integers(1, 27), max_size=3),
    st.integers(1, 30),
)
def test_the_occurrences_are_those_of_recurring_ical_events(
    rule: str, form: str, day: int, hour: int, excluded: list[int], moved: dict[int, int], span: int
) -> None:
    """A series in March with excluded and with moved occurrences: both sides see the same starts and summaries in a span."""

    def line(name: str, number: int, at: int = hour) -> str:
        if "DATE" in form:
            return f"{name}{form}:202603{number:02d}"
        parameter, ending = ("", "Z") if form == "Z" else (form, "")
        return f"{name}{parameter}:202603{number:02d}T{at:02d}0000{ending}"

    length = f"DURATION:{'P2D' if 'DATE' in form else 'PT90M'}"
    lines = event(
        line("DTSTART", day), length, f"RRULE:{rule}", "SUMMARY:series", *[line("EXDATE", each) for each in excluded]
    )
    master = read(*lines)
    originals = {each.when.local.day for each in Series(master).between(None, seconds(datetime(2026, 3, 31)))}
    for number, target in moved.items():
        if number in originals:  # elsewhere the peer does not show the exception
            lines += event(
                line("RECURRENCE-ID", number), line("DTSTART", target, (hour + 3) % 24), length, f"SUMMARY:{number}"
            )
    start, end = datetime(2026, 3, 10), datetime(2026, 3, 1) + timedelta(days=10 + span % 20, hours=12)
    aware = UTC if "TZID" in form or form == "Z" else None
    calendar = icalendar.Calendar.from_ical(octets(*lines))
    theirs = recurring_ical_events.of(calendar).between(start.replace(tzinfo=aware), end.replace(tzinfo=aware))
    ours = Series(read(*lines)).between(seconds(start), seconds(end))

    def epoch(time: date) -> int:
        if not isinstance(time, datetime):
            return seconds(datetime.combine(time, datetime.min.time()))
        return seconds(time) if time.tzinfo is None else round(time.timestamp())

    assert sorted((each.start, each.component.value("SUMMARY")) for each in ours) == sorted(
        (epoch(each["DTSTART"].dt), str(each["SUMMARY"])) for each in theirs
    )
