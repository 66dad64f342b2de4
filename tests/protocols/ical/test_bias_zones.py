"""Time zones as Windows describes them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from postern.protocols.ical.bias_zones import BiasZone, Change, of_rules
from postern.protocols.ical.zone_rules import rules_of
from postern.protocols.ical.zones import NamedZone, moment, seconds

BERLIN = BiasZone(-60, Change(0, 10, 5, 0, 180), Change(-60, 3, 5, 0, 120))
SYDNEY = BiasZone(-600, Change(0, 4, 1, 0, 180), Change(-60, 10, 1, 0, 120))
PACIFIC = BiasZone(480, Change(0, 11, 1, 0, 120), Change(-60, 3, 2, 0, 120))


@pytest.mark.parametrize(
    ("zone", "name"), [(BERLIN, "Europe/Berlin"), (SYDNEY, "Australia/Sydney"), (PACIFIC, "America/Los_Angeles")]
)
def test_it_reads_the_clock_as_the_time_zone_database_does(zone: BiasZone, name: str) -> None:
    known = NamedZone(name, ZoneInfo(name))
    begin = seconds(datetime(2026, 1, 1))
    for hour in range(0, 2 * 366 * 24):
        epoch = begin + hour * 3_600 + 1_800
        assert zone.local(epoch) == known.local(epoch), moment(epoch)
        local = known.local(epoch)
        assert zone.utc(local) == known.utc(local), local


def test_numbers_bring_the_zone_again() -> None:
    for zone in (BERLIN, SYDNEY, BiasZone(-345), BiasZone(-540)):
        assert BiasZone.of_numbers(zone.numbers) == zone
    assert BiasZone.of_numbers(()).utc(datetime(1970, 1, 2)) == 86_400
    assert BiasZone(-540).local(0) == datetime(1970, 1, 1, 9)


@pytest.mark.parametrize(
    ("zone", "name"), [(BERLIN, "Europe/Berlin"), (PACIFIC, "America/Los_Angeles"), (BiasZone(-345), "Asia/Kathmandu")]
)
def test_it_is_made_from_the_rules_of_a_zone(zone: BiasZone, name: str) -> None:
    assert of_rules(rules_of(ZoneInfo(name), 2026)) == zone


def test_a_change_on_a_date_happens_on_that_day() -> None:
    assert moment(Change(0, 4, 31, 0, 60, 2026).local(2026)) == datetime(2026, 4, 30, 1)


@pytest.mark.parametrize(
    "numbers",
    [
        (1441,),
        (1, 2),
        (0, *(0, 13, 1, 0, 0, 0), *(0, 1, 1, 0, 0, 0)),
        (0, *(0, 1, 6, 0, 0, 0), *(0, 1, 1, 0, 0, 0)),
        (0, *(0, 1, 1, 7, 0, 0), *(0, 1, 1, 0, 0, 0)),
        (0, *(0, 1, 1, 0, 1440, 0), *(0, 1, 1, 0, 0, 0)),
        (0, *(0, 1, 1, 0, 0, 0), *(9999, 1, 1, 0, 0, 0)),
    ],
)
def test_numbers_that_describe_none_are_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError):
        BiasZone.of_numbers(numbers)
