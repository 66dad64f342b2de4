"""Posts and sticky notes: kept as messages, sent to nobody.

covers: note_editor, services.ews.fields.post
"""

from __future__ import annotations

import asyncio

import pytest

from postern.model.folders import FolderKind
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_items import read

COLOR = '<t:ExtendedFieldURI PropertySetId="0006200e-0000-0000-c000-000000000046" PropertyId="35584" PropertyType="Integer"/>'
NOTE = (
    "<t:Message><t:ItemClass>IPM.StickyNote</t:ItemClass><t:Subject>Milk</t:Subject><t:Body BodyType='Text'>Milk, two</t:Body>"
    f"<t:ExtendedProperty>{COLOR}<t:Value>3</t:Value></t:ExtendedProperty></t:Message>"
)
POST = "<t:PostItem><t:Subject>Tides</t:Subject><t:Body BodyType='Text'>High at six</t:Body></t:PostItem>"


def created(item: str, folder: str = "", disposition: str = "SaveOnly") -> str:
    saved = f'<m:SavedItemFolderId><t:DistinguishedFolderId Id="{folder}"/></m:SavedItemFolderId>' if folder else ""
    how = f' MessageDisposition="{disposition}"' if disposition else ""
    return f"<m:CreateItem{how}>{saved}<m:Items>{item}</m:Items></m:CreateItem>"


def test_a_note() -> None:
    async def steps() -> None:
        site = EwsSite()
        made = await site.ask(created(NOTE))
        item = made.find(".//t:Message/t:ItemId").attrib["Id"]
        told = await site.ask(read(item, COLOR, base="AllProperties"))
        assert told.texts(".//t:Message/t:ItemClass") == ["IPM.StickyNote"] and told.texts(".//t:Subject") == ["Milk"]
        assert told.texts(".//t:Body") == ["Milk, two"] and told.texts(".//t:Value") == ["3"]
        assert told.texts(".//t:IsDraft") == ["false"] and told.texts(".//t:IsRead") == ["true"]
        folder = await site.folder(FolderKind.NOTES)
        (number,) = (await site.mailboxes.changes(guid_of(ALICE), folder, 0)).created
        subject = '<t:FieldURI FieldURI="item:Subject"/>'
        update = (
            '<m:UpdateItem ConflictResolution="AutoResolve"><m:ItemChanges><t:ItemChange>'
            f'<t:ItemId Id="{item}"/><t:Updates><t:SetItemField>{subject}<t:Message><t:Subject>Tea</t:Subject></t:Message>'
            "</t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
        )
        assert (await site.ask(update)).codes == ["NoError"]
        assert (await site.ask(read(item, subject))).texts(".//t:Subject") == ["Tea"]
        (stored,) = await site.mailboxes.get(guid_of(ALICE), [number])
        assert stored.item_class == "IPM.StickyNote"

    asyncio.run(steps())


def test_a_post() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = (await site.ask(created(POST, disposition=""))).find(".//t:PostItem/t:ItemId").attrib["Id"]
        told = await site.ask(read(item, base="AllProperties"))
        names = [each.tag.rpartition("}")[2] for each in told.find(".//t:PostItem")]
        assert names[-1] == "Sender" and names.index("From") < names.index("IsRead") < names.index("PostedTime")
        assert told.texts(".//t:From/t:Mailbox/t:EmailAddress") == [ALICE]
        assert told.texts(".//t:ItemClass") == ["IPM.Post"] and told.texts(".//t:Body") == ["High at six"]
        folder = await site.folder(FolderKind.INBOX)
        assert len((await site.mailboxes.changes(guid_of(ALICE), folder, 0)).created) == 1

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (created(POST, "contacts"), "ErrorCannotCreatePostItemInNonMailFolder"),
        (created(POST, disposition="SendOnly"), "ErrorInvalidItemForOperationSendItem"),
        (created(NOTE, disposition="SendAndSaveCopy"), "ErrorInvalidItemForOperationSendItem"),
        (
            created(POST.replace("<t:Subject>", "<t:ItemClass>IPM.Note</t:ItemClass><t:Subject>")),
            "ErrorObjectTypeChanged",
        ),
    ],
)
def test_what_is_no_post(ask: str, code: str) -> None:
    async def steps() -> None:
        assert (await EwsSite().ask(ask)).codes == [code]

    asyncio.run(steps())
