"""Appointments by Exchange Web Services: made, read, changed and deleted, as a whole and by occurrence.

covers: appointments, attendees, calendar_attachments, calendar_deleting, calendar_editor, calendar_span, calendar_times
covers: meeting_changes, neighbours, occurrences
covers: services.ews.fields.calendar, services.ews.fields.calendar_item, services.ews.fields.calendar_read
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
from postern.model.item_store import MAX_PROPERTY_OCTETS
from postern.protocols.ews.ids import ItemId, read_id
from postern.services.ews import access
from tests.services.dav.site import ALICE, BOB, event, guid_of
from tests.services.ews.site import Answer, EwsSite
from tests.services.ews.test_line_attachments import attach, file

ZONE = '<t:StartTimeZone Id="W. Europe Standard Time"/>'
HOUR = "<t:Start>2026-12-01T09:00:00+01:00</t:Start><t:End>2026-12-01T10:00:00+01:00</t:End>"
DAILY = "<t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence>"
FIVE = (
    "<t:NumberedRecurrence><t:StartDate>2026-12-01</t:StartDate><t:NumberOfOccurrences>5</t:NumberOfOccurrences>"
    "</t:NumberedRecurrence>"
)
SERIES = f"{HOUR}<t:Recurrence>{DAILY}{FIVE}</t:Recurrence>{ZONE}"


def made(more: str, mode: str = "SendToNone", subject: str = "Lunch") -> str:
    said = f' SendMeetingInvitations="{mode}"' if mode else ""
    return (
        f"<m:CreateItem{said}><m:Items><t:CalendarItem><t:Subject>{subject}</t:Subject>"
        f"{more}</t:CalendarItem></m:Items></m:CreateItem>"
    )


def read(*ids: str, base: str = "AllProperties") -> str:
    named = "".join([each if each.startswith("<") else f'<t:ItemId Id="{each}"/>' for each in ids])
    return (
        f"<m:GetItem><m:ItemShape><t:BaseShape>{base}</t:BaseShape></m:ItemShape>"
        f"<m:ItemIds>{named}</m:ItemIds></m:GetItem>"
    )


def changed(item: str, uri: str, value: str, mode: str = "SendToNone") -> str:
    field = f'<t:FieldURI FieldURI="{uri}"/>'
    update = (
        f"<t:SetItemField>{field}<t:CalendarItem>{value}</t:CalendarItem></t:SetItemField>"
        if value
        else f"<t:DeleteItemField>{field}</t:DeleteItemField>"
    )
    said = f' SendMeetingInvitationsOrCancellations="{mode}"' if mode else ""
    return (
        f'<m:UpdateItem ConflictResolution="AutoResolve"{said}><m:ItemChanges>'
        f'<t:ItemChange><t:ItemId Id="{item}"/><t:Updates>{update}</t:Updates></t:ItemChange>'
        "</m:ItemChanges></m:UpdateItem>"
    )


def deleted(item: str, mode: str = "SendToNone", how: str = "HardDelete") -> str:
    return (
        f'<m:DeleteItem DeleteType="{how}" SendMeetingCancellations="{mode}"><m:ItemIds>'
        f'<t:ItemId Id="{item}"/></m:ItemIds></m:DeleteItem>'
    )


def occurrence(item: str, index: int) -> str:
    return f'<t:OccurrenceItemId RecurringMasterId="{item}" InstanceIndex="{index}"/>'


def id_of(answer: Answer) -> str:
    return answer.find(".//t:ItemId").attrib["Id"]


def work(steps: Callable[[EwsSite], Awaitable[None]]) -> None:
    async def all_steps() -> None:
        await steps(EwsSite())

    asyncio.run(all_steps())


async def stored(site: EwsSite, address: str = ALICE) -> CalendarObject:
    """The one object in a calendar."""
    folder = await site.folder(FolderKind.CALENDAR, address)
    page = await site.mailboxes.resources(guid_of(address), folder)
    (resource,) = await site.mailboxes.named(guid_of(address), folder, page.names, True)
    read_ = calendar_object.read(resource.content or b"")
    assert isinstance(read_, CalendarObject) and calendar_object.check(read_) is None
    return read_


def test_an_appointment_is_made_as_dav_shows_it_and_read_again() -> None:
    async def steps(site: EwsSite) -> None:
        more = (
            "<t:Sensitivity>Private</t:Sensitivity>"
            '<t:Body BodyType="HTML">&lt;p&gt;Hello &lt;b&gt;you&lt;/b&gt;&lt;/p&gt;</t:Body>'
            "<t:Categories><t:String>Red</t:String><t:String>Blue</t:String></t:Categories><t:Importance>High</t:Importance>"
            "<t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>30</t:ReminderMinutesBeforeStart>"
            f"{HOUR}<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus><t:Location>Room 1</t:Location>{ZONE}"
        )
        item = id_of(await site.ask(made(more)))
        part = (await stored(site)).main
        assert part.value("DTSTART") == "20261201T090000"
        start = part.first("DTSTART")
        assert start is not None and start.parameter("TZID") == "Europe/Berlin"
        assert (part.value("CLASS"), part.value("LOCATION"), part.value("CATEGORIES")) == (
            "PRIVATE",
            "Room 1",
            "Red,Blue",
        )
        assert "VTIMEZONE" in {each.name for each in (await stored(site)).root.components()}
        told = await site.ask(read(item))
        for name, text in (
            ("Subject", "Lunch"),
            ("Sensitivity", "Private"),
            ("Body", "<p>Hello <b>you</b></p>"),
            ("Importance", "High"),
            ("ReminderIsSet", "true"),
            ("ReminderMinutesBeforeStart", "30"),
            ("Start", "2026-12-01T08:00:00Z"),
            ("End", "2026-12-01T09:00:00Z"),
            ("LegacyFreeBusyStatus", "OOF"),
            ("Location", "Room 1"),
            ("CalendarItemType", "Single"),
            ("Duration", "PT1H"),
        ):
            assert told.texts(f".//t:{name}") == [text], name
        assert told.texts(".//t:Categories/t:String") == ["Red", "Blue"]
        assert told.find(".//t:StartTimeZone").attrib["Id"] == "W. Europe Standard Time"

    work(steps)


def test_each_version_sees_its_own_zones() -> None:
    async def steps(site: EwsSite) -> None:
        zone = '<t:MeetingTimeZone TimeZoneName="Korea Standard Time"/>'
        times = "<t:Start>2026-12-01T09:00:00</t:Start><t:End>2026-12-01T10:00:00</t:End>"
        item = id_of(await site.ask(made(times + zone), version="Exchange2007_SP1"))
        told = await site.ask(read(item), version="Exchange2007_SP1")
        assert told.texts(".//t:Start") == ["2026-12-01T00:00:00Z"]
        assert told.find(".//t:MeetingTimeZone").attrib["TimeZoneName"] == "Korea Standard Time"
        assert not told.all(".//t:StartTimeZone")
        assert not (await site.ask(read(item), version="Exchange2007")).all(".//t:UID")

    work(steps)


def test_times_without_an_offset_are_in_the_zone_of_the_request() -> None:
    async def steps(site: EwsSite) -> None:
        context = '<t:TimeZoneContext><t:TimeZoneDefinition Id="Tokyo Standard Time"/></t:TimeZoneContext>'
        times = "<t:Start>2026-12-01T09:00:00</t:Start><t:End>2026-12-01T10:00:00</t:End>"
        item = id_of(await site.ask(made(times), header=context))
        assert (await site.ask(read(item))).texts(".//t:Start") == ["2026-12-01T00:00:00Z"]

    work(steps)


def test_days_begin_at_midnight_in_their_zone() -> None:
    async def steps(site: EwsSite) -> None:
        times = "<t:Start>2026-12-01T08:00:00Z</t:Start><t:End>2026-12-02T12:00:00Z</t:End>"
        item = id_of(await site.ask(made(f"{times}<t:IsAllDayEvent>true</t:IsAllDayEvent>{ZONE}")))
        part = (await stored(site)).main
        assert (part.value("DTSTART"), part.value("DTEND")) == ("20261201", "20261203")
        told = await site.ask(read(item))
        assert told.texts(".//t:Start") + told.texts(".//t:End") == ["2026-11-30T23:00:00Z", "2026-12-02T23:00:00Z"]
        assert told.texts(".//t:IsAllDayEvent") == ["true"]

    work(steps)


def test_a_series_has_occurrences_that_are_read_and_changed_by_themselves() -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(SERIES)))
        master = await site.ask(read(item))
        assert master.texts(".//t:CalendarItemType") == ["RecurringMaster"]
        assert master.texts(".//t:LastOccurrence/t:Start") == ["2026-12-05T08:00:00Z"]
        third = await site.ask(read(occurrence(item, 3)))
        assert third.texts(".//t:CalendarItemType") == ["Occurrence"]
        assert third.texts(".//t:Start") == ["2026-12-03T08:00:00Z"] and not third.all(".//t:Recurrence")
        one_day = id_of(third)
        assert (await site.ask(changed(one_day, "item:Subject", "<t:Subject>Tea</t:Subject>"))).codes == ["NoError"]
        moved = "<t:Start>2026-12-03T15:00:00+01:00</t:Start>"
        assert (await site.ask(changed(one_day, "calendar:Start", moved))).codes == [
            "ErrorCalendarEndDateIsEarlierThanStartDate"
        ]
        moved_end = "<t:End>2026-12-03T16:00:00+01:00</t:End>"
        assert (await site.ask(changed(one_day, "calendar:End", moved_end))).codes == ["NoError"]
        assert (await site.ask(changed(one_day, "calendar:Start", moved))).codes == ["NoError"]
        exception = await site.ask(read(one_day))
        assert exception.texts(".//t:CalendarItemType") == ["Exception"] and exception.texts(".//t:Subject") == ["Tea"]
        assert exception.texts(".//t:Start") == ["2026-12-03T14:00:00Z"]
        assert exception.texts(".//t:OriginalStart") == ["2026-12-03T08:00:00Z"]
        master = await site.ask(read(item))
        assert master.texts(".//t:Subject") == ["Lunch"]
        assert master.texts(".//t:ModifiedOccurrences/t:Occurrence/t:Start") == ["2026-12-03T14:00:00Z"]
        back = await site.ask(read(f'<t:RecurringMasterItemId OccurrenceId="{one_day}"/>'))
        assert back.texts(".//t:CalendarItemType") == ["RecurringMaster"]

    work(steps)


def test_an_occurrence_is_taken_out() -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(SERIES)))
        second = id_of(await site.ask(read(occurrence(item, 2))))
        assert (await site.ask(deleted(second))).codes == ["NoError"]
        master = await site.ask(read(item))
        assert master.texts(".//t:DeletedOccurrence/t:Start") == ["2026-12-02T08:00:00Z"]
        code = "ErrorCalendarOccurrenceIsDeletedFromRecurrence"
        assert (await site.ask(read(second, occurrence(item, 2)))).codes == [code, code]
        assert (await site.ask(deleted(second))).codes == [code]

    work(steps)


def test_a_series_that_is_moved_loses_its_exceptions() -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(SERIES)))
        second = id_of(await site.ask(read(occurrence(item, 2))))
        assert (await site.ask(changed(second, "item:Subject", "<t:Subject>Tea</t:Subject>"))).codes == ["NoError"]
        assert len((await stored(site)).parts) == 2
        weekly = (
            "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Wednesday</t:DaysOfWeek>"
            f"<t:FirstDayOfWeek>Monday</t:FirstDayOfWeek></t:WeeklyRecurrence>{FIVE}</t:Recurrence>"
        )
        assert (await site.ask(changed(item, "calendar:Recurrence", weekly))).codes == ["NoError"]
        calendar = await stored(site)
        # Its first occurrence is the first Wednesday.
        assert len(calendar.parts) == 1 and calendar.main.value("DTSTART") == "20261202T090000"
        assert (await site.ask(changed(item, "calendar:Recurrence", ""))).codes == ["NoError"]
        assert (await site.ask(read(item))).texts(".//t:CalendarItemType") == ["Single"]

    work(steps)


@pytest.mark.parametrize(
    ("index", "code"),
    [
        (0, "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"),
        (6, "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"),
        (10**9, "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"),
    ],
)
def test_there_is_no_occurrence_beyond_the_range(index: int, code: str) -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(SERIES)))
        assert (await site.ask(read(occurrence(item, index)))).codes == [code]

    work(steps)


def test_ids_of_occurrences_are_for_series_alone() -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(HOUR)))
        answer = await site.ask(read(occurrence(item, 1), f'<t:RecurringMasterItemId OccurrenceId="{item}"/>'))
        assert answer.codes == [
            "ErrorCalendarCannotUseIdForOccurrenceId",
            "ErrorCalendarCannotUseIdForRecurringMasterId",
        ]
        assert (await site.ask(read(occurrence(item, 1)), BOB)).codes == ["ErrorItemNotFound"]

    work(steps)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (
            HOUR.replace("T10:00", "T08:00"),
            "ErrorCalendarEndDateIsEarlierThanStartDate",
        ),
        (
            "<t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2036-12-01T08:00:00Z</t:End>",
            "ErrorCalendarDurationIsTooLong",
        ),
        (f'{HOUR}<t:StartTimeZone Id="Nowhere"/>', "ErrorCalendarInvalidTimeZone"),
        (f"{HOUR}<t:Recurrence>{DAILY}</t:Recurrence>", "ErrorCalendarInvalidRecurrence"),
        (f"{HOUR}<t:IsMeeting>true</t:IsMeeting>", "ErrorInvalidPropertySet"),
        ("<t:Start>tomorrow</t:Start>", "ErrorSchemaValidation"),
        (f"{HOUR}<t:ReminderMinutesBeforeStart>--5</t:ReminderMinutesBeforeStart>", "ErrorSchemaValidation"),
        (f"{HOUR}<t:ReminderMinutesBeforeStart>²</t:ReminderMinutesBeforeStart>", "ErrorSchemaValidation"),
        (f"{HOUR}<t:ConferenceType>²</t:ConferenceType>", "ErrorSchemaValidation"),
        (HOUR.replace("2026-", "9999-"), "ErrorCalendarOutOfRange"),
        (HOUR.replace("2026-12-01", "0001-01-01"), "ErrorCalendarOutOfRange"),
        (SERIES.replace("<t:StartDate>2026", "<t:StartDate>9000"), "ErrorCalendarOutOfRange"),
        (SERIES.replace("<t:StartDate>2026", "<t:StartDate>0001"), "ErrorCalendarOutOfRange"),
    ],
)
def test_what_makes_no_sense_is_refused(more: str, code: str) -> None:
    async def steps(site: EwsSite) -> None:
        assert (await site.ask(made(more))).codes == [code]

    work(steps)


@pytest.mark.parametrize("mode", ["SendToNone", "SendToAllAndSaveCopy"])
def test_a_calendar_has_each_uid_once(mode: str) -> None:
    """CalDAV's clients know an appointment by its UID (RFC 4791 section 4.1)."""

    async def steps(site: EwsSite) -> None:
        bob = f"<t:Attendee><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></t:Attendee>"
        people = f"<t:RequiredAttendees>{bob}</t:RequiredAttendees>"
        meeting = made(f"<t:UID>u1</t:UID>{HOUR}{people}", mode)
        assert [(await site.ask(meeting)).codes for _ in range(2)] == [["NoError"], ["ErrorItemSave"]]
        assert (await stored(site)).uid == "u1"
        item = id_of(await site.ask(made(f"<t:UID>u2</t:UID>{HOUR}")))
        mime = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:%s\r\nDTSTAMP:20261130T000000Z\r\n"
        mime += b"DTSTART:20261201T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        for uid, code in ((b"u1", "ErrorInvalidPropertySet"), (b"u2", "NoError")):
            content = f"<t:MimeContent>{base64.b64encode(mime % uid).decode()}</t:MimeContent>"
            assert (await site.ask(changed(item, "item:MimeContent", content))).codes == [code]

    work(steps)


def test_nothing_is_left_of_an_appointment_that_was_refused() -> None:
    async def steps(site: EwsSite) -> None:
        too_long = base64.b64encode(bytes(MAX_PROPERTY_OCTETS + 1)).decode()
        path = '<t:ExtendedFieldURI PropertyTag="0x7001" PropertyType="Binary"/>'
        more = f"<t:ExtendedProperty>{path}<t:Value>{too_long}</t:Value></t:ExtendedProperty>"
        assert (await site.ask(made(more + HOUR))).codes == ["ErrorInsufficientResources"]
        draft = f"<m:Items><t:Message><t:Subject>x</t:Subject>{more}</t:Message></m:Items>"
        answer = await site.ask(f'<m:CreateItem MessageDisposition="SaveOnly">{draft}</m:CreateItem>')
        assert answer.codes == ["ErrorInsufficientResources"]
        folders = [await site.folder(kind) for kind in (FolderKind.CALENDAR, FolderKind.DRAFTS)]
        states = await site.mailboxes.folder_states(guid_of(ALICE), folders)
        assert [each.items for each in states.values()] == [0, 0]

    work(steps)


def test_an_appointment_has_its_bounds() -> None:
    async def steps(site: EwsSite) -> None:
        def files(count: int, octets: bytes) -> str:
            return f"<t:Attachments>{file(octets, 'a.bin') * count}</t:Attachments>{HOUR}"

        assert (await site.ask(made(files(2, bytes(7 << 20))))).codes == ["ErrorMessageSizeExceeded"]
        assert (await site.ask(made(files(201, b"x")))).codes == ["ErrorInvalidValueForProperty"]
        item = id_of(await site.ask(made(files(200, b"x"))))
        several = [file(b"x", "a.bin")] * 200
        added = [await site.ask(attach(item, *several)) for _ in range(4)]
        assert {code for answer in added for code in answer.codes} == {"NoError"}
        assert (await site.ask(attach(item, *several[:2]))).codes == ["ErrorAttachmentSizeLimitExceeded"] * 2

    work(steps)


def test_a_request_says_who_is_told() -> None:
    async def steps(site: EwsSite) -> None:
        assert (await site.ask(made(HOUR, ""))).codes == ["ErrorSendMeetingInvitationsRequired"]
        item = id_of(await site.ask(made(HOUR)))
        subject = "<t:Subject>x</t:Subject>"
        code = "ErrorSendMeetingInvitationsOrCancellationsRequired"
        assert (await site.ask(changed(item, "item:Subject", subject, ""))).codes == [code]

    work(steps)


def test_what_dav_has_stored_is_shown() -> None:
    async def steps(site: EwsSite) -> None:
        folder = await site.folder(FolderKind.CALENDAR)
        content = event("u1", "Talk", "20260301T120000Z", "RRULE:FREQ=HOURLY;COUNT=3", "ATTENDEE:mailto:x")
        calendar = calendar_object.read(content)
        assert isinstance(calendar, CalendarObject)
        values = values_of(calendar, 0)
        put = await site.mailboxes.put(guid_of(ALICE), folder, "a.ics", content, "IPM.Appointment", values)
        told = await site.ask(read(str(ItemId(guid_of(ALICE), put.id))))
        assert told.texts(".//t:Subject") == ["Talk"] and told.texts(".//t:UID") == ["u1"]
        assert told.texts(".//t:CalendarItemType") == ["RecurringMaster"] and not told.all(".//t:Recurrence")

    work(steps)


def test_an_appointment_says_what_is_beside_it() -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(HOUR)))
        await site.ask(made(SERIES.replace("T09:00", "T09:30").replace("T10:00", "T10:30"), subject="Daily"))
        after = HOUR.replace("T10:00", "T10:15").replace("T09:00", "T10:00")
        await site.ask(made(after, subject="After"))
        await site.ask(made(f"{HOUR}<t:LegacyFreeBusyStatus>Free</t:LegacyFreeBusyStatus>", subject="Nothing"))
        told = await site.ask(read(item))
        assert told.texts(".//t:ConflictingMeetingCount") == ["1"] and told.texts(".//t:AdjacentMeetingCount") == ["1"]
        assert told.texts(".//t:ConflictingMeetings/t:CalendarItem/t:Subject") == ["Daily"]
        assert told.texts(".//t:AdjacentMeetings/t:CalendarItem/t:Subject") == ["After"]

    work(steps)


@pytest.mark.parametrize(
    "version", ["Exchange2007", "Exchange2007_SP1", "Exchange2010", "Exchange2010_SP2", "Exchange2013_SP1"]
)
def test_every_version_gets_what_it_knows(version: str) -> None:
    """The answers are held to the table of the schema."""

    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(SERIES)))
        second = id_of(await site.ask(read(occurrence(item, 2))))
        assert (await site.ask(changed(second, "item:Subject", "<t:Subject>Tea</t:Subject>"))).codes == ["NoError"]
        for base in ("IdOnly", "Default", "AllProperties"):
            assert (await site.ask(read(item, second, base=base), version=version)).codes == ["NoError", "NoError"]

    work(steps)


@pytest.mark.parametrize("start", [0, -(2**63), 2**63 - 1, 2**62, 1_764_576_001])
def test_occurrences_that_somebody_makes_up_are_not_there(start: int) -> None:
    async def steps(site: EwsSite) -> None:
        item = read_id(id_of(await site.ask(made(SERIES))))
        assert isinstance(item, ItemId)
        forged = str(ItemId(item.mailbox, item.item, start))
        subject = "<t:Subject>x</t:Subject>"
        for asked in (read(forged), changed(forged, "item:Subject", subject), deleted(forged)):
            assert (await site.ask(asked)).codes == ["ErrorItemNotFound"]
        assert len((await stored(site)).parts) == 1
        single = read_id(id_of(await site.ask(made(HOUR))))
        assert isinstance(single, ItemId)
        assert (await site.ask(read(str(ItemId(single.mailbox, single.item, start))))).codes == ["ErrorItemNotFound"]

    work(steps)


def test_an_appointment_is_brought_as_icalendar_and_told_as_such() -> None:
    async def steps(site: EwsSite) -> None:
        content = base64.b64encode(event("u1", "Talk", "20260301T120000Z")).decode()
        item = id_of(await site.ask(made(f"<t:MimeContent>{content}</t:MimeContent>")))
        part = (await stored(site)).main
        assert (part.value("UID"), part.value("DTSTART")) == ("u1", "20260301T120000Z")
        shape = "<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>"
        told = await site.ask(read(item).replace("<t:BaseShape>AllProperties</t:BaseShape>", shape))
        assert b"BEGIN:VCALENDAR" in base64.b64decode(told.texts(".//t:MimeContent")[0])
        series = id_of(await site.ask(made(SERIES)))
        third = read(occurrence(series, 3)).replace("<t:BaseShape>AllProperties</t:BaseShape>", shape)
        content = calendar_object.read(base64.b64decode((await site.ask(third)).texts(".//t:MimeContent")[0]))
        assert isinstance(content, CalendarObject) and [each.value("DTSTART") for each in content.parts] == [
            "20261203T090000"
        ]
        broken = base64.b64encode(b"BEGIN:VCARD").decode()
        assert (await site.ask(made(f"<t:MimeContent>{broken}</t:MimeContent>"))).codes == ["ErrorMimeContentInvalid"]

    work(steps)


def test_mapi_properties_are_those_of_the_appointment() -> None:
    async def steps(site: EwsSite) -> None:
        uri = '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="{}" PropertyType="{}"/>'
        place, start = uri.format(0x8208, "String"), uri.format(0x820D, "SystemTime")
        own = '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="mine" PropertyType="Integer"/>'
        more = (
            f"<t:ExtendedProperty>{own}<t:Value>7</t:Value></t:ExtendedProperty>"
            f"<t:ExtendedProperty>{place}<t:Value>Room 9</t:Value></t:ExtendedProperty>"
        )
        item = id_of(await site.ask(made(more + HOUR)))
        assert (await stored(site)).main.value("LOCATION") == "Room 9"
        paths = f"<t:AdditionalProperties>{place}{start}{own}</t:AdditionalProperties>"
        shape = "<t:BaseShape>IdOnly</t:BaseShape>"
        told = await site.ask(read(item, base="IdOnly").replace(shape, shape + paths))
        assert told.texts(".//t:ExtendedProperty/t:Value") == ["Room 9", "2026-12-01T08:00:00Z", "7"]

    work(steps)


def test_a_property_that_follows_from_others_may_be_sent() -> None:
    """DavMail sends the state of a meeting with each new appointment, and the name that it has in CalDAV."""

    async def steps(site: EwsSite) -> None:
        state = (
            '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="33303" PropertyType="Integer"/>'
        )
        name = '<t:ExtendedFieldURI PropertyTag="0x10f3" PropertyType="String"/>'
        values = ((state, "7"), (name, "u1.ics"))
        more = "".join(
            [f"<t:ExtendedProperty>{path}<t:Value>{text}</t:Value></t:ExtendedProperty>" for path, text in values]
        )
        item = id_of(await site.ask(made(more + HOUR)))
        shape = "<t:BaseShape>IdOnly</t:BaseShape>"
        # It looks for appointments that are not private by their sensitivity.
        sensitivity = '<t:ExtendedFieldURI PropertyTag="0x36" PropertyType="Integer"/>'
        paths = f"<t:AdditionalProperties>{state}{name}{sensitivity}</t:AdditionalProperties>"
        told = await site.ask(read(item, base="IdOnly").replace(shape, shape + paths))
        assert told.texts(".//t:Value") == ["0", "u1.ics", "0"]
        size = '<t:ExtendedFieldURI PropertyTag="0x0060" PropertyType="SystemTime"/>'
        value = f"<t:ExtendedProperty>{size}<t:Value>2026-12-01T08:00:00Z</t:Value></t:ExtendedProperty>"
        assert (await site.ask(made(value + HOUR))).codes == ["ErrorInvalidPropertySet"]

    work(steps)


def test_an_occurrence_does_not_pass_its_neighbours() -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(SERIES)))
        third = id_of(await site.ask(read(occurrence(item, 3))))
        for name, times, code in (
            ("End", "2026-12-04T09:00:00+01:00", "NoError"),
            ("End", "2026-12-04T09:30:00+01:00", "ErrorOccurrenceCrossingBoundary"),
            ("Start", "2026-12-02T10:00:00+01:00", "NoError"),
            ("Start", "2026-12-02T09:59:59+01:00", "ErrorOccurrenceCrossingBoundary"),
        ):
            asked = changed(third, f"calendar:{name}", f"<t:{name}>{times}</t:{name}>")
            assert (await site.ask(asked)).codes == [code], times

    work(steps)


def test_an_appointment_has_files() -> None:
    async def steps(site: EwsSite) -> None:
        file = (
            "<t:FileAttachment><t:Name>a.txt</t:Name><t:ContentType>text/plain</t:ContentType>"
            "<t:Content>{}</t:Content></t:FileAttachment>"
        )
        octets = [base64.b64encode(text).decode() for text in (b"first", b"second \r\n")]
        item = id_of(await site.ask(made(f"<t:Attachments>{file.format(octets[0])}</t:Attachments>{HOUR}")))
        told = await site.ask(read(item))
        assert told.texts(".//t:HasAttachments") == ["true"] and told.texts(".//t:FileAttachment/t:Name") == ["a.txt"]
        more = (
            f'<m:CreateAttachment><m:ParentItemId Id="{item}"/><m:Attachments>{file.format(octets[1])}'
            f"<t:ItemAttachment><t:Message/></t:ItemAttachment></m:Attachments></m:CreateAttachment>"
        )
        added = await site.ask(more)
        assert added.codes == ["NoError", "ErrorInvalidItemForOperationCreateItemAttachment"]
        part = (await stored(site)).main
        assert [each.parameter("X-FILENAME") for each in part.lines("ATTACH")] == ["a.txt", "a.txt"]
        ids = [each.attrib["Id"] for each in (await site.ask(read(item))).all(".//t:AttachmentId")]
        assert added.find(".//t:AttachmentId").attrib["Id"] == ids[1]
        named = "".join([f'<t:AttachmentId Id="{each}"/>' for each in ids])
        asked = f"<m:GetAttachment><m:AttachmentIds>{named}</m:AttachmentIds></m:GetAttachment>"
        assert (await site.ask(asked)).texts(".//t:Content") == octets
        assert (await site.ask(asked, BOB)).codes == ["ErrorItemNotFound", "ErrorItemNotFound"]
        gone = f'<m:DeleteAttachment><m:AttachmentIds><t:AttachmentId Id="{ids[0]}"/></m:AttachmentIds></m:DeleteAttachment>'
        assert (await site.ask(gone)).codes == ["NoError"]
        assert (await site.ask(gone)).codes == ["ErrorItemNotFound"]
        assert len(list((await stored(site)).main.lines("ATTACH"))) == 1

    work(steps)


def test_the_zone_of_the_end_alone_moves_the_end() -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(HOUR + ZONE)))
        zone = '<t:EndTimeZone Id="Eastern Standard Time"/>'
        assert (await site.ask(changed(item, "calendar:EndTimeZone", zone))).codes == ["NoError"]
        told = await site.ask(read(item))
        assert [each.attrib["Id"] for each in told.all(".//t:EndTimeZone")] == ["Eastern Standard Time"]
        assert [each.attrib["Id"] for each in told.all(".//t:StartTimeZone")] == ["W. Europe Standard Time"]
        # The clock shows ten there, as it did.
        assert told.texts(".//t:Start") == ["2026-12-01T08:00:00Z"]
        assert told.texts(".//t:CalendarItem/t:End") == ["2026-12-01T15:00:00Z"]
        earlier = zone.replace("Eastern", "Tokyo")
        assert (await site.ask(changed(item, "calendar:EndTimeZone", earlier))).codes == [
            "ErrorCalendarEndDateIsEarlierThanStartDate"
        ]

    work(steps)


def test_the_steps_of_a_request_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps(site: EwsSite) -> None:
        item = id_of(await site.ask(made(SERIES.replace(">5<", ">900<"))))
        late = id_of(await site.ask(read(occurrence(item, 890))))
        monkeypatch.setattr(access, "MAX_STEPS", 2_000)
        told = await site.ask(read(late, late, late, late))
        assert told.codes[0] == "NoError" and told.codes[-1] == "ErrorInsufficientResources"
        assert (await site.ask(read(late))).codes == ["NoError"]

    work(steps)


def test_a_series_of_days_has_occurrences_in_its_zone() -> None:
    async def steps(site: EwsSite) -> None:
        seoul = '<t:StartTimeZone Id="Korea Standard Time"/>'
        day = "<t:Start>2026-12-01T00:00:00+09:00</t:Start><t:End>2026-12-02T00:00:00+09:00</t:End>"
        until = (
            "<t:EndDateRecurrence><t:StartDate>2026-12-01</t:StartDate><t:EndDate>2026-12-04</t:EndDate>"
            "</t:EndDateRecurrence>"
        )
        series = f"<t:IsAllDayEvent>true</t:IsAllDayEvent><t:Recurrence>{DAILY}{until}</t:Recurrence>{seoul}"
        item = id_of(await site.ask(made(day + series)))
        master = await site.ask(read(item))
        assert master.texts(".//t:EndDateRecurrence/t:EndDate") == ["2026-12-04"]
        assert master.texts(".//t:LastOccurrence/t:Start") == ["2026-12-03T15:00:00Z"]
        second = await site.ask(read(occurrence(item, 2)))
        assert second.texts(".//t:Start") == ["2026-12-01T15:00:00Z"]
        moved = "<t:End>2026-12-04T00:00:00+09:00</t:End>"
        assert (await site.ask(changed(id_of(second), "calendar:End", moved))).codes == [
            "ErrorOccurrenceCrossingBoundary"
        ]
        assert (await site.ask(changed(id_of(second), "item:Subject", "<t:Subject>Tea</t:Subject>"))).codes == [
            "NoError"
        ]
        third = id_of(await site.ask(read(occurrence(item, 3))))
        assert (await site.ask(deleted(third))).codes == ["NoError"]
        master = await site.ask(read(item))
        assert master.texts(".//t:ModifiedOccurrences//t:OriginalStart") == ["2026-12-01T15:00:00Z"]
        assert master.texts(".//t:DeletedOccurrence/t:Start") == ["2026-12-02T15:00:00Z"]
        calendar = await stored(site)
        assert calendar.main.value("EXDATE") == "20261203" and calendar.main.value("RRULE").endswith("UNTIL=20261204")

    work(steps)


def test_a_series_keeps_the_clock_of_its_zone() -> None:
    async def steps(site: EwsSite) -> None:
        times = "<t:Start>2026-10-20T09:00:00-04:00</t:Start><t:End>2026-10-20T10:00:00-04:00</t:End>"
        weekly = (
            "<t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday</t:DaysOfWeek></t:WeeklyRecurrence>"
            "<t:NoEndRecurrence><t:StartDate>2026-10-20</t:StartDate></t:NoEndRecurrence>"
        )
        zone = '<t:StartTimeZone Id="Eastern Standard Time"/>'
        item = id_of(await site.ask(made(f"{times}<t:Recurrence>{weekly}</t:Recurrence>{zone}")))
        told = await site.ask(read(occurrence(item, 2), occurrence(item, 3), item))
        # Summer time ends on 1 November there.
        assert told.texts(".//t:Start")[:2] == ["2026-10-27T13:00:00Z", "2026-11-03T14:00:00Z"]
        assert not told.all(".//t:LastOccurrence") and told.all(".//t:NoEndRecurrence")

    work(steps)
