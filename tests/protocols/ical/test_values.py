"""Typed values of iCalendar, and what real calendars make of them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.content_lines import read_line
from postern.protocols.ical.values import (
    Interval,
    Kind,
    Span,
    When,
    address_of,
    read_interval,
    read_offset,
    read_span,
    read_when,
    when_of,
    whens_of,
    written,
    written_offset,
    written_span,
)

NOON = datetime(2026, 3, 1, 12)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("20260301", When(datetime(2026, 3, 1), Kind.DATE)),
        ("20260301T120000", When(NOON, Kind.FLOATING)),
        ("20260301T120000Z", When(NOON, Kind.UTC)),
        ("2026-03-01T12:00:00z", When(NOON, Kind.UTC)),
        ("20260301T1200", When(NOON, Kind.FLOATING)),
        ("20260301T120060Z", When(NOON.replace(second=59), Kind.UTC)),
        ("20260228T240000", When(datetime(2026, 3, 1), Kind.FLOATING)),
        (" 20260301T120000\u200e", When(NOON, Kind.FLOATING)),
    ],
)
def test_dates_and_times(text: str, when: When) -> None:
    assert read_when(text) == when


@pytest.mark.parametrize(
    "text", ["", "20260230", "20261301", "00000101", "20260301T", "2026030", "20260301T250000", "now"]
)
def test_what_is_no_time(text: str) -> None:
    assert read_when(text) is None


def test_a_zone_counts_unless_the_time_is_in_utc() -> None:
    line = read_line(b"DTSTART;TZID=Asia/Seoul;VALUE=DATE:20260301T120000")
    assert line is not None and when_of(line) == When(NOON, Kind.ZONED, "Asia/Seoul")
    line = read_line(b"DTSTART;TZID=Asia/Seoul:20260301T120000Z")
    assert line is not None and when_of(line) == When(NOON, Kind.UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("P1W", Span(7, 0)),
        ("P1DT2H", Span(1, 7200)),
        ("-PT15M", Span(0, -900)),
        ("+pt1h30m5s", Span(0, 5405)),
        ("P2W1D", Span(15, 0)),
        ("PT0S", Span(0, 0)),
        ("PT1H5S", Span(0, 3605)),
    ],
)
def test_durations(text: str, span: Span) -> None:
    assert read_span(text) == span


@pytest.mark.parametrize("text", ["", "P", "PT", "1D", "P1Y", "P999999999D", "PT1D", "P1.5D"])
def test_what_is_no_duration(text: str) -> None:
    assert read_span(text) is None


@given(st.integers(-1000, 1000), st.integers(0, 86_399))
def test_a_duration_is_read_as_it_is_written(days: int, clock: int) -> None:
    span = Span(days, -clock if days < 0 else clock)
    assert read_span(written_span(span)) == span


def test_periods() -> None:
    start = When(NOON, Kind.UTC)
    assert read_interval("20260301T120000Z/PT1H") == Interval(start, None, Span(0, 3600))
    assert read_interval("20260301T120000Z/20260301T120000Z") == Interval(start, start, None)
    for text in ("20260301/PT1H", "20260301T120000Z", "/", "20260301T120000Z/x"):
        assert read_interval(text) is None
    line = read_line(b"RDATE:20260301T120000Z/PT1H,20260301T120000Z,x")
    assert line is not None
    assert list(whens_of(line)) == [Interval(start, None, Span(0, 3600)), start, None]


@given(st.integers(-86_399, 86_399))
def test_offsets(seconds: int) -> None:
    assert read_offset(written_offset(seconds)) == seconds


def test_what_is_no_offset() -> None:
    assert [read_offset(text) for text in ("", "+1", "9900", "+0100x")] == [None] * 4
    assert read_offset("0100") == 3600


@given(st.datetimes().map(lambda time: time.replace(microsecond=0)), st.sampled_from([Kind.UTC, Kind.FLOATING]))
def test_a_time_is_read_as_it_is_written(local: datetime, kind: Kind) -> None:
    assert read_when(written(When(local, kind))) == When(local, kind)


def test_addresses() -> None:
    assert address_of(" MAILTO:Anna@Example.TEST") == "anna@example.test"
