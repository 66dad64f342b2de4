"""Requests as clients send them whose users reported trouble with other servers: Evolution, KMail, Thunderbird.

covers: mail_editor, editing, attached, services.ews.operations.create_item
"""

from __future__ import annotations

import asyncio
import base64

import pytest

from postern.model.folders import FolderKind
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.post import Post
from tests.services.ews.site import Answer, EwsSite

OLD = b"From: bob@example.test\r\nTo: alice@example.test\r\nSubject: Old\r\nDate: Thu, 02 Jan 2020 03:04:05 +0000\r\n\r\nHi\r\n"
TIMES = ("item:DateTimeReceived", "item:DateTimeSent", "item:IsDraft")


def extended(tag: str, type_: str, text: str) -> str:
    uri = f'<t:ExtendedFieldURI PropertyTag="{tag}" PropertyType="{type_}"/>'
    return f"<t:ExtendedProperty>{uri}<t:Value>{text}</t:Value></t:ExtendedProperty>"


SENT = extended("3591", "Integer", "1")
"""PidTagMessageFlags: read, and no draft. Evolution writes tags in decimal."""


def brought(content: bytes, more: str = SENT, disposition: str = "SaveOnly", folder: str = "inbox") -> str:
    return (
        f'<m:CreateItem MessageDisposition="{disposition}"><m:SavedItemFolderId><t:DistinguishedFolderId Id="{folder}"/>'
        f"</m:SavedItemFolderId><m:Items><t:Message><t:MimeContent>{base64.b64encode(content).decode()}</t:MimeContent>{more}"
        "</t:Message></m:Items></m:CreateItem>"
    )


async def times(site: EwsSite, made: Answer) -> list[str]:
    assert made.codes == ["NoError"], made.text
    item = made.find(".//t:ItemId").attrib["Id"]
    paths = "".join([f'<t:FieldURI FieldURI="{uri}"/>' for uri in TIMES])
    shape = f"<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{paths}</t:AdditionalProperties>"
    told = await site.ask(
        f'<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds></m:GetItem>'
    )
    return [*told.texts(".//t:DateTimeReceived"), *told.texts(".//t:DateTimeSent"), *told.texts(".//t:IsDraft")]


def test_a_message_that_is_brought_here_keeps_its_time() -> None:
    """KrissN/akonadi-ews relies on it, in mail/ewscreatemailjob.cpp: else an old folder that is copied is all of today."""

    async def steps() -> None:
        site = EwsSite()
        made = await site.ask(brought(OLD), version="Exchange2010_SP2")
        assert await times(site, made) == ["2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z", "false"]

    asyncio.run(steps())


def test_times_that_a_client_says_are_kept() -> None:
    async def steps() -> None:
        site = EwsSite()
        came, sent = (
            extended("0x0E06", "SystemTime", "2019-05-06T07:08:09Z"),
            extended("0x39", "SystemTime", "2019-05-06T07:00:00Z"),
        )
        for more in (f"{SENT}{came}{sent}", f"{came}{sent}{SENT}"):
            told = await times(site, await site.ask(brought(OLD, more)))
            assert told == ["2019-05-06T07:08:09Z", "2019-05-06T07:00:00Z", "false"]
        # Without MIME, as scripts do it that bring mail from elsewhere.
        folder = '<m:SavedItemFolderId><t:DistinguishedFolderId Id="inbox"/></m:SavedItemFolderId>'
        item = f"<t:Message><t:Subject>x</t:Subject>{came}{sent}</t:Message>"
        made = await site.ask(
            f'<m:CreateItem MessageDisposition="SaveOnly">{folder}<m:Items>{item}</m:Items></m:CreateItem>'
        )
        assert (await times(site, made))[:2] == ["2019-05-06T07:08:09Z", "2019-05-06T07:00:00Z"]

    asyncio.run(steps())


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2099-01-01T00:00:00Z"])
def test_times_of_no_clock_are_not_taken(text: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        for tag in ("0x0E06", "0x39"):
            made = await site.ask(brought(OLD, extended(tag, "SystemTime", text)))
            assert made.codes in (["ErrorInvalidExtendedPropertyValue"], ["NoError"]), made.text
            if made.codes == ["NoError"]:
                assert (await times(site, made))[:2] == ["2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"]

    asyncio.run(steps())


@pytest.mark.parametrize("date", [b"Fri, 02 Jan 2099 03:04:05 +0000", b"Fri, 02 Jan 1920 03:04:05 +0000", b"soon"])
def test_a_time_at_which_nothing_came_is_not_taken(date: bytes) -> None:
    async def steps() -> None:
        site = EwsSite()
        made = await site.ask(brought(b"Subject: x\r\nDate: " + date + b"\r\n\r\nHi\r\n"))
        assert made.codes == ["NoError"]
        inbox = await site.folder(FolderKind.INBOX)
        (item,) = [each for each in await site.mailboxes.get(guid_of(ALICE), range(1, 100_000)) if each.folder == inbox]
        assert abs(item.internal_date - item.created) < 60

    asyncio.run(steps())


def test_a_receipt_of_evolution_is_sent() -> None:
    """GNOME/evolution-ews says the class of a report, src/EWS/common/e-ews-camel-common.c."""

    async def steps() -> None:
        site = EwsSite()
        post = Post(site.mailboxes, site.recipients, {each: guid_of(each) for each in (ALICE, BOB)})
        receipt = (
            b"From: alice@example.test\r\nTo: bob@example.test\r\nSubject: Read: Lunch\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/report; report-type=disposition-notification; boundary=B\r\n\r\n"
            b"--B\r\n\r\nRead.\r\n--B\r\nContent-Type: message/disposition-notification\r\n\r\n"
            b"Final-Recipient: rfc822;alice@example.test\r\n"
            b"Disposition: manual-action/MDN-sent-manually; displayed\r\n\r\n--B--\r\n"
        )
        more = f"<t:ItemClass>REPORT.IPM.NOTE.IPNRN</t:ItemClass>{SENT}<t:IsRead>true</t:IsRead>"
        made = await site.ask(brought(receipt, more, "SendOnly", "sentitems"), version="Exchange2010_SP2")
        assert made.codes == ["NoError"]
        assert await post.carry() == ["MAIL bob@example.test"]
        kept = await site.ask(brought(receipt, more))
        assert kept.codes == ["NoError"]
        # Only a message that is whole may be one.
        bare = "<t:Message><t:ItemClass>REPORT.IPM.NOTE.IPNRN</t:ItemClass></t:Message>"
        refused = await site.ask(
            f'<m:CreateItem MessageDisposition="SaveOnly"><m:Items>{bare}</m:Items></m:CreateItem>'
        )
        assert refused.codes == ["ErrorInvalidValueForProperty"]

    asyncio.run(steps())


def test_an_attachment_that_is_not_inline_stays_beside_the_text() -> None:
    """mustang-im/mustang sends every attachment with a ContentId; in multipart/related, readers would not list it."""

    async def steps() -> None:
        site = EwsSite()

        def attached(name: str, more: str) -> str:
            return f"<t:FileAttachment><t:Name>{name}</t:Name>{more}<t:Content>YWJj</t:Content></t:FileAttachment>"

        files = (
            attached("beside.pdf", "<t:ContentId>c1</t:ContentId><t:Size>3</t:Size><t:IsInline>false</t:IsInline>")
            + attached("within.png", "<t:ContentId>c2</t:ContentId><t:IsInline>true</t:IsInline>")
            + attached("of-2007.png", "<t:ContentId>c3</t:ContentId>")
        )
        body = '<t:Body BodyType="HTML">&lt;img src="cid:c2"&gt;&lt;img src="cid:c3"&gt;</t:Body>'
        item = f"<t:Message><t:Subject>x</t:Subject>{body}<t:Attachments>{files}</t:Attachments></t:Message>"
        made = await site.ask(f'<m:CreateItem MessageDisposition="SaveOnly"><m:Items>{item}</m:Items></m:CreateItem>')
        named = made.find(".//t:ItemId").attrib["Id"]
        shape = (
            "<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent><t:AdditionalProperties>"
            '<t:FieldURI FieldURI="item:Attachments"/><t:FieldURI FieldURI="item:HasAttachments"/></t:AdditionalProperties>'
        )
        told = await site.ask(
            f'<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds><t:ItemId Id="{named}"/></m:ItemIds></m:GetItem>'
        )
        inline = dict(zip(told.texts(".//t:Name"), told.texts(".//t:IsInline"), strict=True))
        assert inline == {"beside.pdf": "false", "within.png": "true", "of-2007.png": "true"}
        assert told.texts(".//t:HasAttachments") == ["true"]
        mime = base64.b64decode(told.find(".//t:MimeContent").text or "")
        assert mime.count(b"Content-Disposition: attachment") == 1 and mime.count(b"Content-Disposition: inline") == 2
        assert mime.index(b"of-2007.png") < mime.index(b"beside.pdf")

    asyncio.run(steps())


def test_an_offset_beside_a_zone_counts_once() -> None:
    """grommunio/gromox#112: an appointment of Outlook for Mac was later by its offset."""

    async def steps() -> None:
        site = EwsSite()
        zones = '<t:StartTimeZone Id="W. Europe Standard Time"/><t:EndTimeZone Id="W. Europe Standard Time"/>'
        times = "<t:Start>2026-11-25T14:00:00+01:00</t:Start><t:End>2026-11-25T14:30:00+01:00</t:End>"
        item = f"<t:CalendarItem><t:Subject>x</t:Subject>{times}{zones}</t:CalendarItem>"
        made = await site.ask(
            f'<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>{item}</m:Items></m:CreateItem>',
            version="Exchange2010_SP2",
        )
        assert made.codes == ["NoError"]
        view = '<m:CalendarView StartDate="2026-11-25T00:00:00Z" EndDate="2026-11-26T00:00:00Z"/>'
        folder = '<m:ParentFolderIds><t:DistinguishedFolderId Id="calendar"/></m:ParentFolderIds>'
        shape = "<m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>"
        told = await site.ask(f'<m:FindItem Traversal="Shallow">{shape}{view}{folder}</m:FindItem>')
        assert told.texts(".//t:Start") == ["2026-11-25T13:00:00Z"]
        assert told.texts(".//t:End") == ["2026-11-25T13:30:00Z"]

    asyncio.run(steps())


@pytest.mark.parametrize("version", ["Exchange2007_SP1", "Exchange2010_SP2", "Exchange2013"])
def test_properties_of_messages_are_asked_of_every_item(version: str) -> None:
    """thunderbird/ews-rs#41: a folder with an appointment or a contact in it was not read at all."""

    async def steps() -> None:
        site = EwsSite()
        contact = "<t:Contact><t:GivenName>x</t:GivenName></t:Contact>"
        event = (
            "<t:CalendarItem><t:Subject>x</t:Subject><t:Start>2026-11-25T14:00:00Z</t:Start>"
            "<t:End>2026-11-25T14:30:00Z</t:End></t:CalendarItem>"
        )
        task = "<t:Task><t:Subject>x</t:Subject></t:Task>"
        ids = []
        for item in (contact, event, task):
            made = await site.ask(
                '<m:CreateItem MessageDisposition="SaveOnly" SendMeetingInvitations="SendToNone">'
                f"<m:Items>{item}</m:Items></m:CreateItem>"
            )
            ids.append(made.find(".//t:ItemId").attrib["Id"])
        ids.append((await site.ask(brought(OLD))).find(".//t:ItemId").attrib["Id"])
        paths = "".join(
            [
                f'<t:FieldURI FieldURI="{uri}"/>'
                for uri in ("message:IsRead", "message:From", "message:InternetMessageId", "item:Subject")
            ]
        )
        shape = f"<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{paths}</t:AdditionalProperties>"
        named = "".join([f'<t:ItemId Id="{each}"/>' for each in ids])
        told = await site.ask(
            f"<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds>{named}</m:ItemIds></m:GetItem>", version=version
        )
        assert told.codes == ["NoError"] * 4
        assert len(told.all(".//t:IsRead")) == 1

    asyncio.run(steps())


@pytest.mark.parametrize("version", ["Exchange2007_SP1", "Exchange2010_SP2", "Exchange2013"])
def test_an_answer_names_the_version_of_the_server(version: str) -> None:
    """KrissN/akonadi-ews#46 shows an answer of Exchange to a request of 2007 SP1; GNOME/evolution-ews chooses by the first answer
    what it asks for afterwards, in src/EWS/common/e-ews-connection.c."""

    async def steps() -> None:
        folder = '<m:FolderIds><t:DistinguishedFolderId Id="inbox"/></m:FolderIds>'
        shape = "<m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape>"
        told = await EwsSite().ask(f"<m:GetFolder>{shape}{folder}</m:GetFolder>", version=version)
        assert told.codes == ["NoError"] and 'Version="Exchange2013_SP1"' in told.text
        # What came later than the request's version is not in it all the same.
        assert len(told.all(".//t:DistinguishedFolderId")) == (version == "Exchange2013")

    asyncio.run(steps())


def tags(*wanted: tuple[str, str]) -> str:
    paths = "".join([f'<t:ExtendedFieldURI PropertyTag="{tag}" PropertyType="{type_}"/>' for tag, type_ in wanted])
    return f"<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{paths}</t:AdditionalProperties>"


RECORD, ENTRY, CLASS, SIZE = ("0x0FF9", "Binary"), ("0x0FFF", "Binary"), ("0x001A", "String"), ("0x0E08", "Integer")


@pytest.mark.parametrize(
    ("item", "item_class"),
    [
        ("<t:Message><t:Subject>x</t:Subject></t:Message>", "IPM.Note"),
        ("<t:Contact><t:DisplayName>x</t:DisplayName></t:Contact>", "IPM.Contact"),
        ("<t:Task><t:Subject>x</t:Subject></t:Task>", "IPM.Task"),
    ],
)
def test_davmail_knows_items_by_what_the_store_knows(item: str, item_class: str) -> None:
    """DavMail tells items apart by their records."""

    async def steps() -> None:
        site = EwsSite()
        numbers = []
        for _ in range(2):
            made = await site.ask(
                f'<m:CreateItem MessageDisposition="SaveOnly"><m:Items>{item}</m:Items></m:CreateItem>'
            )
            number = made.find(".//t:ItemId").attrib["Id"]
            told = await site.ask(
                f"<m:GetItem><m:ItemShape>{tags(RECORD, ENTRY, CLASS, SIZE)}</m:ItemShape>"
                f'<m:ItemIds><t:ItemId Id="{number}"/></m:ItemIds></m:GetItem>'
            )
            record, entry, its_class, size = told.texts(".//t:Value")
            assert its_class == item_class and int(size) > 0
            convert = (
                '<m:ConvertId DestinationFormat="EntryId"><m:SourceIds>'
                f'<t:AlternateId Format="EwsId" Id="{number}" Mailbox="{ALICE}"/></m:SourceIds></m:ConvertId>'
            )
            assert record == entry == (await site.ask(convert)).find(".//m:AlternateId").attrib["Id"]
            numbers.append(record)
        assert len(set(numbers)) == 2

    asyncio.run(steps())


def test_davmail_sees_that_a_folder_has_changed() -> None:
    """It makes the CTag of CalDAV of PidTagLocalCommitTimeMax."""

    async def steps() -> None:
        site = EwsSite()

        async def look(name: str) -> list[str]:
            shape = tags(("0x670a", "SystemTime"), ("0x6751", "Integer"), RECORD)
            told = await site.ask(
                f"<m:GetFolder><m:FolderShape>{shape}</m:FolderShape>"
                f'<m:FolderIds><t:DistinguishedFolderId Id="{name}"/></m:FolderIds></m:GetFolder>'
            )
            return told.texts(".//t:Value")

        before, tasks = await look("inbox"), await look("tasks")
        assert before[1] == "1" and before[2] != tasks[-1]
        assert (await site.ask(brought(OLD))).codes == ["NoError"]
        after = await look("inbox")
        assert after[0] > before[0] and after[1:] == ["2", before[2]]
        assert await look("tasks") == tasks

    asyncio.run(steps())
