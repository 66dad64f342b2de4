"""The times at which owners are busy, over availability-to-mailbox: by rights, and for client access servers alone.

covers: protocols.dcerpc.interfaces.availability, availability
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from postern.items.working_hours import WorkingHours, written
from postern.model.availability import MAX_EVENTS, Asked, BusyEvent, EventFlag, Span, State, Told, WhenBusy
from postern.model.folders import EVERYBODY, Right
from postern.model.item_store import Busy
from postern.model.mailbox import MailboxError
from postern.model.organization import Profile
from postern.paths.table import settle
from postern.protocols.dcerpc.interfaces.availability import MAILBOX_AVAILABILITY
from postern.protocols.ical.bias_zones import BiasZone
from postern.protocols.ical.zones import seconds
from postern.services.mailbox import availability, working_hours
from postern.services.mailbox.availability import MailboxAvailability
from postern.services.rpc.client import RpcClient
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.stub import stub
from postern.telemetry.observed import Observed
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.fake_resource_store import FakeResourceStore
from tests.services.mailbox.calendars import calendar_of, put, set_text
from tests.services.rpc_parts import serve

DAY = seconds(datetime(2026, 3, 2))
WEEK = Span(DAY, DAY + 7 * 86_400)
HOUR = 3_600
OWNER, READER, GROUP = uuid4(), uuid4(), uuid4()
NINE = ("DTSTART:20260302T090000Z", "DTEND:20260302T100000Z", "SUMMARY:Board", "LOCATION:Room 1")


async def told(
    store: FakeResourceStore,
    grantees: Sequence[UUID] = (OWNER,),
    span: Span = WEEK,
    details: bool = True,
    without: str = "",
    addresses: tuple[str, ...] = (),
) -> WhenBusy:
    answers = await MailboxAvailability(store).when_busy([Asked(OWNER, addresses)], grantees, span, details, without)  # type: ignore[arg-type]  # the fake has what is asked for
    (answer,) = answers
    return answer


def test_everybody_sees_the_times_alone_and_more_with_more_rights() -> None:
    async def work() -> None:
        store = FakeResourceStore()
        item = await put(store, OWNER, *NINE)
        await put(store, OWNER, *NINE[:2], "CLASS:PRIVATE", "SUMMARY:Doctor", "RRULE:FREQ=DAILY;COUNT=2", uid="u2")
        await put(store, OWNER, *NINE[:2], "TRANSP:TRANSPARENT", "SUMMARY:Birthday", uid="u3")
        calendar = await calendar_of(store, OWNER)
        nine = DAY + 9 * HOUR
        times = [(nine, nine + HOUR), (nine, nine + HOUR), (nine + 86_400, nine + 86_400 + HOUR)]
        seen = await told(store, (READER, GROUP))
        assert seen == WhenBusy(Told.TIME, tuple(BusyEvent(*time, Busy.BUSY) for time in times))
        assert await told(store, ()) == WhenBusy(Told.NOTHING)

        await store.set_rights(OWNER, calendar, GROUP, Right.FREE_BUSY_SIMPLE | Right.FREE_BUSY_DETAILED)
        seen = await told(store, (READER, GROUP))
        hidden = EventFlag.PRIVATE | EventFlag.RECURRING
        assert seen.told is Told.DETAILS
        assert sorted(seen.events) == sorted(
            [
                BusyEvent(nine, nine + HOUR, Busy.BUSY, subject="Board", location="Room 1"),
                BusyEvent(nine, nine + HOUR, Busy.FREE, subject="Birthday"),
                *[BusyEvent(*time, Busy.BUSY, hidden) for time in times[1:]],
            ]
        )
        await store.set_rights(OWNER, calendar, READER, Right.READ_ANY)
        seen = await told(store, (READER, GROUP))
        assert seen.told is Told.EVERYTHING
        assert BusyEvent(nine, nine + HOUR, Busy.BUSY, EventFlag(0), item, "Board", "Room 1") in seen.events
        assert not any(event.subject == "Doctor" for event in seen.events)
        assert (await told(store, (READER, GROUP), details=False)).events[0].subject == ""

        for whole in ((OWNER,), (READER, GROUP)):
            if whole[0] is READER:
                await store.set_full_access(OWNER, GROUP, True)
            assert sum(event.subject == "Doctor" for event in (await told(store, whole)).events) == 2

        await store.set_full_access(OWNER, GROUP, False)
        await store.set_rights(OWNER, calendar, READER, Right(0))
        assert await told(store, (READER, GROUP)) == WhenBusy(Told.NOTHING)

    asyncio.run(work())


def test_other_calendars_count_where_the_reader_knows_them_and_their_owner_lets_them() -> None:
    async def work() -> None:
        store = FakeResourceStore()
        await calendar_of(store, OWNER)
        other = (await store.create_in(OWNER, 0, "Work", "IPF.Appointment")).id
        await store.create_in(OWNER, 0, "Appointments", "IPF.AppointmentX")
        await put(store, OWNER, *NINE, folder=other)
        assert len((await told(store)).events) == 1
        assert len((await told(store, (READER,))).events) == 0
        await store.set_rights(OWNER, other, EVERYBODY, Right.FREE_BUSY_SIMPLE)
        assert len((await told(store, (READER,))).events) == 1
        markup = '<transp xmlns="urn:ietf:params:xml:ns:caldav"><transparent/></transp>'
        await set_text(store, OWNER, other, availability._TRANSPARENCY, markup)
        assert (await told(store, (READER,))) == (await told(store))._replace(told=Told.TIME) == WhenBusy(Told.TIME)

    asyncio.run(work())


def test_dates_are_read_in_the_zone_of_the_owner_and_else_of_the_reader() -> None:
    async def work() -> None:
        store = FakeResourceStore()
        await put(store, OWNER, "DTSTART;VALUE=DATE:20260303")
        calendar = await calendar_of(store, OWNER)
        begin = DAY + 86_400
        asked = Span(*WEEK[:2], BiasZone(-60).numbers)
        assert [event.start for event in (await told(store)).events] == [begin]
        assert [event.start for event in (await told(store, span=asked)).events] == [begin - HOUR]
        hours = written(WorkingHours(zone=BiasZone(300), name="Eastern"))
        await working_hours.write(store, OWNER, WorkingHours(zone=BiasZone(300), name="Eastern"))
        answer = await told(store, span=asked)
        assert [event.start for event in answer.events] == [begin + 5 * HOUR] and answer.hours == hours
        (number,) = await store.property_ids(OWNER, [working_hours.PROPERTY])
        for nonsense in (b"", b"\x04\0\0\0nope"):
            await store.set_folder_properties(OWNER, calendar, {working_hours.tag_of(number): nonsense})
            assert (await told(store, span=asked)).hours == ""
        assert [event.start for event in (await told(store, span=asked)).events] == [begin - HOUR]

    asyncio.run(work())


def test_a_meeting_may_be_left_out_and_the_owners_answer_counts() -> None:
    async def work() -> None:
        store = FakeResourceStore()
        for uid, rule in (("a", ()), ("b", ("RRULE:FREQ=DAILY;COUNT=2",))):
            await put(store, OWNER, *NINE, *rule, uid=uid)
        assert len((await told(store, without="a")).events) == 2
        assert len((await told(store, without="b", details=False)).events) == 1
        declined = ("RRULE:FREQ=DAILY;COUNT=2", "ATTENDEE;PARTSTAT=DECLINED:mailto:me@example.test")
        await put(store, OWNER, *NINE[:2], *declined, uid="c")
        assert len((await told(store, (READER,))).events) == 5
        assert len((await told(store, (READER,), addresses=("me@example.test",))).events) == 3

    asyncio.run(work())


def test_too_many_appointments_are_not_told_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        store = FakeResourceStore()
        for number in range(MAX_EVENTS // 500 + 1):
            rule = "RRULE:FREQ=MINUTELY;COUNT=500"
            await put(store, OWNER, "DTSTART:20260302T090000Z", "DTEND:20260302T090030Z", rule, uid=str(number))
        assert await told(store) == WhenBusy(Told.EVERYTHING, state=State.TOO_MANY)
        store = FakeResourceStore()
        await put(store, OWNER, "DTSTART:20260302T090000Z", "RRULE:FREQ=DAILY;COUNT=3")
        assert (await told(store)).state is State.TOLD
        monkeypatch.setattr(availability, "STEPS", 10)
        assert (await told(store)).state is State.TOO_MANY, "rules that take too long"

    asyncio.run(work())


TWO_MONTHS = Span(DAY, DAY + 62 * 86_400)


def test_free_time_does_not_use_up_what_may_be_told() -> None:
    async def work() -> None:
        store = FakeResourceStore()
        await put(store, OWNER, "DTSTART:20260302T000000Z", "RRULE:FREQ=HOURLY", "TRANSP:TRANSPARENT", uid="a")
        await put(store, OWNER, *NINE, "RRULE:FREQ=DAILY", uid="b")
        for details in (False, True):
            seen = await told(store, (READER,), TWO_MONTHS, details)
            assert seen.state is State.TOLD and len(seen.events) == 62
        mixed = ["DTSTART:20260302T000000Z", "RRULE:FREQ=HOURLY", "TRANSP:TRANSPARENT", "END:VEVENT", "BEGIN:VEVENT"]
        mixed += ["UID:c", "DTSTAMP:20260101T000000Z", "RECURRENCE-ID:20260501T000000Z", *NINE[:2]]
        store = FakeResourceStore()
        await put(store, OWNER, *mixed, uid="c")
        assert [event.start for event in (await told(store, (READER,), TWO_MONTHS)).events] == [DAY + 9 * HOUR]
        # Whoever is told of free time, too, is not told a part of it.
        await put(store, OWNER, *NINE, "RRULE:FREQ=DAILY", uid="d")
        assert (await told(store, span=TWO_MONTHS)).state is State.TOO_MANY

    asyncio.run(work())


def test_a_rule_that_takes_too_long_is_not_free_time() -> None:
    async def work() -> None:
        store = FakeResourceStore()
        await put(store, OWNER, "DTSTART:20050101T000000Z", "DTEND:20050101T003000Z", "RRULE:FREQ=HOURLY;COUNT=1000000")
        assert (await told(store)).state is State.TOO_MANY

    asyncio.run(work())


def test_large_contents_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        store = FakeResourceStore()
        for number in range(3):
            await put(store, OWNER, *NINE, "RRULE:FREQ=DAILY;COUNT=2", uid=str(number))
        with_ids, asked = store.with_ids, list[int]()

        async def portions(mailbox: UUID, ids: Sequence[int], content: bool = False) -> Any:
            asked.append(len(ids))
            return await with_ids(mailbox, ids, content and len(ids) == 1)

        monkeypatch.setattr(store, "with_ids", portions)
        reads = list[int]()
        read = availability._read

        def counted(contents: Sequence[bytes], *rest: Any) -> Any:
            reads.append(len(contents))
            return read(contents, *rest)

        monkeypatch.setattr(availability, "_read", counted)
        assert len((await told(store)).events) == 6
        assert asked == [3, 1, 1, 1] and max(reads) == 1

    asyncio.run(work())


@pytest.mark.parametrize("right", [Right.PRIVATE, Right.OWNER])
def test_delegates_who_view_private_items_see_them(right: Right) -> None:
    async def work() -> None:
        store = FakeResourceStore()
        await put(store, OWNER, *NINE, "CLASS:PRIVATE")
        calendar = await calendar_of(store, OWNER)
        for held, subject in ((Right.READ_ANY, ""), (Right.READ_ANY | right, "Board")):
            await store.set_rights(OWNER, calendar, READER, held)
            (event,) = (await told(store, (READER,))).events
            assert event.subject == subject and event.flags is EventFlag.PRIVATE

    asyncio.run(work())


@pytest.mark.parametrize("page", [1, 2, 5, 6])
def test_calendars_are_read_in_pages(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(availability, "PAGE", page)
        monkeypatch.setattr(availability, "BATCH", 2)
        store = FakeResourceStore()
        for number in range(5):
            await put(store, OWNER, *NINE, uid=str(number))
        for details in (False, True):
            assert len((await told(store, details=details)).events) == 5
        calendars = MailboxAvailability(store)  # type: ignore[arg-type]  # the fake has what is asked for
        asked = [Asked(OWNER), *[Asked(uuid4()) for _ in range(7)], Asked(OWNER)]
        answers = await calendars.when_busy(asked, (READER,), WEEK, False)
        assert [len(each.events) for each in answers] == [5, *[0] * 7, 5], "in the order of the question"

    asyncio.run(work())


def test_a_mailbox_that_cannot_be_read_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        store = FakeResourceStore()
        await put(store, OWNER, *NINE)
        await put(store, READER, *NINE)
        overlapping = store.overlapping

        async def failing(mailbox: UUID, *rest: Any) -> Any:
            if mailbox == OWNER:
                raise MailboxError("NONEXISTENT", "No such folder")
            return await overlapping(mailbox, *rest)

        monkeypatch.setattr(store, "overlapping", failing)
        calendars = MailboxAvailability(store)  # type: ignore[arg-type]  # the fake has what is asked for
        unreadable, told = await calendars.when_busy([Asked(OWNER), Asked(READER)], (READER,), WEEK, False)
        assert unreadable == WhenBusy(Told.NOTHING, state=State.UNREADABLE) and len(told.events) == 1

    asyncio.run(work())


def test_a_mailbox_that_nobody_has_opened_is_free() -> None:
    assert asyncio.run(told(FakeResourceStore())) == WhenBusy(Told.TIME)


@pytest.mark.parametrize(("count", "span"), [(26, WEEK), (1, Span(DAY, DAY + 64 * 86_400)), (1, Span(DAY, DAY - 1))])
def test_questions_are_bounded(count: int, span: Span) -> None:
    with pytest.raises(MailboxError, match="Too many"):
        asked = [Asked(OWNER)] * count
        asyncio.run(MailboxAvailability(FakeResourceStore()).when_busy(asked, (), span, False))  # type: ignore[arg-type]  # the fake has what is asked for


async def _over_rpc(account: str, store: FakeResourceStore, profile: Profile, span: Span = WEEK) -> list[WhenBusy]:
    row = settle(profile)["availability-to-mailbox"]
    service = InterfaceService(MAILBOX_AVAILABILITY, row, MailboxAvailability(store))  # type: ignore[arg-type]  # the fake has what is asked for
    async with serve(FakeMailboxes(), [service], local_account="CAS1$") as served:
        target = served.target("availability-to-mailbox", account)
        client = RpcClient(MAILBOX_AVAILABILITY, replace(target, row=row), Observed(None))
        try:
            asked = [Asked(OWNER, ("a@x.test", "ü@x.test")), Asked(READER)]
            return await stub(client, MAILBOX_AVAILABILITY).when_busy(asked, (OWNER, GROUP), span, True, "회의")
        finally:
            await client.close()


@pytest.mark.parametrize(
    ("account", "profile"), [("CAS1$", Profile.REFERENCE), ("CAS1$", Profile.PRACTICAL), ("", Profile.PRACTICAL)]
)
def test_a_client_access_server_is_answered(account: str, profile: Profile) -> None:
    async def work() -> None:
        store = FakeResourceStore()
        item = await put(store, OWNER, *NINE[:2], "SUMMARY:회의", "CLASS:PRIVATE")
        await put(store, READER, *NINE[:2], "X-MICROSOFT-CDO-BUSYSTATUS:OOF")
        await put(store, OWNER, *NINE, uid="회의")
        await working_hours.write(store, OWNER, WorkingHours())
        nine = DAY + 9 * HOUR
        private = BusyEvent(nine, nine + HOUR, Busy.BUSY, EventFlag.PRIVATE, item, "회의", "")
        away = BusyEvent(nine, nine + HOUR, Busy.OUT_OF_OFFICE)
        assert await _over_rpc(account, store, profile, Span(*WEEK[:2], (-60,))) == [
            WhenBusy(Told.EVERYTHING, (private,), written(WorkingHours())),
            WhenBusy(Told.TIME, (away,)),
        ]

    asyncio.run(work())


@pytest.mark.parametrize("account", ["HUB1$", "MBX1$", "alice"])
def test_others_are_refused(account: str) -> None:
    with pytest.raises(MailboxError):
        asyncio.run(_over_rpc(account, FakeResourceStore(), Profile.PRACTICAL))


def test_a_zone_that_is_none_is_no_question() -> None:
    with pytest.raises(MailboxError):
        asyncio.run(_over_rpc("CAS1$", FakeResourceStore(), Profile.PRACTICAL, Span(*WEEK[:2], (1, 2))))
