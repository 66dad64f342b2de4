"""Time zones by name and by rules; covers: windows_zones"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from postern.protocols.content_lines import Component, read
from postern.protocols.ical import windows_zones
from postern.protocols.ical.values import Kind, When
from postern.protocols.ical.zones import UTC_ZONE, NamedZone, RuledZone, Zones, moment, named_zone, read_zone, seconds

BERLIN = """BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16011028T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010325T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""
KNOWN = {"Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Seoul"}


def _find(name: str) -> tzinfo | None:
    return ZoneInfo(name) if name in KNOWN else None


def _component(text: str) -> Component:
    return read(text.encode()).roots[0]


@pytest.mark.parametrize(
    ("tzid", "name"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Europe/Berlin", "Europe/Berlin"),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Berlin", "Europe/Berlin"),
        ("/softwarestudio.org/Olson_20011030_5/America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ('"Korea Standard Time"', "Asia/Seoul"),
        ("GMT", "UTC"),
        ("UTC+05:30", "UTC+05:30"),
        ("GMT-3", "GMT-3"),
    ],
)
def test_a_name_is_understood(tzid: str, name: str) -> None:
    zone = named_zone(tzid, _find)
    assert zone is not None and zone.name == name


@pytest.mark.parametrize("tzid", ["", "Nowhere/Else", "/", "x" * 300, "UTC+99", "Customized Time Zone"])
def test_a_name_that_nobody_knows(tzid: str) -> None:
    assert named_zone(tzid, _find) is None


def test_rules_give_the_times_of_the_database() -> None:
    ruled = read_zone(_component(BERLIN))
    assert ruled is not None
    named = NamedZone("Europe/Berlin", ZoneInfo("Europe/Berlin"))
    for day in range(0, 3000, 3):
        for minutes in range(0, 1440, 47):
            local = datetime(2018, 1, 1) + timedelta(days=day, minutes=minutes)
            assert ruled.utc(local) == named.utc(local), local
            epoch = seconds(local)
            assert ruled.local(epoch) == named.local(epoch), local


@pytest.mark.parametrize("minutes", range(-90, 200, 10))
def test_gaps_and_folds_by_rules_are_those_of_the_database(minutes: int) -> None:
    ruled = read_zone(_component(BERLIN))
    assert ruled is not None
    named = NamedZone("Europe/Berlin", ZoneInfo("Europe/Berlin"))
    for change in (datetime(2026, 3, 29, 2), datetime(2026, 10, 25, 2)):
        local = change + timedelta(minutes=minutes)
        assert ruled.utc(local) == named.utc(local), local


def test_a_zone_that_changed_once() -> None:
    part = "BEGIN:STANDARD\nDTSTART:20200101T000000\nTZOFFSETFROM:+0830\nTZOFFSETTO:+0900\nEND:STANDARD\n"
    text = f"BEGIN:VTIMEZONE\nTZID:x\n{part}END:VTIMEZONE\n"
    zone = read_zone(_component(text))
    assert zone is not None
    assert zone.utc(datetime(2019, 6, 1, 12)) == seconds(datetime(2019, 6, 1, 3, 30))
    assert zone.utc(datetime(2029, 6, 1, 12)) == seconds(datetime(2029, 6, 1, 3))
    assert zone.local(seconds(datetime(2029, 6, 1, 3))) == datetime(2029, 6, 1, 12)


def test_an_object_knows_its_zones() -> None:
    zones = Zones({"Customized Time Zone": _component(BERLIN), "Europe/Berlin": _component(BERLIN)}, _find)
    assert isinstance(zones.get("Customized Time Zone"), RuledZone)
    assert isinstance(zones.get("Europe/Berlin"), NamedZone), "the database is newer than the calendar"
    assert zones.get("Elsewhere") is None
    noon = datetime(2026, 7, 1, 12)
    assert zones.utc(When(noon, Kind.ZONED, "Customized Time Zone"), UTC_ZONE) == seconds(noon) - 7200
    assert zones.utc(When(noon, Kind.ZONED, "Elsewhere"), UTC_ZONE) == seconds(noon)
    assert zones.utc(When(noon, Kind.UTC), NamedZone("Asia/Seoul", ZoneInfo("Asia/Seoul"))) == seconds(noon)


def test_a_hint_names_the_zone() -> None:
    hinted = _component(BERLIN.replace("BEGIN:STANDARD", "X-LIC-LOCATION:Asia/Seoul\nBEGIN:STANDARD", 1))
    zone = Zones({"x": hinted}, _find).get("x")
    assert zone is not None and zone.name == "Asia/Seoul"


@pytest.mark.parametrize(
    "text",
    ["", "BEGIN:STANDARD\nEND:STANDARD\n", "BEGIN:STANDARD\nDTSTART:20200101T000000\nTZOFFSETTO:x\nEND:STANDARD\n"],
)
def test_a_zone_without_rules_that_can_be_read(text: str) -> None:
    assert read_zone(_component(f"BEGIN:VTIMEZONE\nTZID:x\n{text}END:VTIMEZONE\n")) is None


def test_times_beyond_the_calendar_do_not_raise() -> None:
    assert moment(10**15) == datetime(9999, 12, 31, 23, 59, 59) and moment(-(10**15)) == datetime.min
    zone = NamedZone("Asia/Seoul", ZoneInfo("Asia/Seoul"))
    zone.utc(datetime.min), zone.utc(datetime.max), zone.local(10**15), UTC_ZONE.local(-(10**14))
    ruled = read_zone(_component(BERLIN))
    assert ruled is not None
    ruled.utc(datetime.min), ruled.utc(datetime.max), ruled.local(10**15), ruled.local(-(10**15))


def test_windows_names_lead_to_zones_of_the_database() -> None:
    assert len(windows_zones.IANA) > 130
    for name in windows_zones.IANA.values():
        assert datetime(2026, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(name)).tzinfo is not None
