"""Messages: made, read in every shape, changed, sent.

covers: mail_editor, sending, rendering, services.ews.fields.item, services.ews.fields.item_values, services.ews.fields.message
covers: services.ews.fields.mime, services.ews.fields.body, services.ews.fields.people, services.ews.fields.bag
covers: services.ews.operations.send_item
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

import pytest

from postern.model.folders import FolderKind, Right
from postern.model.items import Flag, NewItem
from postern.protocols.ews.ids import ItemId, read_id
from postern.protocols.mime.header import MAX_FIELDS, MAX_HEADER
from postern.services.ews import mail_editor
from postern.services.ews.kinds import MAX_PROPERTIES
from postern.services.ews.operations import update_item
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_calendar_items import HOUR
from tests.services.ews.test_calendar_items import made as appointment
from tests.services.ews.test_items import read

MIXED = (
    b"From: =?utf-8?q?Bob_J=C3=B6?= <bob@example.test>\r\nTo: Alice <alice@example.test>, carol@else.test\r\n"
    b"Cc: dave@else.test\r\nSubject: =?utf-8?b?w5xiZXI=?= lunch\r\nDate: Mon, 30 Nov 2026 01:02:03 +0000\r\n"
    b"Message-ID: <m1@example.test>\r\nImportance: high\r\nSensitivity: Private\r\nX-Mine: yes\r\n"
    b"Disposition-Notification-To: bob@example.test\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=B\r\n\r\n"
    b"--B\r\nContent-Type: multipart/alternative; boundary=A\r\n\r\n"
    b"--A\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe\r\n"
    b"--A\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p onclick='x()'>Gr\xc3\xbc\xc3\x9fe"
    b"<script>x()</script></p>\r\n--A--\r\n"
    b"--B\r\nContent-Type: text/plain; name=note.txt\r\nContent-Disposition: attachment; filename=note.txt\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n"
    b"--B\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nFrom: eve@else.test\r\n"
    b"Content-Type: multipart/mixed; boundary=C\r\n\r\n--C\r\n\r\nhello\r\n"
    b"--C\r\nContent-Type: application/pdf; name=deep.pdf\r\n\r\nPDF\r\n--C--\r\n"
    b"--B--\r\n"
)


APART = [f'<t:FieldURI FieldURI="item:{name}"/>' for name in ("UniqueBody", "TextBody", "Preview")]
"""Properties that no base has."""


def made(properties: str, disposition: str = "SaveOnly", folder: str = "", kind: str = "Message") -> str:
    saved = f"<m:SavedItemFolderId>{folder}</m:SavedItemFolderId>" if folder else ""
    return (
        f'<m:CreateItem MessageDisposition="{disposition}">{saved}<m:Items><t:{kind}>{properties}</t:{kind}>'
        "</m:Items></m:CreateItem>"
    )


def to(address: str, name: str = "") -> str:
    shown = f"<t:Name>{name}</t:Name>" if name else ""
    return f"<t:Mailbox>{shown}<t:EmailAddress>{address}</t:EmailAddress></t:Mailbox>"


def recipients(field: str, *addresses: str) -> str:
    return f"<t:{field}>{''.join(map(to, addresses))}</t:{field}>"


async def received(site: EwsSite, octets: bytes, flags: int = 0) -> str:
    """The id of a message in the inbox."""
    inbox = await site.folder(FolderKind.INBOX)
    (number,) = await site.mailboxes.create(guid_of(ALICE), inbox, [NewItem(octets, flags)])
    return str(ItemId(guid_of(ALICE), number))


async def content(site: EwsSite, kind: FolderKind, address: str = ALICE) -> list[bytes]:
    folder = await site.folder(kind, address)
    items = await site.mailboxes.get(guid_of(address), range(1, 1_000_000), True)
    return [item.content or b"" for item in items if item.folder == folder]


async def carried(site: EwsSite) -> None:
    """Does what a hub does with the outbox."""
    for uid in await site.mailboxes.outbox(guid_of(ALICE)):
        await site.mailboxes.submitted(guid_of(ALICE), uid)


def test_a_message_is_read_in_its_shapes() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED)
        told = await site.ask(read(item, base="Default"))
        names = [element.tag.rpartition("}")[2] for element in told.find(".//t:Message")]
        assert names == [
            "ItemId", "Subject", "Sensitivity", "Body", "Attachments", "Size", "DateTimeSent", "DateTimeCreated",
            "ResponseObjects", "HasAttachments", "ToRecipients", "CcRecipients", "IsReadReceiptRequested",
            "IsDeliveryReceiptRequested", "From", "IsRead",
        ]  # fmt: skip
        assert told.texts(".//t:Subject") == ["Über lunch"]
        assert told.texts(".//t:Sensitivity") == ["Private"]
        assert told.texts(".//t:DateTimeSent") == ["2026-11-30T01:02:03Z"]
        assert told.texts(".//t:From/t:Mailbox/t:Name") == ["Bob Jö"]
        assert told.texts(".//t:ToRecipients/t:Mailbox/t:EmailAddress") == [ALICE, "carol@else.test"]
        assert told.find(".//t:Body").attrib["BodyType"] == "HTML" and "Grüße" in told.texts(".//t:Body")[0]
        responses = [element.tag.rpartition("}")[2] for element in told.find(".//t:ResponseObjects")]
        assert responses == ["ReplyToItem", "ReplyAllToItem", "ForwardItem", "SuppressReadReceipt"]
        shape = read(item, *APART, base="AllProperties")
        every = await site.ask(shape)
        assert every.texts(".//t:Importance") == ["High"]
        assert every.texts(".//t:DisplayTo") == ["Alice; carol@else.test"]
        assert every.texts(".//t:ConversationTopic") == ["Über lunch"]
        assert every.texts(".//t:InternetMessageId") == ["<m1@example.test>"]
        assert every.texts(".//t:Preview") == ["Grüße"]
        assert not every.all(".//t:MimeContent")
        old = await site.ask(shape, version="Exchange2007")
        for name in ("ConversationId", "UniqueBody", "Flag", "TextBody", "ReceivedBy"):
            assert every.all(f".//t:{name}") and not old.all(f".//t:{name}"), name
        mime = await site.ask(
            read(item).replace("</t:BaseShape>", "</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>")
        )
        assert base64.b64decode(mime.texts(".//t:MimeContent")[0]) == MIXED

    asyncio.run(steps())


EVENT = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nMETHOD:%s\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTAMP:20261130T000000Z\r\n"
    b"DTSTART:20261201T100000Z\r\nDTEND:20261201T110000Z\r\nSUMMARY:Talk\r\nORGANIZER:mailto:bob@example.test\r\n"
    b"ATTENDEE:mailto:alice@example.test\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.mark.parametrize(
    ("type_", "content", "attached"),
    [
        (b"text/calendar; method=REQUEST", EVENT % b"REQUEST", 0),
        (b"text/calendar; method=PUBLISH", EVENT % b"PUBLISH", 1),
        (b"text/calendar; method=REQUEST", b"no calendar", 1),
        (b"text/x-patch", b"+a", 1),
        (b"text/plain", b"Hello", 0),
    ],
)
def test_attachments_are_told_where_there_are_some(type_: bytes, content: bytes, attached: int) -> None:
    async def steps() -> None:
        site = EwsSite()
        head = b"From: bob@example.test\r\nTo: alice@example.test\r\nSubject: Talk\r\nContent-Type: %s\r\n\r\n" % type_
        item = await received(site, head + content)
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:HasAttachments") == ["true" if attached else "false"]
        assert len(told.all(".//t:FileAttachment")) == attached

    asyncio.run(steps())


def test_bodies_are_told_in_the_form_that_is_asked_for() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED)
        body = '<t:FieldURI FieldURI="item:Body"/>'

        async def asked(options: str, version: str = "Exchange2013") -> tuple[str, str, str]:
            shape = read(item, body).replace("</t:BaseShape>", f"</t:BaseShape>{options}")
            element = (await site.ask(shape, version=version)).find(".//t:Body")
            return element.attrib["BodyType"], element.text or "", element.attrib.get("IsTruncated", "")

        assert await asked("<t:BodyType>Text</t:BodyType>") == ("Text", "Grüße", "false")
        kind, text, _ = await asked("<t:BodyType>HTML</t:BodyType>", "Exchange2007")
        assert (kind, _) == ("HTML", "") and "<script>" in text
        kind, text, _ = await asked("<t:FilterHtmlContent>true</t:FilterHtmlContent>")
        assert "<p>Grüße</p>" in text and "script" not in text and "onclick" not in text
        assert await asked("<t:BodyType>Text</t:BodyType><t:MaximumBodySize>2</t:MaximumBodySize>") == (
            "Text",
            "Gr",
            "true",
        )
        item = await received(site, b"Subject: x\r\n\r\nA <b> & c\r\n\r\nOn Monday Bob wrote:\r\n> more\r\n")
        assert await asked("") == ("Text", "A <b> & c\r\n\r\nOn Monday Bob wrote:\r\n> more", "false")
        kind, text, _ = await asked("<t:BodyType>HTML</t:BodyType>")
        assert kind == "HTML" and "A &lt;b&gt; &amp; c<br>" in text
        unique = await site.ask(read(item, '<t:FieldURI FieldURI="item:UniqueBody"/>'))
        assert unique.texts(".//t:UniqueBody") == ["A <b> & c"]

    asyncio.run(steps())


BODY = '<t:Body BodyType="Text">Grow</t:Body>'


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (made(BODY), "Body"),
        (f"<m:CreateItem><m:Items><t:Contact>{BODY}</t:Contact></m:Items></m:CreateItem>", "Body"),
        (f"<m:CreateItem><m:Items><t:Task>{BODY}</t:Task></m:Items></m:CreateItem>", "Body"),
        (appointment(BODY + HOUR), "Body"),
        (appointment(BODY + HOUR), "TextBody"),
    ],
)
def test_bodies_of_all_kinds_are_cut_alike(ask: str, name: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        item = (await site.ask(ask)).find(".//t:ItemId").attrib["Id"]
        shape = read(item, f'<t:FieldURI FieldURI="item:{name}"/>')

        async def asked(options: str, version: str = "Exchange2013") -> tuple[str, str | None]:
            options = f"</t:BaseShape><t:BodyType>Text</t:BodyType>{options}"
            told = await site.ask(shape.replace("</t:BaseShape>", options), version=version)
            element = told.find(f".//t:{name}")
            return element.text or "", element.attrib.get("IsTruncated")

        assert await asked("") == ("Grow", "false")
        assert await asked("<t:MaximumBodySize>4</t:MaximumBodySize>") == ("Grow", "false")
        assert await asked("<t:MaximumBodySize>2</t:MaximumBodySize>") == ("Gr", "true")
        assert await asked("<t:MaximumBodySize>0</t:MaximumBodySize>") == ("", "true")
        if name == "Body":
            assert await asked("", "Exchange2010") == ("Grow", None)

    asyncio.run(steps())


def test_properties_of_mapi_are_read_from_the_message() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED, Flag.SEEN)
        paths = [
            ('PropertyTag="0x0037" PropertyType="String"', "Über lunch"),
            ('PropertyTag="0x0017" PropertyType="Integer"', "2"),
            ('PropertyTag="0x0e07" PropertyType="Integer"', "17"),
            ('PropertyTag="0x5d02" PropertyType="String"', BOB),
            ('PropertyTag="0x0039" PropertyType="SystemTime"', "2026-11-30T01:02:03Z"),
            ('DistinguishedPropertySetId="InternetHeaders" PropertyName="X-Mine" PropertyType="String"', "yes"),
        ]
        told = await site.ask(read(item, *[f"<t:ExtendedFieldURI {path}/>" for path, _ in paths]))
        assert told.texts(".//t:ExtendedProperty/t:Value") == [value for _, value in paths]
        header = '<t:IndexedFieldURI FieldURI="item:InternetMessageHeader" FieldIndex="X-Mine"/>'
        one = await site.ask(read(item, header))
        assert [(each.attrib["HeaderName"], each.text) for each in one.all(".//t:InternetMessageHeader")] == [
            ("X-Mine", "yes")
        ]

    asyncio.run(steps())


def test_a_draft_is_made_of_properties_and_changed() -> None:
    async def steps() -> None:
        site = EwsSite()
        answer = await site.ask(
            made(
                "<t:Subject>Größe</t:Subject><t:Sensitivity>Confidential</t:Sensitivity>"
                '<t:Body BodyType="HTML">&lt;p&gt;Hällo &lt;img src="cid:pic@x"&gt;&lt;/p&gt;</t:Body>'
                "<t:Attachments><t:FileAttachment><t:Name>é.txt</t:Name><t:ContentType>text/plain</t:ContentType>"
                "<t:Content>YWJj</t:Content></t:FileAttachment>"
                "<t:FileAttachment><t:Name>p.png</t:Name><t:ContentId>pic@x</t:ContentId><t:IsInline>true</t:IsInline>"
                "<t:Content>AAAA</t:Content></t:FileAttachment></t:Attachments>"
                "<t:Categories><t:String>Red Category</t:String></t:Categories><t:Importance>Low</t:Importance>"
                "<t:ReminderIsSet>false</t:ReminderIsSet>"
                + recipients("ToRecipients", BOB)
                + recipients("BccRecipients", "eve@else.test")
            )
        )
        assert answer.codes == ["NoError"]
        assert len(answer.all(".//t:FileAttachment/t:AttachmentId")) == 2
        item, key = (answer.find(".//t:ItemId").attrib[name] for name in ("Id", "ChangeKey"))
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:Subject") == ["Größe"] and told.texts(".//t:Importance") == ["Low"]
        assert told.texts(".//t:Sensitivity") == ["Confidential"] and told.texts(".//t:IsDraft") == ["true"]
        assert told.texts(".//t:Categories/t:String") == ["Red Category"]
        assert told.texts(".//t:BccRecipients/t:Mailbox/t:EmailAddress") == ["eve@else.test"]
        assert told.texts(".//t:FileAttachment/t:Name") == ["p.png", "é.txt"]
        assert told.texts(".//t:FileAttachment/t:IsInline") == ["true", "false"]
        assert told.texts(".//t:HasAttachments") == ["true"] and not told.all(".//t:TextBody")
        before = (await content(site, FolderKind.DRAFTS))[0]
        updates = "".join(
            f'<t:SetItemField><t:FieldURI FieldURI="{uri}"/><t:Message>{value}</t:Message></t:SetItemField>'
            for uri, value in (
                ("item:Subject", "<t:Subject>Kleiner</t:Subject>"),
                ("message:ToRecipients", recipients("ToRecipients", "carol@else.test")),
                ("message:IsRead", "<t:IsRead>false</t:IsRead>"),
                ("item:Flag", "<t:Flag><t:FlagStatus>Flagged</t:FlagStatus></t:Flag>"),
            )
        )
        updates += '<t:DeleteItemField><t:FieldURI FieldURI="item:Categories"/></t:DeleteItemField>'
        changed = await site.ask(
            '<m:UpdateItem ConflictResolution="AutoResolve" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>'
            f'<t:ItemId Id="{item}" ChangeKey="{key}"/><t:Updates>{updates}</t:Updates></t:ItemChange>'
            "</m:ItemChanges></m:UpdateItem>"
        )
        assert changed.codes == ["NoError"], changed.text
        after = (await content(site, FolderKind.DRAFTS))[0]
        assert before.partition(b"\r\n\r\n")[2] == after.partition(b"\r\n\r\n")[2], "the parts stay as they are"
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:Subject") == ["Kleiner"] and told.texts(".//t:IsRead") == ["false"]
        assert told.texts(".//t:FlagStatus") == ["Flagged"] and not told.all(".//t:Categories")
        assert told.texts(".//t:ToRecipients/t:Mailbox/t:EmailAddress") == ["carol@else.test"]

    asyncio.run(steps())


def test_a_message_is_sent_and_kept_where_the_request_says() -> None:
    async def steps() -> None:
        site = EwsSite()
        letter = "<t:Subject>Hi</t:Subject>" + '<t:Body BodyType="Text">x</t:Body>' + recipients("ToRecipients", BOB)
        assert (await site.ask(made(letter, "SendOnly"))).codes == ["NoError"]
        (waiting,) = await content(site, FolderKind.OUTBOX)
        assert b"From: Alice <alice@example.test>\r\n" in waiting and b"\r\nMessage-ID: <" in waiting
        await carried(site)
        assert not await content(site, FolderKind.OUTBOX) and not await content(site, FolderKind.SENT)
        assert (await site.ask(made(letter, "SendAndSaveCopy"))).codes == ["NoError"]
        archive = '<t:DistinguishedFolderId Id="junkemail"/>'
        assert (await site.ask(made(letter, "SendAndSaveCopy", archive))).codes == ["NoError"]
        await carried(site)
        assert len(await content(site, FolderKind.SENT)) == len(await content(site, FolderKind.JUNK)) == 1
        assert (await site.ask(made("<t:Subject>x</t:Subject>", "SendOnly"))).codes == ["ErrorMissingRecipients"]
        assert (await site.ask(made(letter, "SendOnly").replace(BOB, "bob"))).codes == ["ErrorInvalidRecipients"]
        mine = "<t:ItemClass>IPM.Note.Mine</t:ItemClass>" + letter
        assert (await site.ask(made(mine, "SendAndSaveCopy"))).codes == ["NoError"]
        outbox = site.mailboxes._folder(guid_of(ALICE), await site.folder(FolderKind.OUTBOX))
        assert [each.item_class for each in outbox.items.values()] == ["IPM.Note.Mine"]
        nameless = made(letter).replace(' MessageDisposition="SaveOnly"', "")
        assert (await site.ask(nameless)).codes == ["ErrorMessageDispositionRequired"]

    asyncio.run(steps())


def test_a_draft_is_sent_once_as_it_was_read() -> None:
    async def steps() -> None:
        site = EwsSite()
        letter = (
            "<t:Subject>Hi</t:Subject>" + recipients("ToRecipients", BOB) + recipients("BccRecipients", "eve@else.test")
        )
        draft = (await site.ask(made(letter))).find(".//t:ItemId")
        item, key = draft.attrib["Id"], draft.attrib["ChangeKey"]

        def send(id_: str, more: str = 'SaveItemToFolder="true"') -> str:
            return f"<m:SendItem {more}><m:ItemIds>{id_}</m:ItemIds></m:SendItem>"

        named = f'<t:ItemId Id="{item}" ChangeKey="{key}"/>'
        assert (await site.ask(send(f'<t:ItemId Id="{item}"/>'))).codes == ["ErrorChangeKeyRequired"]
        assert (await site.ask(send(named), BOB)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(send(named))).codes == ["NoError"]
        assert not await content(site, FolderKind.DRAFTS)
        (octets,) = await content(site, FolderKind.OUTBOX)
        assert octets.count(b"Message-ID:") == 1 and b"Bcc: eve@else.test" in octets
        await carried(site)
        assert len(await content(site, FolderKind.SENT)) == 1
        told = await site.ask(read(item, base="AllProperties"))
        assert told.texts(".//t:IsDraft") == ["false"] and told.texts(".//t:IsRead") == ["true"]
        assert (await site.ask(send(named))).codes == ["ErrorStaleObject"]

    asyncio.run(steps())


def test_a_draft_that_was_to_go_away_is_kept_where_the_request_says_so() -> None:
    async def steps() -> None:
        site = EwsSite()
        answer = await site.ask(made("<t:Subject>Hi</t:Subject>" + recipients("ToRecipients", BOB)))
        draft = answer.find(".//t:ItemId").attrib["Id"]
        read_draft = read_id(draft)
        assert isinstance(read_draft, ItemId)
        # PidTagDeleteAfterSubmit and PidTagSentMailEntryId, as another program left them.
        left = {0x0E01_000B: b"\1", 0x0E0A_0102: b"\0" * 8}
        await site.mailboxes.set_properties(guid_of(ALICE), read_draft.item, left)
        key = (await site.ask(read(draft))).find(".//t:ItemId").attrib["ChangeKey"]
        named = f'<t:ItemId Id="{draft}" ChangeKey="{key}"/>'
        sent = await site.ask(f'<m:SendItem SaveItemToFolder="true"><m:ItemIds>{named}</m:ItemIds></m:SendItem>')
        assert sent.codes == ["NoError"]
        assert not left.keys() & (await site.mailboxes.properties(guid_of(ALICE), read_draft.item)).keys()

    asyncio.run(steps())


def test_nobody_sends_as_another() -> None:
    async def steps() -> None:
        site = EwsSite()
        letter = recipients("ToRecipients", BOB) + f"<t:From>{to(BOB)}</t:From>"
        assert (await site.ask(made(letter, "SendOnly"))).codes == ["ErrorSendAsDenied"]
        # Each author is asked for, however many there are.
        many = base64.b64encode(f"From: {f'{ALICE}, ' * 10}{BOB}\r\nTo: {BOB}\r\n\r\n".encode()).decode()
        letter = f"<t:MimeContent>{many}</t:MimeContent>"
        assert (await site.ask(made(letter, "SendOnly"))).codes == ["ErrorSendAsDenied"]
        assert not await content(site, FolderKind.OUTBOX)

    asyncio.run(steps())


OTHERS_AUTHORS = [
    b"From: bob@example.test\r\n",
    b"From: alice@example.test\r\nFrom: bob@example.test\r\n",
    b"From:\r\nfrom: bob@example.test\r\n",
    b"From: bob\r\nFROM:\r\n",
    b"FROM : bob@example.test\r\n",
    b"fRoM:\r\n bob@example.test\r\n",
    b"From: alice@example.test, bob\r\n",
    b"From: alice@example.test, =?utf-8?q?bob=40example.test?=\r\n",
    b'From: "bob@example.test" <alice@example.test>, <bob@example.test>\r\n',
    b"From: alice@example.test\r\nFr\0om: bob@example.test\r\n",
    b"From: alice@example.test\r\n\0From: bob@example.test\r\n",
    b"From: alice@example.test\r\nSen\0der: bob@example.test\r\n",
    b"From: alice@example.test\r\nResent-From: bob@example.test\r\nResent-To: eve@else.test\r\n",
    b"From: alice@example.test\r\nResent-Sender: bob@example.test\r\nResent-To: eve@else.test\r\n",
]
"""Headers by which alice would be taken for bob, by some reader."""
OWN_AUTHORS = [
    (b"", b"From: Alice <alice@example.test>\r\n"),
    (b"From:\r\n", b"From: Alice <alice@example.test>\r\n"),
    (b"fROM:\r\n\tAl <post.alice@example.test>\r\n", b"fROM:\r\n\tAl <post.alice@example.test>\r\n"),
    (b"From: team@example.test\r\n", b"From: team@example.test\r\n"),
    (
        b"From: alice@example.test\r\nSender: bob@example.test\r\nsender: eve@else.test\r\n",
        b"From: alice@example.test\r\n",
    ),
    (
        b"From: alice@example.test\r\nResent-From: alice@example.test\r\nResent-To: eve@else.test\r\n",
        b"Resent-From: alice@example.test\r\n",
    ),
]
"""Headers of alice's own, and what stands in the message that is sent."""


@pytest.mark.parametrize("header", OTHERS_AUTHORS)
def test_no_form_of_a_header_sends_as_another(header: bytes) -> None:
    async def steps() -> None:
        site = EwsSite()
        octets = header + b"To: eve@else.test\r\n\r\nx"
        letter = f"<t:MimeContent>{base64.b64encode(octets).decode()}</t:MimeContent>"
        assert (await site.ask(made(letter, "SendAndSaveCopy"))).codes == ["ErrorSendAsDenied"]
        assert await sent_draft(site, octets) == ["ErrorSendAsDenied"]
        assert not await content(site, FolderKind.OUTBOX)
        assert await content(site, FolderKind.DRAFTS) == [octets], "a draft that is not sent stays as it is"

    asyncio.run(steps())


@pytest.mark.parametrize(("header", "written"), OWN_AUTHORS)
def test_a_draft_of_ones_own_is_sent(header: bytes, written: bytes) -> None:
    async def steps() -> None:
        site = EwsSite()
        site.recipients.send_as = ("team@example.test",)
        assert await sent_draft(site, header + b"To: eve@else.test\r\n\r\nx") == ["NoError"]
        (octets,) = await content(site, FolderKind.OUTBOX)
        assert written in octets and b"sender" not in octets.lower()
        assert octets.lower().count(b"\nfrom:") + octets.lower().startswith(b"from:") == 1

    asyncio.run(steps())


def test_a_header_that_the_hub_would_not_read_is_not_sent() -> None:
    async def steps() -> None:
        for header in (
            b"To: eve@else.test\r\n" + b"X: y\r\n" * MAX_FIELDS,
            b"To: eve@else.test\r\nX: " + b"y" * MAX_HEADER,
        ):
            assert await sent_draft(EwsSite(), header + b"\r\n\r\nx") == ["ErrorMessageSizeExceeded"]
        assert await sent_draft(EwsSite(), b"To: a@@b\r\n\r\nx") == ["ErrorInvalidRecipients"]
        # A message that is sent again goes to those of the latest resending alone (RFC 5322 section 3.6.6).
        assert await sent_draft(EwsSite(), b"Resent-Cc:\r\nTo: eve@else.test\r\n\r\nx") == ["ErrorMissingRecipients"]

    asyncio.run(steps())


async def sent_draft(site: EwsSite, octets: bytes) -> list[str]:
    """The codes of the answer to SendItem of a draft that another program has stored."""
    drafts = await site.folder(FolderKind.DRAFTS)
    (number,) = await site.mailboxes.create(guid_of(ALICE), drafts, [NewItem(octets, Flag.DRAFT)])
    told = (await site.ask(read(str(ItemId(guid_of(ALICE), number))))).find(".//t:ItemId")
    named = f'<t:ItemId Id="{told.attrib["Id"]}" ChangeKey="{told.attrib["ChangeKey"]}"/>'
    return (await site.ask(f'<m:SendItem SaveItemToFolder="true"><m:ItemIds>{named}</m:ItemIds></m:SendItem>')).codes


def updated(item: str, *updates: str) -> str:
    return (
        '<m:UpdateItem ConflictResolution="AutoResolve" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>'
        f'<t:ItemId Id="{item}"/><t:Updates>{"".join(updates)}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>'
    )


def test_values_are_appended_and_a_sent_message_keeps_its_people() -> None:
    async def steps() -> None:
        site = EwsSite()

        def change(uri: str, value: str, name: str = "AppendToItemField") -> str:
            return f'<t:{name}><t:FieldURI FieldURI="{uri}"/><t:Message>{value}</t:Message></t:{name}>'

        letter = '<t:Body BodyType="Text">one</t:Body>' + recipients("ToRecipients", BOB)
        draft = (await site.ask(made(letter))).find(".//t:ItemId").attrib["Id"]
        body = change("item:Body", '<t:Body BodyType="Text">, two</t:Body>')
        to_more = change("message:ToRecipients", recipients("ToRecipients", "eve@else.test"))
        assert (await site.ask(updated(draft, body, to_more))).codes == ["NoError"]
        told = await site.ask(read(draft, base="Default"))
        assert told.texts(".//t:Body") == ["one, two"]
        assert told.texts(".//t:ToRecipients/t:Mailbox/t:EmailAddress") == [BOB, "eve@else.test"]
        for minutes, code in (("-1", "ErrorInvalidValueForProperty"), ("0" * 5_000, "ErrorSchemaValidation")):
            value = f"<t:ReminderMinutesBeforeStart>{minutes}</t:ReminderMinutesBeforeStart>"
            reminder = change("item:ReminderMinutesBeforeStart", value, "SetItemField")
            assert (await site.ask(updated(draft, reminder))).codes == [code]
        more = change("item:Subject", "<t:Subject>x</t:Subject>")
        assert (await site.ask(updated(draft, more))).codes == ["ErrorInvalidPropertyAppend"]
        item = await received(site, MIXED)
        assert (await site.ask(updated(item, to_more))).codes == ["ErrorInvalidPropertyUpdateSentMessage"]
        subject = change("item:Subject", "<t:Subject>mine</t:Subject>", "SetItemField")
        read_now = change("message:IsRead", "<t:IsRead>true</t:IsRead>", "SetItemField")
        assert (await site.ask(updated(item, subject, read_now))).codes == ["NoError"]
        assert (await site.ask(read(item, base="Default"))).texts(".//t:Subject") == ["mine"]

    asyncio.run(steps())


def test_a_delegate_sends_on_behalf_and_keeps_the_copy_with_the_owner() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX, BOB)
        sent = await site.folder(FolderKind.SENT, BOB)
        site.recipients.known[BOB] = replace(site.recipients.known[BOB], delegates=(ALICE,))
        letter = recipients("ToRecipients", "eve@else.test") + f"<t:From>{to(BOB, 'Bob')}</t:From>"
        folder = f'<t:DistinguishedFolderId Id="sentitems">{to(BOB)}</t:DistinguishedFolderId>'
        refused = await site.ask(made(letter, "SendAndSaveCopy", folder))
        assert refused.codes == ["ErrorSavedItemFolderNotFound"], "the folder is not shared"
        assert not await content(site, FolderKind.OUTBOX)
        owner = site.recipients.known[BOB]
        await site.sharing.set_rights(owner, sent, guid_of(ALICE), Right.CREATE | Right.VISIBLE)
        assert (await site.ask(made(letter, "SendAndSaveCopy", folder))).codes == ["NoError"]
        (octets,) = await content(site, FolderKind.OUTBOX)
        assert b"From: Bob <bob@example.test>\r\n" in octets and b"Sender: Alice <alice@example.test>\r\n" in octets
        await carried(site)
        assert not await content(site, FolderKind.SENT)
        assert [item.folder for item in await site.mailboxes.get(guid_of(BOB), range(1, 1_000_000))] == [sent]

    asyncio.run(steps())


def test_a_draft_in_anothers_mailbox_is_sent_by_who_may_delete_it() -> None:
    async def steps() -> None:
        site = EwsSite()
        drafts = await site.folder(FolderKind.DRAFTS, BOB)
        owner = site.recipients.known[BOB]
        (number,) = await site.mailboxes.create(
            guid_of(BOB), drafts, [NewItem(b"To: eve@else.test\r\n\r\nx", Flag.DRAFT)]
        )
        await site.sharing.set_rights(owner, drafts, guid_of(ALICE), Right.READ_ANY | Right.VISIBLE)
        item = str(ItemId(guid_of(BOB), number))
        key = (await site.ask(read(item))).find(".//t:ItemId").attrib["ChangeKey"]
        send = (
            '<m:SendItem SaveItemToFolder="true"><m:ItemIds>'
            f'<t:ItemId Id="{item}" ChangeKey="{key}"/></m:ItemIds></m:SendItem>'
        )
        assert (await site.ask(send)).codes == ["ErrorAccessDenied"]
        assert not await content(site, FolderKind.OUTBOX)
        await site.sharing.set_full_access(owner, guid_of(ALICE), True)
        assert (await site.ask(send)).codes == ["NoError"]
        (octets,) = await content(site, FolderKind.OUTBOX)
        assert b"From: Alice <alice@example.test>" in octets
        assert not await site.mailboxes.get(guid_of(BOB), [number])

    asyncio.run(steps())


def extended(tag: str, value: str, type_: str = "Integer") -> str:
    path = f'<t:ExtendedFieldURI PropertyTag="{tag}" PropertyType="{type_}"/>'
    return f"<t:ExtendedProperty>{path}<t:Value>{value}</t:Value></t:ExtendedProperty>"


def test_flags_are_those_of_imap_under_their_names_in_mapi() -> None:
    async def steps() -> None:
        site = EwsSite()
        shown = base64.b64encode(MIXED).decode()
        # As programs import mail: it is no draft, and it has been read.
        answer = await site.ask(made(f"<t:MimeContent>{shown}</t:MimeContent>{extended('0x0e07', '1')}"))
        item = answer.find(".//t:ItemId").attrib["Id"]
        names = ("0x0e07", "0x1090", "0x1081")
        paths = [f'<t:ExtendedFieldURI PropertyTag="{name}" PropertyType="Integer"/>' for name in names]

        async def flags() -> tuple[int, list[str]]:
            told = await site.ask(read(item, *paths))
            stored = await site.mailboxes.get(guid_of(ALICE), [getattr(read_id(item), "item", 0)])
            return stored[0].flags, told.texts(".//t:ExtendedProperty/t:Value")

        assert await flags() == (Flag.SEEN, ["17"])
        for path, value in zip(paths[1:], ("2", "102"), strict=True):
            change = extended(path.partition('"')[2][:6], value)
            update = f"<t:SetItemField>{path}<t:Message>{change}</t:Message></t:SetItemField>"
            assert (await site.ask(updated(item, update))).codes == ["NoError"]
        assert await flags() == (Flag.SEEN | Flag.FLAGGED | Flag.ANSWERED, ["17", "2", "102"])
        done = (
            '<t:SetItemField><t:FieldURI FieldURI="item:Flag"/><t:Message><t:Flag><t:FlagStatus>Complete</t:FlagStatus>'
            "<t:CompleteDate>2026-11-30T00:00:00Z</t:CompleteDate></t:Flag></t:Message></t:SetItemField>"
        )
        assert (await site.ask(updated(item, done))).codes == ["NoError"]
        assert await flags() == (Flag.SEEN | Flag.ANSWERED, ["17", "1", "102"])
        told = await site.ask(read(item, '<t:FieldURI FieldURI="item:Flag"/>'))
        assert told.texts(".//t:FlagStatus") == ["Complete"]
        assert told.texts(".//t:CompleteDate") == ["2026-11-30T00:00:00Z"]
        both = done.replace("Complete</t:FlagStatus>", "Flagged</t:FlagStatus>")
        assert (await site.ask(updated(item, both))).codes == ["ErrorInvalidArgument"]

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("field", "culture"),
    [(b"de, en", "de"), (b"\xff", "en-US"), (b"x" * 40, "en-US"), (b"", "en-US"), (b"pt-BR", "pt-BR")],
)
def test_a_language_that_is_none_is_not_told(field: bytes, culture: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox, letter = await site.folder(FolderKind.INBOX), NewItem(b"Content-Language: " + field + b"\r\n\r\n")
        (item,) = await site.mailboxes.create(guid_of(ALICE), inbox, [letter])
        told = await site.ask(read(str(ItemId(guid_of(ALICE), item)), base="AllProperties"))
        assert told.texts(".//t:Culture") == [culture]

    asyncio.run(steps())


def test_one_request_changes_a_bounded_number_of_properties() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = (await site.ask(made("<t:Subject>a</t:Subject>"))).find(".//t:ItemId").attrib["Id"]
        subject = '<t:FieldURI FieldURI="item:Subject"/><t:Message><t:Subject>b</t:Subject></t:Message>'
        body = '<t:FieldURI FieldURI="item:Body"/><t:Message><t:Body BodyType="Text">b</t:Body></t:Message>'
        for name, update, most in (
            ("SetItemField", subject, MAX_PROPERTIES),
            ("AppendToItemField", body, update_item.MAX_APPENDS),
        ):
            for count, code in ((most, "NoError"), (most + 1, "ErrorInvalidRequest")):
                updates = f"<t:{name}>{update}</t:{name}>" * count
                request = (
                    '<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"><m:ItemChanges>'
                    f'<t:ItemChange><t:ItemId Id="{item}"/><t:Updates>{updates}</t:Updates></t:ItemChange></m:ItemChanges>'
                    "</m:UpdateItem>"
                )
                assert (await site.ask(request)).codes == [code]
        uri = '<t:ExtendedFieldURI PropertyTag="0x1234" PropertyType="Integer"/>'
        extended = f"<t:ExtendedProperty>{uri}<t:Value>1</t:Value></t:ExtendedProperty>"
        assert (await site.ask(made(extended * 501))).codes == ["ErrorInvalidRequest"]
        many = base64.b64encode(b"X: y\r\n" * (mail_editor.MAX_FIELDS + 1) + b"\r\n").decode()
        assert (await site.ask(made(f"<t:MimeContent>{many}</t:MimeContent>"))).codes == ["ErrorMimeContentInvalid"]

    asyncio.run(steps())
