"""Mail tips, their configuration, and pictures of people.

covers: services.ews.operations.get_mail_tips, services.ews.operations.get_service_configuration
covers: services.ews.operations.get_user_photo
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

from postern.model.directory import RecipientType
from postern.model.folders import FolderKind
from postern.model.item_store import RenderedItem
from postern.model.out_of_office import OofState, OutOfOffice
from postern.model.resources import NewResource
from tests.services.dav.site import ALICE, BOB, guid_of, recipient_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_names import CREW, PIER, site_with_people

PICTURE = b"\x89PNG picture"


def tips(*addresses: str, wanted: str = "All") -> str:
    mailboxes = "".join([f"<t:Mailbox><t:EmailAddress>{each}</t:EmailAddress></t:Mailbox>" for each in addresses])
    sender = f"<m:SendingAs><t:EmailAddress>{ALICE}</t:EmailAddress></m:SendingAs>"
    return (
        f"<m:GetMailTips>{sender}<m:Recipients>{mailboxes}</m:Recipients>"
        f"<m:MailTipsRequested>{wanted}</m:MailTipsRequested></m:GetMailTips>"
    )


def test_tips_of_people() -> None:
    async def steps() -> None:
        site = site_with_people()
        await site.folder(FolderKind.INBOX, BOB)
        away = OutOfOffice(OofState.ENABLED, internal="At sea", external="Away")
        await site.mailboxes.set_out_of_office(guid_of(BOB), away)
        told = await site.ask(tips(BOB, "no@example.test", "x@elsewhere.test", "not an address"))
        assert told.content.attrib["ResponseClass"] == "Success" and told.codes == ["NoError"] * 4
        first, missing, outside, wrong = told.all(".//m:MailTips")
        spaces = {"t": "http://schemas.microsoft.com/exchange/services/2006/types"}
        assert [each.tag.rpartition("}")[2] for each in first] == [
            "RecipientAddress",
            "PendingMailTips",
            "OutOfOffice",
            "MailboxFull",
            "MaxMessageSize",
            "DeliveryRestricted",
            "IsModerated",
            "InvalidRecipient",
        ]
        assert first.findtext("t:OutOfOffice/t:ReplyBody/t:Message", "", spaces) == "At sea"
        assert first.findtext("t:MailboxFull", "", spaces) == "false"
        invalid = [each.findtext("t:InvalidRecipient", "", spaces) for each in (first, missing, outside, wrong)]
        assert invalid == ["false", "true", "false", "true"]
        # Who is there again says nothing.
        await site.mailboxes.set_out_of_office(guid_of(BOB), away._replace(state=OofState.DISABLED))
        told = await site.ask(tips(BOB, wanted="OutOfOfficeMessage"))
        assert told.texts(".//t:ReplyBody/t:Message") == [""] and not told.all(".//t:MailboxFull")
        assert "Away" not in told.text

    asyncio.run(steps())


def test_tips_of_groups_and_full_mailboxes() -> None:
    async def steps() -> None:
        site = site_with_people()
        known = site.recipients.known
        known["out@example.test"] = replace(recipient_of("out@example.test"), type=RecipientType.CONTACT, database="")
        known["all@example.test"] = replace(
            recipient_of("all@example.test"),
            type=RecipientType.GROUP,
            database="",
            members=(CREW, ALICE, BOB, "out@example.test", "all@example.test"),
        )
        told = await site.ask(tips("all@example.test"))
        # Groups are no members, and nobody counts twice.
        assert told.texts(".//t:TotalMemberCount") == ["5"] and told.texts(".//t:ExternalMemberCount") == ["1"]
        folder = await site.folder(FolderKind.CONTACTS, BOB)
        await site.mailboxes.add(guid_of(BOB), folder, [NewResource(b"x" * 100, "IPM.Contact", RenderedItem(), "a")])
        known[BOB] = replace(known[BOB], quota=50, max_receive=1_000)
        told = await site.ask(tips(BOB))
        assert told.texts(".//t:MailboxFull") == ["true"] and told.texts(".//t:MaxMessageSize") == ["1000"]

    asyncio.run(steps())


def test_what_is_no_question_for_tips() -> None:
    async def steps() -> None:
        site = site_with_people()
        for ask, code in (
            (tips(), "ErrorSchemaValidation"),
            (tips(*[BOB] * 101), "ErrorInvalidRequest"),
        ):
            told = await site.ask(ask)
            assert told.content.attrib["ResponseClass"] == "Error" and told.texts("m:ResponseCode") == [code]
        assert (await site.ask(tips(BOB, wanted="Weather"))).codes == ["ErrorSchemaValidation"]

    asyncio.run(steps())


def configuration(*names: str) -> str:
    inner = "".join([f"<m:ConfigurationName>{name}</m:ConfigurationName>" for name in names])
    return f"<m:GetServiceConfiguration><m:RequestedConfiguration>{inner}</m:RequestedConfiguration></m:GetServiceConfiguration>"


def test_the_configuration_of_services() -> None:
    async def steps() -> None:
        site = EwsSite()
        told = await site.ask(configuration("MailTips", "UnifiedMessagingConfiguration", "ProtectionRules"))
        assert told.codes == ["NoError"] and told.texts(".//t:MailTipsEnabled") == ["true"]
        assert told.find(".//m:MailTipsConfiguration/t:InternalDomains/t:Domain").attrib["Name"] == "example.test"
        assert told.texts(".//t:MaxRecipientsPerGetMailTipsRequest") == ["100"]
        assert told.texts(".//t:UmEnabled") == ["false"] and told.find(".//m:ProtectionRulesConfiguration") is not None
        assert not (await site.ask(configuration("MailTips"), version="Exchange2010")).all(".//t:LargeAudienceCap")
        refused = await site.ask(configuration("Weather"))
        assert refused.texts("m:ResponseCode") == ["ErrorSchemaValidation"]

    asyncio.run(steps())


def photo(address: str, size: str = "HR48x48") -> str:
    return f"<m:GetUserPhoto><m:Email>{address}</m:Email><m:SizeRequested>{size}</m:SizeRequested></m:GetUserPhoto>"


def test_pictures() -> None:
    async def steps() -> None:
        site = EwsSite()
        folder = await site.folder(FolderKind.CONTACTS)
        line = b"PHOTO;ENCODING=b;TYPE=PNG:" + base64.b64encode(PICTURE)
        card = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nN:B;;;;\r\nFN:B\r\nEMAIL:%b\r\n%b\r\nEND:VCARD\r\n" % (
            BOB.encode(),
            line,
        )
        rendered = RenderedItem(uid="1", addresses=(BOB,))
        await site.mailboxes.add(guid_of(ALICE), folder, [NewResource(card, "IPM.Contact", rendered, "1.vcf")])
        told = await site.ask(photo(BOB.upper()))
        assert base64.b64decode(told.texts("m:PictureData")[0]) == PICTURE and told.texts("m:HasChanged") == ["true"]
        # What one has in one's contacts is not told to others.
        for ask, asker, code in (
            (photo(BOB), BOB, "ErrorItemNotFound"),
            (photo(PIER), ALICE, "ErrorItemNotFound"),
            (photo(BOB, "HR1x1"), ALICE, "ErrorInvalidPhotoSize"),
            (photo(""), ALICE, "ErrorSchemaValidation"),
        ):
            assert (await site.ask(ask, asker)).texts("m:ResponseCode") == [code]

    asyncio.run(steps())
