"""Which requests a room takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from postern.items.booking import Booking, Decision, Policy, decide
from postern.items.free_busy import Period
from postern.model.item_store import Busy
from postern.protocols.ical.zones import seconds
from tests.items.calendars import event, read, todo

NOW = seconds(datetime(2026, 1, 5))
ANNA = "anna@x.test"
BUSY = [Period(NOW + 9 * 3600, NOW + 10 * 3600, Busy.BUSY), Period(NOW + 86_400, NOW + 2 * 86_400, Busy.TENTATIVE)]
DAILY = ("DTSTART:20260105T093000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=10")


def _decide(*lines: str, policy: Policy | None = None, who: str = ANNA) -> Booking:
    return decide(read(*event(*lines)), BUSY, policy or Policy(), who, NOW)


def _free(hour: int = 12) -> tuple[str, str]:
    return f"DTSTART:20260105T{hour:02d}0000Z", "DURATION:PT1H"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (_free(), ""),
        (_free(10), ""),
        (_free(8), ""),
        (_free(9), "taken already"),
        (("DTSTART:20260105T083000Z", "DURATION:PT3H"), "taken already"),
        (("DTSTART:20260106T120000Z", "DURATION:PT5M"), "taken already"),
        (("DTSTART:20260104T120000Z", "DURATION:PT1H"), "over already"),
        (("DTSTART:20270105T120000Z", "DURATION:PT1H"), "more than 180 days ahead"),
        (("DTSTART:20260108T120000Z", "DURATION:PT25H"), "longer than 1440 minutes"),
        ((*_free(), "RRULE:FREQ=DAILY"), "more than 180 days ahead"),
        ((*_free(), "RRULE:FREQ=MINUTELY;COUNT=2000"), "too many occurrences"),
        (DAILY, "taken already"),
    ],
)
def test_what_is_within_the_policy(lines: tuple[str, ...], why: str) -> None:
    booking = _decide(*lines)
    assert booking.why == why
    assert booking.decision is (Decision.DECLINE if why else Decision.ACCEPT)


def test_a_series_may_have_conflicts() -> None:
    for policy in (Policy(conflicts_of_series=2), Policy(conflict_percent_of_series=20)):
        booking = _decide(*DAILY, policy=policy)
        assert booking.decision is Decision.ACCEPT
        assert [when.local.day for when in booking.declined] == [5, 6]
    assert _decide(*DAILY, policy=Policy(conflicts_of_series=1)).decision is Decision.DECLINE
    assert _decide(*DAILY, policy=Policy(conflicts=True)) == Booking(Decision.ACCEPT)
    assert _decide(*_free(9), policy=Policy(conflicts_of_series=9)).decision is Decision.DECLINE, "no series"


def test_other_rules() -> None:
    assert _decide(*DAILY, policy=Policy(series=False)).why == "no series are taken"
    endless = ("DTSTART:20260108T120000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")
    assert _decide(*endless, policy=Policy(beyond_window=True)).decision is Decision.ACCEPT
    assert decide(read(*todo()), BUSY, Policy(), ANNA, NOW).why == "not an appointment"


def test_who_may_book() -> None:
    some = Policy(bookers=frozenset({"kim@x.test"}))
    assert _decide(*_free(), policy=some).why == "not one of those who may book it"
    assert _decide(*_free(), policy=some, who="kim@x.test").decision is Decision.ACCEPT
    asking = replace(some, requesters=None)
    assert _decide(*_free(), policy=asking).decision is Decision.ASK
    assert _decide(*_free(9), policy=asking).decision is Decision.DECLINE
    exempt = replace(some, exempt=frozenset({ANNA}))
    assert _decide(*_free(9), policy=exempt) == Booking(Decision.ASK, "taken already")
