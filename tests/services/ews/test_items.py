"""Items of every kind: made, read, changed, with MAPI properties of their own.

covers: access, application, editing, extended, item_view, kinds, mail_editor, operation, places, rendering, responses
covers: services.ews.fields.field, services.ews.fields.item, services.ews.fields.message, services.ews.fields.mime
covers: services.ews.operations.create_item, services.ews.operations.get_item, services.ews.operations.update_item
covers: services.ews.operations.every
"""

from __future__ import annotations

import asyncio

import pytest

from postern.model.folders import FolderKind
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite

TAG = '<t:ExtendedFieldURI PropertyTag="0x1234" PropertyType="Integer"/>'
NAMED = '<t:ExtendedFieldURI PropertySetId="c11ff724-aa03-4555-9952-8fa248a11c3e" PropertyName="color" PropertyType="String"/>'


def created(subject: str, more: str = "") -> str:
    return (
        '<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message>'
        f"<t:Subject>{subject}</t:Subject>{more}</t:Message></m:Items></m:CreateItem>"
    )


def read(item: str, *paths: str, base: str = "IdOnly") -> str:
    more = f"<t:AdditionalProperties>{''.join(paths)}</t:AdditionalProperties>" if paths else ""
    return (
        f"<m:GetItem><m:ItemShape><t:BaseShape>{base}</t:BaseShape>{more}</m:ItemShape>"
        f'<m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds></m:GetItem>'
    )


def test_an_item_is_made_read_and_changed() -> None:
    async def steps() -> None:
        site = EwsSite()
        made = await site.ask(created("First"))
        assert made.codes == ["NoError"]
        item = made.find(".//t:ItemId").attrib["Id"]
        key = made.find(".//t:ItemId").attrib["ChangeKey"]
        subject = '<t:FieldURI FieldURI="item:Subject"/>'
        told = await site.ask(read(item, subject))
        assert told.texts(".//t:Subject") == ["First"]
        update = (
            '<m:UpdateItem ConflictResolution="NeverOverwrite" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>'
            f'<t:ItemId Id="{item}" ChangeKey="{key}"/><t:Updates><t:SetItemField>{subject}'
            "<t:Message><t:Subject>Second</t:Subject></t:Message></t:SetItemField></t:Updates></t:ItemChange>"
            "</m:ItemChanges></m:UpdateItem>"
        )
        assert (await site.ask(update)).codes == ["NoError"]
        assert (await site.ask(read(item, subject))).texts(".//t:Subject") == ["Second"]
        assert (await site.ask(update)).codes == ["ErrorIrresolvableConflict"]
        # In the drafts, where no one else finds it.
        drafts = await site.folder(FolderKind.DRAFTS)
        assert [item.folder for item in await site.mailboxes.get(guid_of(ALICE), range(1, 1_000_000))] == [drafts]
        assert (await site.ask(read(item), BOB)).codes == ["ErrorItemNotFound"]

    asyncio.run(steps())


def test_properties_of_mapi_are_kept() -> None:
    async def steps() -> None:
        site = EwsSite()
        more = (
            f"<t:ExtendedProperty>{TAG}<t:Value>42</t:Value></t:ExtendedProperty>"
            f"<t:ExtendedProperty>{NAMED}<t:Value>sea &amp; sky</t:Value></t:ExtendedProperty>"
        )
        item = (await site.ask(created("x", more))).find(".//t:ItemId").attrib["Id"]
        told = await site.ask(read(item, TAG, NAMED))
        assert told.texts(".//t:ExtendedProperty/t:Value") == ["42", "sea & sky"]
        bad = f"<t:ExtendedProperty>{TAG}<t:Value>many</t:Value></t:ExtendedProperty>"
        assert (await site.ask(created("x", bad))).codes == ["ErrorInvalidExtendedPropertyValue"]

    asyncio.run(steps())


def test_what_is_no_request_gets_a_fault() -> None:
    async def steps() -> None:
        site = EwsSite()
        for body, version, code in (
            ("<m:Nothing/>", "Exchange2013", "ErrorSchemaValidation"),
            ("<t:GetItem/>", "Exchange2013", "ErrorSchemaValidation"),
            (read("x"), "Exchange2099", "ErrorInvalidServerVersion"),
        ):
            answer = await site.ask(body, version=version)
            assert (answer.status, answer.fault) == (500, code)
        assert (await site.ask(read("x"))).codes == ["ErrorInvalidIdMalformed"]

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        ("CalendarItem", "ReminderMinutesBeforeStart", "--5"),
        ("CalendarItem", "ReminderMinutesBeforeStart", "\u00b2"),
        ("CalendarItem", "ReminderMinutesBeforeStart", "\u0663"),
        ("Message", "ReminderMinutesBeforeStart", "0" * 5_000),
        ("Message", "ReminderMinutesBeforeStart", "0" * 12 + "9" * 12),
        ("Task", "ActualWork", "+-5"),
        ("Task", "ActualWork", "\u0663"),
        ("Task", "ActualWork", "9" * 5_000),
    ],
)
def test_what_is_no_number_is_refused(kind: str, name: str, text: str) -> None:
    async def steps() -> None:
        item = f"<t:{kind}><t:{name}>{text}</t:{name}></t:{kind}>"
        request = (
            f'<m:CreateItem MessageDisposition="SaveOnly" SendMeetingInvitations="SendToNone"><m:Items>{item}</m:Items>'
        )
        answer = await EwsSite().ask(f"{request}</m:CreateItem>")
        assert answer.codes[0] in ("ErrorSchemaValidation", "ErrorInvalidValueForProperty")

    asyncio.run(steps())


def test_a_kind_of_conference_is_a_number() -> None:
    async def steps() -> None:
        times = "<t:Start>2026-12-01T09:00:00Z</t:Start><t:End>2026-12-01T10:00:00Z</t:End>"
        item = f"<t:CalendarItem>{times}<t:ConferenceType>\u00b2</t:ConferenceType></t:CalendarItem>"
        request = f'<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>{item}</m:Items></m:CreateItem>'
        assert (await EwsSite().ask(request)).codes == ["ErrorSchemaValidation"]

    asyncio.run(steps())
