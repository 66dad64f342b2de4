"""Free/busy and suggestions, asked as clients ask.

covers: services.ews.availability_markup, services.access.availability, protocols.ews.availability
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from exchangelib import EWSTimeZone

from postern.items.working_hours import WorkingHours, written
from postern.model.availability import MAX_ASKED, BusyEvent, Told, WhenBusy
from postern.model.directory import RecipientType
from postern.model.folders import Right
from postern.model.item_store import Busy
from postern.model.mailbox import MailboxError
from postern.protocols.ews.ids import ItemId, read_id
from postern.protocols.ical.bias_zones import BiasZone, Change
from postern.services.access.availability import MAX_MEMBERS, FreeBusy, Problem
from postern.services.mailbox import working_hours
from tests.services.dav.site import ALICE, BOB, guid_of, recipient_of
from tests.services.ews.exchange import account
from tests.services.ews.site import NAMES, Answer, EwsDoor, EwsSite
from tests.services.mailbox.calendars import calendar_of, put

TEAM = "team@example.test"
BERLIN = BiasZone(-60, Change(0, 10, 5, 0, 180), Change(-60, 3, 5, 0, 120))
ZONE = (
    "<t:TimeZone><t:Bias>-60</t:Bias>"
    "<t:StandardTime><t:Bias>0</t:Bias><t:Time>03:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>10</t:Month>"
    "<t:DayOfWeek>Sunday</t:DayOfWeek></t:StandardTime>"
    "<t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>3</t:Month>"
    "<t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime></t:TimeZone>"
)
"""Berlin, as clients describe it."""


def mailbox(address: str, kind: str = "Required", excludes: str = "false") -> str:
    return (
        f"<t:MailboxData><t:Email><t:Address>{address}</t:Address></t:Email><t:AttendeeType>{kind}</t:AttendeeType>"
        f"<t:ExcludeConflicts>{excludes}</t:ExcludeConflicts></t:MailboxData>"
    )


def window(name: str, start: str, end: str) -> str:
    return f"<t:{name}><t:StartTime>{start}</t:StartTime><t:EndTime>{end}</t:EndTime></t:{name}>"


def free_busy(
    view: str = "DetailedMerged",
    start: str = "2026-03-02T00:00:00",
    end: str = "2026-03-03T00:00:00",
    minutes: str = "60",
) -> str:
    return (
        f"<t:FreeBusyViewOptions>{window('TimeWindow', start, end)}<t:MergedFreeBusyIntervalInMinutes>{minutes}"
        f"</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>{view}</t:RequestedView></t:FreeBusyViewOptions>"
    )


def suggestions(*options: str, start: str = "2099-03-02T00:00:00", end: str = "2099-03-04T00:00:00") -> str:
    values = dict(each.split("=") for each in options)
    names = (
        *("GoodThreshold", "MaximumResultsByDay", "MaximumNonWorkHourResultsByDay", "MeetingDurationInMinutes"),
        "MinimumSuggestionQuality",
    )
    markup = "".join([f"<t:{name}>{values[name]}</t:{name}>" for name in names if name in values])
    markup += window("DetailedSuggestionsWindow", start, end)
    markup += f"<t:GlobalObjectId>{values['GlobalObjectId']}</t:GlobalObjectId>" if "GlobalObjectId" in values else ""
    return f"<t:SuggestionsViewOptions>{markup}</t:SuggestionsViewOptions>"


def request(*parts: str, mailboxes: str = mailbox(BOB), zone: str = ZONE) -> str:
    array = f"<m:MailboxDataArray>{mailboxes}</m:MailboxDataArray>"
    return f"<m:GetUserAvailabilityRequest>{zone}{array}{''.join(parts)}</m:GetUserAvailabilityRequest>"


def views(answer: Answer) -> list[str]:
    return answer.texts(".//t:FreeBusyViewType")


def codes(answer: Answer) -> list[str]:
    return answer.texts("m:FreeBusyResponseArray/m:FreeBusyResponse/m:ResponseMessage/m:ResponseCode")


NINE = (
    "DTSTART;TZID=Europe/Berlin:20260302T090000",
    "DTEND;TZID=Europe/Berlin:20260302T103000",
    "SUMMARY:R&D",
    "LOCATION:Room <1>",
)


async def _with_bob(site: EwsSite, rights: Right | None = None) -> int:
    """The id of an appointment of bob."""
    item = await put(site.mailboxes, guid_of(BOB), *NINE, "ATTENDEE:mailto:x@example.test")
    if rights is not None:
        calendar = await calendar_of(site.mailboxes, guid_of(BOB))
        await site.mailboxes.set_rights(guid_of(BOB), calendar, guid_of(ALICE), rights)
    return item


def test_others_see_times_in_the_zone_of_the_request() -> None:
    async def steps() -> None:
        site = EwsSite()
        await _with_bob(site)
        answer = await site.ask(request(free_busy()))
        assert (codes(answer), views(answer)) == (["NoError"], ["FreeBusyMerged"])
        assert answer.texts(".//t:MergedFreeBusy") == ["0" * 9 + "22" + "0" * 13]
        assert answer.texts(".//t:CalendarEvent/t:StartTime") == ["2026-03-02T09:00:00"]
        assert answer.texts(".//t:CalendarEvent/t:EndTime") == ["2026-03-02T10:30:00"]
        assert answer.texts(".//t:CalendarEvent/t:BusyType") == ["Busy"]
        assert not answer.all(".//t:CalendarEventDetails") and "R&amp;D" not in answer.text
        hours = answer.find(".//t:WorkingHours")
        assert hours.findtext("t:TimeZone/t:Bias", "", NAMES) == "-60"
        assert hours.findtext(".//t:WorkingPeriod/t:DayOfWeek", "", NAMES) == "Monday Tuesday Wednesday Thursday Friday"
        assert answer.texts(".//t:StartTimeInMinutes") == ["480"]

    asyncio.run(steps())


@pytest.mark.parametrize("version", ["Exchange2007", "Exchange2007_SP1", "Exchange2010", "Exchange2013"])
def test_those_with_the_right_see_details(version: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await _with_bob(site, Right.FREE_BUSY_DETAILED)
        answer = await site.ask(request(free_busy()), version=version)
        assert views(answer) == ["DetailedMerged"]
        assert answer.texts(".//t:Subject") == ["R&D"] and answer.texts(".//t:Location") == ["Room <1>"]
        assert answer.texts(".//t:IsMeeting") == ["true"] and answer.texts(".//t:ID") == []
        calendar = await calendar_of(site.mailboxes, guid_of(BOB))
        site = EwsSite()
        item = await _with_bob(site, Right.READ_ANY)
        (hexadecimal,) = (await site.ask(request(free_busy("Detailed")), version=version)).texts(".//t:ID")
        told = read_id(base64.b64encode(bytes.fromhex(hexadecimal)).decode())
        assert told == ItemId(guid_of(BOB), item) and calendar

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("asked", "told", "has_digits", "has_events"),
    [
        ("MergedOnly", "MergedOnly", True, False),
        ("FreeBusy", "FreeBusy", False, True),
        ("FreeBusyMerged", "FreeBusyMerged", True, True),
        ("Detailed", "Detailed", False, True),
        ("MergedOnly Detailed", "DetailedMerged", True, True),
    ],
)
def test_a_view_has_what_was_asked_for(asked: str, told: str, has_digits: bool, has_events: bool) -> None:
    async def steps() -> None:
        site = EwsSite()
        await _with_bob(site)
        answer = await site.ask(request(free_busy(asked)), BOB)
        assert views(answer) == [told]
        assert bool(answer.all(".//t:MergedFreeBusy")) is has_digits
        assert bool(answer.all(".//t:CalendarEvent")) is has_events
        assert bool(answer.all(".//t:CalendarEventDetails")) is ("Detailed" in told)

    asyncio.run(steps())


def test_each_mailbox_has_its_own_error() -> None:
    async def steps() -> None:
        site = EwsSite()
        await _with_bob(site, Right(0))
        many = "RRULE:FREQ=SECONDLY;COUNT=1100"
        await put(site.mailboxes, guid_of(ALICE), *NINE[:1], "DURATION:PT1S", many)
        everybody = "".join(map(mailbox, ("nobody@example.test", BOB.upper(), ALICE, "x@other.test")))
        answer = await site.ask(request(free_busy(), mailboxes=everybody))
        assert codes(answer) == [
            "ErrorMailRecipientNotFound",
            "ErrorNoFreeBusyAccess",
            "ErrorResultSetTooBig",
            "ErrorMailRecipientNotFound",
        ]
        assert views(answer) == ["None"] * 4

    asyncio.run(steps())


def test_a_group_is_told_as_a_whole() -> None:
    async def steps() -> None:
        site = EwsSite()
        await _with_bob(site)
        tentative = ("DTSTART:20260302T120000Z", "DTEND:20260302T130000Z", "STATUS:TENTATIVE")
        await put(site.mailboxes, guid_of(ALICE), *tentative)
        group = replace(recipient_of(TEAM), type=RecipientType.GROUP, database="")
        inner = replace(recipient_of("inner@example.test"), type=RecipientType.GROUP, database="")
        site.recipients.known |= {
            TEAM: replace(group, members=(ALICE, "inner@example.test", "gone@example.test")),
            "inner@example.test": replace(inner, members=(BOB, TEAM)),
        }
        answer = await site.ask(request(free_busy(), mailboxes=mailbox(TEAM)))
        assert (codes(answer), views(answer)) == (["NoError"], ["MergedOnly"])
        assert answer.texts(".//t:MergedFreeBusy") == ["0" * 9 + "220010" + "0" * 9]
        members = tuple(f"{number}@example.test" for number in range(MAX_MEMBERS + 1))
        site.recipients.known[TEAM] = replace(group, members=members)
        then = free_busy(start="2099-03-02T00:00:00", end="2099-03-03T00:00:00")
        answer = await site.ask(request(then, suggestions(), mailboxes=mailbox(TEAM)))
        assert codes(answer) == ["ErrorFreeBusyDLLimitReached"]
        answer_of_2007 = await site.ask(request(then, mailboxes=mailbox(TEAM)), version="Exchange2007")
        assert codes(answer_of_2007) == ["ErrorResultSetTooBig"]
        assert answer.all(".//t:TooBigGroupAttendeeConflictData")
        site.recipients.known[TEAM] = group
        assert (await site.ask(request(free_busy(), mailboxes=mailbox(TEAM)))).texts(".//t:MergedFreeBusy") == [
            "0" * 24
        ]

    asyncio.run(steps())


def test_suggestions_avoid_conflicts_and_say_who_has_them() -> None:
    async def steps() -> None:
        site = EwsSite()
        busy = ("DTSTART;TZID=Europe/Berlin:20990302T080000", "DTEND;TZID=Europe/Berlin:20990302T140000")
        await put(site.mailboxes, guid_of(BOB), *busy)
        await calendar_of(site.mailboxes, guid_of(ALICE))
        hours = WorkingHours(0b0111110, 8 * 60, 16 * 60, BERLIN, "Berlin")
        await working_hours.write(site.mailboxes, guid_of(ALICE), hours)
        group = replace(
            recipient_of(TEAM), type=RecipientType.GROUP, database="", members=(BOB, ALICE, "gone@example.test")
        )
        site.recipients.known[TEAM] = group
        people = (
            mailbox(ALICE, "Organizer") + mailbox(BOB) + mailbox(TEAM, "Optional") + mailbox("no@x.test", "Optional")
        )
        options = ("MaximumResultsByDay=2", "MeetingDurationInMinutes=60", "MinimumSuggestionQuality=Excellent")
        answer = await site.ask(request(suggestions(*options), mailboxes=people))
        assert not answer.all("m:FreeBusyResponseArray")
        days = answer.all(".//t:SuggestionDayResult")
        told = [(day.findtext("t:Date", "", NAMES), day.findtext("t:DayQuality", "", NAMES)) for day in days]
        assert told == [("2099-03-02T00:00:00", "Excellent"), ("2099-03-03T00:00:00", "Excellent")]
        times = answer.texts(".//t:MeetingTime")
        assert times == ["2099-03-02T14:00:00", "2099-03-02T14:30:00", "2099-03-03T08:00:00", "2099-03-03T08:30:00"]
        worst = ("MaximumResultsByDay=1", "MinimumSuggestionQuality=Poor")
        answer = await site.ask(request(suggestions(*worst, end="2099-03-02T12:00:00"), mailboxes=people))
        (conflicts,) = answer.all(".//t:AttendeeConflictDataArray")
        assert [each.tag.rpartition("}")[2] for each in conflicts] == [
            "IndividualAttendeeConflictData",
            "IndividualAttendeeConflictData",
            "GroupAttendeeConflictData",
            "UnknownAttendeeConflictData",
        ]
        assert [each.text for each in conflicts.iter() if each.text] == ["Free", "Busy", "3", "1", "1", "1"]
        assert answer.texts(".//t:SuggestionQuality") == ["Poor"] and answer.texts(".//t:IsWorkTime") == ["true"]
        excluded = mailbox(ALICE, "Organizer") + mailbox(BOB, "Optional", "true")
        answer = await site.ask(request(suggestions(*options, end="2099-03-03T00:00:00"), mailboxes=excluded))
        assert answer.texts(".//t:MeetingTime")[0] == "2099-03-02T14:00:00"

    asyncio.run(steps())


def test_the_meeting_that_is_planned_anew_is_no_conflict() -> None:
    async def steps() -> None:
        site = EwsSite()
        uid = "040000008200E00074C5B7101A82E00800000000" + "00" * 20
        busy = ("DTSTART:20990302T000000Z", "DTEND:20990305T000000Z")
        await put(site.mailboxes, guid_of(BOB), *busy, uid=uid)
        options = ("MaximumResultsByDay=1",)
        assert not (await site.ask(request(suggestions(*options)))).texts(".//t:MeetingTime")
        for written_id in (uid, base64.b64encode(bytes.fromhex(uid)).decode()):
            told = await site.ask(request(suggestions(*options, f"GlobalObjectId={written_id.replace('=', '')}")))
            if told.status == 200:
                assert told.texts(".//t:MeetingTime")

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (request(free_busy(), zone=""), "ErrorTimeZone"),
        (request(free_busy(), zone=ZONE.replace("Sunday", "Someday")), "ErrorSchemaValidation"),
        (request(free_busy(), zone=ZONE.replace("<t:Bias>-60", "<t:Bias>-6000")), "ErrorTimeZone"),
        (request(), "ErrorMissingArgument"),
        (request(free_busy(), mailboxes=""), "ErrorMailboxDataArrayEmpty"),
        (request(free_busy(), mailboxes=mailbox(BOB) * 101), "ErrorMailboxDataArrayTooBig"),
        (request(free_busy(), mailboxes=mailbox("")), "ErrorInvalidArgument"),
        (request(free_busy(), mailboxes=mailbox(BOB, "Boss")), "ErrorSchemaValidation"),
        (request(free_busy("None")), "ErrorInvalidFreeBusyViewType"),
        (request(free_busy("")), "ErrorInvalidFreeBusyViewType"),
        (request(free_busy(minutes="4")), "ErrorInvalidMergedFreeBusyInterval"),
        (request(free_busy(minutes="x")), "ErrorSchemaValidation"),
        (request(free_busy(end="2026-03-02T00:00:00")), "ErrorInvalidTimeInterval"),
        (request(free_busy(end="2026-05-04T00:00:00")), "ErrorTimeIntervalTooBig"),
        (request(free_busy(end="soon")), "ErrorSchemaValidation"),
        (request(suggestions(), free_busy()), "ErrorTimeIntervalTooBig"),
        (request(suggestions("GoodThreshold=51")), "ErrorInvalidArgument"),
        (request(suggestions("MinimumSuggestionQuality=Superb")), "ErrorSchemaValidation"),
        (request(suggestions("GlobalObjectId=?")), "ErrorInvalidArgument"),
    ],
)
def test_a_request_that_is_wrong_gets_a_fault(body: str, code: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        answer = await site.ask(body)
        assert (answer.status, answer.fault) == (500, code)

    asyncio.run(steps())


def test_later_clients_say_their_zone_in_the_header() -> None:
    async def steps() -> None:
        site = EwsSite()
        await _with_bob(site)
        header = '<t:TimeZoneContext><t:TimeZoneDefinition Id="W. Europe Standard Time"/></t:TimeZoneContext>'
        answer = await site.ask(request(free_busy(), zone=""), header=header, version="Exchange2010")
        assert answer.texts(".//t:CalendarEvent/t:StartTime") == ["2026-03-02T09:00:00"]
        assert answer.texts(".//t:WorkingHours/t:TimeZone/t:DaylightTime/t:Bias") == ["-60"]
        offsets = free_busy(start="2026-03-02T00:00:00Z", end="2026-03-03T00:00:00Z")
        answer = await site.ask(request(offsets, zone=""), header=header, version="Exchange2010")
        assert answer.texts(".//t:MergedFreeBusy") == ["0" * 8 + "22" + "0" * 14]

    asyncio.run(steps())


class Servers:
    """Mailbox servers that count their calls."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.down = False

    async def when_busy(self, asked: Any, *_: object) -> list[WhenBusy]:
        self.calls.append(len(asked))
        if self.down:
            raise MailboxError("UNAVAILABLE", "down")
        return [WhenBusy(Told.TIME, (BusyEvent(0, 1, Busy.BUSY),))] * len(asked)


class Others:
    """One other organization."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def serves(self, domain: str) -> bool:
        return domain == "other.test"

    async def when_busy(self, domain: str, addresses: Any, span: object) -> list[WhenBusy | Problem]:
        self.asked += addresses
        return [Problem.FOREIGN if address.startswith("x") else WhenBusy(Told.TIME) for address in addresses]


def test_all_servers_are_asked_in_calls_of_a_bounded_size() -> None:
    async def steps() -> None:
        site = EwsSite()
        people = [f"{number}@example.test" for number in range(MAX_ASKED + 5)]
        for number, address in enumerate(people):
            site.recipients.known[address] = replace(recipient_of(address), database="far" if number == 3 else "db")
        servers, others = {"db": Servers(), "far": Servers()}, Others()
        servers["far"].down = True
        contact = replace(
            recipient_of("friend@example.test"), type=RecipientType.CONTACT, database="", target="Y@Other.test"
        )
        site.recipients.known["friend@example.test"] = contact
        lookup: Callable[[str], Any] = servers.get
        free_busy = FreeBusy(site.recipients, site.sharing, lookup, others)  # type: ignore[arg-type]  # the fake has what is asked for
        asked = [*people, "x@other.test", "friend@example.test", "z@nowhere.test"]
        found = await free_busy.when_busy(guid_of(ALICE), asked, None, False)  # type: ignore[arg-type]  # nobody looks at the span
        assert servers["db"].calls == [MAX_ASKED, 4] and servers["far"].calls == [1]
        assert [each.problem for each in found] == [
            *[Problem.UNREACHABLE if number == 3 else None for number in range(len(people))],
            Problem.FOREIGN,
            None,
            Problem.NOBODY,
        ]
        assert others.asked == ["x@other.test", "y@other.test"]

    asyncio.run(steps())


def test_exchangelib_asks(tmp_path: Path) -> None:
    async def steps() -> None:
        door = EwsDoor()
        bob = door.guid(BOB)
        await put(door.mailboxes, bob, *NINE)
        calendar = await calendar_of(door.mailboxes, bob)
        await door.mailboxes.set_rights(bob, calendar, door.guid(ALICE), Right.FREE_BUSY_DETAILED)
        await working_hours.write(door.mailboxes, bob, WorkingHours(zone=BERLIN, name="x"))
        zone = EWSTimeZone("Europe/Berlin")
        start, end = (datetime(2026, 3, day, tzinfo=zone) for day in (2, 3))

        room = "room@example.test"
        door.recipients.known[room] = replace(recipient_of(room), type=RecipientType.ROOM)
        await put(
            door.mailboxes, guid_of(room), "DTSTART:20260302T120000Z", "DTEND:20260302T130000Z", "STATUS:TENTATIVE"
        )

        def work() -> list[Any]:
            user = account(door, tmp_path, ALICE)
            asked = [(BOB, "Required", False), (room, "Room", True), ("nobody@example.test", "Optional", False)]
            return list(user.protocol.get_free_busy_info(asked, start, end, merged_free_busy_interval=60))

        async with door.opened_to_ews():
            view, of_room, error = await door.beside(work)
        assert view.view_type == "DetailedMerged" and view.merged == "0" * 9 + "22" + "0" * 13
        (event,) = view.calendar_events
        assert event.start == datetime(2026, 3, 2, 9, tzinfo=ZoneInfo("Europe/Berlin"))
        assert (event.busy_type, event.details.subject, event.details.location) == ("Busy", "R&D", "Room <1>")
        (hours,) = view.working_hours
        assert (hours.start.hour, hours.end.hour) == (8, 17) and view.working_hours_timezone.bias == -60
        assert of_room.view_type == "FreeBusyMerged" and of_room.merged == "0" * 13 + "1" + "0" * 10
        assert type(error).__name__ == "ErrorMailRecipientNotFound"

    asyncio.run(steps())


def test_working_hours_are_those_that_programs_keep() -> None:
    async def steps() -> None:
        site = EwsSite()
        xml = base64.b64encode(written(WorkingHours(0b0000110, 600, 900, BERLIN, "Berlin")).encode()).decode()
        name = '<t:UserConfigurationName Name="WorkHours"><t:DistinguishedFolderId Id="calendar"/></t:UserConfigurationName>'
        kept = f"<m:UserConfiguration>{name}<t:XmlData>{xml}</t:XmlData></m:UserConfiguration>"
        await calendar_of(site.mailboxes, guid_of(BOB))
        made = await site.ask(f"<m:CreateUserConfiguration>{kept}</m:CreateUserConfiguration>", BOB)
        assert made.codes == ["NoError"]
        answer = await site.ask(request(free_busy()))
        assert answer.texts(".//t:WorkingPeriod/t:DayOfWeek") == ["Monday Tuesday"]
        assert answer.texts(".//t:StartTimeInMinutes") == ["600"]

    asyncio.run(steps())


def _changes(standard: str, daylight: str) -> str:
    parts = f"<t:StandardTime>{standard}</t:StandardTime><t:DaylightTime>{daylight}</t:DaylightTime>"
    return f"<t:TimeZone><t:Bias>-60</t:Bias>{parts}</t:TimeZone>"


def _on(bias: int, month: int, order: int = 1) -> str:
    return (
        f"<t:Bias>{bias}</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>{order}</t:DayOrder><t:Month>{month}</t:Month>"
        "<t:DayOfWeek>Sunday</t:DayOfWeek>"
    )


@pytest.mark.parametrize(
    "zone",
    [
        "<t:TimeZone><t:Bias>-60</t:Bias></t:TimeZone>",  # exchangelib before 5
        _changes(_on(0, 0, 0), _on(0, 0, 0)),
        _changes(_on(0, 3), _on(0, 10)),  # ews-java-api's zone of places without summer time
        _changes(_on(0, 1), _on(0, 1)),
        _changes(_on(-60, 10), _on(-60, 3)).replace("<t:TimeZone><t:Bias>-60", "<t:TimeZone><t:Bias>0"),
    ],
)
def test_zones_as_clients_write_them_for_places_without_summer_time(zone: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        await _with_bob(site)
        answer = await site.ask(request(free_busy(), zone=zone))
        assert answer.texts(".//t:CalendarEvent/t:StartTime") == ["2026-03-02T09:00:00"]

    asyncio.run(steps())
