"""Search folders: defined, shown, searched, changed and removed; by their owner, and by others within their rights.

covers: search_folders, services.ews.finding, folder_changes, folder_rendering
"""

from __future__ import annotations

import asyncio

import pytest

from postern.items.properties import Type
from postern.items.property_values import encoded
from postern.model.folders import FolderKind, Right
from postern.model.items import Flag, FlagChange, NewItem
from postern.model.sharing import ROLES
from postern.protocols.ews.ids import FolderId
from postern.services.ews import finding, search_folders
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.operations.test_find_item import SUBJECT, by, compare, contains, field
from tests.services.ews.site import EwsSite
from tests.services.ews.test_folders import changed, created, id_in, named, on, put, read

GUID = guid_of(ALICE)
PARAMETERS = '<t:FieldURI FieldURI="folder:SearchParameters"/>'
DAY = 86_400


def parameters(*bases: str, restriction: str = "", traversal: str = "Deep") -> str:
    condition = restriction or contains(SUBJECT, "lunch")
    ids = "".join(map(named, bases))
    return (
        f'<t:SearchParameters Traversal="{traversal}"><t:Restriction>{condition}</t:Restriction>'
        f"<t:BaseFolderIds>{ids}</t:BaseFolderIds></t:SearchParameters>"
    )


def search_folder(name: str, definition: str, parent: str = "searchfolders", of: str = "") -> str:
    return (
        f"<m:CreateFolder><m:ParentFolderId>{named(parent, of)}</m:ParentFolderId><m:Folders><t:SearchFolder>"
        f"<t:DisplayName>{name}</t:DisplayName>{definition}</t:SearchFolder></m:Folders></m:CreateFolder>"
    )


def look(folder: str, restriction: str = "", order: str = "", view: str = "", paths: str = SUBJECT) -> str:
    return (
        f'<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>'
        f"<t:AdditionalProperties>{paths}</t:AdditionalProperties></m:ItemShape>{view}"
        f"{f'<m:Restriction>{restriction}</m:Restriction>' if restriction else ''}{order}"
        f"<m:ParentFolderIds>{named(folder)}</m:ParentFolderIds></m:FindItem>"
    )


async def filled() -> EwsSite:
    """Lunches in the inbox, in a folder below it and among the drafts, the newest in the last; and other mail beside them. The
    first of the inbox is read."""
    site = EwsSite()
    inbox = await site.folder(FolderKind.INBOX)
    drafts = await site.folder(FolderKind.DRAFTS)
    below = (await site.mailboxes.create_in(GUID, inbox, "Below")).id
    day = 0
    for folder in (inbox, below, drafts):
        items = []
        for subject in ("Lunch", "Plan", "lunch again"):
            day += 1
            items.append(NewItem(f"Subject: {subject} {day}\r\n\r\nx\r\n".encode(), internal_date=DAY * day))
        await site.mailboxes.create(GUID, folder, items)
    await site.mailboxes.change_flags(GUID, inbox, [(1, 1)], FlagChange.ADD, Flag.SEEN)
    return site


async def made(site: EwsSite, name: str = "Lunches", *bases: str, traversal: str = "Deep") -> str:
    definition = parameters(*(bases or ("inbox",)), traversal=traversal)
    answer = await site.ask(search_folder(name, definition))
    assert answer.all(".//t:SearchFolder"), answer.text
    return id_in(answer)


async def found(site: EwsSite, request: str, address: str = ALICE) -> list[str]:
    answer = await site.ask(request, address)
    assert answer.codes == ["NoError"], answer.text
    return answer.texts(".//t:Subject")


def test_it_shows_what_its_search_finds_in_all_its_folders_in_one_order() -> None:
    async def steps() -> None:
        site = await filled()
        lunches = await made(site, "Lunches", "inbox", "drafts")
        newest = ["lunch again 9", "Lunch 7", "lunch again 6", "Lunch 4", "lunch again 3", "Lunch 1"]
        assert await found(site, look(lunches)) == newest
        order = f"<m:SortOrder>{by(SUBJECT)}</m:SortOrder>"
        assert await found(site, look(lunches, order=order)) == sorted(newest, key=str.casefold)
        again = contains(SUBJECT, "again")
        assert await found(site, look(lunches, again)) == ["lunch again 9", "lunch again 6", "lunch again 3"]
        page = '<m:IndexedPageItemView MaxEntriesReturned="2" Offset="1" BasePoint="Beginning"/>'
        answer = await site.ask(look(lunches, view=page))
        assert answer.texts(".//t:Subject") == newest[1:3]
        root = answer.find(".//m:RootFolder").attrib
        assert (root["TotalItemsInView"], root["IncludesLastItemInRange"]) == ("6", "false")
        # What comes later is found, too.
        await site.mailboxes.create(GUID, await site.folder(FolderKind.INBOX), [NewItem(b"Subject: Lunch now\r\n\r\n")])
        assert (await found(site, look(lunches)))[0] == "Lunch now"

    asyncio.run(steps())


def test_its_items_are_grouped_and_sought_as_those_of_one_folder() -> None:
    async def steps() -> None:
        site = await filled()
        lunches = await made(site, "Lunches", "inbox", "drafts")
        read_ = field("message:IsRead")
        grouping = (
            f'<m:GroupBy Order="Ascending">{read_}'
            f'<t:AggregateOn Aggregate="Maximum">{field("item:DateTimeReceived")}</t:AggregateOn></m:GroupBy>'
        )
        answer = await site.ask(look(lunches, view=grouping))
        assert [len(group) for group in answer.all(".//t:GroupedItems/t:Items")] == [1, 5]
        seek = (
            '<m:SeekToConditionPageItemView MaxEntriesReturned="2" BasePoint="Beginning"><t:Condition>'
            f"{contains(SUBJECT, '6')}</t:Condition></m:SeekToConditionPageItemView>"
        )
        assert await found(site, look(lunches, view=seek)) == ["lunch again 6", "Lunch 4"]

    asyncio.run(steps())


def test_a_shallow_search_leaves_the_folders_below() -> None:
    async def steps() -> None:
        site = await filled()
        lunches = await made(site, "Lunches", "inbox", traversal="Shallow")
        assert await found(site, look(lunches)) == ["lunch again 3", "Lunch 1"]
        everywhere = await made(site, "Everywhere", "msgfolderroot")
        assert len(await found(site, look(everywhere))) == 6

    asyncio.run(steps())


def test_it_is_shown_with_its_search_and_its_numbers_below_a_folder_of_their_own() -> None:
    async def steps() -> None:
        site = await filled()
        lunches = await made(site)
        answer = await site.ask(read(lunches, base="AllProperties"))
        assert answer.find(".//t:SearchParameters").attrib["Traversal"] == "Deep"
        assert answer.find(".//t:Restriction/t:Contains/t:Constant").attrib["Value"] == "lunch"
        inbox = FolderId(GUID, await site.folder(FolderKind.INBOX))
        assert answer.find(".//t:BaseFolderIds/t:FolderId").attrib["Id"] == str(inbox)
        assert answer.texts(".//t:TotalCount") == ["4"]
        assert answer.texts(".//t:UnreadCount") == ["3"]
        assert answer.texts(".//t:FolderClass") == ["IPF.Note"]
        parent = await site.ask(read("searchfolders"))
        assert answer.find(".//t:ParentFolderId").attrib["Id"] == id_in(parent)
        assert parent.texts(".//t:ChildFolderCount") == ["1"]
        shape = "<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
        for top, traversal, is_there in (
            ("searchfolders", "Shallow", True),
            ("root", "Deep", True),
            ("root", "Shallow", False),
            ("msgfolderroot", "Deep", False),
        ):
            asked = f"{shape}<m:ParentFolderIds>{named(top)}</m:ParentFolderIds>"
            listed = await site.ask(f'<m:FindFolder Traversal="{traversal}">{asked}</m:FindFolder>')
            assert ("Lunches" in listed.texts(".//t:DisplayName")) is is_there, (top, traversal)
        for top, is_there in (("root", True), ("msgfolderroot", False)):
            told = await site.ask(
                f"<m:SyncFolderHierarchy>{shape}<m:SyncFolderId>{named(top)}</m:SyncFolderId></m:SyncFolderHierarchy>"
            )
            assert ("Lunches" in told.texts(".//t:DisplayName")) is is_there, top
        paths = [folder.path for folder in await site.mailboxes.folders(GUID)]
        assert ("Lunches",) not in paths, "a mail program sees a folder that holds nothing"

    asyncio.run(steps())


def test_its_search_its_name_and_its_place_change_and_it_goes() -> None:
    async def steps() -> None:
        site = await filled()
        lunches = await made(site)
        new = parameters("drafts", restriction=contains(SUBJECT, "plan"))
        answer = await site.ask(changed(lunches, PARAMETERS, new, kind="SearchFolder"))
        assert answer.codes == ["NoError"], answer.text
        assert await found(site, look(lunches)) == ["Plan 8"]
        name = '<t:FieldURI FieldURI="folder:DisplayName"/>'
        renamed = "<t:DisplayName>Plans</t:DisplayName>"
        answer = await site.ask(changed(lunches, name, renamed, kind="SearchFolder"))
        assert answer.codes == ["NoError"], answer.text
        assert (await site.ask(read(lunches))).texts(".//t:DisplayName") == ["Plans"]
        inbox = f"{FolderId(GUID, await site.folder(FolderKind.INBOX))}"
        copied = id_in(await site.ask(put("CopyFolder", "inbox", lunches)))
        assert await found(site, look(copied)) == ["Plan 8"]
        shape = f"<t:AdditionalProperties>{field('folder:ParentFolderId')}</t:AdditionalProperties>"
        asked = f"<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>{shape}</m:FolderShape>"
        there = await site.ask(f"<m:GetFolder>{asked}<m:FolderIds>{named(copied)}</m:FolderIds></m:GetFolder>")
        assert there.find(".//t:ParentFolderId").attrib["Id"] == inbox
        assert (await site.ask(put("MoveFolder", "searchfolders", copied))).codes == ["ErrorFolderExists"]
        for each in (lunches, copied):
            answer = await site.ask(on("DeleteFolder", each, attributes='DeleteType="HardDelete"'))
            assert answer.codes == ["NoError"], answer.text
        assert (await site.ask(look(lunches))).codes == ["ErrorFolderNotFound"]
        assert len(await found(site, look("drafts"))) == 3, "the items are those of their folders"

    asyncio.run(steps())


def test_nothing_is_put_into_it_and_it_is_not_emptied_or_synchronized() -> None:
    async def steps() -> None:
        site = await filled()
        lunches = await made(site)
        first = (await site.ask(look("drafts"))).find(".//t:ItemId").attrib["Id"]
        target = f"<m:ToFolderId>{named(lunches)}</m:ToFolderId>"
        ids = f'<m:ItemIds><t:ItemId Id="{first}"/></m:ItemIds>'
        shape = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
        mark = "<m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts>"
        draft = "<t:Message><t:Subject>x</t:Subject></t:Message>"
        for request, code in (
            (f"<m:MoveItem>{target}{ids}</m:MoveItem>", "ErrorAccessDenied"),
            (f"<m:CopyItem>{target}{ids}</m:CopyItem>", "ErrorAccessDenied"),
            (
                f'<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId>{named(lunches)}'
                f"</m:SavedItemFolderId><m:Items>{draft}</m:Items></m:CreateItem>",
                "ErrorCreateItemAccessDenied",
            ),
            (created("x", lunches), "ErrorCreateSubfolderAccessDenied"),
            (
                on("EmptyFolder", lunches, attributes='DeleteType="HardDelete" DeleteSubFolders="false"'),
                "ErrorCannotEmptyFolder",
            ),
            (on("MarkAllItemsAsRead", lunches, first=mark), "ErrorInvalidFolderTypeForOperation"),
            (
                f"<m:SyncFolderItems>{shape}<m:SyncFolderId>{named(lunches)}</m:SyncFolderId>"
                "<m:MaxChangesReturned>5</m:MaxChangesReturned></m:SyncFolderItems>",
                "ErrorInvalidFolderTypeForOperation",
            ),
        ):
            answer = await site.ask(request)
            assert answer.codes == [code], answer.text
        assert len(await found(site, look(lunches))) == 4

    asyncio.run(steps())


@pytest.mark.parametrize(
    "definition, code",
    [
        (parameters(), "ErrorSchemaValidation"),
        (parameters("inbox", traversal="Wide"), "ErrorSchemaValidation"),
        (parameters("searchfolders"), "ErrorInvalidFolderTypeForOperation"),
        (
            parameters("inbox", restriction=compare("IsEqualTo", field("item:Nothing"), "x")),
            "ErrorUnsupportedPathForQuery",
        ),
        (parameters("inbox", restriction="<t:Nothing/>"), "ErrorSchemaValidation"),
        (parameters("inbox", restriction=contains(SUBJECT, "x" * 9_000)), "ErrorRestrictionTooLong"),
        ("<t:SearchParameters/>", "ErrorSchemaValidation"),
    ],
)
def test_a_search_that_cannot_be_made_is_not_kept(definition: str, code: str) -> None:
    async def steps() -> None:
        site = await filled()
        answer = await site.ask(search_folder("x", definition))
        assert answer.codes == [code], answer.text
        assert "x" not in {node.name for node in await site.mailboxes.tree(GUID)}
        lunches = await made(site)
        assert (await site.ask(changed(lunches, PARAMETERS, definition, kind="SearchFolder"))).codes == [code]
        assert len(await found(site, look(lunches))) == 4, "it keeps the search that it had"
        assert (await site.ask(search_folder("y", parameters(lunches)))).codes == [
            "ErrorInvalidFolderTypeForOperation"
        ], "of a search folder"

    asyncio.run(steps())


def test_a_search_folder_without_a_search_says_so() -> None:
    async def steps() -> None:
        site = await filled()
        empty = id_in(await site.ask(search_folder("Empty", "")))
        assert (await site.ask(look(empty))).codes == ["ErrorSearchFolderNotInitialized"]
        assert (await site.ask(read(empty))).codes == ["NoError"]
        lunches = await made(site)
        node = next(each for each in await site.mailboxes.tree(GUID) if each.name == "Lunches")
        (tag,) = (await site.mailboxes.folder_properties(GUID, [node.id]))[node.id]
        for octets in (b"", b"<t:x", b"<x/>", b"\xff"):
            await site.mailboxes.set_folder_properties(GUID, node.id, {tag: encoded(Type.BINARY, octets)})
            assert (await site.ask(look(lunches))).codes == ["ErrorSearchFolderNotInitialized"], octets
            assert (await site.ask(read(lunches, base="AllProperties"))).codes == ["NoError"], octets

    asyncio.run(steps())


def test_a_folder_that_is_gone_is_left_out() -> None:
    async def steps() -> None:
        site = await filled()
        node = next(each for each in await site.mailboxes.tree(GUID) if each.name == "Below")
        lunches = await made(site, "Lunches", str(FolderId(GUID, node.id)), "drafts")
        assert len(await found(site, look(lunches))) == 4
        await site.mailboxes.delete_folder(GUID, node.id)
        assert await found(site, look(lunches)) == ["lunch again 9", "Lunch 7"]

    asyncio.run(steps())


def test_others_find_in_it_what_they_may_read() -> None:
    async def steps() -> None:
        site = await filled()
        lunches = await made(site, "Lunches", "inbox", "drafts")
        assert (await site.ask(look(lunches), BOB)).codes == ["ErrorFolderNotFound"]
        owner = site.recipients.known[ALICE]
        node = next(each for each in await site.mailboxes.tree(GUID) if each.name == "Lunches")
        await site.sharing.set_rights(owner, node.id, guid_of(BOB), ROLES["reviewer"])
        assert await found(site, look(lunches), BOB) == [], "the folder alone is shared"
        await site.sharing.set_rights(owner, await site.folder(FolderKind.DRAFTS), guid_of(BOB), Right.VISIBLE)
        assert await found(site, look(lunches), BOB) == [], "the drafts are seen, and not read"
        await site.sharing.set_rights(owner, await site.folder(FolderKind.INBOX), guid_of(BOB), ROLES["reviewer"])
        assert await found(site, look(lunches), BOB) == ["lunch again 3", "Lunch 1"]
        answer = await site.ask(read(lunches, base="AllProperties"), BOB)
        assert answer.texts(".//t:TotalCount") == ["2"]
        request = changed(lunches, PARAMETERS, parameters("drafts"), kind="SearchFolder")
        assert (await site.ask(request, BOB)).codes == ["ErrorAccessDenied"]
        # A search of one's own finds nothing of another's.
        inbox = str(FolderId(GUID, await site.folder(FolderKind.INBOX)))
        answer = await site.ask(search_folder("Mine", parameters(inbox)), BOB)
        assert answer.codes == ["ErrorInvalidFolderTypeForOperation"], answer.text

    asyncio.run(steps())


def test_what_one_request_reads_and_counts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def steps() -> None:
        site = await filled()
        lunches = await made(site, "Lunches", "inbox", "drafts")
        monkeypatch.setattr(search_folders, "MAX_COUNTED", 2)
        answer = await site.ask(read(lunches))
        assert answer.codes == ["NoError"]
        assert answer.texts(".//t:TotalCount") == [], "there are three folders to search"
        monkeypatch.setattr(finding, "MAX_READ", 5)
        assert (await site.ask(look(lunches))).codes == ["ErrorInsufficientResources"]
        monkeypatch.setattr(finding, "MAX_READ", 9)
        both = named(lunches) + named(lunches)
        asked = look(lunches).replace(named(lunches), both)
        assert (await site.ask(asked)).codes == ["NoError", "ErrorInsufficientResources"], "for both together"
        monkeypatch.setattr(search_folders, "MAX_FOLDERS", 2)
        assert (await site.ask(look(lunches))).codes == ["ErrorInsufficientResources"]

    asyncio.run(steps())
