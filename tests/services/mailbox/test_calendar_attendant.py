"""Meetings in mails, from their delivery into the calendar, with a crash at every step; in memory and in PostgreSQL.

covers: calendar_attendant, owners_copy, resource_booking, assistants
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from email import message_from_bytes
from email.policy import default
from typing import Any, cast

import pytest

from postern.items import series
from postern.items.booking import Policy
from postern.items.calendar_object import read
from postern.items.imip import invitation_in
from postern.items.rendered import answer_of
from postern.model.directory import DirectoryUnavailable
from postern.model.folders import FOLDER_CLASSES, FolderKind
from postern.model.item_store import Busy
from postern.model.mailbox import MailboxError
from postern.services.mailbox import calendar_attendant, resource_booking
from postern.services.mailbox.assistants import MailboxAssistants, waking
from tests.services.fake_assistant_store import FakeAssistantStore
from tests.services.mailbox.attended import (
    ANN,
    BOB,
    CAROL,
    ROOM,
    STRANGER,
    USER,
    Crash,
    Crashing,
    Opened,
    World,
    booking_of,
    check,
    letter,
    meeting,
    opened_in_memory,
    own,
)
from tests.store.conftest import opened as opened_database
from tests.support.waiting import until


class CalendarAttendantCases:
    """Subclasses give the fixture `opened`."""

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError

    def test_a_request_lands_tentatively_and_the_mail_stays(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            state = await world.attend(letter(meeting("REQUEST")))
            assert state == (0, 1, 0, 0)
            (copy,) = await world.copies()
            assert copy.item_class == "IPM.Appointment" and "METHOD" not in await world.text()
            guid = world.people.guids[BOB]
            start = 1_803_895_200
            (rendered,) = (await world.store.overlapping(guid, copy.folder, start, start + 1)).values()
            assert (rendered.busy, rendered.organizer) == (Busy.TENTATIVE, ANN)
            folders = await world.store.folders(guid)
            assert next(folder.messages for folder in folders if folder.kind is FolderKind.INBOX) == 1

        check(opened, steps)

    def test_updates_and_cancellations_apply_in_order(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            newer = letter(meeting("REQUEST", 1, "20270302T100000Z"))
            await world.attend(letter(meeting("REQUEST")), newer)
            assert "DTSTART:20270302T100000Z" in await world.text()
            await world.attend(letter(meeting("REQUEST")))
            assert "SUMMARY:Talk 1" in await world.text(), "an older one comes too late"
            state = await world.attend(letter(meeting("CANCEL", 2)))
            assert "STATUS:CANCELLED" in await world.text() and state.applied == 1

        check(opened, steps)

    def test_a_reply_changes_the_organizers_copy(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.put(own(meeting("REQUEST", organizer=CAROL, attendee=f":mailto:{ANN}")), CAROL)
            answer = meeting("REPLY", organizer=CAROL, attendee=f";PARTSTAT=ACCEPTED:mailto:{ANN}")
            state = await world.attend(letter(answer), owner=CAROL)
            assert "PARTSTAT=ACCEPTED" in await world.text(CAROL) and state.applied == 1

        check(opened, steps)

    def test_an_answer_to_somebody_elses_meeting_stays_mail(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.put(own(meeting("REQUEST", organizer=CAROL, attendee=f":mailto:{ANN}")))
            answer = meeting("REPLY", organizer=CAROL, attendee=f";PARTSTAT=ACCEPTED:mailto:{ANN}")
            assert (await world.attend(letter(answer))).left == 1
            assert "ACCEPTED" not in await world.text()

        check(opened, steps)

    def test_what_is_not_proven_stays_mail(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            stranger = STRANGER.replace(b"dkim=pass", b"dkim=fail")
            other = STRANGER.replace(b"header.d=away", b"header.d=evil")
            left = [
                letter(meeting("REQUEST"), trace=b""),
                letter(meeting("REQUEST"), trace=stranger),
                letter(meeting("REQUEST"), trace=other),
                letter(meeting("REQUEST", organizer=CAROL)),
                letter(meeting("REQUEST", organizer=CAROL), "eve@corp.test", USER),
                letter(meeting("REQUEST", organizer=BOB), BOB, USER),
                letter(meeting("PUBLISH")),
                letter(meeting("COUNTER")),
                b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\n",
            ]
            assert await world.attend(*left) == (0, 0, len(left), 0)
            assert await world.copies() == []

        check(opened, steps)

    def test_users_of_ours_speak_under_each_of_their_addresses(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            request = meeting("REQUEST", organizer="robert@corp.test", attendee=f":mailto:{CAROL}")
            await world.attend(letter(request, BOB, USER), owner=CAROL)
            assert len(await world.copies(CAROL)) == 1

        check(opened, steps)

    def test_a_copy_in_another_calendar_is_the_one_that_changes(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.attend(letter(meeting("REQUEST")))
            guid, (copy,) = world.people.guids[BOB], await world.copies()
            team = await world.store.create_in(guid, 0, "Team", FOLDER_CLASSES[FolderKind.CALENDAR])
            await world.store.move_items(guid, [copy.id], team.id)
            await world.attend(letter(meeting("REQUEST", 1)))
            (moved,) = await world.copies()
            assert (moved.id, moved.folder) == (copy.id, team.id) and "Talk 1" in await world.text()

        check(opened, steps)

    def test_a_task_lands_among_the_tasks(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            task = meeting("REQUEST").replace("VEVENT", "VTODO")
            await world.attend(letter(task))
            (copy,) = await world.copies()
            assert copy.item_class == "IPM.Task"

        check(opened, steps)

    @pytest.mark.parametrize("after", [False, True])
    def test_a_crash_between_two_steps_does_nothing_twice(self, opened: Opened, after: bool) -> None:
        async def steps(world: World) -> None:
            guid = world.people.guids[BOB]
            crashes = 0
            for at in range(1, 30):
                await world.deliver(letter(meeting("REQUEST", at, stamp=f"20270101T0000{at:02}Z")))
                broken = world.assistants(Crashing(world.store, at, after))
                try:
                    await broken.attend()
                except Crash:
                    crashes += 1
                before = [copy.tag for copy in await world.copies()]
                done = not await world.store.waiting_meetings(guid)
                await world.assistants().attend()
                tags = [copy.tag for copy in await world.copies()]
                assert len(tags) == 1 and (not done or tags == before)
                assert f"SEQUENCE:{at}\r\n" in await world.text()
                if done and crashes < at:
                    break
            else:
                raise AssertionError("it never came to its end")
            assert crashes > 4

        check(opened, steps)

    def test_a_room_that_is_free_is_booked(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            assert (await world.attend(booking_of(), owner=ROOM)).applied == 1
            assert await world.answers() == ["REPLY ACCEPTED 0"]
            assert "PARTSTAT=ACCEPTED" in await world.text(ROOM)
            (copy,), guid = await world.copies(ROOM), world.people.guids[ROOM]
            (rendered,) = (await world.store.overlapping(guid, copy.folder, 0, 1 << 40)).values()
            assert rendered.busy is Busy.BUSY

        check(opened, steps)

    def test_a_room_that_is_taken_declines_and_moves_by_the_organizers_word(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.attend(booking_of(), booking_of(uid="meeting-2", start="20270301T103000Z"), owner=ROOM)
            assert await world.answers() == ["REPLY ACCEPTED 0", "REPLY DECLINED 0"]
            guid = world.people.guids[ROOM]
            assert len(await world.store.with_uids(guid, None, ["meeting-2"])) == 0
            moved = booking_of(1, "20270301T103000Z")
            await world.attend(moved, booking_of(1, "20270302T100000Z", "meeting-2"), owner=ROOM)
            assert (await world.answers())[2:] == ["REPLY ACCEPTED 1", "REPLY ACCEPTED 1"]
            onto = booking_of(2, "20270301T110000Z", "meeting-2")
            await world.attend(onto, owner=ROOM)
            assert (await world.answers())[4:] == ["REPLY DECLINED 2"]
            cancelled = meeting("CANCEL", 2, organizer=BOB, attendee=f":mailto:{ROOM}")
            await world.attend(letter(cancelled, BOB, USER), owner=ROOM)
            await world.attend(booking_of(3, "20270301T110000Z", "meeting-2"), owner=ROOM)
            assert (await world.answers())[5:] == ["REPLY ACCEPTED 3"], "what is cancelled takes no time"

        check(opened, steps)

    def test_a_series_is_held_against_others(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            weekly = booking_of(more="RRULE:FREQ=WEEKLY;COUNT=5\r\n")
            endless = booking_of(uid="meeting-3", start="20270302T100000Z", more="RRULE:FREQ=WEEKLY\r\n")
            late = booking_of(uid="meeting-2", start="20270315T103000Z")
            await world.attend(weekly, late, endless, owner=ROOM)
            assert await world.answers() == ["REPLY ACCEPTED 0", "REPLY DECLINED 0", "REPLY DECLINED 0"]

        check(opened, steps)

    def test_a_series_with_few_conflicts_is_booked_without_them(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            world.policy = Policy(conflict_percent_of_series=25, response="The key is at the desk.")
            taken = booking_of(uid="meeting-2", start="20270308T103000Z")
            await world.attend(taken, booking_of(more="RRULE:FREQ=WEEKLY;COUNT=5\r\n"), owner=ROOM)
            assert (await world.answers())[1] == "REPLY ACCEPTED 0"
            content = (await world.sent())[1]
            reply, text = invitation_in(content), message_from_bytes(content, policy=default)
            assert reply is not None
            answers = [(part.value("RECURRENCE-ID"), answer_of(part, {ROOM})) for part in reply.parts]
            assert answers == [("", "ACCEPTED"), ("20270308T100000Z", "DECLINED")]
            shown = text.get_body(("plain",)).get_content().splitlines()
            assert "2027-03-08 10:00" in shown and shown[-1] == "The key is at the desk."
            copy = read((await world.text(ROOM)).encode())
            assert not isinstance(copy, tuple)
            assert [answer_of(part, {ROOM}) for part in copy.parts] == ["ACCEPTED", "DECLINED"]
            await world.attend(booking_of(uid="meeting-3", start="20270308T100000Z"), owner=ROOM)
            assert (await world.answers())[2] == "REPLY DECLINED 0", "the first meeting has it"

        check(opened, steps)

    def test_delegates_are_asked_and_the_time_is_kept(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            world.policy = Policy(bookers=frozenset(), requesters=None, delegates=frozenset({CAROL}))
            await world.attend(booking_of(), booking_of(uid="meeting-2"), owner=ROOM)
            assert await world.answers() == ["REPLY TENTATIVE 0", "REPLY DECLINED 0"]
            recipients = [message_from_bytes(each, policy=default)["to"] for each in await world.sent()]
            assert recipients == [f"{BOB}, {CAROL}", BOB]
            assert "PARTSTAT=TENTATIVE" in await world.text(ROOM)

        check(opened, steps)

    def test_a_room_that_answers_nothing_by_itself(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            world.policy = Policy(automatic=False)
            assert (await world.attend(booking_of(), owner=ROOM)).applied == 1
            assert await world.answers() == [] and "PARTSTAT=NEEDS-ACTION" in await world.text(ROOM)

        check(opened, steps)

    def test_an_answer_that_a_hub_took_before_a_crash_is_not_sent_again(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            world.policy = Policy(conflict_percent_of_series=25)
            guid, store = world.people.guids[ROOM], world.store
            await world.attend(booking_of(uid="meeting-2", start="20270308T103000Z"), owner=ROOM)
            await world.deliver(booking_of(more="RRULE:FREQ=WEEKLY;COUNT=5\r\n"), ROOM)
            for at in range(1, 30):
                with contextlib.suppress(Crash):
                    await world.assistants(Crashing(store, at, True)).attend()
                for uid in (await store.outbox(guid))[1:]:
                    await store.submitted(guid, uid)
                if not await store.waiting_meetings(guid):
                    break
            assert at > 8 and len(await store.outbox(guid)) == 1
            assert (await world.text(ROOM)).count("PARTSTAT=DECLINED") == 1
            kinds = {folder.kind: folder.messages for folder in await store.folders(guid)}
            assert (kinds[FolderKind.OUTBOX] + kinds[FolderKind.SENT]) >= 2

        check(opened, steps)

    def test_strangers_book_no_room(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            stranger = letter(meeting("REQUEST", attendee=f":mailto:{ROOM}"))
            uninvited = letter(meeting("REQUEST", organizer=BOB, attendee=f":mailto:{CAROL}"), BOB, USER)
            assert (await world.attend(stranger, uninvited, owner=ROOM)).left == 2
            assert await world.answers() == [] and await world.copies(ROOM) == []
            world.people.add(ANN)
            world.people.contacts.add(ANN)
            assert (await world.attend(stranger, owner=ROOM)).left == 1, (
                "an entry of the address book makes no colleague"
            )
            world.policy = Policy(outsiders=True)
            assert (await world.attend(stranger, owner=ROOM)).applied == 1
            assert await world.answers() == ["REPLY ACCEPTED 0"]

        check(opened, steps)

    @pytest.mark.parametrize("after", [False, True])
    def test_a_crash_while_booking_answers_once_and_keeps_the_word(self, opened: Opened, after: bool) -> None:
        async def steps(world: World) -> None:
            crashes = 0
            for at in range(1, 40):
                is_taken = at % 2 == 0
                uid = f"meeting-{at}"
                start = "20270301T103000Z" if at == 1 or is_taken else f"20270301T{10 + at % 12}3000Z"
                day = at if not is_taken else 1
                await world.deliver(booking_of(at, start.replace("0301", f"03{min(day, 31):02}"), uid), ROOM)
                try:
                    await world.assistants(Crashing(world.store, at, after)).attend()
                except Crash:
                    crashes += 1
                await world.assistants().attend()
                answer = "DECLINED" if is_taken else "ACCEPTED"
                assert (await world.answers())[at - 1 :] == [f"REPLY {answer} {at}"]
                guid = world.people.guids[ROOM]
                assert len(await world.store.with_uids(guid, None, [uid])) == (not is_taken)
                assert await world.store.waiting_meetings(guid) == []
                if crashes < at - 1:
                    break
            else:
                raise AssertionError("it never came to its end")
            assert crashes > 8

        check(opened, steps)

    def test_two_attendants_at_once_answer_for_a_room_once(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            for number in range(6):
                await world.deliver(booking_of(number, f"20270301T1{number}0000Z", f"meeting-{number}"), ROOM)
            three = [world.assistants() for _ in range(3)]
            await asyncio.gather(*(each.attend() for each in three))
            assert await world.answers() == [f"REPLY ACCEPTED {number}" for number in range(6)]
            guid = world.people.guids[ROOM]
            outbox = next(f for f in await world.store.folders(guid) if f.kind is FolderKind.OUTBOX)
            assert outbox.messages == 6, "those that were not sent are gone"
            states = [await each.state() for each in three]
            assert (sum(s.applied for s in states), sum(s.left for s in states)) == (6, 0)

        check(opened, steps)

    def test_what_the_owner_removed_meanwhile_does_not_come_back(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            guid = world.people.guids[BOB]
            await world.attend(letter(meeting("REQUEST")))
            await world.store.delete(guid, [copy.id for copy in await world.copies()])
            assert await world.attend() == (0, 0, 0, 0)
            assert await world.copies() == []

        check(opened, steps)

    def test_two_attendants_at_once_apply_it_once(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            for number in range(5):
                await world.deliver(letter(meeting("REQUEST", number)))
            pair = [world.assistants(), world.assistants()]
            await asyncio.gather(*(each.attend() for each in pair))
            states = [await each.state() for each in pair]
            assert states[0].waiting == 0 and sum(state.set_aside for state in states) == 0
            assert sum(state.applied for state in states) == 5
            assert "SEQUENCE:4\r\n" in await world.text()

        check(opened, steps)

    def test_a_delivery_wakes_and_others_are_found(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            assistants = world.assistants()
            assistants.start()
            await world.deliver(letter(meeting("REQUEST")), store=waking(world.store, assistants.note))
            await until(lambda: _is_done(assistants, 1))
            await assistants.close()
            looking = world.assistants(looks=True)
            looking.start()
            await world.deliver(letter(meeting("REQUEST", 1)))
            await until(lambda: _is_done(looking, 1))
            await looking.close()

        check(opened, steps)


def _is_done(assistants: MailboxAssistants, applied: int) -> bool:
    return assistants._done[calendar_attendant.Outcome.APPLIED] == applied


class TestInMemory(CalendarAttendantCases):
    @pytest.fixture
    def opened(self) -> Opened:
        return opened_in_memory

    def test_a_room_is_not_booked_where_nobody_can_tell_when_it_is_taken(
        self, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rules that take many steps, each within its bound, would hide the appointments behind them."""

        async def steps(world: World) -> None:
            monkeypatch.setattr(resource_booking, "CALENDAR_STEPS", 40)
            many = booking_of(more="RRULE:FREQ=DAILY;COUNT=50\r\n")
            weekly = booking_of(uid="meeting-2", start="20270303T200000Z", more="RRULE:FREQ=WEEKLY;COUNT=3\r\n")
            assert (await world.attend(many, weekly, owner=ROOM)).left == 1
            assert await world.answers() == ["REPLY ACCEPTED 0"]

        check(opened, steps)

    def test_a_room_is_not_booked_beside_a_series_that_cannot_be_followed_to_the_day(
        self, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def steps(world: World) -> None:
            monkeypatch.setattr(series, "STEPS", 40)
            many = booking_of(more="RRULE:FREQ=DAILY;COUNT=50\r\n")
            weekly = booking_of(uid="meeting-2", start="20270303T200000Z", more="RRULE:FREQ=WEEKLY;COUNT=3\r\n")
            assert (await world.attend(many, weekly, owner=ROOM)).left == 1
            assert await world.answers() == ["REPLY ACCEPTED 0"]

        check(opened, steps)

    def test_a_room_with_series_that_bring_files_is_not_booked(
        self, opened: Opened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def steps(world: World) -> None:
            monkeypatch.setattr(resource_booking, "MAX_OCTETS", 4_000)
            weekly = "RRULE:FREQ=WEEKLY;COUNT=3\r\nX-FILE:" + "x" * 1_500 + "\r\n"
            for day in range(1, 5):
                await world.attend(booking_of(0, f"2027030{day}T100000Z", f"meeting-{day}", weekly), owner=ROOM)
            assert await world.answers() == ["REPLY ACCEPTED 0"] * 3, "the fourth would read all three"

        check(opened, steps)

    def test_the_answer_of_a_room_is_read_in_a_thread(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        """It has as many parts as the request of a stranger."""
        threads: list[int] = []

        def read_it(content: bytes) -> Any:
            threads.append(threading.get_ident())
            return invitation_in(content)

        async def steps(world: World) -> None:
            monkeypatch.setattr(resource_booking, "invitation_in", read_it)
            await world.attend(booking_of(), owner=ROOM)
            assert await world.answers() == ["REPLY ACCEPTED 0"]
            assert len(threads) == 1 and threads[0] != threading.get_ident()

        check(opened, steps)

    def test_a_message_that_breaks_it_is_set_aside(self, opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
        async def steps(world: World) -> None:
            read_it = calendar_attendant.invitation_in
            broken = letter(meeting("REQUEST", 7))

            def invitation_in(content: bytes) -> Any:
                if b"breaks" in content:
                    raise RecursionError
                return read_it(content)

            monkeypatch.setattr(calendar_attendant, "invitation_in", invitation_in)
            await world.deliver(broken + b"breaks")
            await world.deliver(letter(meeting("REQUEST")))
            await world.deliver(letter(meeting("REQUEST", attendee=f":mailto:{CAROL}")), CAROL)
            assistants = world.assistants()
            for count in range(3):
                await assistants.attend()
                assert len(await world.copies(CAROL)) == 1, "another mailbox does not wait"
                assert len(await world.copies()) == (count == 2)
            assert await assistants.state() == (0, 2, 0, 1)

        check(opened, steps)

    def test_without_a_directory_everything_waits(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            world.people.down = True
            await world.deliver(letter(meeting("REQUEST")))
            assistants = world.assistants()
            with pytest.raises(DirectoryUnavailable):
                await assistants.attend()
            world.people.down = False
            await assistants.attend()
            assert await assistants.state() == (0, 1, 0, 0)

        check(opened, steps)

    def test_a_database_that_is_away_is_no_failure_of_the_message(self, opened: Opened) -> None:
        async def steps(world: World) -> None:
            await world.deliver(letter(meeting("REQUEST")))
            fake = cast(FakeAssistantStore, world.store)
            assistants = world.assistants()
            for _ in range(3):
                fake.unavailable = True
                with pytest.raises(MailboxError):
                    await assistants.attend()
            fake.unavailable = False
            await assistants.attend()
            assert await assistants.state() == (0, 1, 0, 0)

        check(opened, steps)


@pytest.mark.slow
class TestInPostgres(CalendarAttendantCases):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)
