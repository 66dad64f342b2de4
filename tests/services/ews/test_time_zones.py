"""Time zones by the names of Windows and of the database, and GetServerTimeZones.

covers: services.ews.operations.get_server_time_zones
"""

from __future__ import annotations

import asyncio

import pytest

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject
from postern.items.stored import values_of
from postern.items.zones import zone_named
from postern.model.folders import FolderKind
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId
from postern.protocols.ews.time_zones import GivenZone
from postern.protocols.ical.windows_zones import IANA
from postern.protocols.ical.zone_rules import ZoneRules
from postern.services.ews.time_zones import rules_in, this_year, windows_name, zone_of
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.site import NAMES, EwsSite


def test_each_zone_of_windows_is_called_what_windows_calls_it() -> None:
    for name in IANA:
        zone = zone_named(name)
        assert zone is not None and windows_name(zone) == name


def test_a_zone_that_windows_does_not_name_is_told_as_one_with_the_same_rules() -> None:
    vienna = zone_named("Europe/Vienna")
    assert vienna is not None
    assert rules_in(windows_name(vienna), this_year()) == rules_in("Europe/Berlin", this_year())


def test_a_zone_is_known_by_its_name_or_else_by_its_rules() -> None:
    berlin = rules_in("Europe/Berlin", this_year())
    assert zone_of(GivenZone(("W. Europe Standard Time",), ZoneRules(0))).name == "Europe/Berlin"
    assert rules_in(zone_of(GivenZone(("Customized",), berlin)).name, this_year()) == berlin
    assert zone_of(GivenZone((), ZoneRules(5_400))).name == "UTC+01:30"
    assert zone_of(GivenZone((), ZoneRules(0))).utc is not None
    with pytest.raises(EwsError):
        zone_of(GivenZone(("Nowhere",)))


def test_the_zones_of_the_server() -> None:
    async def steps() -> None:
        site = EwsSite()
        every = await site.ask('<m:GetServerTimeZones ReturnFullTimeZoneData="false"/>')
        assert every.codes == ["NoError"] and len(every.all(".//t:TimeZoneDefinition")) == len(IANA)
        assert not every.all(".//t:Period")
        ids = "<m:Ids><t:Id>Korea Standard Time</t:Id><t:Id>Nowhere</t:Id></m:Ids>"
        some = await site.ask(f'<m:GetServerTimeZones ReturnFullTimeZoneData="true">{ids}</m:GetServerTimeZones>')
        (zone,) = some.all(".//t:TimeZoneDefinition")
        assert zone.attrib["Id"] == "Korea Standard Time"
        period = zone.find("t:Periods/t:Period", NAMES)
        assert period is not None and period.attrib["Bias"] == "-PT9H"

    asyncio.run(steps())


def test_the_id_that_exchange_gives_utc_is_known() -> None:
    async def steps() -> None:
        site = EwsSite()
        ids = "<m:Ids><t:Id>tzone://Microsoft/Utc</t:Id><t:Id>tzone://Microsoft/Custom</t:Id></m:Ids>"
        told = await site.ask(f'<m:GetServerTimeZones ReturnFullTimeZoneData="true">{ids}</m:GetServerTimeZones>')
        (zone,) = told.all(".//t:TimeZoneDefinition")
        assert told.codes == ["NoError"]
        assert (zone.attrib["Id"], zone.attrib["Name"]) == ("tzone://Microsoft/Utc", "UTC")
        (period,) = zone.findall("t:Periods/t:Period", NAMES)
        assert period.attrib["Bias"] == "PT0S"
        assert zone_of(GivenZone(("tzone://Microsoft/Utc",))).utc is not None

    asyncio.run(steps())


OWN = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//x//y\r
BEGIN:VTIMEZONE\r
TZID:Our <own> time\r
BEGIN:STANDARD\r
DTSTART:20001029T030000\r
TZOFFSETFROM:+0{summer}\r
TZOFFSETTO:+0100\r
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r
END:STANDARD\r
BEGIN:DAYLIGHT\r
DTSTART:20000326T020000\r
TZOFFSETFROM:+0100\r
TZOFFSETTO:+0{summer}\r
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r
END:DAYLIGHT\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
UID:u1\r
DTSTAMP:20261130T000000Z\r
DTSTART;TZID=Our <own> time:20261201T100000\r
DTEND;TZID=Our <own> time:20261201T110000\r
SUMMARY:Talk\r
END:VEVENT\r
END:VCALENDAR\r
"""
"""An appointment in a zone that nobody else knows."""


@pytest.mark.parametrize(("summer", "name"), [("200", ""), ("130", "Customized Time Zone")])
def test_a_zone_that_only_its_calendar_knows_is_shown_with_its_rules(summer: str, name: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        folder = await site.folder(FolderKind.CALENDAR)
        octets = OWN.format(summer=summer).encode()
        calendar = calendar_object.read(octets)
        assert isinstance(calendar, CalendarObject)
        put = await site.mailboxes.put(
            guid_of(ALICE), folder, "a.ics", octets, "IPM.Appointment", values_of(calendar, 0)
        )
        item = str(ItemId(guid_of(ALICE), put.id))
        paths = "".join(
            f'<t:FieldURI FieldURI="calendar:{each}"/>'
            for each in ("StartTimeZone", "EndTimeZone", "StartTimeZoneId", "MeetingTimeZone")
        )
        shape = f"<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{paths}</t:AdditionalProperties>"
        told = await site.ask(
            f'<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds></m:GetItem>'
        )
        assert told.codes == ["NoError"]
        for tag in ("StartTimeZone", "EndTimeZone"):
            zone = told.find(f".//t:{tag}")
            periods = zone.findall("t:Periods/t:Period", NAMES)
            if name:
                assert (zone.attrib["Id"], zone.attrib["Name"]) == (name, "Our <own> time")
                assert [each.attrib["Bias"] for each in periods] == ["-PT1H", "-PT1H30M"]
                offsets = [each.text for each in zone.findall(".//t:TimeOffset", NAMES)]
                assert offsets == ["PT2H", "PT3H"]
                assert zone_of(GivenZone(("Our <own> time",), ZoneRules(5_400))).name == "UTC+01:30"
            else:
                # One with the rules of a zone of Windows' is told as that one.
                assert rules_in(zone.attrib["Id"], this_year()) == rules_in("Europe/Berlin", this_year())
                assert not periods
        assert told.texts(".//t:StartTimeZoneId") == [told.find(".//t:StartTimeZone").attrib["Id"]]

    asyncio.run(steps())
