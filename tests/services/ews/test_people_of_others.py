"""Contacts and tasks of somebody else: a delegate works in them by right, and nobody else does."""

from __future__ import annotations

import asyncio

import pytest

from postern.model.folders import FolderKind, Right
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_contacts import changed
from tests.services.ews.test_items import read
from tests.services.ews.test_line_attachments import attach, file, named
from tests.services.ews.test_tasks import deleted

AUTHOR = Right.VISIBLE | Right.READ_ANY | Right.CREATE | Right.EDIT_OWNED | Right.DELETE_OWNED
EDITOR = Right.VISIBLE | Right.READ_ANY | Right.CREATE | Right.EDIT_ANY | Right.DELETE_ANY
REVIEWER = Right.VISIBLE | Right.READ_ANY
KINDS = {
    "contacts": (FolderKind.CONTACTS, "Contact", "<t:DisplayName>Kim</t:DisplayName>", "contacts:Nickname", "Nickname"),
    "tasks": (FolderKind.TASKS, "Task", "<t:Subject>Paint</t:Subject>", "task:Mileage", "Mileage"),
}


def created(folder: str, owner: str) -> str:
    _, element, inner, *_ = KINDS[folder]
    mailbox = f"<t:Mailbox><t:EmailAddress>{owner}</t:EmailAddress></t:Mailbox>"
    return (
        f'<m:CreateItem><m:SavedItemFolderId><t:DistinguishedFolderId Id="{folder}">{mailbox}</t:DistinguishedFolderId>'
        f"</m:SavedItemFolderId><m:Items><t:{element}>{inner}</t:{element}></m:Items></m:CreateItem>"
    )


def setting(folder: str, item: str) -> str:
    _, element, _, uri, name = KINDS[folder]
    field = f'<t:FieldURI FieldURI="{uri}"/><t:{element}><t:{name}>x</t:{name}></t:{element}>'
    return changed(item, f"<t:SetItemField>{field}</t:SetItemField>")


@pytest.mark.parametrize("folder", list(KINDS))
@pytest.mark.parametrize(
    ("rights", "makes", "changes"),
    [(Right(0), False, False), (REVIEWER, False, False), (AUTHOR, True, False), (EDITOR, True, True)],
    ids=["nobody", "reviewer", "author", "editor"],
)
def test_rights_decide(folder: str, rights: Right, makes: bool, changes: bool) -> None:
    async def steps() -> None:
        site = EwsSite()
        number = await site.folder(KINDS[folder][0])
        own = (await site.ask(created(folder, ALICE))).find(".//t:ItemId").attrib["Id"]
        if rights:
            await site.mailboxes.set_rights(guid_of(ALICE), number, guid_of(BOB), rights)
        made = await site.ask(created(folder, ALICE), BOB)
        assert (made.codes == ["NoError"]) is makes, made.codes
        subject = '<t:FieldURI FieldURI="item:Subject"/>'
        seen = (await site.ask(read(own, subject), BOB)).codes == ["NoError"]
        assert seen is bool(rights & Right.READ_ANY)
        for ask in (setting(folder, own), attach(own, file(b"x", "x.txt"))):
            assert ((await site.ask(ask, BOB)).codes == ["NoError"]) is changes, ask
        if makes:
            # What one has made oneself one changes, an author too.
            mine = made.find(".//t:ItemId").attrib["Id"]
            assert (await site.ask(setting(folder, mine), BOB)).codes == ["NoError"]
            kept = await site.ask(attach(mine, file(b"x", "x.txt")), BOB)
            assert kept.codes == ["NoError"]
            attachment = kept.find(".//t:AttachmentId").attrib["Id"]
            assert (await site.ask(named("DeleteAttachment", attachment), BOB)).codes == ["NoError"]
            assert (await site.ask(deleted(mine, "AllOccurrences"), BOB)).codes == ["NoError"]
        assert ((await site.ask(deleted(own, "SpecifiedOccurrenceOnly"), BOB)).codes == ["NoError"]) is changes

    asyncio.run(steps())
