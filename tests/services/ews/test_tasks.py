"""Tasks: progress, recurrence, completion of a series, deletion of one occurrence; CalDAV shows them.

covers: task_editor, services.ews.fields.task
"""

from __future__ import annotations

import asyncio

import pytest

from postern.model.folders import FolderKind, Right
from postern.protocols.ews.ids import ItemId, read_id
from postern.services.access.guarded import MAKER_TAG
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_items import read

WEEKLY = (
    "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Monday</t:DaysOfWeek></t:WeeklyRecurrence>"
    "<t:NumberedRecurrence><t:StartDate>2026-11-02</t:StartDate><t:NumberOfOccurrences>2</t:NumberOfOccurrences>"
    "</t:NumberedRecurrence></t:Recurrence>"
)


def created(inner: str, folder: str = "tasks") -> str:
    return (
        f'<m:CreateItem><m:SavedItemFolderId><t:DistinguishedFolderId Id="{folder}"/></m:SavedItemFolderId>'
        f"<m:Items><t:Task>{inner}</t:Task></m:Items></m:CreateItem>"
    )


def setting(item: str, *fields: tuple[str, str]) -> str:
    updates = "".join(
        [
            f'<t:SetItemField><t:FieldURI FieldURI="task:{name}"/><t:Task><t:{name}>{text}</t:{name}></t:Task></t:SetItemField>'
            for name, text in fields
        ]
    )
    return (
        '<m:UpdateItem ConflictResolution="AutoResolve" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>'
        f'<t:ItemId Id="{item}"/><t:Updates>{updates}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>'
    )


def deleted(item: str, tasks: str) -> str:
    return (
        f'<m:DeleteItem DeleteType="HardDelete" AffectedTaskOccurrences="{tasks}"><m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds>'
        "</m:DeleteItem>"
    )


async def new(site: EwsSite, inner: str) -> str:
    return (await site.ask(created(inner))).find(".//t:ItemId").attrib["Id"]


def test_progress_follows() -> None:
    async def steps() -> None:
        site = EwsSite()
        inner = (
            "<t:Subject>Paint</t:Subject><t:Body BodyType='HTML'>&lt;p&gt;the hull&lt;/p&gt;</t:Body>"
            "<t:Importance>High</t:Importance><t:ReminderDueBy>2026-12-01T08:00:00Z</t:ReminderDueBy>"
            "<t:ReminderIsSet>true</t:ReminderIsSet><t:ActualWork>30</t:ActualWork><t:Companies><t:String>Sea</t:String>"
            "</t:Companies><t:DueDate>2026-12-02T00:00:00Z</t:DueDate><t:PercentComplete>25</t:PercentComplete>"
            "<t:StartDate>2026-12-01T00:00:00Z</t:StartDate><t:Status>InProgress</t:Status><t:TotalWork>60</t:TotalWork>"
        )
        item = await new(site, inner)

        async def told(*names: str) -> list[str]:
            answer = await site.ask(read(item, base="AllProperties"))
            return [answer.find(f".//t:Task/t:{name}").text or "" for name in names]

        assert await told("Subject", "Body", "Importance", "ReminderDueBy", "ReminderIsSet") == [
            "Paint",
            "the hull",
            "High",
            "2026-12-01T08:00:00Z",
            "true",
        ]
        assert await told("ActualWork", "TotalWork", "StartDate", "DueDate") == [
            "30",
            "60",
            "2026-12-01T00:00:00Z",
            "2026-12-02T00:00:00Z",
        ]
        state = "Status", "StatusDescription", "PercentComplete", "IsComplete"
        assert await told(*state) == ["InProgress", "In Progress", "25", "false"]
        await site.ask(setting(item, ("PercentComplete", "100")))
        assert await told(*state) == ["Completed", "Completed", "100", "true"] and await told("CompleteDate")
        await site.ask(setting(item, ("PercentComplete", "50")))
        assert await told(*state) == ["InProgress", "In Progress", "50", "false"]
        await site.ask(setting(item, ("Status", "WaitingOnOthers")))
        assert await told(*state) == ["WaitingOnOthers", "Waiting on someone else", "50", "false"]
        await site.ask(setting(item, ("Status", "NotStarted")))
        assert await told(*state) == ["NotStarted", "Not Started", "0", "false"]
        # A task does not end before it begins.
        await site.ask(setting(item, ("StartDate", "2026-12-05T00:00:00Z")))
        assert await told("DueDate") == ["2026-12-05T00:00:00Z"]

    asyncio.run(steps())


def test_a_series_goes_on() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await new(site, f"<t:Subject>Water</t:Subject><t:DueDate>2026-11-02T00:00:00Z</t:DueDate>{WEEKLY}")
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:Recurrence//t:DaysOfWeek") == ["Monday"] and told.texts(".//t:IsRecurring") == ["true"]
        guid, folder = guid_of(ALICE), await site.folder(FolderKind.TASKS)
        assert (await site.ask(setting(item, ("Status", "Completed")))).codes == ["NoError"]
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:DueDate") == ["2026-11-09T00:00:00Z"] and told.texts(".//t:Status") == ["NotStarted"]
        assert told.texts(".//t:NumberOfOccurrences") == ["1"]
        tasks = await site.mailboxes.resources(guid, folder)
        assert len(tasks) == 2 and len(set(tasks.uids)) == 2
        # The last one is done itself.
        await site.ask(setting(item, ("Status", "Completed")))
        assert (await site.ask(read(item, base="AllProperties"))).texts(".//t:Status") == ["Completed"]
        assert len(await site.mailboxes.resources(guid, folder)) == 2

    asyncio.run(steps())


def test_what_a_series_has_stays_with_the_occurrence_that_is_done() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid, folder = guid_of(ALICE), await site.folder(FolderKind.TASKS)
        item = await new(site, f"<t:Subject>Water</t:Subject><t:DueDate>2026-11-02T00:00:00Z</t:DueDate>{WEEKLY}")
        number = read_id(item)
        assert isinstance(number, ItemId)
        maker = {MAKER_TAG: guid_of(BOB).bytes}
        await site.mailboxes.set_properties(guid, number.item, {0x8F00_0003: b"\2\0\0\0", **maker})
        assert (await site.ask(setting(item, ("Status", "Completed")))).codes == ["NoError"]
        (done,) = {each.id for each in await site.mailboxes.resources(guid, folder)} - {number.item}
        assert await site.mailboxes.properties(guid, done) == {0x8F00_0003: b"\2\0\0\0"}

    asyncio.run(steps())


def test_a_task_regenerates() -> None:
    async def steps() -> None:
        site = EwsSite()
        regeneration = (
            "<t:Recurrence><t:MonthlyRegeneration><t:Interval>2</t:Interval></t:MonthlyRegeneration><t:NoEndRecurrence>"
            "<t:StartDate>2026-11-02</t:StartDate></t:NoEndRecurrence></t:Recurrence>"
        )
        item = await new(site, regeneration)
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:MonthlyRegeneration/t:Interval") == ["2"]
        assert (
            told.texts(".//t:NoEndRecurrence/t:StartDate") == ["2026-11-02"] == [told.texts(".//t:StartDate")[-1][:10]]
        )
        await site.ask(setting(item, ("Status", "Completed")))
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:Status") == ["NotStarted"] and told.texts(".//t:MonthlyRegeneration/t:Interval") == [
            "2"
        ]

    asyncio.run(steps())


def test_one_occurrence_is_deleted() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await new(site, WEEKLY)
        assert (await site.ask(deleted(item, "SpecifiedOccurrenceOnly"))).codes == ["NoError"]
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:StartDate")[-1] == "2026-11-09T00:00:00Z"
        assert (await site.ask(deleted(item, "SpecifiedOccurrenceOnly"))).codes == ["NoError"]
        assert (await site.ask(read(item))).codes == ["ErrorItemNotFound"]

    asyncio.run(steps())


def test_one_occurrence_of_anothers_series_is_deleted_by_who_may_change_the_series() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await new(site, WEEKLY)
        folder, owner = await site.folder(FolderKind.TASKS), site.recipients.known[ALICE]
        sees = Right.VISIBLE | Right.READ_ANY
        for rights, occurrence, last in (
            (sees | Right.DELETE_ANY, "ErrorAccessDenied", "NoError"),
            (sees | Right.EDIT_ANY, "NoError", "ErrorAccessDenied"),
        ):
            await site.sharing.set_rights(owner, folder, guid_of(BOB), rights)
            assert (await site.ask(deleted(item, "SpecifiedOccurrenceOnly"), BOB)).codes == [occurrence]
            told = await site.ask(read(item, base="AllProperties"))
            moved = "2026-11-09" if occurrence == "NoError" else "2026-11-02"
            assert told.texts(".//t:StartDate")[-1][:10] == moved
            single = await new(site, "<t:Subject>Once</t:Subject>")
            # What has no next occurrence goes away, and that takes the other right.
            assert (await site.ask(deleted(single, "SpecifiedOccurrenceOnly"), BOB)).codes == [last]

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("inner", "folder", "code"),
    [
        ("<t:PercentComplete>101</t:PercentComplete>", "tasks", "ErrorInvalidPercentCompleteValue"),
        ("<t:PercentComplete>nan</t:PercentComplete>", "tasks", "ErrorInvalidPercentCompleteValue"),
        ("<t:Status>Lazy</t:Status>", "tasks", "ErrorSchemaValidation"),
        ("<t:IsComplete>true</t:IsComplete>", "tasks", "ErrorInvalidPropertySet"),
        ("<t:ActualWork>9999999999</t:ActualWork>", "tasks", "ErrorSchemaValidation"),
        ("<t:ActualWork>+-5</t:ActualWork>", "tasks", "ErrorSchemaValidation"),
        ("<t:Subject>x</t:Subject>", "inbox", "ErrorCannotCreateTaskInNonTaskFolder"),
    ],
)
def test_what_is_no_task(inner: str, folder: str, code: str) -> None:
    async def steps() -> None:
        assert (await EwsSite().ask(created(inner, folder))).codes == [code]

    asyncio.run(steps())
