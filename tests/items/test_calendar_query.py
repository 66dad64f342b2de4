"""Queries of calendars: filters, spans of time and collations (RFC 4791 sections 7.8 and 9.7); covers: collation, time_range"""

from __future__ import annotations

from datetime import datetime

import pytest

from postern.items.calendar_query import matches
from postern.items.collation import folded
from postern.items.filters import Collation, ComponentFilter, ParameterFilter, PropertyFilter, TextMatch, TimeRange
from postern.items.zones import find_zone
from postern.protocols.ical.expansion import STEPS, Budget
from postern.protocols.ical.zones import NamedZone, seconds
from tests.items.calendars import event, read, todo

EVENT = event(
    "DTSTART;TZID=Europe/Berlin:20260107T090000",
    "DTEND;TZID=Europe/Berlin:20260107T100000",
    "RRULE:FREQ=WEEKLY;COUNT=10",
    "SUMMARY:Größe Stra\\,ße",
    "CATEGORIES:WORK,TEAM",
    "ATTENDEE;PARTSTAT=NEEDS-ACTION;CN=Kim:mailto:kim@x.test",
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:lee@x.test",
    "BEGIN:VALARM",
    "ACTION:DISPLAY",
    "TRIGGER:-PT15M",
    "END:VALARM",
)


def _range(start: str = "", end: str = "") -> TimeRange:
    def time(text: str) -> int | None:
        return seconds(datetime.strptime(text, "%m%d%H%M").replace(year=2026)) if text else None

    return TimeRange(time(start), time(end))


def _calendar(*components: ComponentFilter, is_not: bool = False) -> ComponentFilter:
    return ComponentFilter("VCALENDAR", components=components, is_not_defined=is_not)


def _has(lines: list[str], *properties: PropertyFilter, span: TimeRange | None = None, kind: str = "VEVENT") -> bool:
    return matches(read(*lines), _calendar(ComponentFilter(kind, time_range=span, properties=properties)))


def test_components() -> None:
    found = read(*EVENT)
    assert matches(found, _calendar())
    assert matches(found, _calendar(ComponentFilter("VEVENT")))
    assert not matches(found, _calendar(ComponentFilter("VTODO")))
    assert matches(found, _calendar(ComponentFilter("VTODO", is_not_defined=True)))
    assert not matches(found, _calendar(ComponentFilter("VEVENT", is_not_defined=True)))
    assert not matches(found, ComponentFilter("VEVENT"))
    assert matches(found, _calendar(ComponentFilter("VEVENT", components=(ComponentFilter("VALARM"),))))


@pytest.mark.parametrize(
    ("text", "collation", "expected"),
    [
        ("größe", Collation.ASCII, True),
        ("GRÖSSE", Collation.ASCII, False),
        ("GRÖSSE", Collation.UNICODE, True),
        ("gro\u0308ße", Collation.UNICODE, True),
        ("größe", Collation.OCTET, False),
        ("Größe", Collation.OCTET, True),
        ("Stra,ße", Collation.OCTET, True),
    ],
)
def test_texts(text: str, collation: Collation, expected: bool) -> None:
    for negate in (False, True):
        wanted = PropertyFilter("SUMMARY", texts=(TextMatch(text, collation, negate),))
        assert _has(EVENT, wanted) is (expected is not negate)


def test_folding_does_not_depend_on_where_the_text_is_cut() -> None:
    text = "Größe " * 200
    assert folded(text, Collation.UNICODE) == folded("Größe ", Collation.UNICODE) * 200


def test_properties_and_parameters() -> None:
    assert _has(EVENT, PropertyFilter("LOCATION", is_not_defined=True))
    assert not _has(EVENT, PropertyFilter("SUMMARY", is_not_defined=True))
    assert not _has(EVENT, PropertyFilter("LOCATION", texts=(TextMatch("x"),)))
    open_ = ParameterFilter("PARTSTAT", text=TextMatch("needs-action"))
    kim, lee = TextMatch("kim@"), TextMatch("lee@")
    assert _has(EVENT, PropertyFilter("ATTENDEE", texts=(kim,), parameters=(open_,)))
    assert not _has(EVENT, PropertyFilter("ATTENDEE", texts=(lee,), parameters=(open_,)))
    assert _has(EVENT, PropertyFilter("ATTENDEE", parameters=(ParameterFilter("CN"),)))
    assert _has(EVENT, PropertyFilter("ATTENDEE", texts=(lee,), parameters=(ParameterFilter("CN", True),)))
    assert not _has(EVENT, PropertyFilter("ATTENDEE", texts=(kim,), parameters=(ParameterFilter("CN", True),)))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("01070800", "01070801", True),
        ("01070859", "01070900", True),
        ("01070900", "01070901", False),
        ("01070700", "01070800", False),
        ("03110000", "03120000", True),
        ("03180000", "03190000", False),
        ("", "01080000", True),
        ("03110000", "", True),
        ("03180000", "", False),
    ],
)
def test_spans_of_appointments(start: str, end: str, expected: bool) -> None:
    assert _has(EVENT, span=_range(start, end)) is expected


def test_an_exception_is_found_where_it_is_with_its_own_properties() -> None:
    lines = [
        *EVENT,
        *event(
            "RECURRENCE-ID;TZID=Europe/Berlin:20260114T090000",
            "DTSTART:20260120T120000Z",
            "DURATION:PT1H",
            "SUMMARY:moved",
        ),
    ]
    moved = PropertyFilter("SUMMARY", texts=(TextMatch("moved"),))
    assert _has(lines, moved, span=_range("01200000", "01210000"))
    assert not _has(lines, moved, span=_range("01210000", "01220000"))
    assert not _has(lines, span=_range("01140000", "01150000"))


def test_dates_are_where_the_asker_is() -> None:
    found = read(*event("DTSTART;VALUE=DATE:20260105"))
    seoul = find_zone("Asia/Seoul")
    assert seoul is not None
    wanted = _calendar(ComponentFilter("VEVENT", time_range=_range("01041500", "01041600")))
    assert not matches(found, wanted)
    assert matches(found, wanted, NamedZone("Asia/Seoul", seoul))


# RFC 4791 section 9.9: each row of the table for VTODO.
@pytest.mark.parametrize(
    ("lines", "inside", "outside"),
    [
        (["DTSTART:20260105T100000Z", "DURATION:PT2H"], ("01051200", "01051300"), ("01051201", "01051300")),
        (["DTSTART:20260105T100000Z", "DUE:20260105T120000Z"], ("01051159", "01051300"), ("01051200", "01051300")),
        (["DTSTART:20260105T100000Z"], ("01051000", "01051001"), ("01051001", "01051300")),
        (["DUE:20260105T120000Z"], ("01051100", "01051200"), ("01051200", "01051300")),
        (
            ["COMPLETED:20260105T120000Z", "CREATED:20260104T120000Z"],
            ("01051200", "01060000"),
            ("01051201", "01060000"),
        ),
        (["COMPLETED:20260105T120000Z"], ("01051200", "01051200"), ("01051201", "01060000")),
        (["CREATED:20260105T120000Z"], ("01060000", "01070000"), ("01040000", "01051200")),
    ],
)
def test_spans_of_tasks(lines: list[str], inside: tuple[str, str], outside: tuple[str, str]) -> None:
    assert _has(todo(*lines), span=_range(*inside), kind="VTODO")
    assert not _has(todo(*lines), span=_range(*outside), kind="VTODO")
    assert _has(todo(), span=_range(*outside), kind="VTODO")


def test_a_recurring_task_is_found_later() -> None:
    lines = todo("DTSTART:20260105T100000Z", "DUE:20260105T120000Z", "RRULE:FREQ=WEEKLY")
    assert _has(lines, span=_range("01120000", "01130000"), kind="VTODO")
    assert not _has(lines, span=_range("01130000", "01140000"), kind="VTODO")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["DTSTART:20260105T100000Z"], True),
        (["DTSTART;VALUE=DATE:20260105"], True),
        (["DTSTART;VALUE=DATE:20260106"], False),
        ([], False),
    ],
)
def test_spans_of_journal_entries(lines: list[str], expected: bool) -> None:
    journal = ["BEGIN:VJOURNAL", "UID:j", *lines, "END:VJOURNAL"]
    assert _has(journal, span=_range("01050900", "01051100"), kind="VJOURNAL") is expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["DTSTART:20260105T100000Z", "DTEND:20260105T110000Z"], True),
        (["FREEBUSY:20260105T100000Z/PT1H"], True),
        (["FREEBUSY:20260105T110000Z/20260105T120000Z,20260101T000000Z/PT1H"], False),
        ([], False),
    ],
)
def test_spans_of_busy_times(lines: list[str], expected: bool) -> None:
    busy = ["BEGIN:VFREEBUSY", "UID:f", *lines, "END:VFREEBUSY"]
    assert _has(busy, span=_range("01050900", "01051100"), kind="VFREEBUSY") is expected


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [("01070745", "01070746", True), ("01070746", "01080000", False), ("01140000", "01140746", True)],
)
def test_spans_of_alarms(start: str, end: str, expected: bool) -> None:
    alarm = ComponentFilter("VALARM", time_range=_range(start, end))
    wanted = _calendar(ComponentFilter("VEVENT", components=(alarm,)))
    assert matches(read(*EVENT), wanted) is expected


def test_spans_of_properties() -> None:
    lines = todo("COMPLETED:20260105T120000Z")
    assert _has(lines, PropertyFilter("COMPLETED", time_range=_range("01051200", "01051201")), kind="VTODO")
    assert not _has(lines, PropertyFilter("COMPLETED", time_range=_range("01051201", "01051202")), kind="VTODO")
    assert not _has(lines, PropertyFilter("DUE", time_range=_range("01051201", "")), kind="VTODO")


def test_objects_share_a_budget() -> None:
    budget = Budget(2_000)
    found = read(*event("DTSTART:20260101T000000Z", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"))
    wanted = _calendar(ComponentFilter("VEVENT", time_range=_range("01020000", "")))
    assert not matches(found, wanted, budget=budget) and budget.is_spent
    again = read(*event("DTSTART:20260101T000000Z", "RRULE:FREQ=DAILY"))
    assert not matches(again, wanted, budget=budget)


def test_a_korean_syllable_is_no_part_of_another() -> None:
    lines = event("DTSTART:20260101T000000Z", "SUMMARY:각자")
    assert not _has(lines, PropertyFilter("SUMMARY", texts=(TextMatch("가", Collation.UNICODE),)))
    decomposed = TextMatch("\u1100\u1161\u11a8", Collation.UNICODE)
    assert _has(lines, PropertyFilter("SUMMARY", texts=(decomposed,)))


def test_no_object_takes_more_than_its_part_of_a_budget() -> None:
    budget = Budget(10 * STEPS)
    found = read(*event("DTSTART:20260101T000000Z", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"))
    wanted = _calendar(ComponentFilter("VEVENT", time_range=_range("01020000", "")))
    assert not matches(found, wanted, budget=budget)
    assert 9 * STEPS - 10 < budget.left <= 9 * STEPS
