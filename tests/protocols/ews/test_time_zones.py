"""Time zones as requests give them and answers tell them."""

from __future__ import annotations

import pytest

from postern.protocols import xml
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import TYPES
from postern.protocols.ews.time_zones import (
    GivenZone,
    definition_markup,
    meeting_zone_markup,
    read_definition,
    read_duration,
    read_meeting_zone,
    written_duration,
)
from postern.protocols.ical.zone_rules import Onset, ZoneRules

BERLIN = ZoneRules(3_600, 7_200, Onset(10, -1, 6, 10_800), Onset(3, -1, 6, 7_200))


def element(markup: str) -> xml.Element:
    return xml.read(f'<t:x xmlns:t="{TYPES}">{markup}</t:x>'.encode()).elements[0]


@pytest.mark.parametrize("rules", [BERLIN, ZoneRules(-34_200)])
def test_what_is_told_is_read_again(rules: ZoneRules) -> None:
    told = definition_markup("t:StartTimeZone", "A", "(UTC) A", rules)
    assert read_definition(element(told)) == GivenZone(("A", "(UTC) A"), rules)
    assert read_meeting_zone(element(meeting_zone_markup("A", rules))) == GivenZone(("A",), rules)


def test_a_definition_may_have_a_name_alone() -> None:
    assert read_definition(element(definition_markup("t:StartTimeZone", "A", "B"))) == GivenZone(("A", "B"))
    assert read_meeting_zone(element('<t:MeetingTimeZone TimeZoneName="A"/>')) == GivenZone(("A",))


def test_the_last_group_counts() -> None:
    periods = '<t:Periods><t:Period Bias="PT0S" Name="Standard" Id="a"/><t:Period Bias="PT5H" Id="b"/></t:Periods>'
    groups = "".join(
        f'<t:TransitionsGroup Id="{place}"><t:Transition><t:To Kind="Period">{period}</t:To></t:Transition>'
        "</t:TransitionsGroup>"
        for place, period in enumerate("ab")
    )
    steps = "".join(f'<t:Transition><t:To Kind="Group">{place}</t:To></t:Transition>' for place in (0, 1))
    zone = (
        f"<t:z>{periods}<t:TransitionsGroups>{groups}</t:TransitionsGroups><t:Transitions>{steps}</t:Transitions></t:z>"
    )
    assert read_definition(element(zone)).rules == ZoneRules(-18_000)


@pytest.mark.parametrize(("text", "seconds"), [("PT1H", 3_600), ("-PT1H30M", -5_400), ("P1DT2S", 86_402), ("PT0S", 0)])
def test_durations(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds
    assert read_duration(written_duration(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "1H", "P1Y", "PT" + "1" * 80 + "H"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(EwsError):
        read_duration(text)


@pytest.mark.parametrize(
    "markup",
    [
        '<t:z><t:Periods><t:Period Bias="PT99H" Id="a"/></t:Periods></t:z>',
        '<t:z><t:Periods><t:Period Bias="PT1H" Id="a"/></t:Periods><t:TransitionsGroups><t:TransitionsGroup>'
        '<t:Transition><t:To Kind="Period">b</t:To></t:Transition></t:TransitionsGroup></t:TransitionsGroups></t:z>',
        '<t:z><t:Periods><t:Period Bias="PT1H" Id="a"/></t:Periods><t:TransitionsGroups><t:TransitionsGroup>'
        '<t:RecurringDayTransition><t:To Kind="Period">a</t:To><t:Month>13</t:Month></t:RecurringDayTransition>'
        "</t:TransitionsGroup></t:TransitionsGroups></t:z>",
    ],
)
def test_definitions_that_mean_nothing_are_refused(markup: str) -> None:
    with pytest.raises(EwsError):
        read_definition(element(markup))
