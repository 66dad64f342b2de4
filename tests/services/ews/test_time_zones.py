"""Time zones by the names of Windows and of the database, and GetServerTimeZones.

covers: services.ews.operations.get_server_time_zones
"""

from __future__ import annotations

import asyncio

import pytest

from postern.items.zones import zone_named
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.time_zones import GivenZone
from postern.protocols.ical.windows_zones import IANA
from postern.protocols.ical.zone_rules import ZoneRules
from postern.services.ews.time_zones import rules_in, this_year, windows_name, zone_of
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
