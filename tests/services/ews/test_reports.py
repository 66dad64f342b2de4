"""Requests for mail, folders and names in the cases that users of clients reported of other servers. Each test names the report.

covers: conversation_rendering, folder_rendering, services.ews.fields.people, services.ews.operations.mail_apps
"""

from __future__ import annotations

import asyncio
import base64

import pytest

from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.protocols.ews.codes import Code
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_items import read
from tests.services.ews.test_messages import MIXED, received
from tests.services.ews.test_names import contact, resolve, site_with_people

INBOX = '<m:ParentFolderIds><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderIds>'
TOP = '<m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds>'
ATTACHMENTS = '<t:FieldURI FieldURI="item:Attachments"/>'


def fetched(attachment: str) -> str:
    ids = f'<m:AttachmentIds><t:AttachmentId Id="{attachment}"/></m:AttachmentIds>'
    return f"<m:GetAttachment>{ids}</m:GetAttachment>"


def encoded(text: bytes) -> bytes:
    return b"=?utf-8?b?%b?=" % base64.b64encode(text)


@pytest.mark.parametrize(
    ("field", "names", "addresses"),
    [
        (b"undisclosed", ["undisclosed"], ["undisclosed"]),
        (b"<>", [], []),
        (b"Only Name <>", ["Only Name"], []),
        (b"Group:;", [], []),
        (b"Ann <@example.test>, Bob <bob@example.test>", ["Ann", "Bob"], ["bob@example.test"]),
    ],
)
def test_a_person_without_an_address_has_none(field: bytes, names: list[str], addresses: list[str]) -> None:
    """nylas/exchangelib#20: mailboxes without an address could not be written again. The envelope of IMAP marks what is missing,
    and its marks are no addresses (RFC 9051 section 7.5.2)."""

    async def steps() -> None:
        site = EwsSite()
        item = await received(site, b"From: " + field + b"\r\nTo: " + field + b"\r\nSubject: x\r\n\r\nHi\r\n")
        told = await site.ask(read(item, base="AllProperties"))
        assert "MISSING" not in told.text
        assert told.texts(".//t:ToRecipients/t:Mailbox/t:Name") == names
        assert told.texts(".//t:ToRecipients/t:Mailbox/t:EmailAddress") == addresses
        assert told.texts(".//t:From/t:Mailbox/t:Name") == names[:1]
        assert told.texts(".//t:DisplayTo") == ["; ".join(names)]
        view = '<m:IndexedPageItemView MaxEntriesReturned="9" Offset="0" BasePoint="Beginning"/>'
        folder = '<m:ParentFolderId><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderId>'
        talk = await site.ask(f"<m:FindConversation>{view}{folder}</m:FindConversation>")
        assert talk.texts(".//t:UniqueRecipients/t:String") == names

    asyncio.run(steps())


def test_characters_that_xml_cannot_have() -> None:
    """OfficeDev/ews-managed-api#136, OfficeDev/ews-java-api#156 and #534, mguessan/davmail#385: no parser took the answer.
    grommunio/gromox#231: Outlook for Mac ended over an attribute."""

    async def steps() -> None:
        site = EwsSite()
        name = encoded(b"p\x11l\x12a\x14n\x00.txt")
        octets = (
            b"From: " + encoded(b"A\x01\x0b") + b" <a@example.test>\r\nSubject: " + encoded(b"s\x00\x0c\xef\xbf\xbf")
            + b'\r\nX-"Odd&<: a\x0cb\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n'
            b"--B\r\n\r\nHi\x00\x0b\x1f\r\n--B\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=\""
            + name + b'"\r\nContent-ID: <a&"\x02>\r\n\r\nx\r\n--B--\r\n'
        )  # fmt: skip
        item = await received(site, octets)
        # What came is read by a parser of XML, and held to the schema.
        told = await site.ask(read(item, base="AllProperties"))
        assert told.codes == ["NoError"] and told.texts(".//t:FileAttachment/t:Name") == ["plan.txt"]
        got = await site.ask(fetched(told.find(".//t:AttachmentId").attrib["Id"]))
        assert got.texts(".//t:Content") == ["eA=="]
        made = await site.ask(
            '<m:CreateFolder><m:ParentFolderId><t:DistinguishedFolderId Id="inbox"/></m:ParentFolderId><m:Folders><t:Folder>'
            '<t:DisplayName>a&amp;b &lt;"&#9;&gt;</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>'
        )
        assert len(made.codes) == 1

    asyncio.run(steps())


@pytest.mark.parametrize(
    "octets", [b"\r\n", b"Subject: x\r\n\r\n", MIXED, b"\xff\xfe\x00", b"Content-Type: text/calendar\r\n\r\nx"]
)
def test_mime_content_is_that_of_the_message(octets: bytes) -> None:
    """grommunio/gromox#267: Apple Mail ended where MimeContent was missing. ecederstrand/exchangelib#266, Evolution's bug 795329:
    ErrorMimeContentConversionFailed."""

    async def steps() -> None:
        site = EwsSite()
        item = await received(site, octets)
        shape = "<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>"
        told = await site.ask(
            f'<m:GetItem><m:ItemShape>{shape}</m:ItemShape><m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds></m:GetItem>'
        )
        assert base64.b64decode(told.texts(".//t:MimeContent")[0]) == octets

    asyncio.run(steps())


def test_ids_of_attachments_stay() -> None:
    """OfficeDev/office-js#3937: they were others at each request. #431: they did not outlive a move."""

    async def steps() -> None:
        site = EwsSite()
        item = await received(site, MIXED)
        once, again = [
            [each.attrib["Id"] for each in (await site.ask(read(item, ATTACHMENTS))).all(".//t:AttachmentId")]
            for _ in range(2)
        ]
        assert once == again and once
        to = '<m:ToFolderId><t:DistinguishedFolderId Id="deleteditems"/></m:ToFolderId>'
        ids = f'<m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds>'
        assert (await site.ask(f"<m:MoveItem>{to}{ids}</m:MoveItem>")).codes == ["NoError"]
        for each in once:
            assert (await site.ask(fetched(each))).codes == ["NoError"]

    asyncio.run(steps())


def test_folders_say_which_are_known() -> None:
    """mustang-im/mustang#957: a list without DistinguishedFolderId, so that no folder was the inbox.
    OfficeDev/ews-managed-api#75: names that the client did not know."""

    async def steps() -> None:
        shape = '<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="folder:DistinguishedFolderId"/>'
        told = await EwsSite().ask(
            f'<m:FindFolder Traversal="Deep"><m:FolderShape>{shape}</t:AdditionalProperties></m:FolderShape>{TOP}</m:FindFolder>'
        )
        assert sorted(told.texts(".//t:DistinguishedFolderId")) == [
            "calendar", "contacts", "deleteditems", "drafts", "inbox", "journal", "junkemail", "notes", "outbox", "sentitems",
            "tasks",
        ]  # fmt: skip

    asyncio.run(steps())


def test_a_list_is_gone_through_by_times() -> None:
    """grommunio/gromox#338: Outlook for Mac asks for what came at a time or before it."""

    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        items = [NewItem(b"Subject: x\r\n\r\nx", internal_date=1_790_000_000 + number) for number in range(5)]
        await site.mailboxes.create(guid_of(ALICE), inbox, items)
        received_ = '<t:FieldURI FieldURI="item:DateTimeReceived"/>'
        shape = f"<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{received_}</t:AdditionalProperties>"
        view = '<m:IndexedPageItemView MaxEntriesReturned="100" Offset="0" BasePoint="Beginning"/>'
        order = f'<m:SortOrder><t:FieldOrder Order="Descending">{received_}</t:FieldOrder></m:SortOrder>'
        constant = '<t:FieldURIOrConstant><t:Constant Value="2026-09-21T14:13:22Z"/></t:FieldURIOrConstant>'
        for operator, count in (("IsLessThanOrEqualTo", 3), ("IsGreaterThanOrEqualTo", 3), ("IsLessThan", 2)):
            condition = f"<m:Restriction><t:{operator}>{received_}{constant}</t:{operator}></m:Restriction>"
            told = await site.ask(
                f'<m:FindItem Traversal="Shallow"><m:ItemShape>{shape}</m:ItemShape>{view}{condition}{order}{INBOX}</m:FindItem>'
            )
            times = told.texts(".//t:DateTimeReceived")
            assert len(times) == count and times == sorted(times, reverse=True)

    asyncio.run(steps())


def test_names_are_counted() -> None:
    """grommunio/gromox#239: a ResolutionSet without its attributes. OfficeDev/ews-managed-api#177: it counted more than it had,
    and the client read beyond its end. ecederstrand/exchangelib#205: several people are a warning, and all are told."""

    async def steps() -> None:
        site = site_with_people()
        await contact(site, "Ann", "ann@elsewhere.test")
        await contact(site, "Annette", "annette@elsewhere.test")
        for asked in ("ann", "bob", ALICE):
            told = await site.ask(resolve(asked, full="true"))
            count = len(told.all(".//t:Resolution"))
            assert told.find(".//m:ResolutionSet").attrib == {
                "TotalItemsInView": str(count),
                "IncludesLastItemInRange": "true",
            }
            warns = count > 1
            assert told.codes == ["ErrorNameResolutionMultipleResults" if warns else "NoError"]
            assert told.messages[0].attrib["ResponseClass"] == ("Warning" if warns else "Success")

    asyncio.run(steps())


def test_every_error_has_words() -> None:
    """ecederstrand/exchangelib#1178: a fault with an empty Message."""
    assert [code.name for code in Code if code is not Code.NO_ERROR and not code.text.strip()] == []


@pytest.mark.parametrize("version", ["Exchange2013", "Exchange2013_SP1"])
def test_there_are_no_apps(version: str) -> None:
    """grommunio/gromox#261: Outlook asks for apps when it starts. It took a fault for a wrong password."""

    async def steps() -> None:
        site = EwsSite()
        supported = (
            "<m:ApiVersionSupported>1.1</m:ApiVersionSupported><m:SchemaVersionSupported>1.1</m:SchemaVersionSupported>"
        )
        bare = await site.ask("<m:GetAppManifests/>", version=version)
        assert bare.status == 200 and [each.tag.rpartition("}")[2] for each in bare.content] == [
            "ResponseCode",
            "Manifests",
        ]
        told = await site.ask(f"<m:GetAppManifests>{supported}</m:GetAppManifests>", version="Exchange2013_SP1")
        assert [each.tag.rpartition("}")[2] for each in told.content] == ["ResponseCode", "Apps"] and not told.all(
            ".//t:App"
        )
        shop = await site.ask(
            f"<m:GetAppMarketplaceUrl>{supported}</m:GetAppMarketplaceUrl>", version="Exchange2013_SP1"
        )
        assert shop.status == 200 and shop.texts(".//m:ResponseCode") == ["ErrorInvalidOperation"]

    asyncio.run(steps())
