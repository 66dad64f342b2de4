"""Free/busy time: which appointments count, and how they are merged."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from postern.items.free_busy import Period, free_busy, merged, published
from postern.model.item_store import Busy
from postern.protocols.ical.zones import seconds
from tests.items.calendars import event, read

DAY = seconds(datetime(2026, 1, 5))


def _hours(*lines: list[str]) -> list[tuple[float, float, Busy]]:
    periods = free_busy([read(*each) for each in lines], DAY, DAY + 86_400)
    return [((p.start - DAY) / 3600, (p.end - DAY) / 3600, p.busy) for p in periods]


def _event(start: str, length: str, *lines: str) -> list[str]:
    return event(f"DTSTART:20260105T{start}00Z", f"DURATION:{length}", *lines)


def test_what_is_busy() -> None:
    assert _hours(
        _event("0900", "PT1H"),
        _event("1000", "PT1H"),
        _event("1030", "PT2H", "STATUS:TENTATIVE"),
        _event("1400", "PT1H", "TRANSP:TRANSPARENT"),
        _event("1500", "PT1H", "STATUS:CANCELLED"),
        _event("1600", "PT1H", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"),
        _event("1630", "PT2H"),
        ["BEGIN:VFREEBUSY", "UID:f", "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260105T200000Z/PT1H", "END:VFREEBUSY"],
        ["BEGIN:VFREEBUSY", "UID:f", "FREEBUSY;FBTYPE=FREE:20260105T220000Z/PT1H", "END:VFREEBUSY"],
    ) == [
        (9, 11, Busy.BUSY),
        (11, 12.5, Busy.TENTATIVE),
        (16, 17, Busy.OUT_OF_OFFICE),
        (17, 18.5, Busy.BUSY),
        (20, 21, Busy.TENTATIVE),
    ]


def test_an_exception_has_a_state_of_its_own_and_the_span_cuts() -> None:
    series = [
        *event("DTSTART:20260101T230000Z", "DURATION:PT2H", "RRULE:FREQ=DAILY"),
        *event("RECURRENCE-ID:20260105T230000Z", "DTSTART:20260105T230000Z", "DURATION:PT2H", "TRANSP:TRANSPARENT"),
    ]
    assert _hours(series) == [(0, 1, Busy.BUSY)]


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.sampled_from(Busy)), max_size=20))
def test_merging_gives_the_strongest_state_of_each_moment(drawn: list[tuple[int, int, Busy]]) -> None:
    periods = [Period(start, start + length, busy) for start, length, busy in drawn]
    result = merged(periods)
    for time in range(81):
        strongest = max((p.busy for p in periods if p.start <= time < p.end), default=Busy.FREE)
        assert [p.busy for p in result if p.start <= time < p.end] == ([] if strongest is Busy.FREE else [strongest])
    for first, second in pairwise(result):
        assert first.end < second.start or (first.end == second.start and first.busy is not second.busy)


def test_it_is_written_as_a_component() -> None:
    made = published(
        [Period(DAY, DAY + 3600, Busy.OUT_OF_OFFICE)], DAY, DAY + 7200, DAY, [("ORGANIZER", "mailto:a@x.test")]
    )
    assert made.octets().decode().split("\r\n") == [
        "BEGIN:VFREEBUSY",
        "DTSTAMP:20260105T000000Z",
        "DTSTART:20260105T000000Z",
        "DTEND:20260105T020000Z",
        "ORGANIZER:mailto:a@x.test",
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260105T000000Z/20260105T010000Z",
        "END:VFREEBUSY",
        "",
    ]


def test_an_answer_decides_how_a_meeting_shows() -> None:
    for answer, busy in (("ACCEPTED", Busy.BUSY), ("NEEDS-ACTION", Busy.TENTATIVE), ("TENTATIVE", Busy.TENTATIVE)):
        meeting = read(*_event("0900", "PT1H", f"ATTENDEE;PARTSTAT={answer}:mailto:Kim@y.test"))
        found = free_busy([meeting], DAY, DAY + 86_400, me={"kim@y.test"})
        assert [period.busy for period in found] == [busy]
        assert [period.busy for period in free_busy([meeting], DAY, DAY + 86_400, me={"lee@y.test"})] == [Busy.BUSY]
    declined = read(*_event("0900", "PT1H", "ATTENDEE;PARTSTAT=DECLINED:mailto:kim@y.test"))
    assert free_busy([declined], DAY, DAY + 86_400, me={"kim@y.test"}) == []
