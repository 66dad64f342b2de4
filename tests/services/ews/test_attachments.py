"""Attachments: files, pictures within the text, and items; also those of messages in messages.

covers: attached, attached_places, services.ews.operations.get_attachment, services.ews.operations.create_attachment
covers: services.ews.operations.delete_attachment
"""

from __future__ import annotations

import asyncio
import base64

import pytest

from postern.model.folders import FolderKind
from postern.model.items import Flag
from postern.protocols.ews.ids import ItemId, read_id
from postern.protocols.mime.structure import MAX_PARTS
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import Answer, EwsSite
from tests.services.ews.test_items import read
from tests.services.ews.test_messages import MIXED, content, made, received, recipients, updated


def got(*ids: str, shape: str = "") -> str:
    named = "".join(f'<t:AttachmentId Id="{each}"/>' for each in ids)
    return f"<m:GetAttachment>{shape}<m:AttachmentIds>{named}</m:AttachmentIds></m:GetAttachment>"


def attached(item: str, attachments: str, key: str = "") -> str:
    named = f' ChangeKey="{key}"' if key else ""
    return (
        f'<m:CreateAttachment><m:ParentItemId Id="{item}"{named}/><m:Attachments>{attachments}</m:Attachments>'
        "</m:CreateAttachment>"
    )


def file(name: str, octets: bytes, more: str = "") -> str:
    shown = base64.b64encode(octets).decode()
    return f"<t:FileAttachment><t:Name>{name}</t:Name>{more}<t:Content>{shown}</t:Content></t:FileAttachment>"


def deleted(*ids: str) -> str:
    named = "".join(f'<t:AttachmentId Id="{each}"/>' for each in ids)
    return f"<m:DeleteAttachment><m:AttachmentIds>{named}</m:AttachmentIds></m:DeleteAttachment>"


def ids_of(answer: Answer) -> list[str]:
    return [each.attrib["Id"] for each in answer.all(".//t:AttachmentId")]


def test_attachments_are_told_and_read() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED)
        told = await site.ask(read(item, base="Default"))
        assert told.texts(".//t:Attachments/*/t:Name") == ["note.txt", "message"]
        note, inner = ids_of(told)
        names = [element.tag.rpartition("}")[2] for element in told.find(".//t:FileAttachment")]
        assert names == [
            "AttachmentId", "Name", "ContentType", "Size", "LastModifiedTime", "IsInline", "IsContactPhoto",
        ]  # fmt: skip
        old = await site.ask(read(item, base="Default"), version="Exchange2007_SP1")
        names = [element.tag.rpartition("}")[2] for element in old.find(".//t:FileAttachment")]
        assert names == ["AttachmentId", "Name", "ContentType"]
        answer = await site.ask(got(note, inner))
        assert answer.codes == ["NoError", "NoError"]
        assert base64.b64decode(answer.texts(".//t:Content")[0]) == b"abc"
        message = answer.find(".//t:ItemAttachment/t:Message")
        assert answer.texts(".//t:ItemAttachment/t:Message/t:Subject") == ["inner"]
        assert answer.texts(".//t:Message/t:From/t:Mailbox/t:EmailAddress") == ["eve@else.test"]
        assert message.find("t:ItemId", {"t": message.tag[1:].partition("}")[0]}) is None
        deep = answer.find(".//t:Message/t:Attachments/t:FileAttachment/t:AttachmentId").attrib["Id"]
        assert base64.b64decode((await site.ask(got(deep))).texts(".//t:Content")[0]) == b"PDF"
        whole = await site.ask(
            got(inner, shape="<m:AttachmentShape><t:IncludeMimeContent>true</t:IncludeMimeContent></m:AttachmentShape>")
        )
        assert base64.b64decode(whole.texts(".//t:MimeContent")[0]).startswith(b"Subject: inner\r\n")
        # Ids of another's item, of no attachment, and of what has changed.
        assert (await site.ask(got(note), BOB)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(got(item, "x"))).codes == ["ErrorInvalidAttachmentId", "ErrorInvalidIdMalformed"]
        assert (await site.ask(deleted(deep))).codes == ["ErrorCannotDeleteObject"]

    asyncio.run(steps())


def test_the_flag_of_a_message_is_not_that_of_what_is_attached_to_it() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED)
        number = read_id(item)
        assert isinstance(number, ItemId)
        # PidTagFlagStatus: it is done (MS-OXOFLAG section 2.2.1.1); PidTagReplyRequested
        await site.mailboxes.set_properties(guid_of(ALICE), number.item, {0x1090_0003: b"\1\0\0\0", 0x0C17_000B: b"\1"})
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:FlagStatus") == ["Complete"] and told.texts(".//t:IsResponseRequested") == ["true"]
        tag = '<t:ExtendedFieldURI PropertyTag="0x1090" PropertyType="Integer"/>'
        fields = f'<t:FieldURI FieldURI="item:Flag"/><t:FieldURI FieldURI="message:IsResponseRequested"/>{tag}'
        shape = "<m:AttachmentShape><t:AdditionalProperties>" + fields + "</t:AdditionalProperties></m:AttachmentShape>"
        inner = await site.ask(got(ids_of(told)[1], shape=shape))
        assert inner.texts(".//t:FlagStatus") == ["NotFlagged"] and not inner.all(".//t:ExtendedProperty")
        assert inner.texts(".//t:IsResponseRequested") != ["true"]

    asyncio.run(steps())


@pytest.mark.parametrize("flags", [0, Flag.DRAFT])
def test_an_update_makes_and_deletes_no_attachments(flags: int) -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED, flags)
        path = '<t:FieldURI FieldURI="item:Attachments"/>'
        setting = (
            f"<t:SetItemField>{path}<t:Message><t:Attachments>{file('a', b'A')}</t:Attachments></t:Message>"
            "</t:SetItemField>"
        )
        assert (await site.ask(updated(item, setting))).codes == ["ErrorInvalidPropertySet"]
        deleting = f"<t:DeleteItemField>{path}</t:DeleteItemField>"
        assert (await site.ask(updated(item, deleting))).codes == ["ErrorInvalidPropertyDelete"]
        assert len(ids_of(await site.ask(read(item, base="Default")))) == 2

    asyncio.run(steps())


def test_attachments_are_made_and_deleted() -> None:
    async def steps() -> None:
        site = EwsSite()
        draft = await site.ask(
            made(
                '<t:Subject>x</t:Subject><t:Body BodyType="HTML">&lt;img src="cid:p"&gt;</t:Body>'
                + recipients("ToRecipients", BOB)
            )
        )
        item, key = (draft.find(".//t:ItemId").attrib[name] for name in ("Id", "ChangeKey"))
        inner = (
            "<t:ItemAttachment><t:Name>inner</t:Name><t:Message><t:Subject>Within</t:Subject>"
            '<t:Body BodyType="Text">hello</t:Body></t:Message></t:ItemAttachment>'
        )
        picture = file("p.png", b"PNG", "<t:ContentId>p</t:ContentId><t:IsInline>true</t:IsInline>")
        nothing = "<t:FileAttachment><t:Name>x</t:Name></t:FileAttachment>"
        answer = await site.ask(attached(item, file("a.txt", b"A") + nothing + inner + picture, key))
        assert answer.codes == ["NoError", "ErrorRequiredPropertyMissing", "NoError", "NoError"]
        assert (await site.ask(attached(item, file("b", b"B"), key))).codes == ["ErrorStaleObject"]
        first, second, third = ids_of(answer)
        assert answer.find(".//t:AttachmentId").attrib["RootItemId"] == item
        told = await site.ask(got(first, second, third))
        assert [base64.b64decode(each) for each in told.texts(".//t:Content")] == [b"A", b"PNG"]
        assert told.texts(".//t:Message/t:Subject") == ["Within"] and told.texts(".//t:Message/t:Body") == ["hello"]
        listed = await site.ask(read(item, base="Default"))
        assert sorted(listed.texts(".//t:Attachments/*/t:Name")) == ["a.txt", "inner", "p.png"]
        gone = await site.ask(deleted(first, second, first))
        assert gone.codes == ["NoError"] * 3
        assert gone.find(".//m:RootItemId").attrib["RootItemId"] == item
        assert (await site.ask(got(third))).codes == ["ErrorItemNotFound"], "the parts are others now"
        listed = await site.ask(read(item, base="Default"))
        assert listed.texts(".//t:Attachments/*/t:Name") == ["p.png"]
        assert b"hello" not in (await content(site, FolderKind.DRAFTS))[0]

    asyncio.run(steps())


def test_an_attachment_behind_the_last_part_that_is_told_has_no_id() -> None:
    async def steps() -> None:
        site = EwsSite()
        many = b"Content-Type: multipart/mixed; boundary=A\r\n\r\n" + b"--A\r\n\r\nx\r\n" * (MAX_PARTS + 1)
        head = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"
        inner = b"--B\r\nContent-Type: message/rfc822\r\n\r\n" + many + b"--A--\r\n--B--\r\n"
        item = await received(site, head + inner, Flag.DRAFT)
        answer = await site.ask(attached(item, file("a.txt", b"A")))
        assert answer.codes == ["NoError"] and not ids_of(answer)
        assert b"a.txt" in (await content(site, FolderKind.INBOX))[0]

    asyncio.run(steps())


def test_large_attachments_go_in_and_out_in_pieces() -> None:
    async def steps() -> None:
        site = EwsSite()
        octets = bytes(range(256)) * 4_000
        answer = await site.ask(made("<t:Attachments>" + file("large", octets) + "</t:Attachments>"))
        (made_id,) = ids_of(answer)
        told = await site.ask(got(made_id))
        assert base64.b64decode(told.texts(".//t:Content")[0]) == octets
        mime = "<t:IncludeMimeContent>true</t:IncludeMimeContent>"
        item = answer.find(".//t:ItemId").attrib["Id"]
        whole = await site.ask(read(item).replace("</t:BaseShape>", f"</t:BaseShape>{mime}"))
        stored = (await content(site, FolderKind.DRAFTS))[0]
        shown = whole.texts(".//t:MimeContent")[0]
        assert base64.b64decode(shown) == stored
        again = await site.ask(made(f"<t:MimeContent>{shown}</t:MimeContent>"))
        assert again.codes == ["NoError"] and (await content(site, FolderKind.DRAFTS))[1] == stored
        assert (await site.ask(made("<t:MimeContent>??</t:MimeContent>"))).codes == [
            "ErrorMimeContentInvalidBase64String"
        ]

    asyncio.run(steps())
