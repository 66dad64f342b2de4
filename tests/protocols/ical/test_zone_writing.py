"""Time zones that are written give the times of the database they come from, to us and to others."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest

from postern.protocols.content_lines import component
from postern.protocols.ical.zone_writing import timezone_component
from postern.protocols.ical.zones import NamedZone, read_zone

NAMES = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Seoul",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Jerusalem",
    "Pacific/Apia",
    "Europe/Dublin",
    "Antarctica/Troll",
    "UTC",
]


def _zone(name: str) -> NamedZone:
    return NamedZone(name, ZoneInfo(name))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_alike(name: str) -> None:
    zone = _zone(name)
    written = read_zone(timezone_component(zone, 2005, 2030))
    assert written is not None and written.name == name
    time = 1_104_537_600
    while time < 1_924_900_000:
        assert written.local(time) == zone.local(time), datetime.utcfromtimestamp(time)
        time += 31 * 3600 + 1800


@pytest.mark.parametrize("name", ["Europe/Berlin", "America/New_York", "Asia/Seoul"])
def test_rules_that_stay_go_on(name: str) -> None:
    zone = _zone(name)
    made = timezone_component(zone, 2020, 2026)
    assert b"UNTIL" not in made.octets() and len(made.octets()) < 700
    written = read_zone(made)
    assert written is not None
    for day in range(0, 15_000, 7):
        local = datetime(2026, 1, 1, 12) + timedelta(days=day)
        assert written.utc(local) == zone.utc(local)


@pytest.mark.parametrize("name", NAMES)
def test_another_library_reads_it(name: str) -> None:
    calendar = component("VCALENDAR", [timezone_component(_zone(name), 2020, 2026)])
    zone = icalendar.Timezone.from_ical(next(calendar.components()).octets())
    theirs = zone.to_tz(lookup_tzid=False)
    for month in range(1, 13):
        local = datetime(2024, month, 15, 12)
        assert theirs.utcoffset(local.replace(tzinfo=theirs)) == ZoneInfo(name).utcoffset(local)


def test_the_span_is_bounded() -> None:
    assert len(timezone_component(_zone("Europe/Berlin"), 1, 9999).octets()) < 40_000
    assert timezone_component(_zone("Asia/Seoul"), 2026, 2020).octets().count(b"BEGIN:STANDARD") == 1
