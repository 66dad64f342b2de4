"""When alarms go off."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.items.alarms import alarms, next_alarm
from postern.protocols.ical.zones import seconds
from tests.items.calendars import event, read, todo


def _utc(text: str) -> int:
    return seconds(datetime.strptime(text, "%m%d%H%M").replace(year=2026))


def _alarm(*lines: str) -> list[str]:
    return ["BEGIN:VALARM", "ACTION:DISPLAY", *lines, "END:VALARM"]


def _times(lines: list[str], start: str = "01010000", end: str = "02010000") -> list[str]:
    times = [alarm.time for alarm in alarms(read(*lines), _utc(start), _utc(end))]
    return [f"{datetime.utcfromtimestamp(time):%m%d%H%M}" for time in times]


START = ["DTSTART:20260105T120000Z", "DTEND:20260105T140000Z"]


@pytest.mark.parametrize(
    ("lines", "times"),
    [
        (_alarm("TRIGGER:-PT15M"), ["01051145"]),
        (_alarm("TRIGGER;RELATED=END:PT5M"), ["01051405"]),
        (_alarm("TRIGGER;VALUE=DATE-TIME:20260104T080000Z"), ["01040800"]),
        (_alarm("TRIGGER:-P1D"), ["01041200"]),
        (_alarm("TRIGGER:-PT15M", "REPEAT:2", "DURATION:PT5M"), ["01051145", "01051150", "01051155"]),
        (_alarm("TRIGGER:-PT15M", "REPEAT:2"), ["01051145"]),
        (_alarm("TRIGGER:soon"), []),
        (_alarm(), []),
        (_alarm("TRIGGER:-PT15M", "ACKNOWLEDGED:20260105T114500Z"), []),
    ],
)
def test_triggers(lines: list[str], times: list[str]) -> None:
    assert _times(event(*START, *lines)) == times


def test_each_occurrence_has_its_alarm_by_the_clock_on_the_wall() -> None:
    lines = event("DTSTART;TZID=Europe/Berlin:20260327T090000", "RRULE:FREQ=DAILY", *_alarm("TRIGGER:-P1D"))
    assert _times(lines, "03270000", "03310000") == ["03270800", "03280800", "03290700", "03300700"]


def test_a_task_that_is_only_due_has_its_alarm_before() -> None:
    assert _times(todo("DUE:20260105T120000Z", *_alarm("TRIGGER:-PT1H"))) == ["01051100"]
    lines = todo("DTSTART:20260105T100000Z", "DUE:20260105T120000Z", *_alarm("TRIGGER;RELATED=END:-PT1H"))
    assert _times(lines) == ["01051100"]


def test_the_next_alarm() -> None:
    lines = event(*START, "RRULE:FREQ=DAILY;COUNT=3", *_alarm("TRIGGER:-PT15M"), *_alarm("TRIGGER:-PT5M"))
    found = read(*lines)
    seen, after = [], _utc("01060000")
    while (alarm := next_alarm(found, after)) is not None:
        seen.append(f"{datetime.utcfromtimestamp(alarm.time):%m%d%H%M}")
        after = alarm.time
    assert seen == ["01061145", "01061155", "01071145", "01071155"]
    assert next_alarm(read(*event(*START)), 0) is None


def test_the_next_alarm_of_an_endless_series_is_found_at_once() -> None:
    lines = event("DTSTART:20000105T120000Z", "RRULE:FREQ=DAILY", *_alarm("TRIGGER:-PT15M"))
    alarm = next_alarm(read(*lines), _utc("01060000"))
    assert alarm is not None and alarm.time == _utc("01061145")


@given(
    st.lists(st.tuples(st.integers(-3_000, 3_000), st.booleans()), min_size=1, max_size=4),
    st.integers(0, 20 * 1_440),
    st.sampled_from(["FREQ=DAILY;COUNT=12", "FREQ=HOURLY;INTERVAL=7;COUNT=40", "FREQ=WEEKLY;COUNT=2"]),
)
def test_the_next_alarm_is_the_earliest_of_all(triggers: list[tuple[int, bool]], minute: int, rule: str) -> None:
    lines = [
        line
        for minutes, from_end in triggers
        for line in _alarm(f"TRIGGER{';RELATED=END' if from_end else ''}:{'-' if minutes < 0 else ''}PT{abs(minutes)}M")
    ]
    found = read(*event(*START, f"RRULE:{rule}", *lines))
    after = _utc("01010000") + 60 * minute
    alarm = next_alarm(found, after)
    times = [each.time for each in alarms(found, after + 1, None)]
    assert (None if alarm is None else alarm.time) == min(times, default=None)
