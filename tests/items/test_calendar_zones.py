"""Time zones of objects by reference: taken out, and put in."""

from __future__ import annotations

from datetime import datetime

import pytest

from postern.items import calendar_object, calendar_zones
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.calendar_zones import calendar_of, with_all, without_known
from postern.items.zones import zone_named, zone_of_calendar
from postern.protocols.ical.zones import Zones

OWN = (
    "BEGIN:VTIMEZONE\r\nTZID:{}\r\nBEGIN:STANDARD\r\nDTSTART:20000101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\n"
    "END:STANDARD\r\nEND:VTIMEZONE\r\n"
)


def calendar(*zones: str, described: tuple[str, ...] = ()) -> bytes:
    parts = "".join(
        f"BEGIN:VEVENT\r\nUID:u\r\nRECURRENCE-ID:2026010{day}T000000Z\r\nDTSTART;TZID={zone}:20260701T090000\r\n"
        "X-ODD:  kept\r\n as it is\r\nEND:VEVENT\r\n"
        for day, zone in enumerate(zones, 1)
    )
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{''.join(map(OWN.format, described))}{parts}END:VCALENDAR\r\n".encode()


def read(octets: bytes) -> CalendarObject:
    found_calendar = calendar_object.read(octets)
    assert not isinstance(found_calendar, Refused) and not found_calendar.defects
    return found_calendar


def test_known_zones_are_taken_out_and_others_stay() -> None:
    octets = calendar("Europe/Berlin", "Mine", described=("Europe/Berlin", "Mine", "W. Europe Standard Time"))
    assert without_known(octets) == calendar("Europe/Berlin", "Mine", described=("Mine", "W. Europe Standard Time"))
    two = calendar("Mine", described=("Europe/Berlin",)) + calendar("Mine")
    for same in (two, calendar("Europe/Berlin"), b"VTIMEZONE", b"", calendar("Mine", described=("Mine",))):
        assert without_known(same) == same


def test_missing_zones_are_put_in() -> None:
    octets = calendar(
        "Europe/Berlin", "Asia/Seoul", "Mine", "W. Europe Standard Time", "Asia/Seoul", described=("Mine",)
    )
    made = with_all(octets, 2036)
    zones = {part.value("TZID"): part for part in read(made).root.components("VTIMEZONE")}
    assert set(zones) == {"Mine", "Europe/Berlin", "Asia/Seoul", "W. Europe Standard Time"}
    # Without names, the zones are computed as they are described.
    described = Zones(zones, lambda name: None)
    for tzid, hour in {"Europe/Berlin": 2, "Asia/Seoul": 9, "W. Europe Standard Time": 2}.items():
        zone, known = described.get(tzid), zone_named(tzid)
        assert zone is not None and known is not None
        for year in (1971, 1999, 2026, 2036):
            local = datetime(year, 7, 1, 12)
            assert zone.utc(local) == known.utc(local), (tzid, year)
        assert zone.local(1_782_900_000).hour == known.local(1_782_900_000).hour and hour
    assert without_known(made) != made and with_all(made, 2036) == made
    assert with_all(calendar("Mine"), 2036) == calendar("Mine") and with_all(b"TZID", 2036) == b"TZID"


def test_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar_zones, "MAX_ZONES", 2)
    made = read(with_all(calendar("Europe/Berlin", "Asia/Seoul", "Europe/Paris"), 2036))
    assert len(list(made.root.components("VTIMEZONE"))) == 2


def test_a_calendar_of_a_zone_alone() -> None:
    zone = zone_named("Asia/Seoul")
    assert zone is not None
    described = zone_of_calendar(calendar_of(zone, 2025, 2036))
    assert described is not None and described.name == "Asia/Seoul"


def test_a_zone_that_no_line_can_name_is_not_put_in() -> None:
    times = "DTSTART;TZID=/x\x0e.test/Asia/Seoul:20260105T210000"
    octets = f"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:u\r\n{times}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n".encode()
    assert with_all(octets, 2030) == octets
