"""Requests for appointments in the cases that users of clients reported of other servers. Each test names the report.

covers: calendar_deleting, meeting_answers, services.ews.fields.calendar_read, time_zones
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

import pytest

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject
from postern.items.stored import values_of
from postern.model.folders import FolderKind
from postern.protocols.ews.ids import ItemId
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.post import Post
from tests.services.ews.site import EwsSite
from tests.services.ews.test_calendar_items import (
    DAILY,
    FIVE,
    HOUR,
    ZONE,
    changed,
    deleted,
    id_of,
    made,
    occurrence,
    read,
)
from tests.services.ews.test_find_calendar import view
from tests.services.ews.test_meetings import answer, invited, messages
from tests.services.ews.test_meetings import work as meet

OWN_START, OWN_END = (f".//m:Items/t:CalendarItem/t:{name}" for name in ("Start", "End"))
DECEMBER = ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z")


def work(steps: Callable[[EwsSite], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        await steps(EwsSite())

    asyncio.run(all_steps())


async def put(site: EwsSite, lines: str) -> str:
    """Keeps an appointment as DAV would; returns its id. `lines` are those that say when it is."""
    content = f"BEGIN:VEVENT\nUID:u1\nDTSTAMP:20261101T000000Z\nSUMMARY:x\n{lines}\nEND:VEVENT"
    octets = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{content}\nEND:VCALENDAR\n".replace("\n", "\r\n").encode()
    folder = await site.folder(FolderKind.CALENDAR)
    parsed = calendar_object.read(octets)
    assert isinstance(parsed, CalendarObject)
    kept = await site.mailboxes.put(guid_of(ALICE), folder, "a.ics", octets, "IPM.Appointment", values_of(parsed, 0))
    return str(ItemId(guid_of(ALICE), kept.id))


@pytest.mark.parametrize("tzid", ["tzone://Microsoft/Utc", "Zulu", "Etc/UTC", "UTC", "Etc/Greenwich"])
def test_utc_by_another_name_is_utc(tzid: str) -> None:
    """GNOME/evolution-ews#85: the zone of meetings of Teams was known to nobody."""

    async def steps(site: EwsSite) -> None:
        item = await put(site, f'DTSTART;TZID="{tzid}":20261201T090000\nDURATION:PT1H')
        told = await site.ask(read(item))
        assert told.texts(".//t:Start") == ["2026-12-01T09:00:00Z"]
        assert [each.attrib["Id"] for each in told.all(".//t:StartTimeZone")] == ["UTC"]

    work(steps)


def test_a_zone_alone_moves_an_appointment() -> None:
    """mguessan/davmail#419: an update of StartTimeZone was refused. The clock shows the same as before, in the new zone."""

    async def steps(site: EwsSite) -> None:
        pacific = '<t:StartTimeZone Id="Pacific Standard Time"/>'
        item = id_of(await site.ask(made(f"{HOUR}{ZONE}")))
        assert (await site.ask(changed(item, "calendar:StartTimeZone", pacific))).codes == ["NoError"]
        told = await site.ask(read(item))
        assert [told.texts(each)[0] for each in (OWN_START, OWN_END)] == [
            "2026-12-01T17:00:00Z",
            "2026-12-01T18:00:00Z",
        ]
        # A whole day stays the day that it is.
        day = "<t:Start>2026-12-01T00:00:00+01:00</t:Start><t:End>2026-12-02T00:00:00+01:00</t:End>"
        item = id_of(await site.ask(made(f"{day}<t:IsAllDayEvent>true</t:IsAllDayEvent>{ZONE}")))
        assert (await site.ask(changed(item, "calendar:StartTimeZone", pacific))).codes == ["NoError"]
        told = await site.ask(read(item))
        assert [told.texts(each)[0] for each in (OWN_START, OWN_END)] == [
            "2026-12-01T08:00:00Z",
            "2026-12-02T08:00:00Z",
        ]
        # Times that are said stay what they are.
        item = id_of(await site.ask(made(f"{HOUR}{ZONE}")))
        assert (await site.ask(changed(item, "calendar:Start", "<t:Start>2026-12-01T07:00:00Z</t:Start>"))).codes == [
            "NoError"
        ]
        assert (await site.ask(read(item))).texts(OWN_END) == ["2026-12-01T09:00:00Z"]

    work(steps)


def test_times_of_occurrences_are_those_of_the_series() -> None:
    """mustang-im/mustang#1186 and #1401: exceptions of a series of whole days were at no time that the series has.
    ecederstrand/exchangelib#291: they were one hour off after summer time."""

    async def steps(site: EwsSite) -> None:
        days = (
            "<t:Start>2026-12-01T00:00:00+01:00</t:Start><t:End>2026-12-02T00:00:00+01:00</t:End>"
            f"<t:IsAllDayEvent>true</t:IsAllDayEvent><t:Recurrence>{DAILY}{FIVE}</t:Recurrence>{ZONE}"
        )
        item = id_of(await site.ask(made(days)))
        second = id_of(await site.ask(read(occurrence(item, 2))))
        third = id_of(await site.ask(read(occurrence(item, 3))))
        assert (await site.ask(deleted(second))).codes == ["NoError"]
        assert (await site.ask(changed(third, "item:Subject", "<t:Subject>Tea</t:Subject>"))).codes == ["NoError"]
        series = await site.ask(read(item))
        assert series.texts(".//t:DeletedOccurrence/t:Start") == ["2026-12-01T23:00:00Z"]
        assert series.texts(".//t:ModifiedOccurrences//t:OriginalStart") == ["2026-12-02T23:00:00Z"]
        assert (await site.ask(read(third))).texts(".//t:OriginalStart") == ["2026-12-02T23:00:00Z"]
        assert series.texts(".//t:FirstOccurrence/t:OriginalStart") == series.texts(".//t:CalendarItem/t:Start")[:1]
        # The dates of a pattern have no offset, as gautamsi/ews-javascript-api#134 needs it, and are read with one.
        weekly = (
            "<t:Start>2026-10-22T13:30:00-07:00</t:Start><t:End>2026-10-22T14:30:00-07:00</t:End><t:Recurrence>"
            "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday Thursday</t:DaysOfWeek></t:WeeklyRecurrence>"
            "<t:EndDateRecurrence><t:StartDate>2026-10-22-07:00</t:StartDate><t:EndDate>2026-12-31Z</t:EndDate>"
            '</t:EndDateRecurrence></t:Recurrence><t:StartTimeZone Id="Pacific Standard Time"/>'
        )
        item = id_of(await site.ask(made(weekly)))
        sixth = id_of(await site.ask(read(occurrence(item, 6))))
        assert (await site.ask(changed(sixth, "item:Subject", "<t:Subject>Tea</t:Subject>"))).codes == ["NoError"]
        series = await site.ask(read(item))
        assert series.texts(".//t:ModifiedOccurrences//t:OriginalStart") == ["2026-11-10T21:30:00Z"]
        assert series.texts(".//t:StartDate") == ["2026-10-22"] and series.texts(".//t:EndDate") == ["2026-12-31"]

    work(steps)


@pytest.mark.parametrize("version", ["Exchange2007_SP1", "Exchange2010_SP2", "Exchange2013"])
def test_properties_stand_within_their_items(version: str) -> None:
    """elastic/connectors#4287: EndTimeZone stood beside the CalendarItem. ecederstrand/exchangelib#100, grommunio/gromox#188:
    what another kind of item has is left out."""

    async def steps(site: EwsSite) -> None:
        items = (
            "<t:Contact><t:GivenName>x</t:GivenName></t:Contact>",
            f"<t:CalendarItem><t:Subject>x</t:Subject>{HOUR}</t:CalendarItem>",
            "<t:Task><t:Subject>x</t:Subject></t:Task>",
            "<t:Message><t:Subject>x</t:Subject></t:Message>",
        )
        ids = [
            id_of(
                await site.ask(
                    '<m:CreateItem MessageDisposition="SaveOnly" SendMeetingInvitations="SendToNone">'
                    f"<m:Items>{each}</m:Items></m:CreateItem>"
                )
            )
            for each in items
        ]
        uris = ["calendar:Start", "calendar:End", "contacts:DisplayName", "task:Status", "item:ResponseObjects"]
        if version != "Exchange2007_SP1":
            uris += ["calendar:StartTimeZone", "calendar:EndTimeZone", "meeting:AssociatedCalendarItemId"]
        if version == "Exchange2013":
            uris.append("item:Preview")
        paths = "".join([f'<t:FieldURI FieldURI="{uri}"/>' for uri in uris])
        shape = f"<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{paths}</t:AdditionalProperties>"
        named = "".join([f'<t:ItemId Id="{each}"/>' for each in ids])
        told = await site.ask(
            f"<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds>{named}</m:ItemIds></m:GetItem>", version=version
        )
        assert told.codes == ["NoError"] * 4
        kinds = [each.tag.rpartition("}")[2] for each in told.all(".//m:Items/*")]
        assert kinds == ["Contact", "CalendarItem", "Task", "Message"]

    work(steps)


def test_a_meeting_is_answered_once_more() -> None:
    """mustang-im/mustang#746: after a refusal, an internal error. mguessan/davmail#336: ErrorCorruptData for an answer with
    SendMeetingInvitations. mguessan/davmail#512: the organizer is told why he does not answer."""

    async def steps(site: EwsSite, post: Post) -> None:
        item = await invited(site, post)
        request = id_of(await messages(site))

        def davmail(name: str, named: str) -> str:
            return answer(name, named).replace(
                "<m:CreateItem ", '<m:CreateItem SendMeetingInvitations="SendToAllAndSaveCopy" '
            )

        copy = id_of(await site.ask(davmail("AcceptItem", request), BOB))
        assert (await site.ask(davmail("DeclineItem", copy), BOB)).codes == ["NoError"]
        assert not (await site.ask(view(*DECEMBER), BOB)).all(".//t:CalendarItem")
        assert (await site.ask(davmail("AcceptItem", copy), BOB)).codes == ["ErrorItemNotFound"]
        # The request is still there, among the deleted items.
        listed = await site.ask(
            '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:ParentFolderIds>'
            '<t:DistinguishedFolderId Id="deleteditems"/></m:ParentFolderIds></m:FindItem>',
            BOB,
        )
        shape = "<t:BaseShape>Default</t:BaseShape>"
        ids = "".join([f'<t:ItemId Id="{each.attrib["Id"]}"/>' for each in listed.all(".//t:ItemId")])
        whole = await site.ask(
            f"<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds>{ids}</m:ItemIds></m:GetItem>", BOB
        )
        again = whole.find(".//t:MeetingRequest/t:ItemId").attrib["Id"]
        assert (await site.ask(davmail("TentativelyAcceptItem", again), BOB)).codes == ["NoError"]
        assert len((await site.ask(view(*DECEMBER), BOB)).all(".//t:CalendarItem")) == 1
        assert (await site.ask(davmail("AcceptItem", item))).codes == ["ErrorCalendarIsOrganizerForAccept"]

    meet(steps)


def test_an_appointment_in_the_trash_is_deleted_as_any_other() -> None:
    """mustang-im/mustang#1437: SendMeetingCancellations is asked for there, too, as by Exchange; a request needs none."""

    async def steps(site: EwsSite, post: Post) -> None:
        await invited(site, post)
        request = id_of(await messages(site))
        bare = f'<m:DeleteItem DeleteType="HardDelete"><m:ItemIds><t:ItemId Id="{request}"/></m:ItemIds></m:DeleteItem>'
        assert (await site.ask(bare, BOB)).codes == ["NoError"]
        (mine,) = [each.attrib["Id"] for each in (await site.ask(view(*DECEMBER))).all(".//t:CalendarItem/t:ItemId")]
        bare = bare.replace(request, mine)
        assert (await site.ask(bare)).codes == ["ErrorSendMeetingCancellationsRequired"]
        assert (await site.ask(deleted(mine))).codes == ["NoError"]

    meet(steps)


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        ("DTSTART:20261206T100000Z", "2026-12-06T10:00:00Z"),
        ("DTSTART;VALUE=DATE:20261205", "2026-12-06T00:00:00Z"),
        ("DTSTART:20261206T100000Z\nDTEND:20261206T100000Z", "2026-12-06T10:00:00Z"),
    ],
)
def test_appointments_without_a_length_have_an_end(lines: str, end: str) -> None:
    """Evolution's bugs 793606 and GNOME/evolution-ews#84: no event without DTEND, and none that ends when it begins."""

    async def steps(site: EwsSite) -> None:
        item = await put(site, lines)
        assert (await site.ask(read(item))).texts(".//t:End") == [end]
        assert len((await site.ask(view(*DECEMBER))).all(".//t:CalendarItem")) == 1

    work(steps)


@pytest.mark.parametrize(
    "pattern",
    [
        "<t:AbsoluteMonthlyRecurrence><t:Interval>1</t:Interval><t:DayOfMonth>31</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>",
        "<t:RelativeMonthlyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Day</t:DaysOfWeek>"
        "<t:DayOfWeekIndex>Last</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
    ],
)
def test_a_series_on_the_last_day_of_each_month(pattern: str) -> None:
    """Evolution's bug 775649: the server refused it. 770936: an empty list of categories."""

    async def steps(site: EwsSite) -> None:
        numbered = FIVE.replace("2026-12-01", "2026-12-31").replace(">5<", ">3<")
        times = HOUR.replace("2026-12-01", "2026-12-31")
        told = await site.ask(made(f"<t:Categories/>{times}<t:Recurrence>{pattern}{numbered}</t:Recurrence>{ZONE}"))
        item = id_of(told)
        series = await site.ask(read(item))
        assert series.texts(".//t:LastOccurrence/t:Start") == ["2027-02-28T08:00:00Z"]
        tag = pattern[1 : pattern.index(">")]
        assert len(series.all(f".//{tag}")) == 1

    work(steps)


def test_mime_content_of_a_series_has_its_exceptions() -> None:
    """Evolution's bugs 771370: a broken object where an occurrence had moved; 795414: a moved occurrence could not be deleted."""

    async def steps(site: EwsSite) -> None:
        moved = (
            "DTSTART:20261201T090000Z\nDTEND:20261201T100000Z\nRRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT\nBEGIN:VEVENT\nUID:u1\n"
            "DTSTAMP:20261101T000000Z\nRECURRENCE-ID:20261202T090000Z\nDTSTART:20261202T110000Z\nDTEND:20261202T120000Z"
        )
        item = await put(site, moved)
        second = id_of(await site.ask(read(occurrence(item, 2))))
        for each, starts in ((item, 2), (second, 1)):
            shape = "<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>"
            told = await site.ask(
                f'<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds><t:ItemId Id="{each}"/></m:ItemIds></m:GetItem>'
            )
            content = base64.b64decode(told.texts(".//t:MimeContent")[0])
            parsed = calendar_object.read(content)
            assert isinstance(parsed, CalendarObject) and calendar_object.check(parsed) is None
            assert content.count(b"BEGIN:VEVENT") == starts and b"DTSTART:20261202T110000Z" in content
        assert (await site.ask(deleted(second))).codes == ["NoError"]
        assert (await site.ask(read(item))).texts(".//t:DeletedOccurrence/t:Start") == ["2026-12-02T09:00:00Z"]

    work(steps)
