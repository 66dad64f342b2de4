"""Attachments of contacts and tasks: a photo, files, by CardDAV and CalDAV too.

covers: line_attachments
"""

from __future__ import annotations

import asyncio
import base64

from postern.items import attachments, contact
from postern.items.contact import Contact
from postern.model.folders import FolderKind
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_contacts import created
from tests.services.ews.test_items import read
from tests.services.ews.test_tasks import new

PNG = b"\x89PNG\r\n picture"
LISTED = '<t:FieldURI FieldURI="item:Attachments"/><t:FieldURI FieldURI="item:HasAttachments"/>'


def file(octets: bytes, name: str, more: str = "") -> str:
    content = f"<t:Content>{base64.b64encode(octets).decode()}</t:Content>"
    return f"<t:FileAttachment><t:Name>{name}</t:Name>{more}{content}</t:FileAttachment>"


def attach(item: str, *files: str) -> str:
    inner = f'<m:ParentItemId Id="{item}"/><m:Attachments>{"".join(files)}</m:Attachments>'
    return f"<m:CreateAttachment>{inner}</m:CreateAttachment>"


def named(operation: str, *ids: str) -> str:
    inner = "".join([f'<t:AttachmentId Id="{each}"/>' for each in ids])
    return f"<m:{operation}><m:AttachmentIds>{inner}</m:AttachmentIds></m:{operation}>"


def test_the_photo_and_files_of_a_contact() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = (await site.ask(created("<t:DisplayName>Kim</t:DisplayName>"))).find(".//t:ItemId").attrib["Id"]
        photo = file(PNG, "me.png", "<t:ContentType>image/png</t:ContentType>").replace(
            "<t:Content>", "<t:IsContactPhoto>true</t:IsContactPhoto><t:Content>"
        )
        made = await site.ask(
            attach(item, photo, file(b"notes", "notes.txt", "<t:ContentType>text/plain</t:ContentType>"))
        )
        assert made.codes == ["NoError", "NoError"]
        told = await site.ask(read(item, LISTED, '<t:FieldURI FieldURI="contacts:HasPicture"/>'))
        assert told.texts(".//t:HasAttachments") == ["true"] == told.texts(".//t:HasPicture")
        assert told.texts(".//t:Name") == ["ContactPicture.jpg", "notes.txt"]
        assert told.texts(".//t:IsContactPhoto") == ["true", "false"] and told.texts(".//t:Size") == [
            str(len(PNG)),
            "5",
        ]
        ids = [each.attrib["Id"] for each in told.all(".//t:AttachmentId")]
        assert ids == [each.attrib["Id"] for each in made.all(".//t:AttachmentId")]
        brought = await site.ask(named("GetAttachment", *ids))
        assert [base64.b64decode(text) for text in brought.texts(".//t:Content")] == [PNG, b"notes"]
        # CardDAV has the picture.
        folder = await site.folder(FolderKind.CONTACTS)
        (card,) = await site.mailboxes.resources(guid_of(ALICE), folder)
        (stored,) = await site.mailboxes.get(guid_of(ALICE), [card.id], True)
        parsed = contact.read(stored.content or b"")
        assert isinstance(parsed, Contact) and attachments.of_contact(parsed)[0].octets == PNG
        # One contact has one photo, and the ids of what was before are void.
        assert (await site.ask(attach(item, file(PNG + b"2", "ContactPicture.jpg")))).codes == ["NoError"]
        assert (await site.ask(named("GetAttachment", ids[0]))).codes == ["ErrorItemNotFound"]
        told = await site.ask(read(item, LISTED))
        ids = [each.attrib["Id"] for each in told.all(".//t:AttachmentId")]
        assert len(ids) == 2
        gone = await site.ask(named("DeleteAttachment", *ids))
        assert gone.codes == ["NoError", "NoError"] and len(gone.all(".//m:RootItemId")) == 2
        told = await site.ask(read(item, LISTED))
        assert told.texts(".//t:HasAttachments") == ["false"] and not told.all(".//t:Attachments")
        assert (await site.ask(named("DeleteAttachment", ids[0]))).codes == ["ErrorItemNotFound"]

    asyncio.run(steps())


def test_a_new_contact_brings_its_photo() -> None:
    async def steps() -> None:
        site = EwsSite()
        inner = f"<t:Attachments>{file(PNG, 'ContactPicture.jpg')}</t:Attachments><t:DisplayName>Kim</t:DisplayName>"
        item = (await site.ask(created(inner))).find(".//t:ItemId").attrib["Id"]
        told = await site.ask(read(item, LISTED))
        assert told.texts(".//t:IsContactPhoto") == ["true"] and told.texts(".//t:ContentType") == ["image/png"]

    asyncio.run(steps())


def test_the_files_of_a_task() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await new(site, "<t:Subject>Paint</t:Subject>")
        made = await site.ask(attach(item, file(b"plan", "plan.txt"), "<t:ItemAttachment/>"))
        assert made.codes == ["NoError", "ErrorInvalidItemForOperationCreateItemAttachment"]
        (attachment,) = [each.attrib["Id"] for each in made.all(".//t:AttachmentId")]
        brought = await site.ask(named("GetAttachment", attachment))
        assert brought.texts(".//t:Name") == ["plan.txt"] and brought.texts(".//t:Content") == [
            base64.b64encode(b"plan").decode()
        ]
        assert (await site.ask(named("GetAttachment", attachment), BOB)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(named("DeleteAttachment", attachment), BOB)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(attach(item, file(b"x", "x")), BOB)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(attach(item, "<t:FileAttachment/>"))).codes == ["ErrorRequiredPropertyMissing"]
        assert (await site.ask(read(item, '<t:FieldURI FieldURI="item:Subject"/>'))).texts(".//t:Subject") == ["Paint"]
        assert (await site.ask(named("DeleteAttachment", attachment))).codes == ["NoError"]

    asyncio.run(steps())
