"""Folders are made, shown, renamed, moved, copied, emptied and deleted, in one's own mailbox and in others'.

covers: above, folder_edits, folder_changes, folder_rendering, places, services.ews.operations.create_folder
covers: services.ews.operations.update_folder, services.ews.operations.delete_folder, services.ews.operations.move_folder
covers: services.ews.operations.get_folder
"""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from postern.model.folders import FolderKind, FolderNode, Right
from postern.model.item_store import PropertyName
from postern.model.items import Flag, NewItem
from postern.model.sharing import ROLES
from postern.protocols.ews.ids import FolderId, ItemId
from tests.services.dav.site import ALICE, BOB, guid_of
from tests.services.ews.site import Answer, EwsSite

NAME = '<t:FieldURI FieldURI="folder:DisplayName"/>'
COLOR = '<t:ExtendedFieldURI PropertySetId="c11ff724-aa03-4555-9952-8fa248a11c3e" PropertyName="color" PropertyType="String"/>'


def named(name: str, address: str = "") -> str:
    """A FolderId for an id, else a DistinguishedFolderId."""
    if len(name) > 30:
        return f'<t:FolderId Id="{name}"/>'
    mailbox = f"<t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox>" if address else ""
    return f'<t:DistinguishedFolderId Id="{name}">{mailbox}</t:DistinguishedFolderId>'


def created(name: str, parent: str = "msgfolderroot", kind: str = "Folder", more: str = "", of: str = "") -> str:
    return (
        f"<m:CreateFolder><m:ParentFolderId>{named(parent, of)}</m:ParentFolderId><m:Folders><t:{kind}>"
        f"{more}<t:DisplayName>{name}</t:DisplayName></t:{kind}></m:Folders></m:CreateFolder>"
    )


def on(operation: str, *folders: str, attributes: str = "", first: str = "") -> str:
    ids = "".join(map(named, folders))
    return f"<m:{operation} {attributes}>{first}<m:FolderIds>{ids}</m:FolderIds></m:{operation}>"


def put(operation: str, to: str, *folders: str) -> str:
    return on(operation, *folders, first=f"<m:ToFolderId>{named(to)}</m:ToFolderId>")


def read(folder: str, *paths: str, base: str = "Default", of: str = "") -> str:
    more = f"<t:AdditionalProperties>{''.join(paths)}</t:AdditionalProperties>" if paths else ""
    shape = f"<m:FolderShape><t:BaseShape>{base}</t:BaseShape>{more}</m:FolderShape>"
    return f"<m:GetFolder>{shape}<m:FolderIds>{named(folder, of)}</m:FolderIds></m:GetFolder>"


def changed(folder: str, path: str, value: str = "", kind: str = "Folder", how: str = "SetFolderField") -> str:
    inner = f"<t:{kind}>{value}</t:{kind}>" if how != "DeleteFolderField" else ""
    return (
        f"<m:UpdateFolder><m:FolderChanges><t:FolderChange>{named(folder)}<t:Updates>"
        f"<t:{how}>{path}{inner}</t:{how}></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>"
    )


def id_in(answer: Answer) -> str:
    assert answer.codes == ["NoError"], answer.text
    return answer.find(".//t:FolderId").attrib["Id"]


async def tree(site: EwsSite, address: str = ALICE) -> dict[str, FolderNode]:
    return {node.name: node for node in await site.mailboxes.tree(guid_of(address))}


async def grant(site: EwsSite, folder: int, rights: Right, owner: str = ALICE, to: str = BOB) -> None:
    await site.sharing.set_rights(site.recipients.known[owner], folder, guid_of(to), rights)


def message() -> NewItem:
    return NewItem(b"Subject: Lunch\r\n\r\nHello\r\n")


@pytest.mark.parametrize(
    "kind, more, folder_class, shown",
    [
        ("Folder", "", "IPF.Note", "Folder"),
        ("Folder", "<t:FolderClass>IPF.StickyNote</t:FolderClass>", "IPF.StickyNote", "Folder"),
        ("CalendarFolder", "", "IPF.Appointment", "CalendarFolder"),
        (
            "ContactsFolder",
            "<t:FolderClass>IPF.Contact.Company</t:FolderClass>",
            "IPF.Contact.Company",
            "ContactsFolder",
        ),
        ("TasksFolder", "", "IPF.Task", "TasksFolder"),
    ],
)
def test_a_folder_is_made_with_its_class(kind: str, more: str, folder_class: str, shown: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        answer = await site.ask(created("Projects", kind=kind, more=more))
        id_in(answer)
        assert answer.all(f".//t:{shown}")
        assert (await tree(site))["Projects"].folder_class == folder_class

    asyncio.run(steps())


def test_what_cannot_be_made_is_refused() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.ask(created("Projects"))
        for request, code in (
            (created("Projects"), "ErrorFolderExists"),
            (created("a/b"), "ErrorFolderSavePropertyError"),
            (created(""), "ErrorFolderSavePropertyError"),
            (created("x", more="<t:FolderClass>IPF.Search</t:FolderClass>"), "ErrorNoFolderClassOverride"),
            (created("x", parent="searchfolders"), "ErrorInvalidParentFolder"),
            (
                created("x", kind="TasksFolder", more="<t:FolderClass>IPF.Note</t:FolderClass>"),
                "ErrorNoFolderClassOverride",
            ),
            (created("x", more="<t:TotalCount>4</t:TotalCount>"), "ErrorInvalidPropertySet"),
            (created("x", more="<t:Color>4</t:Color>"), "ErrorSchemaValidation"),
            (created("x", parent="root"), "ErrorInvalidParentFolder"),
            (created("x", parent=str(FolderId(guid_of(ALICE), 4711))), "ErrorParentFolderNotFound"),
            (created("x", parent="archiveroot"), "ErrorParentFolderNotFound"),
            (created("x", parent=str(ItemId(guid_of(ALICE), 4711))), "ErrorCannotUseItemIdForFolderId"),
        ):
            assert (await site.ask(request)).codes == [code], request
        assert "x" not in await tree(site)

    asyncio.run(steps())


def test_a_folder_is_shown_with_all_that_is_known_of_it() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        await site.mailboxes.create(guid_of(ALICE), inbox, [message(), message()])
        more = f"<t:ExtendedProperty>{COLOR}<t:Value>red</t:Value></t:ExtendedProperty>"
        made = id_in(await site.ask(created("Projects", "inbox", more=more)))
        size = '<t:ExtendedFieldURI PropertyTag="0x0E08" PropertyType="Long"/>'
        told = await site.ask(read("inbox", COLOR, size, base="AllProperties"))
        names = [each.tag.rpartition("}")[2] for each in told.find(".//t:Folder")]
        assert names == [
            "FolderId",
            "ParentFolderId",
            "FolderClass",
            "DisplayName",
            "TotalCount",
            "ChildFolderCount",
            "ExtendedProperty",
            "EffectiveRights",
            "DistinguishedFolderId",
            "UnreadCount",
        ]
        assert told.texts(".//t:TotalCount") == ["2"] and told.texts(".//t:ChildFolderCount") == ["1"]
        assert told.texts(".//t:DisplayName") == ["Inbox"]
        assert told.texts(".//t:Value") == [str(2 * len(message().content))]
        assert (await site.ask(read(made, COLOR))).texts(".//t:Value") == ["red"]
        early = await site.ask(read("inbox", base="AllProperties"), version="Exchange2007")
        assert not early.all(".//t:DistinguishedFolderId") and not early.all(".//t:EffectiveRights")
        assert (await site.ask(read("inbox", '<t:FieldURI FieldURI="item:Subject"/>'))).codes == [
            "ErrorInvalidPropertyRequest"
        ]
        for name in ("publicfoldersroot", "archiveinbox", "recoverableitemsroot", "nonsense"):
            assert (await site.ask(read(name))).codes == ["ErrorFolderNotFound"]

    asyncio.run(steps())


@pytest.mark.parametrize("name", ["a &amp; b &lt;c&gt;", "휴가 🏖", " spaces ", "100 % .. ~", "x" * 250])
def test_a_name_is_shown_as_it_was_given(name: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        answer = await site.ask(read(id_in(await site.ask(created(name)))))
        expected = name.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        assert answer.texts(".//t:DisplayName") == [expected]

    asyncio.run(steps())


@pytest.mark.parametrize("name", ["x" * 256, "a\nb", "\u200b\u202e"])
def test_a_name_that_no_folder_can_have_is_refused(name: str) -> None:
    async def steps() -> None:
        assert (await EwsSite().ask(created(name))).codes == ["ErrorFolderSavePropertyError"]

    asyncio.run(steps())


def test_a_folder_is_renamed_and_given_properties() -> None:
    async def steps() -> None:
        site = EwsSite()
        made = id_in(await site.ask(created("Projects")))
        before = (await site.ask(read(made))).find(".//t:FolderId").attrib["ChangeKey"]
        answer = await site.ask(changed(made, NAME, "<t:DisplayName>Work</t:DisplayName>"))
        assert id_in(answer) == made
        assert answer.find(".//t:FolderId").attrib["ChangeKey"] != before
        assert "Work" in await tree(site) and "Projects" not in await tree(site)
        value = f"<t:ExtendedProperty>{COLOR}<t:Value>blue</t:Value></t:ExtendedProperty>"
        assert (await site.ask(changed(made, COLOR, value))).codes == ["NoError"]
        assert (await site.ask(read(made, COLOR))).texts(".//t:Value") == ["blue"]
        assert (await site.ask(changed(made, COLOR, how="DeleteFolderField"))).codes == ["NoError"]
        assert (await site.ask(read(made, COLOR))).texts(".//t:Value") == []
        folder_class = '<t:FieldURI FieldURI="folder:FolderClass"/>'
        for request, code in (
            (changed(made, folder_class, "<t:FolderClass>IPF.Note</t:FolderClass>"), "NoError"),
            (changed(made, folder_class, "<t:FolderClass>IPF.Task</t:FolderClass>"), "ErrorInvalidPropertySet"),
            (changed(made, NAME, "<t:DisplayName>Drafts</t:DisplayName>"), "ErrorFolderExists"),
            (changed("drafts", NAME, "<t:DisplayName>x</t:DisplayName>"), "ErrorFolderSavePropertyError"),
            (changed("inbox", NAME, "<t:DisplayName>Inbox</t:DisplayName>"), "NoError"),
            (changed(made, NAME, "<t:FolderClass>x</t:FolderClass>"), "ErrorUpdatePropertyMismatch"),
            (changed(made, NAME, ""), "ErrorIncorrectUpdatePropertyCount"),
            (changed(made, NAME, how="DeleteFolderField"), "ErrorInvalidPropertyDelete"),
            (
                changed(made, NAME, "<t:DisplayName>x</t:DisplayName>", how="AppendToFolderField"),
                "ErrorInvalidPropertyAppend",
            ),
        ):
            assert (await site.ask(request)).codes == [code], request

    asyncio.run(steps())


@pytest.mark.parametrize("how", ["HardDelete", "SoftDelete", "MoveToDeletedItems"])
def test_a_folder_is_deleted_with_all_below_it(how: str) -> None:
    async def steps() -> None:
        site = EwsSite()
        top = id_in(await site.ask(created("Projects")))
        below = id_in(await site.ask(created("2026", top)))
        await site.ask(created("Plans", below))
        delete = f'DeleteType="{how}"'
        assert (await site.ask(on("DeleteFolder", top, attributes=delete))).codes == ["NoError"]
        left = await tree(site)
        assert ("Plans" in left) is (how == "MoveToDeletedItems")
        if how == "MoveToDeletedItems":
            assert left["Projects"].parent == await site.folder(FolderKind.DELETED)
            # The name is taken there now.
            again = id_in(await site.ask(created("Projects")))
            assert (await site.ask(on("DeleteFolder", again, again, attributes=delete))).codes == ["NoError", "NoError"]
            assert "Projects 2" in await tree(site)
        for name in ("inbox", "calendar", "msgfolderroot"):
            answer = await site.ask(on("DeleteFolder", name, attributes=delete))
            assert answer.codes == ["ErrorDeleteDistinguishedFolder"]

    asyncio.run(steps())


def test_a_folder_is_moved() -> None:
    async def steps() -> None:
        site = EwsSite()
        first, second = [id_in(await site.ask(created(name))) for name in ("First", "Second")]
        answer = await site.ask(put("MoveFolder", second, first))
        assert id_in(answer) == first
        folders = await tree(site)
        assert folders["First"].parent == folders["Second"].id
        assert (await site.ask(put("MoveFolder", second, first))).codes == ["NoError"]
        assert (await site.ask(put("MoveFolder", "msgfolderroot", first))).codes == ["NoError"]
        assert (await tree(site))["First"].parent == 0
        for to, folder, code in (
            (second, "inbox", "ErrorMoveDistinguishedFolder"),
            (second, second, "ErrorMoveCopyFailed"),
            (str(FolderId(guid_of(ALICE), 4711)), second, "ErrorToFolderNotFound"),
            (second, str(FolderId(guid_of(ALICE), 4711)), "ErrorFolderNotFound"),
        ):
            assert (await site.ask(put("MoveFolder", to, folder))).codes == [code], (to, folder)

    asyncio.run(steps())


def test_a_folder_is_copied_with_its_items_and_properties() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid = guid_of(ALICE)
        more = f"<t:ExtendedProperty>{COLOR}<t:Value>red</t:Value></t:ExtendedProperty>"
        source = id_in(await site.ask(created("Projects", more=more)))
        await site.ask(created("2026", source))
        target = id_in(await site.ask(created("Copies")))
        folders = await tree(site)
        await site.mailboxes.create(guid, folders["Projects"].id, [message(), message()])
        await site.mailboxes.create(guid, folders["2026"].id, [message()])
        (own,) = await site.mailboxes.property_ids(guid, [PropertyName(guid, None, "Postern:segment")], True)
        await site.mailboxes.set_folder_properties(guid, folders["Projects"].id, {own << 16 | 0x1F: b"x\0\0\0"})
        copy = id_in(await site.ask(put("CopyFolder", target, source)))
        assert copy != source
        shown = await site.ask(read(copy, COLOR))
        assert shown.texts(".//t:TotalCount") == ["2"] and shown.texts(".//t:ChildFolderCount") == ["1"]
        assert shown.texts(".//t:Value") == ["red"]
        (number,) = [node.id for node in await site.mailboxes.tree(guid) if node.parent == folders["Copies"].id]
        assert own << 16 | 0x1F not in (await site.mailboxes.folder_properties(guid, [number]))[number]
        # A second one has no place, and leaves nothing.
        before = await site.mailboxes.tree(guid)
        assert (await site.ask(put("CopyFolder", target, source))).codes == ["ErrorFolderExists"]
        assert await site.mailboxes.tree(guid) == before
        assert (await site.ask(put("CopyFolder", target, "root"))).codes == ["ErrorMoveCopyFailed"]

    asyncio.run(steps())


TAGS = (
    '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="KMailTags" PropertyType="StringArray"/>',
    '<t:ExtendedFieldURI PropertyTag="0x6F01" PropertyType="String"/>',
)


@pytest.mark.parametrize("tag", TAGS)
def test_the_folders_above_the_tree_keep_properties(tag: str) -> None:
    """KMail keeps its tags at the top of a mailbox."""

    def texts(*values: str) -> str:
        inner = "".join([f"<t:Value>{text}</t:Value>" for text in values])
        inner = f"<t:Values>{inner}</t:Values>" if "Array" in tag else inner
        return f"<t:ExtendedProperty>{tag}{inner}</t:ExtendedProperty>"

    async def steps() -> None:
        site = EwsSite()
        assert not (await site.ask(read("msgfolderroot", tag))).texts(".//t:Value")
        top = id_in(await site.ask(changed("msgfolderroot", tag, texts("red"))))
        assert top == id_in(await site.ask(read("msgfolderroot", tag)))
        id_in(await site.ask(changed("root", tag, texts("blue"))))
        for name, value in ((top, ["red"]), ("root", ["blue"]), ("inbox", [])):
            shown = await site.ask(read(name, tag, COLOR))
            assert shown.codes == ["NoError"] and shown.texts(".//t:Value") == value, name
        id_in(await site.ask(changed("msgfolderroot", tag, how="DeleteFolderField")))
        assert not (await site.ask(read("msgfolderroot", tag))).texts(".//t:Value")
        # They stay where they are, though the inbox keeps them.
        target = id_in(await site.ask(created("Copies")))
        assert (await site.ask(put("CopyFolder", target, "inbox"))).codes == ["NoError"]
        (copy,) = [node.id for node in await site.mailboxes.tree(guid_of(ALICE)) if node.parent and node.name]
        assert (await site.mailboxes.folder_properties(guid_of(ALICE), [copy]))[copy] == {}

    asyncio.run(steps())


def test_the_properties_of_the_server_itself_are_nobodys_to_see() -> None:
    async def steps() -> None:
        site = EwsSite()
        path = COLOR.replace('"color"', '"Postern:delegates"')
        value = f"<t:ExtendedProperty>{path}<t:Value>x</t:Value></t:ExtendedProperty>"
        for request in (read("inbox", path), changed("inbox", path, value)):
            assert (await site.ask(request)).codes == ["ErrorInvalidExtendedProperty"]

    asyncio.run(steps())


class Trees:
    """Counts how often the whole tree is read."""

    def __init__(self, site: EwsSite) -> None:
        self.count = 0
        self._tree = site.mailboxes.tree
        site.mailboxes.tree = self.tree  # type: ignore[method-assign]  # counts what is read

    async def tree(self, mailbox: UUID) -> list[FolderNode]:
        self.count += 1
        return await self._tree(mailbox)


def test_the_tree_is_read_once_for_many_folders_and_items() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid = guid_of(ALICE)
        counts = []
        for size in (1, 12):
            source = id_in(await site.ask(created(f"Projects {size}")))
            for number in range(size):
                below = id_in(await site.ask(created(f"{number}", source)))
                await site.ask(created("below", below))
            target = id_in(await site.ask(created(f"Copies {size}")))
            trees = Trees(site)
            assert (await site.ask(put("CopyFolder", target, source))).codes == ["NoError"]
            counts.append(trees.count)
            names = [node.name for node in await site.mailboxes.tree(guid)]
            assert names.count("below") == (2 if size == 1 else 2 + 2 * size)
        assert counts[0] == counts[1] <= 2
        # Items that are deleted one by one go to one folder.
        counts = []
        for size in (1, 9):
            times = "<t:Start>2026-12-01T08:00:00Z</t:Start><t:End>2026-12-01T09:00:00Z</t:End>"
            made = f"<t:CalendarItem>{times}</t:CalendarItem>" * size
            answer = await site.ask(
                f'<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>{made}</m:Items></m:CreateItem>'
            )
            each = "".join([f'<t:ItemId Id="{item.attrib["Id"]}"/>' for item in answer.all(".//t:ItemId")])
            how = 'DeleteType="MoveToDeletedItems" SendMeetingCancellations="SendToNone"'
            trees = Trees(site)
            assert (await site.ask(f"<m:DeleteItem {how}><m:ItemIds>{each}</m:ItemIds></m:DeleteItem>")).codes == [
                "NoError"
            ] * size
            counts.append(trees.count)
        assert counts[0] == counts[1] <= 2

    asyncio.run(steps())


def test_a_folder_is_emptied_and_marked_as_read() -> None:
    async def steps() -> None:
        site = EwsSite()
        guid = guid_of(ALICE)
        folder = id_in(await site.ask(created("Projects")))
        await site.ask(created("2026", folder))
        number = (await tree(site))["Projects"].id
        await site.mailboxes.create(guid, number, [message(), message()])
        for flag, unread in (("true", "0"), ("false", "2")):
            first = f"<m:ReadFlag>{flag}</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts>"
            assert (await site.ask(on("MarkAllItemsAsRead", folder, first=first))).codes == ["NoError"]
            assert (await site.ask(read(folder))).texts(".//t:UnreadCount") == [unread]
        attributes = 'DeleteType="MoveToDeletedItems" DeleteSubFolders="false"'
        assert (await site.ask(on("EmptyFolder", folder, attributes=attributes))).codes == ["NoError"]
        assert (await site.ask(read("deleteditems"))).texts(".//t:TotalCount") == ["2"]
        assert "2026" in await tree(site)
        assert (await site.ask(on("EmptyFolder", "deleteditems", attributes=attributes))).codes == [
            "ErrorCannotEmptyFolder"
        ]
        attributes = 'DeleteType="HardDelete" DeleteSubFolders="true"'
        answer = await site.ask(on("EmptyFolder", folder, "deleteditems", "msgfolderroot", attributes=attributes))
        assert answer.codes == ["NoError", "NoError", "ErrorCannotEmptyFolder"]
        assert "2026" not in await tree(site) and "Projects" in await tree(site)
        assert (await site.ask(read("deleteditems"))).texts(".//t:TotalCount") == ["0"]

    asyncio.run(steps())


def test_a_path_of_folders_is_made_where_it_is_missing() -> None:
    async def steps() -> None:
        site = EwsSite()
        top = id_in(await site.ask(created("Projects")))
        path = "".join(
            f"<t:Folder><t:DisplayName>{name}</t:DisplayName></t:Folder>" for name in ("Projects", "2026", "May")
        )
        request = (
            f"<m:CreateFolderPath><m:ParentFolderId>{named('msgfolderroot')}</m:ParentFolderId>"
            f"<m:RelativeFolderPath>{path}</m:RelativeFolderPath></m:CreateFolderPath>"
        )
        answer = await site.ask(request)
        assert answer.codes == ["NoError"] * 3
        ids = [each.attrib["Id"] for each in answer.all(".//t:FolderId")]
        assert ids[0] == top
        assert [each.attrib["Id"] for each in (await site.ask(request)).all(".//t:FolderId")] == ids
        # The name is that which answers tell.
        below = await site.ask(request.replace("Projects", "Inbox"))
        inbox = await site.folder(FolderKind.INBOX)
        assert below.all(".//t:FolderId")[0].attrib["Id"] == str(FolderId(guid_of(ALICE), inbox))

    asyncio.run(steps())


def test_there_are_no_managed_folders() -> None:
    async def steps() -> None:
        site = EwsSite()

        def managed(*names: str, of: str = "") -> str:
            folders = "".join(f"<t:FolderName>{name}</t:FolderName>" for name in names)
            mailbox = f"<m:Mailbox><t:EmailAddress>{of}</t:EmailAddress></m:Mailbox>" if of else ""
            return f"<m:CreateManagedFolder><m:FolderNames>{folders}</m:FolderNames>{mailbox}</m:CreateManagedFolder>"

        assert (await site.ask(managed("a", "b"))).codes == ["ErrorManagedFolderNotFound"] * 2
        assert (await site.ask(managed("a", "A"))).codes == ["ErrorDuplicateInputFolderNames"]
        assert (await site.ask(managed("a", of=BOB))).codes == ["ErrorAccessDenied"]
        assert (await site.ask(managed("a", of="nobody@example.test"))).codes == ["ErrorNonExistentMailbox"]

    asyncio.run(steps())


def test_folders_of_others_are_changed_by_rights() -> None:
    async def steps() -> None:
        site = EwsSite()
        shared = id_in(await site.ask(created("Shared")))
        hidden = id_in(await site.ask(created("Hidden", shared)))
        number = (await tree(site))["Shared"].id
        rename = changed(shared, NAME, "<t:DisplayName>Mine</t:DisplayName>")
        delete = on("DeleteFolder", shared, attributes='DeleteType="HardDelete"')
        assert (await site.ask(rename, BOB)).codes == ["ErrorFolderNotFound"]
        await grant(site, number, ROLES["editor"])
        assert (await site.ask(created("More", shared), BOB)).codes == ["ErrorCreateSubfolderAccessDenied"]
        for request in (rename, delete):
            assert (await site.ask(request, BOB)).codes == ["ErrorAccessDenied"]
        await grant(site, number, ROLES["publishing-editor"])
        more = id_in(await site.ask(created("More", shared), BOB))
        # Who makes a folder owns it; all others have the rights of the folder above.
        made = (await tree(site))["More"].id
        assert await site.mailboxes.rights(guid_of(ALICE), made) == {guid_of(BOB): ROLES["owner"]}
        assert (await site.ask(put("CopyFolder", more, shared), BOB)).codes == ["NoError"]
        answer = await site.ask(changed(more, NAME, "<t:DisplayName>Most</t:DisplayName>"), BOB)
        assert answer.codes == ["NoError"]
        assert (await site.ask(put("MoveFolder", "drafts", more), BOB)).codes == ["ErrorCrossMailboxMoveCopy"]
        assert (await site.ask(on("DeleteFolder", more, attributes='DeleteType="MoveToDeletedItems"'), BOB)).codes == [
            "NoError"
        ]
        # He owns what he is told of, and not what lies hidden below it.
        await grant(site, number, ROLES["owner"])
        assert (await site.ask(delete, BOB)).codes == ["ErrorAccessDenied"]
        assert (await site.ask(read(hidden), BOB)).codes == ["ErrorFolderNotFound"]
        empty = on("EmptyFolder", shared, attributes='DeleteType="HardDelete" DeleteSubFolders="true"')
        assert (await site.ask(empty, BOB)).codes == ["ErrorAccessDenied"]
        await grant(site, (await tree(site))["Hidden"].id, ROLES["owner"])
        assert (await site.ask(delete, BOB)).codes == ["NoError"]

    asyncio.run(steps())


def test_flags_of_a_message_stay_when_its_folder_is_marked() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        (number,) = await site.mailboxes.create(guid_of(ALICE), inbox, [NewItem(message().content, Flag.FLAGGED)])
        first = "<m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts>"
        await site.ask(on("MarkAllItemsAsRead", "inbox", first=first))
        assert (await site.mailboxes.get(guid_of(ALICE), [number]))[0].flags == Flag.FLAGGED | Flag.SEEN

    asyncio.run(steps())
