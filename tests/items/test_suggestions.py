"""Suggestions of times for a meeting."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from postern.items.suggestions import UNKNOWN, Attendee, Day, Quality, Wish, suggestions
from postern.items.working_hours import WorkingHours
from postern.model.availability import BusyEvent
from postern.model.item_store import Busy
from postern.protocols.ical.zones import UTC_ZONE, NamedZone, Zone, seconds

MONDAY = seconds(datetime(2026, 3, 2))
HOUR = 3_600
HOURS = WorkingHours(start=540, end=1020)


def busy(first: float, last: float, state: Busy = Busy.BUSY) -> BusyEvent:
    return BusyEvent(MONDAY + int(first * HOUR), MONDAY + int(last * HOUR), state)


def person(*events: BusyEvent, counted: bool = True, must_be_free: bool = False) -> Attendee:
    return Attendee((events,), counted=counted, must_be_free=must_be_free)


def suggested(*attendees: Attendee, wish: Wish, days: int = 1, zone: Zone = UTC_ZONE, now: int = 0) -> list[Day]:
    return suggestions(attendees, MONDAY, MONDAY + days * 86_400, zone, HOURS, wish, now)


def starts(day: Day) -> list[float]:
    return [(each.start - MONDAY) / HOUR for each in day.suggestions]


def test_times_at_which_all_are_free_come_first_and_early() -> None:
    (day,) = suggested(person(busy(9, 11)), person(busy(11.5, 13)), wish=Wish(minutes=60, most_by_day=3))
    assert starts(day) == [13, 13.5, 14]
    assert day == Day(date(2026, 3, 2), Quality.EXCELLENT, day.suggestions)
    assert {each.quality for each in day.suggestions} == {Quality.EXCELLENT}
    assert all(each.in_hours and each.states == (b"\0", b"\0") for each in day.suggestions)


def test_many_people_have_fewer_suggestions_each_day() -> None:
    wish = Wish(minutes=30, interval=30, most_by_day=48, most_out_of_hours=48, worst=Quality.POOR)
    for people, by_day in ((10, 48), (100, 16), (2_000, 1)):
        group = Attendee(((),) * people, is_group=True)
        days = suggested(group, wish=wish, days=62)
        assert {len(day.suggestions) for day in days} == {by_day} and len(days) == 62


def test_quality_is_by_the_share_of_conflicts() -> None:
    always = busy(0, 24)
    people = [person(always), *[person() for _ in range(4)]]
    for conflicts, quality in ((1, Quality.GOOD), (2, Quality.FAIR), (3, Quality.POOR)):
        people[conflicts - 1] = person(always)
        (day,) = suggested(*people, wish=Wish(worst=Quality.POOR, most_by_day=1))
        assert day.quality is quality
    (day,) = suggested(*people, wish=Wish(worst=Quality.FAIR))
    assert (day.quality, day.suggestions) == (Quality.POOR, ())


def test_the_strongest_state_during_the_meeting_is_told() -> None:
    events = (busy(9, 9.5, Busy.OUT_OF_OFFICE), busy(9, 11, Busy.TENTATIVE), busy(9, 17, Busy.ELSEWHERE))
    (day,) = suggested(person(*events), wish=Wish(minutes=60, worst=Quality.POOR, most_by_day=20))
    by_start = dict(zip(starts(day), [each.states[0][0] for each in day.suggestions], strict=True))
    assert (by_start[9], by_start[9.5], by_start[10.5], by_start[11]) == (3, 1, 1, 4)


def test_those_who_are_optional_spoil_nothing_and_those_who_must_be_free_everything() -> None:
    wish = Wish(minutes=60, most_by_day=1)
    (day,) = suggested(person(), person(busy(0, 24), counted=False), wish=wish)
    assert day.quality is Quality.EXCELLENT
    (day,) = suggested(person(), person(), person(), person(busy(0, 12), must_be_free=True), wish=wish)
    assert starts(day) == [12]
    (day,) = suggested(person(), person(busy(9, 10), counted=False), wish=wish)
    assert starts(day) == [10], "of times that are alike, the one at which most can come"


def test_members_of_a_group_count_each() -> None:
    group = Attendee(((busy(9, 17),), (), None), is_group=True)
    (day,) = suggested(group, wish=Wish(minutes=60, most_by_day=1, worst=Quality.POOR))
    assert day.suggestions[0].states == (bytes([Busy.BUSY, Busy.FREE, UNKNOWN]),)
    assert day.quality is Quality.FAIR


def test_times_outside_of_the_working_hours_are_bounded_apart() -> None:
    wish = Wish(minutes=60, most_by_day=48, most_out_of_hours=2)
    monday, saturday = (suggested(person(), wish=wish, days=6)[number] for number in (0, 5))
    assert [each.in_hours for each in monday.suggestions].count(False) == 2
    assert [each.in_hours for each in monday.suggestions].count(True) == 15
    assert [each.in_hours for each in saturday.suggestions] == [False, False]


def test_nothing_in_the_past_and_nothing_beyond_the_span() -> None:
    wish = Wish(minutes=60, most_by_day=48)
    today, tomorrow = suggested(person(), wish=wish, days=2, now=MONDAY + 15 * HOUR)
    assert starts(today) == [15, 15.5, 16]
    assert starts(tomorrow)[0] == 33


@pytest.mark.parametrize("day", [datetime(2026, 3, 29), datetime(2026, 10, 25)])
def test_days_are_those_of_the_zone_when_its_clocks_change(day: datetime) -> None:
    zone = NamedZone("Europe/Berlin", ZoneInfo("Europe/Berlin"))
    hours = WorkingHours(days=127, start=0, end=1440)
    begin, end = zone.utc(day), zone.utc(day.replace(day=day.day + 1))
    wish = Wish(minutes=30, most_by_day=48)
    (told,) = suggestions([person()], begin, end, zone, hours, wish, 0)
    times = [each.start for each in told.suggestions]
    assert told.date == day.date() and times == sorted(set(times)) and begin <= times[0] and times[-1] < end
