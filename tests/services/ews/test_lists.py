"""Private distribution lists: members by address and by card, changed one by one, and read by CardDAV.

covers: list_editor, services.ews.fields.distribution_list
"""

from __future__ import annotations

import asyncio

from postern.model.folders import FolderKind
from postern.protocols.ews.ids import FolderId
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_contacts import changed, created
from tests.services.ews.test_items import read

MEMBERS = '<t:FieldURI FieldURI="distributionlist:Members"/>'


def crew(*members: str) -> str:
    inner = "".join([f"<t:Member><t:Mailbox>{each}</t:Mailbox></t:Member>" for each in members])
    return (
        "<m:CreateItem><m:Items><t:DistributionList><t:DisplayName>Crew</t:DisplayName>"
        f"<t:Members>{inner}</t:Members></t:DistributionList></m:Items></m:CreateItem>"
    )


def address(text: str) -> str:
    return f"<t:Name>{text.partition('@')[0].title()}</t:Name><t:EmailAddress>{text}</t:EmailAddress>"


def member(item: str) -> str:
    return f'<t:ItemId Id="{item}"/>'


def test_members_are_changed_one_by_one() -> None:
    async def steps() -> None:
        site = EwsSite()
        item = (await site.ask(crew(address("a@sea.test"), address("b@sea.test"), address("A@sea.test")))).find(
            ".//t:ItemId"
        )
        told = await site.ask(read(item.attrib["Id"], MEMBERS))
        assert told.texts(".//t:Member/t:Mailbox/t:EmailAddress") == ["a@sea.test", "b@sea.test"]
        key = told.all(".//t:Member")[0].attrib["Key"]
        path = f'<t:IndexedFieldURI FieldURI="distributionlist:Members:Member" FieldIndex="{key}"/>'
        assert (await site.ask(changed(item.attrib["Id"], f"<t:DeleteItemField>{path}</t:DeleteItemField>"))).codes == [
            "NoError"
        ]
        told = await site.ask(read(item.attrib["Id"], MEMBERS))
        assert told.texts(".//t:Member/t:Mailbox/t:Name") == ["B"]
        more = f"<t:Members><t:Member><t:Mailbox>{address('c@sea.test')}</t:Mailbox></t:Member></t:Members>"
        append = f"<t:AppendToItemField>{MEMBERS}<t:DistributionList>{more}</t:DistributionList></t:AppendToItemField>"
        assert (await site.ask(changed(item.attrib["Id"], append))).codes == ["NoError"]
        told = await site.ask(read(item.attrib["Id"], MEMBERS))
        assert told.texts(".//t:Member/t:Mailbox/t:Name") == ["B", "C"]
        # Exchange 2007 has lists without members.
        old = await site.ask(read(item.attrib["Id"], base="AllProperties"), version="Exchange2007_SP1")
        assert old.find(".//t:DistributionList") is not None and not old.all(".//t:Members")
        folder = await site.folder(FolderKind.CONTACTS)
        (card,) = await site.mailboxes.resources(guid_of(ALICE), folder)
        (stored,) = await site.mailboxes.get(guid_of(ALICE), [card.id], True)
        assert card.item_class == "IPM.DistList" and stored.content is not None
        assert b"X-ADDRESSBOOKSERVER-KIND:group\r\n" in stored.content and b":mailto:b@sea.test\r\n" in stored.content

    asyncio.run(steps())


def test_members_that_are_cards() -> None:
    async def steps() -> None:
        site = EwsSite()
        mails = '<t:EmailAddresses><t:Entry Key="EmailAddress1">kim@sea.test</t:Entry></t:EmailAddresses>'
        kim = (await site.ask(created(f"<t:DisplayName>Kim</t:DisplayName>{mails}"))).find(".//t:ItemId").attrib["Id"]
        inner = (await site.ask(crew(address("a@sea.test")))).find(".//t:ItemId").attrib["Id"]
        item = (await site.ask(crew(member(kim), member(inner)))).find(".//t:ItemId").attrib["Id"]
        told = await site.ask(read(item, MEMBERS))
        assert told.texts(".//t:Member/t:Mailbox/t:MailboxType") == ["Contact", "PrivateDL"]
        assert [each.attrib["Id"] for each in told.all(".//t:Member/t:Mailbox/t:ItemId")] == [kim, inner]
        assert told.texts(".//t:Member/t:Mailbox/t:EmailAddress") == ["kim@sea.test"]
        # A card that is gone stays a member, of which nothing is known.
        folder = await site.folder(FolderKind.CONTACTS)
        (first, *_) = [
            each.id
            for each in await site.mailboxes.resources(guid_of(ALICE), folder)
            if each.item_class == "IPM.Contact"
        ]
        await site.mailboxes.delete(guid_of(ALICE), [first])
        told = await site.ask(read(item, MEMBERS))
        assert told.texts(".//t:Member/t:Status") == ["Unrecognized", "Normal"]
        assert (await site.ask(crew(member(kim)))).codes == ["ErrorItemNotFound"]
        # Another's card is none of one's own.
        assert (await site.ask(crew(member(inner)), BOB)).codes == ["ErrorItemNotFound"]
        assert (await site.ask(crew("<t:Name>Nobody</t:Name>"))).codes == ["ErrorInvalidMailbox"]

    asyncio.run(steps())


def test_a_list_of_many() -> None:
    async def steps() -> None:
        site = EwsSite()
        many = [address(f"user{number}@sea.test") for number in range(10_000)]
        item = (await site.ask(crew(*many))).find(".//t:ItemId").attrib["Id"]
        told = await site.ask(read(item, MEMBERS))
        assert len(told.all(".//t:Member")) == 10_000
        assert (await site.ask(crew(*many, address("more@sea.test")))).codes == ["ErrorInvalidValueForProperty"]

    asyncio.run(steps())


def copied(item: str, folder: str) -> str:
    return (
        f'<m:CopyItem><m:ToFolderId><t:FolderId Id="{folder}"/></m:ToFolderId>'
        f'<m:ItemIds><t:ItemId Id="{item}"/></m:ItemIds></m:CopyItem>'
    )


def test_a_member_is_the_card_in_the_folder_of_its_list() -> None:
    """Copies of a card and of its list in another address book have the same UIDs; one in the same book has its own."""

    async def steps() -> None:
        site = EwsSite()
        guid, contacts = guid_of(ALICE), await site.folder(FolderKind.CONTACTS)
        other = (await site.mailboxes.create_in(guid, contacts, "Other", "IPF.Contact")).id
        here, there = str(FolderId(guid, contacts)), str(FolderId(guid, other))
        card = (await site.ask(created("<t:DisplayName>Kim</t:DisplayName>"))).find(".//t:ItemId").attrib["Id"]
        group = (await site.ask(crew(member(card)))).find(".//t:ItemId").attrib["Id"]
        copies = [(await site.ask(copied(each, there))).find(".//t:ItemId").attrib["Id"] for each in (card, group)]
        for a_group, its_card in ((group, card), (copies[1], copies[0])):
            told = await site.ask(read(a_group, MEMBERS))
            assert told.find(".//t:Member/t:Mailbox/t:ItemId").attrib["Id"] == its_card
        assert (await site.ask(copied(card, here))).codes == ["NoError"]
        for folder, count in ((contacts, 3), (other, 2)):
            uids = [each.uid for each in await site.mailboxes.resources(guid, folder)]
            assert len(uids) == len(set(uids)) == count

    asyncio.run(steps())
