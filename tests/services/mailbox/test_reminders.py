"""Reminders of appointments: each is attended once, whatever crashes; by mail where the owner's alarm asks for one.

covers: reminders, items.reminder
"""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_bytes
from email.policy import default
from typing import Any
from uuid import UUID

import pytest

from postern.items.calendar_object import CalendarObject, read
from postern.items.stored import class_of, values_of
from postern.model.folders import FolderKind
from postern.model.items import Column
from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT
from tests.services.mailbox.attended import (
    ANN,
    BOB,
    CAROL,
    NOW,
    Crash,
    Crashing,
    Opened,
    World,
    check,
    letter,
    meeting,
    opened_in_memory,
)
from tests.store.conftest import opened as opened_database

HOUR, DAY = 3_600, 86_400
DAILY = "DTSTART:20270115T100000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY;COUNT=3\r\n"
"""The first is two hours after NOW."""
MAILED = "BEGIN:VALARM\r\nACTION:EMAIL\r\nTRIGGER:-PT1H\r\nSUMMARY:Soon\r\nDESCRIPTION:Bring\\ncake\r\n%sEND:VALARM\r\n"
SHOWN = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT1H\r\nEND:VALARM\r\n"


async def _put(world: World, *lines: str, owner: str = BOB) -> int:
    text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:r\r\nSUMMARY:Talk\r\n" + "".join(lines)
    calendar = read(f"{text}END:VEVENT\r\nEND:VCALENDAR\r\n".encode())
    assert isinstance(calendar, CalendarObject)
    guid = world.people.guids[owner]
    folder = next(node.id for node in await world.store.tree(guid) if node.kind is FolderKind.CALENDAR)
    values = values_of(calendar, int(world.now))
    put = await world.store.put(guid, folder, "r.ics", calendar.root.octets(), class_of(calendar), values, ABSENT)
    return put.id


async def _inbox(world: World, owner: str = BOB) -> list[str]:
    """The mails in an inbox: subject and text."""
    guid = world.people.guids[owner]
    inbox = next(folder for folder in await world.store.folders(guid) if folder.kind is FolderKind.INBOX)
    contents = (await world.store.fetch(guid, inbox.id, [(1, 1 << 30)], Column.CONTENT)).contents
    mails = [message_from_bytes(content, policy=default) for content in contents]
    assert all(str(mail["to"]) == str(mail["from"]) == owner for mail in mails)
    return [f"{mail['subject']}: {mail.get_content()}".replace("\r\n", "\n") for mail in mails]


async def _next(world: World) -> list[int]:
    own = world.people.guids.values()
    return [int(each.at - NOW) for each in await world.store.reminders(1 << 50, 1_000) if each.mailbox in own]


class ReminderCases:
    """Subclasses give the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    def test_the_next_reminder_of_a_series(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await _put(world, DAILY, SHOWN)
            seen = []
            for now in (NOW, NOW + HOUR - 1, NOW + HOUR, NOW + DAY + HOUR, NOW + 5 * DAY):
                world.now = now
                await world.reminders().attend()
                seen.append(await _next(world))
            assert seen == [[HOUR], [HOUR], [DAY + HOUR], [2 * DAY + HOUR], []]
            assert await _inbox(world) == []

        check(opened, steps)

    def test_a_mail_to_the_owner(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await _put(world, DAILY, MAILED % "")
            world.now = NOW + HOUR + 5
            await world.reminders().attend()
            await world.reminders().attend()
            (mail,) = await _inbox(world)
            assert (
                mail.replace("\r\n", "\n") == "Soon: Bring\ncake\n\nTalk\n2027-01-15 10:00 – 2027-01-15 11:00 (UTC)\n"
            )
            world.now += DAY
            await world.reminders().attend()
            assert "2027-01-16 10:00" in (await _inbox(world))[1]

        check(opened, steps)

    @pytest.mark.parametrize(
        ("lines", "alarm"),
        [
            ((f"ATTENDEE;PARTSTAT=DECLINED:mailto:{BOB}\r\n",), ""),
            (("STATUS:CANCELLED\r\n",), ""),
            ((), f"ATTENDEE:mailto:{ANN}\r\n"),
        ],
    )
    def test_no_mail(self, opened: Opened, lines: tuple[str, ...], alarm: str) -> None:
        async def steps(world: World) -> None:
            await _put(world, DAILY, *lines, MAILED % alarm)
            world.now = NOW + HOUR
            await world.reminders().attend()
            assert await _next(world) == [DAY + HOUR] and await _inbox(world) == []

        check(opened, steps)

    def test_a_server_that_was_away_reminds_of_what_is_still_to_come(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await _put(world, DAILY, MAILED % f"ATTENDEE:mailto:{BOB}\r\n")
            world.now = NOW + DAY + HOUR + 100
            await world.reminders().attend()
            assert await _next(world) == [2 * DAY + HOUR] and len(await _inbox(world)) == 1

        check(opened, steps)

    def test_alarms_of_seconds_are_one_reminder_a_minute(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            rule = "DTSTART:20270115T090000Z\r\nRRULE:FREQ=SECONDLY\r\n"
            await _put(world, rule, MAILED.replace("-PT1H", "PT0S") % "")
            world.now = NOW + HOUR
            for _ in range(150):
                await world.reminders().attend()
                world.now += 1
            assert len(await _inbox(world)) == 3

        check(opened, steps)

    def test_an_item_of_many_parts_reminds_less_often(self, opened: Opened) -> None:
        """Each reminder reads them all."""

        async def steps(world: World) -> None:
            rule = "DTSTART:20270115T090000Z\r\nRRULE:FREQ=SECONDLY\r\n"
            await _put(world, rule, MAILED.replace("-PT1H", "PT0S") % "", SHOWN * 600)
            world.now = NOW + HOUR
            for _ in range(15):
                await world.reminders().attend()
                world.now += 10
            assert len(await _inbox(world)) == 2

        check(opened, steps)

    def test_who_invites_sends_no_mails(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.attend(letter(meeting("REQUEST", more=MAILED % "" + SHOWN)))
            text = await world.text()
            assert "ACTION:DISPLAY" in text and "ACTION:EMAIL" not in text

        check(opened, steps)

    @pytest.mark.parametrize("after", [False, True])
    def test_a_crash_between_two_steps_reminds_once(self, opened: Opened, after: bool) -> None:
        async def steps(world: World) -> None:
            await _put(world, DAILY, MAILED % "")
            await _put(world, DAILY, MAILED % "", owner=CAROL)
            world.now = NOW + HOUR
            crashes = 0
            for at in range(1, 30):
                try:
                    await world.reminders(Crashing(world.store, at, after)).attend()
                    break
                except Crash:
                    crashes += 1
            await world.reminders().attend()
            assert crashes >= 4
            assert [len(await _inbox(world, owner)) for owner in (BOB, CAROL)] == [1, 1]
            assert await _next(world) == [DAY + HOUR, DAY + HOUR]

        check(opened, steps)


class TestInMemory(ReminderCases):
    @pytest.fixture
    def opened(self) -> Opened:
        return opened_in_memory

    def test_a_reminder_that_the_store_refuses_holds_up_no_others(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            refused = await _put(world, DAILY, SHOWN)
            await _put(world, DAILY.replace("T100000Z", "T101000Z"), SHOWN, owner=CAROL)
            with_ids = world.store.with_ids

            async def picky(mailbox: UUID, ids: Sequence[int], content: bool = False) -> Any:
                if refused in ids:
                    raise MailboxError("LIMIT", "The store does not give it")
                return await with_ids(mailbox, ids, content)

            setattr(world.store, "with_ids", picky)  # noqa: B010 (either kind of store)
            world.now = NOW + HOUR + 600
            await world.reminders().attend()
            assert await _next(world) == [HOUR, DAY + HOUR + 600]
            for _ in range(2):
                await world.reminders().attend()
            assert await _next(world) == [DAY + HOUR + 600]

        check(opened, steps)

    def test_a_calendar_that_breaks_it_is_set_aside(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        async def steps(world: World) -> None:
            def broken(*arguments: object) -> None:
                raise RecursionError

            await _put(world, DAILY, SHOWN)
            monkeypatch.setattr("postern.services.mailbox.reminders._due", broken)
            world.now = NOW + HOUR
            for expected in ([HOUR], [HOUR], []):
                await world.reminders().attend()
                assert await _next(world) == expected

        check(opened, steps)


@pytest.mark.slow
class TestInPostgres(ReminderCases):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)
