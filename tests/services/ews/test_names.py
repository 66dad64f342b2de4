"""Names: the directory, contacts, both; groups and lists; rooms.

covers: card_search, correspondents, services.ews.operations.resolve_names, services.ews.operations.expand_dl
covers: services.ews.operations.get_rooms
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from postern.model.address_book import AddressBookEntry
from postern.model.directory import RecipientType
from postern.model.folders import FolderKind, Right
from postern.services.ews.operations import resolve_names
from tests.services.dav.site import ALICE, BOB, guid_of, recipient_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_contacts import created
from tests.services.ews.test_lists import address, crew

CREW, PIER, CABIN = "crew@example.test", "pier@example.test", "cabin@example.test"


def resolve(text: str, scope: str = "", full: str = "false", shape: str = "", parent: str = "") -> str:
    more = (f' SearchScope="{scope}"' if scope else "") + (f' ContactDataShape="{shape}"' if shape else "")
    inner = f"{parent}<m:UnresolvedEntry>{text}</m:UnresolvedEntry>"
    return f'<m:ResolveNames ReturnFullContactData="{full}"{more}>{inner}</m:ResolveNames>'


def expand(inner: str) -> str:
    return f"<m:ExpandDL><m:Mailbox>{inner}</m:Mailbox></m:ExpandDL>"


def site_with_people() -> EwsSite:
    """alice and bob, a room, a piece of equipment's neighbour, and groups of them."""
    site = EwsSite()
    known = site.recipients.known
    for name in (PIER, CABIN):
        known[name] = replace(recipient_of(name), type=RecipientType.ROOM)
    known[CREW] = replace(
        recipient_of(CREW), type=RecipientType.GROUP, members=(BOB, PIER, "gone@example.test"), database=""
    )
    site.recipients.groups[guid_of(PIER)] = (guid_of(CREW),)
    return site


async def contact(site: EwsSite, name: str, *mails: str) -> str:
    entries = "".join([f'<t:Entry Key="EmailAddress{place}">{mail}</t:Entry>' for place, mail in enumerate(mails, 1)])
    inner = f"<t:DisplayName>{name}</t:DisplayName><t:EmailAddresses>{entries}</t:EmailAddresses>"
    return (await site.ask(created(inner))).find(".//t:ItemId").attrib["Id"]


def test_names_are_resolved_in_the_directory() -> None:
    async def steps() -> None:
        site = site_with_people()
        told = await site.ask(resolve("bo"))
        assert told.codes == ["NoError"] and told.texts(".//t:EmailAddress") == [BOB]
        assert told.texts(".//t:MailboxType") == ["Mailbox"] and not told.all(".//t:Contact")
        assert (await site.ask(resolve("Crew"))).texts(".//t:MailboxType") == ["PublicDL"]
        assert (await site.ask(resolve(f"smtp:{BOB}"))).texts(".//t:Name") == ["Bob"]
        several = await site.ask(resolve("c"))
        assert several.messages[0].attrib["ResponseClass"] == "Warning"
        assert several.codes == ["ErrorNameResolutionMultipleResults"]
        assert several.find(".//m:ResolutionSet").attrib == {"TotalItemsInView": "2", "IncludesLastItemInRange": "true"}
        assert len(several.all(".//t:Resolution")) == 2
        for text in ("nobody", "x" * 300):
            answer = await site.ask(resolve(text))
            assert answer.messages[0].attrib["ResponseClass"] == "Error"
            assert answer.codes == ["ErrorNameResolutionNoResults"]
        entry = AddressBookEntry(
            *(guid_of("z"), RecipientType.USER, "Zoe", ("zoe@example.test",), "Zoe", "Zed", "Captain", "Sea"),
            telephone="+1",
        )
        site.recipients.more[entry.guid] = entry
        full = await site.ask(resolve("zoe", full="true"))
        assert full.texts(".//t:Contact/t:JobTitle") == ["Captain"]
        assert full.texts(".//t:Contact/t:ContactSource") == ["ActiveDirectory"]
        assert full.texts(".//t:PhoneNumbers/t:Entry") == ["+1"]
        assert not (await site.ask(resolve("zoe", full="true", shape="IdOnly"))).all(".//t:Contact")

    asyncio.run(steps())


def test_names_are_resolved_among_contacts(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = site_with_people()
        await contact(site, "Bonnie Clyde", "bonnie@sea.test", "bc@home.test")
        item = (await site.ask(crew(address("a@sea.test")))).find(".//t:ItemId").attrib["Id"]
        told = await site.ask(resolve("clyde", "Contacts", "true"))
        assert told.texts(".//t:EmailAddress") == ["bonnie@sea.test", "bc@home.test"]
        assert told.texts(".//t:MailboxType") == ["Contact", "Contact"]
        assert told.all(".//t:Contact/t:FileAs") and told.all(".//t:Mailbox/t:ItemId")
        assert (await site.ask(resolve("bc@", "Contacts"))).codes == ["ErrorNameResolutionMultipleResults"]
        both = await site.ask(resolve("bo", "ActiveDirectoryContacts"))
        assert both.texts(".//t:EmailAddress") == [BOB, "bonnie@sea.test", "bc@home.test"]
        both = await site.ask(resolve("bo", "ContactsActiveDirectory"))
        assert both.texts(".//t:EmailAddress") == ["bonnie@sea.test", "bc@home.test", BOB]
        with monkeypatch.context() as few:
            few.setattr(resolve_names, "MAX_RESULTS", 2)
            known = site.recipients.known
            for name in ("bo1@example.test", "bo2@example.test", "bo3@example.test"):
                known[name] = recipient_of(name)
            first = await site.ask(resolve("bo", "ContactsActiveDirectory"))
            assert first.texts(".//t:EmailAddress") == ["bonnie@sea.test", "bc@home.test"]
            for name in ("bo1@example.test", "bo2@example.test", "bo3@example.test"):
                del known[name]
        lists = await site.ask(resolve("Crew", "Contacts"))
        assert lists.texts(".//t:MailboxType") == ["PrivateDL"] and lists.find(".//t:ItemId").attrib["Id"] == item
        assert (await site.ask(resolve("bo", "ActiveDirectory"))).texts(".//t:EmailAddress") == [BOB]
        assert (await site.ask(resolve("bonnie", "Contacts"), BOB)).codes == ["ErrorNameResolutionNoResults"]
        assert (await site.ask(resolve("x", "Elsewhere"))).codes == ["ErrorSchemaValidation"]

    asyncio.run(steps())


def test_others_contacts_are_searched_by_right() -> None:
    async def steps() -> None:
        site = site_with_people()
        await contact(site, "Bonnie", "bonnie@sea.test")
        parent = (
            '<m:ParentFolderIds><t:DistinguishedFolderId Id="contacts"><t:Mailbox><t:EmailAddress>'
            f"{ALICE}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId></m:ParentFolderIds>"
        )
        ask = resolve("bonnie", "Contacts", parent=parent)
        assert (await site.ask(ask, BOB)).codes == ["ErrorFolderNotFound"]
        site = site_with_people()
        await contact(site, "Bonnie", "bonnie@sea.test")
        folder = await site.folder(FolderKind.CONTACTS)
        await site.mailboxes.set_rights(guid_of(ALICE), folder, guid_of(BOB), Right.VISIBLE | Right.READ_ANY)
        assert (await site.ask(ask, BOB)).texts(".//t:EmailAddress") == ["bonnie@sea.test"]

    asyncio.run(steps())


@pytest.mark.parametrize(
    ("folders", "code"),
    [
        (("inbox",), "ErrorResolveNamesInvalidFolderType"),
        (("contacts", "contacts"), "ErrorResolveNamesOnlyOneContactsFolderAllowed"),
    ],
)
def test_one_folder_of_contacts_is_searched(folders: tuple[str, ...], code: str) -> None:
    async def steps() -> None:
        named = "".join([f'<t:DistinguishedFolderId Id="{each}"/>' for each in folders])
        ask = resolve("bonnie", "Contacts", parent=f"<m:ParentFolderIds>{named}</m:ParentFolderIds>")
        assert (await site_with_people().ask(ask)).codes == [code]

    asyncio.run(steps())


def test_groups_and_lists_are_expanded() -> None:
    async def steps() -> None:
        site = site_with_people()
        told = await site.ask(expand(f"<t:EmailAddress>{CREW}</t:EmailAddress>"))
        assert told.texts(".//t:Mailbox/t:EmailAddress") == [BOB, PIER, "gone@example.test"]
        assert told.find(".//m:DLExpansion").attrib["TotalItemsInView"] == "3"
        item = (await site.ask(crew(address("a@sea.test"), address("b@sea.test")))).find(".//t:ItemId").attrib["Id"]
        told = await site.ask(expand(f'<t:ItemId Id="{item}"/>'))
        assert told.texts(".//t:Mailbox/t:Name") == ["A", "B"]
        person = await contact(site, "Kim", "kim@sea.test")
        for inner, asker, code in (
            (f"<t:EmailAddress>{BOB}</t:EmailAddress>", ALICE, "ErrorNameResolutionNoResults"),
            ("<t:EmailAddress>no@example.test</t:EmailAddress>", ALICE, "ErrorNameResolutionNoResults"),
            ("<t:Name>Crew</t:Name>", ALICE, "ErrorInvalidMailbox"),
            (f'<t:ItemId Id="{person}"/>', ALICE, "ErrorInvalidItemForOperationExpandDL"),
            (f'<t:ItemId Id="{item}"/>', BOB, "ErrorItemNotFound"),
            ('<t:ItemId Id="x"/>', ALICE, "ErrorInvalidIdMalformed"),
        ):
            assert (await site.ask(expand(inner), asker)).codes == [code], inner

    asyncio.run(steps())


def test_who_reads_contacts_expands_their_lists() -> None:
    async def steps() -> None:
        site = site_with_people()
        item = (await site.ask(crew(address("a@sea.test"), address("b@sea.test")))).find(".//t:ItemId").attrib["Id"]
        folder = await site.folder(FolderKind.CONTACTS)
        await site.mailboxes.set_rights(guid_of(ALICE), folder, guid_of(BOB), Right.VISIBLE | Right.READ_ANY)
        told = await site.ask(expand(f'<t:ItemId Id="{item}"/>'), BOB)
        assert told.texts(".//t:Mailbox/t:Name") == ["A", "B"]

    asyncio.run(steps())


def test_rooms() -> None:
    async def steps() -> None:
        site = site_with_people()
        told = await site.ask("<m:GetRoomLists/>")
        assert told.content.attrib["ResponseClass"] == "Success"
        assert told.texts("m:RoomLists/t:Address/t:EmailAddress") == [CREW]

        def rooms(address: str) -> str:
            return f"<m:GetRooms><m:RoomList><t:EmailAddress>{address}</t:EmailAddress></m:RoomList></m:GetRooms>"

        told = await site.ask(rooms(CREW))
        assert told.texts("m:Rooms/t:Room/t:Id/t:EmailAddress") == [PIER]
        refused = await site.ask(rooms(BOB))
        assert refused.content.attrib["ResponseClass"] == "Error"
        assert refused.texts("m:ResponseCode") == ["ErrorNameResolutionNoResults"]
        assert (await site.ask("<m:GetRoomLists/>", version="Exchange2007_SP1")).status == 500

    asyncio.run(steps())


@pytest.mark.parametrize("text", ["", " ", "smtp:"])
def test_an_empty_name(text: str) -> None:
    async def steps() -> None:
        assert (await site_with_people().ask(resolve(text))).codes == ["ErrorSchemaValidation"]

    asyncio.run(steps())
