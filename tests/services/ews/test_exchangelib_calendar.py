"""exchangelib keeps a calendar: appointments, a series across time zones with exceptions, and meetings between two people."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from exchangelib import Account, CalendarItem, EWSDate, EWSDateTime, EWSTimeZone
from exchangelib.items import SEND_ONLY_TO_ALL, SEND_TO_ALL_AND_SAVE_COPY, SEND_TO_NONE, MeetingRequest
from exchangelib.recurrence import Recurrence, WeeklyPattern

from tests.services.dav.site import ALICE, BOB
from tests.services.ews.exchange import account
from tests.services.ews.post import Post
from tests.services.ews.site import EwsDoor

pytestmark = pytest.mark.slow
BERLIN, SEOUL, NEW_YORK = (EWSTimeZone(name) for name in ("Europe/Berlin", "Asia/Seoul", "America/New_York"))
FIELDS = ("subject", "start", "end", "type", "location", "is_all_day", "_start_timezone", "_end_timezone")


def at(zone: EWSTimeZone, *numbers: int) -> EWSDateTime:
    return EWSDateTime(*numbers, tzinfo=zone)


def test_appointments(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:

            def work() -> None:
                mine = account(door, tmp_path, ALICE)
                mine.default_timezone = BERLIN
                item = CalendarItem(
                    account=mine,
                    folder=mine.calendar,
                    subject="Lunch",
                    body="Hello",
                    location="Room 1",
                    categories=["Red"],
                    start=at(SEOUL, 2026, 12, 1, 9),
                    end=at(SEOUL, 2026, 12, 1, 10),
                )
                item.save(send_meeting_invitations=SEND_TO_NONE)
                (read,) = mine.calendar.all().only(*FIELDS, "body", "categories")
                assert (read.subject, read.body, read.location, read.categories) == (
                    "Lunch",
                    "Hello",
                    "Room 1",
                    ["Red"],
                )
                assert read.start == at(SEOUL, 2026, 12, 1, 9) and read._start_timezone == SEOUL
                read.location = "Room 2"
                read.start = at(NEW_YORK, 2026, 11, 30, 20)
                read.end = at(NEW_YORK, 2026, 11, 30, 21)
                read._start_timezone = read._end_timezone = NEW_YORK
                read.save(update_fields=["location", "start", "end"], send_meeting_invitations=SEND_TO_NONE)
                (again,) = mine.calendar.all().only(*FIELDS)
                assert again.location == "Room 2" and again.start.astimezone(ZoneInfo("UTC")).hour == 1
                days = CalendarItem(
                    account=mine,
                    folder=mine.calendar,
                    subject="Away",
                    is_all_day=True,
                    start=EWSDate(2026, 12, 3),
                    end=EWSDate(2026, 12, 4),
                )
                days.save()
                view = mine.calendar.view(start=at(BERLIN, 2026, 12, 1), end=at(BERLIN, 2026, 12, 31)).only(*FIELDS)
                assert [each.subject for each in view] == ["Lunch", "Away"]
                away = next(each for each in view if each.subject == "Away")
                assert (away.start, away.end) == (date(2026, 12, 3), date(2026, 12, 4))
                away.delete()
                assert mine.calendar.all().count() == 1

            await door.beside(work)

    asyncio.run(steps())


def test_a_series_across_three_zones_is_made_and_answered(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            post = Post(door.mailboxes, door.recipients, {each: door.guid(each) for each in (ALICE, BOB)})
            (tmp_path / "a").mkdir()
            (tmp_path / "b").mkdir()

            def both() -> tuple[Account, Account]:
                return account(door, tmp_path / "a", ALICE), account(door, tmp_path / "b", BOB)

            def invites() -> None:
                alice, _ = both()
                meeting = CalendarItem(
                    account=alice,
                    folder=alice.calendar,
                    subject="Standup",
                    start=at(NEW_YORK, 2026, 10, 20, 9),
                    end=at(NEW_YORK, 2026, 10, 20, 10),
                    required_attendees=[BOB],
                    recurrence=Recurrence(
                        pattern=WeeklyPattern(interval=1, weekdays=["Tuesday"]), start=EWSDate(2026, 10, 20), number=6
                    ),
                )
                meeting.save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)

            await door.beside(invites)
            assert await post.carry() == [f"REQUEST {BOB}"]

            def changes_one() -> None:
                alice, _ = both()
                master = alice.calendar.all().only("subject", "recurrence", "changekey").get()
                third = master.occurrence(index=3)
                third.refresh()
                third.start = at(SEOUL, 2026, 11, 4, 8)
                third.end = at(SEOUL, 2026, 11, 4, 9)
                third._start_timezone = third._end_timezone = SEOUL
                third.save(update_fields=["end", "start"], send_meeting_invitations=SEND_ONLY_TO_ALL)
                fifth = master.occurrence(index=5)
                fifth.refresh()
                fifth.delete(send_meeting_cancellations=SEND_TO_ALL_AND_SAVE_COPY)

            await door.beside(changes_one)
            assert len(await post.carry()) == 2

            def answers() -> None:
                _, bob = both()
                bob.default_timezone = BERLIN
                request = next(
                    each
                    for each in bob.inbox.all().only("subject", "associated_calendar_item_id")
                    if isinstance(each, MeetingRequest)
                )
                assert request.subject == "Standup" and request.associated_calendar_item_id is not None
                request.accept(body="Fine")
                view = bob.calendar.view(start=at(BERLIN, 2026, 10, 1), end=at(BERLIN, 2026, 12, 31)).only(*FIELDS)
                starts = [each.start.astimezone(BERLIN) for each in view]
                # Berlin leaves summer time a week before New York: 15:00, 14:00, and 15:00 again.
                assert [(each.day, each.hour) for each in starts] == [(20, 15), (27, 14), (4, 0), (10, 15), (24, 15)]

            await door.beside(answers)
            assert f"REPLY {ALICE}" in await post.carry()

            def sees_and_cancels() -> None:
                alice, _ = both()
                master = alice.calendar.all().only("subject", "required_attendees", "changekey").get()
                assert [each.response_type for each in master.required_attendees] == ["Accept"]
                assert master.required_attendees[0].last_response_time is not None
                master.cancel(new_body="Sorry")

            await door.beside(sees_and_cancels)
            assert f"CANCEL {BOB}" in await post.carry()

    asyncio.run(steps())


def test_the_zones_of_the_server_are_read(tmp_path: Path) -> None:
    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:

            def work() -> list[str]:
                mine = account(door, tmp_path, ALICE)
                zones = list(mine.protocol.get_timezones(return_full_timezone_data=True))
                standard, daylight, period = next(
                    z for z in zones if z.id == "W. Europe Standard Time"
                ).get_std_and_dst(for_year=datetime.now().year)
                assert (standard.bias, daylight.bias, period.bias_in_minutes) == (0, -60, -60)
                return [zone.id for zone in zones]

            assert "Korea Standard Time" in await door.beside(work)

    asyncio.run(steps())


def test_what_was_read_is_saved_again_as_a_whole(tmp_path: Path) -> None:
    """Without names of fields, exchangelib sends back all that it was told, and deletes what it was not."""

    async def steps() -> None:
        async with EwsDoor().opened_to_ews() as door:
            post = Post(door.mailboxes, door.recipients, {each: door.guid(each) for each in (ALICE, BOB)})
            (tmp_path / "a").mkdir()
            (tmp_path / "b").mkdir()

            def invites() -> None:
                alice = account(door, tmp_path / "a", ALICE)
                CalendarItem(
                    account=alice,
                    folder=alice.calendar,
                    subject="Standup",
                    start=at(BERLIN, 2026, 12, 1, 9),
                    end=at(BERLIN, 2026, 12, 1, 10),
                    required_attendees=[BOB],
                    recurrence=Recurrence(
                        pattern=WeeklyPattern(interval=1, weekdays=["Tuesday"]), start=EWSDate(2026, 12, 1), number=4
                    ),
                ).save(send_meeting_invitations=SEND_TO_ALL_AND_SAVE_COPY)

            def saves(name: str, address: str) -> None:
                mine = account(door, tmp_path / name, address)
                master = mine.calendar.all().get()
                master.reminder_is_set = True
                master.reminder_minutes_before_start = 20
                master.save()
                second = master.occurrence(index=2)
                second.refresh()
                second.location = "Room 2"
                second.save()
                # An occurrence becomes an exception, and is saved again as such.
                second.refresh()
                assert (second.type, second.location) == ("Exception", "Room 2")
                second.body = "Other"
                second.save()
                master.refresh()
                assert master.reminder_minutes_before_start == 20 and len(master.modified_occurrences) == 1

            await door.beside(invites)
            await post.carry()
            await door.beside(lambda: saves("a", ALICE))
            await door.beside(lambda: saves("b", BOB))
            assert await post.carry() == []

    asyncio.run(steps())
