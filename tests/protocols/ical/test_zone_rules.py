"""The rules that zones of the time zone database have in a year."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from postern.protocols.ical.zone_rules import Onset, ZoneRules, rules_of


def test_zones_with_and_without_summer_time() -> None:
    assert rules_of(ZoneInfo("Asia/Seoul"), 2026) == ZoneRules(32_400)
    assert rules_of(ZoneInfo("Europe/Berlin"), 2026) == ZoneRules(
        3_600, 7_200, Onset(10, -1, 6, 10_800), Onset(3, -1, 6, 7_200)
    )
    assert rules_of(ZoneInfo("America/New_York"), 2026) == ZoneRules(
        -18_000, -14_400, Onset(11, 1, 6, 7_200), Onset(3, 2, 6, 7_200)
    )


def test_in_the_south_summer_begins_in_autumn() -> None:
    rules = rules_of(ZoneInfo("Australia/Sydney"), 2026)
    assert (rules.standard, rules.daylight) == (36_000, 39_600)
    assert rules.to_daylight is not None and rules.to_daylight.month == 10
