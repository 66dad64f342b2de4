"""Whatever another user asks for, in whatever operation and with whatever ids: he learns and changes what his rights allow, and
no more.

covers: access
"""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postern.items import conversations
from postern.model.folders import FolderKind, Right
from postern.model.item_store import RenderedItem
from postern.model.items import NewItem
from postern.model.resources import NewResource
from postern.model.sharing import ROLES
from postern.protocols.ews.codes import Code
from postern.protocols.ews.exported import Exported, write
from postern.protocols.ews.ids import AttachmentId, ConversationId, FolderId, ItemId, change_key
from postern.protocols.ews.subscriptions import EventKind, SubscriptionId, SubscriptionKind, Watermark
from postern.services.ews.operations.every import OPERATIONS
from tests.services.dav.site import ALICE, BOB, event, guid_of
from tests.services.ews.site import Answer, EwsSite

SECRET, SHARED = "Tr3asure", "Sh4red"
CONVERSATIONS = [7, *(conversations.number_of(word) for word in (SECRET, SHARED))]
SHAPE = "<t:BaseShape>AllProperties</t:BaseShape>"
SUBJECT = '<t:FieldURI FieldURI="item:Subject"/>'
SET = '<t:FieldURI FieldURI="folder:PermissionSet"/>'
GRANT = (
    f"<t:PermissionSet><t:Permissions><t:Permission><t:UserId><t:PrimarySmtpAddress>{BOB}</t:PrimarySmtpAddress></t:UserId>"
    "<t:PermissionLevel>Owner</t:PermissionLevel></t:Permission></t:Permissions></t:PermissionSet>"
)
EDITOR = (
    f"<m:DelegateUsers><t:DelegateUser><t:UserId><t:PrimarySmtpAddress>{BOB}</t:PrimarySmtpAddress></t:UserId>"
    "<t:DelegatePermissions><t:InboxFolderPermissionLevel>Editor</t:InboxFolderPermissionLevel></t:DelegatePermissions>"
    "</t:DelegateUser></m:DelegateUsers>"
)
UPLOADED = b64encode(write(Exported("IPM.Note", False, 0, 0, (), (), b"Subject: new\r\n\r\n"))).decode()
TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "GetItem": (
        f"<m:GetItem><m:ItemShape>{SHAPE}<t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape>"
        "{items}</m:GetItem>",
    ),
    "GetFolder": (
        f"<m:GetFolder><m:FolderShape>{SHAPE}<t:AdditionalProperties>{SET}</t:AdditionalProperties></m:FolderShape>"
        "{folders}</m:GetFolder>",
    ),
    "FindItem": (
        f'<m:FindItem Traversal="Shallow"><m:ItemShape>{SHAPE}</m:ItemShape>{{parents}}</m:FindItem>',
        f'<m:FindItem Traversal="Shallow"><m:ItemShape>{SHAPE}</m:ItemShape><m:CalendarView StartDate="2026-01-01T00:00:00Z" '
        'EndDate="2027-01-01T00:00:00Z"/>{parents}</m:FindItem>',
    ),
    "FindFolder": (f'<m:FindFolder Traversal="Deep"><m:FolderShape>{SHAPE}</m:FolderShape>{{parents}}</m:FindFolder>',),
    "CreateItem": (
        '<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId>{folder}</m:SavedItemFolderId><m:Items><t:Message>'
        "<t:Subject>new</t:Subject></t:Message></m:Items></m:CreateItem>",
        '<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:ForwardItem><t:ReferenceItemId {item}/></t:ForwardItem>'
        "</m:Items></m:CreateItem>",
        '<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:AcceptItem><t:ReferenceItemId {item}/></t:AcceptItem>'
        "</m:Items></m:CreateItem>",
    ),
    "UpdateItem": (
        '<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly" '
        'SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange><t:ItemId {item}/><t:Updates>'
        f"<t:SetItemField>{SUBJECT}<t:Message><t:Subject>changed</t:Subject></t:Message></t:SetItemField>"
        "</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>",
        '<m:UpdateItem ConflictResolution="AlwaysOverwrite" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>'
        '<t:ItemId {item}/><t:Updates><t:SetItemField><t:FieldURI FieldURI="message:IsRead"/>'
        "<t:Message><t:IsRead>true</t:IsRead></t:Message></t:SetItemField></t:Updates></t:ItemChange></m:ItemChanges>"
        "</m:UpdateItem>",
    ),
    "DeleteItem": tuple(
        f'<m:DeleteItem DeleteType="{how}" SendMeetingCancellations="SendToNone" AffectedTaskOccurrences="AllOccurrences">'
        "{items}</m:DeleteItem>"
        for how in ("HardDelete", "MoveToDeletedItems")
    ),
    "MoveItem": ("<m:MoveItem><m:ToFolderId>{folder}</m:ToFolderId>{items}</m:MoveItem>",),
    "CopyItem": ("<m:CopyItem><m:ToFolderId>{folder}</m:ToFolderId>{items}</m:CopyItem>",),
    "CreateFolder": (
        "<m:CreateFolder><m:ParentFolderId>{folder}</m:ParentFolderId><m:Folders><t:Folder><t:DisplayName>n</t:DisplayName>"
        "</t:Folder></m:Folders></m:CreateFolder>",
    ),
    "UpdateFolder": (
        "<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder}<t:Updates><t:SetFolderField>"
        f"{SET}<t:Folder>{GRANT}</t:Folder></t:SetFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>",
        "<m:UpdateFolder><m:FolderChanges><t:FolderChange>{folder}<t:Updates><t:SetFolderField>"
        '<t:FieldURI FieldURI="folder:DisplayName"/><t:Folder><t:DisplayName>x</t:DisplayName></t:Folder></t:SetFolderField>'
        "</t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>",
    ),
    "DeleteFolder": ('<m:DeleteFolder DeleteType="HardDelete">{folders}</m:DeleteFolder>',),
    "EmptyFolder": ('<m:EmptyFolder DeleteType="HardDelete" DeleteSubFolders="true">{folders}</m:EmptyFolder>',),
    "MarkAllItemsAsRead": ("<m:MarkAllItemsAsRead><m:ReadFlag>true</m:ReadFlag>{folders}</m:MarkAllItemsAsRead>",),
    "MoveFolder": ("<m:MoveFolder><m:ToFolderId>{folder}</m:ToFolderId>{folders}</m:MoveFolder>",),
    "CopyFolder": ("<m:CopyFolder><m:ToFolderId>{folder}</m:ToFolderId>{folders}</m:CopyFolder>",),
    "AddDelegate": (
        f"<m:AddDelegate><m:Mailbox><t:EmailAddress>{ALICE}</t:EmailAddress></m:Mailbox>{EDITOR}</m:AddDelegate>",
    ),
    "SyncFolderItems": (
        f"<m:SyncFolderItems><m:ItemShape>{SHAPE}</m:ItemShape><m:SyncFolderId>{{folder}}</m:SyncFolderId>"
        "<m:MaxChangesReturned>100</m:MaxChangesReturned></m:SyncFolderItems>",
    ),
    "SyncFolderHierarchy": (
        f"<m:SyncFolderHierarchy><m:FolderShape>{SHAPE}</m:FolderShape><m:SyncFolderId>{{folder}}</m:SyncFolderId>"
        "</m:SyncFolderHierarchy>",
    ),
    "SendItem": ('<m:SendItem SaveItemToFolder="false">{items}</m:SendItem>',),
    "FindConversation": ("<m:FindConversation><m:ParentFolderId>{folder}</m:ParentFolderId></m:FindConversation>",),
    "ApplyConversationAction": tuple(
        f"<m:ApplyConversationAction><m:ConversationActions><t:ConversationAction><t:Action>{action}</t:Action>"
        "<t:ConversationId {conversation}/><t:DestinationFolderId>{folder}</t:DestinationFolderId><t:IsRead>true</t:IsRead>"
        "<t:DeleteType>HardDelete</t:DeleteType></t:ConversationAction></m:ConversationActions></m:ApplyConversationAction>"
        for action in ("Delete", "Move", "Copy", "SetReadState")
    ),
    "ExportItems": ("<m:ExportItems>{items}</m:ExportItems>",),
    "UploadItems": tuple(
        f'<m:UploadItems><m:Items><t:Item CreateAction="{action}"><t:ParentFolderId {{parent}}/><t:ItemId {{item}}/>'
        f"<t:Data>{UPLOADED}</t:Data></t:Item></m:Items></m:UploadItems>"
        for action in ("Update", "UpdateOrCreate")
    ),
    **{
        f"{verb}UserConfiguration": (
            f'<m:{verb}UserConfiguration><m:UserConfiguration><t:UserConfigurationName Name="x">{{folder}}'
            "</t:UserConfigurationName><t:XmlData>AAAA</t:XmlData></m:UserConfiguration>"
            f'<m:UserConfigurationName Name="kept">{{folder}}</m:UserConfigurationName>'
            f"<m:UserConfigurationProperties>All</m:UserConfigurationProperties></m:{verb}UserConfiguration>",
        )
        for verb in ("Create", "Get", "Update", "Delete")
    },
    "Subscribe": (
        "<m:Subscribe><m:PullSubscriptionRequest><t:FolderIds>{folder}</t:FolderIds><t:EventTypes>"
        "<t:EventType>CreatedEvent</t:EventType></t:EventTypes><t:Timeout>9</t:Timeout></m:PullSubscriptionRequest>"
        "</m:Subscribe>",
    ),
    "GetEvents": (
        "<m:GetEvents><m:SubscriptionId>{subscription}</m:SubscriptionId><m:Watermark>{watermark}</m:Watermark></m:GetEvents>",
    ),
}
ANY = (
    "<m:{name}><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>{items}{folders}{parents}"
    "<m:ToFolderId>{folder}</m:ToFolderId><m:ParentFolderId>{folder}</m:ParentFolderId>"
    "<m:ParentItemId {item}/><m:AttachmentIds><t:AttachmentId {attachment}/></m:AttachmentIds>"
    "<m:Conversations><t:Conversation><t:ConversationId {conversation}/></t:Conversation></m:Conversations>"
    "<m:SyncFolderId>{folder}</m:SyncFolderId></m:{name}>"
)
"""A request with what most operations look for, for those that have no other."""


@dataclass(frozen=True)
class World:
    """Alice's mailbox, with secrets in all of it and a folder that she shares with Bob."""

    site: EwsSite
    shared: int
    items: tuple[int, ...]
    folders: tuple[int, ...]

    @classmethod
    async def made(cls, rights: Right) -> World:
        site = EwsSite()
        guid = guid_of(ALICE)
        inbox, calendar = await site.folder(FolderKind.INBOX), await site.folder(FolderKind.CALENDAR)
        await site.folder(FolderKind.INBOX, BOB)
        shared = (await site.mailboxes.create_in(guid, 0, "Projects")).id
        hidden = (await site.mailboxes.create_in(guid, shared, SECRET)).id

        def mail(word: str) -> NewItem:
            return NewItem(f"From: {ALICE}\r\nTo: {BOB}\r\nSubject: {word}\r\n\r\n{word}\r\n".encode())

        items: list[int] = []
        for folder, word in ((inbox, SECRET), (hidden, SECRET), (shared, SHARED)):
            items += await site.mailboxes.create(guid, folder, [mail(word), mail(word)])
        values = RenderedItem("a", 1_772_000_000, 1_773_000_000)
        private = RenderedItem("b", is_private=True)
        for folder, each in ((calendar, values), (shared, private)):
            resource = NewResource(event(each.uid, SECRET), "IPM.Appointment", each)
            items += await site.mailboxes.add(guid, folder, [resource])
        if rights:
            await site.sharing.set_rights(site.recipients.known[ALICE], shared, guid_of(BOB), rights)
        return cls(site, shared, tuple(items), (inbox, calendar, shared, hidden))

    async def content(self, address: str) -> dict[str, Any]:
        """All of a mailbox but change numbers, which a look does not change either."""
        store, guid = self.site.mailboxes, guid_of(address)
        tree = await store.tree(guid)
        there = await store.get(guid, (await store.changes(guid, None, 0)).created, True)
        return {
            "items": {each.id: (each.folder, each.flags, each.item_class, each.content) for each in there},
            "folders": {each.id: (each.parent, each.name, each.folder_class) for each in tree},
            "rights": await store.mailbox_rights(guid),
            "properties": await store.folder_properties(guid, [each.id for each in tree]),
        }


def requests(world: World, data: st.DataObject) -> str:
    guid = guid_of(ALICE)
    numbers = st.sampled_from([*world.items, 4_711, -1])
    folders = st.sampled_from([*world.folders, 4_711, 0, -1])
    start = data.draw(st.sampled_from([None, None, 1_772_366_400]))
    item = f'Id="{ItemId(guid, data.draw(numbers), start)}" ChangeKey="{change_key(data.draw(st.integers(0, 50)))}"'
    mine = data.draw(st.booleans())
    watched = data.draw(st.sampled_from([(), world.folders]))
    folder = (
        '<t:DistinguishedFolderId Id="inbox"/>' if mine else f'<t:FolderId Id="{FolderId(guid, data.draw(folders))}"/>'
    )
    other = f'<t:FolderId Id="{FolderId(guid, data.draw(folders))}"/>'
    mailbox = f"<t:Mailbox><t:EmailAddress>{ALICE}</t:EmailAddress></t:Mailbox>"
    of_alice = f'<t:DistinguishedFolderId Id="calendar">{mailbox}</t:DistinguishedFolderId>'
    names = {operation.name for operation in OPERATIONS}
    name = data.draw(st.sampled_from(sorted(names)))
    template = data.draw(st.sampled_from(TEMPLATES.get(name, (ANY,))))
    return template.format(
        name=name,
        item=item,
        items=f"<m:ItemIds><t:ItemId {item}/></m:ItemIds>",
        folder=folder,
        folders=f"<m:FolderIds>{other}</m:FolderIds>",
        parents=f"<m:ParentFolderIds>{data.draw(st.sampled_from([other, of_alice]))}</m:ParentFolderIds>",
        attachment=f'Id="{AttachmentId(guid, data.draw(numbers), 0)}"',
        conversation=f'Id="{ConversationId(guid, data.draw(st.sampled_from(CONVERSATIONS)))}"',
        parent=f'Id="{FolderId(guid, data.draw(folders))}"',
        subscription=SubscriptionId(
            SubscriptionKind.PULL, guid_of(BOB), guid, EventKind(127), 9, 1, int(time.time()), bytes(8), watched
        ),
        watermark=Watermark(guid, 1, int(time.time())),
    )


def told_properly(answer: Answer) -> None:
    """An answer has documented codes, whatever was asked."""
    codes = [*answer.codes, *([answer.fault] if answer.status == 500 else [])]
    assert set(codes) <= set(Code) and Code.INTERNAL_SERVER_ERROR not in codes, answer.text
    assert "Traceback" not in answer.text


def text_of(answer: Answer) -> str:
    """An answer with what it holds in base64."""
    every = [element.text or "" for element in answer.content.iter() if element.tag.endswith(("}Data", "}MimeContent"))]
    return answer.text + "".join([b64decode(text).decode("utf-8", "replace") for text in every])


EXAMPLES = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EXAMPLES
@given(st.data())
def test_a_stranger_learns_nothing_and_changes_nothing(data: st.DataObject) -> None:
    async def steps() -> None:
        world = await World.made(Right(0))
        before = await world.content(ALICE)
        for _ in range(3):
            request = requests(world, data)
            answer = await world.site.ask(request, BOB)
            told_properly(answer)
            assert SECRET not in text_of(answer) and SHARED not in text_of(answer), request
            assert await world.content(ALICE) == before, request
        assert SECRET not in str(await world.content(BOB)) and SHARED not in str(await world.content(BOB))

    asyncio.run(steps())


@pytest.mark.parametrize("role", [role for role in ROLES if not role.startswith("free-busy")])
@settings(EXAMPLES, max_examples=25)
@given(data=st.data())
def test_a_grantee_learns_and_changes_what_the_role_allows(role: str, data: st.DataObject) -> None:
    async def steps() -> None:
        rights = ROLES[role]
        world = await World.made(rights)
        before = await world.content(ALICE)
        shared = {number for number, (folder, *_) in before["items"].items() if folder == world.shared}
        for _ in range(3):
            request = requests(world, data)
            answer = await world.site.ask(request, BOB)
            told_properly(answer)
            sees = SECRET in text_of(answer)
            assert not sees or rights & Right.OWNER, request
            assert rights & Right.READ_ANY or SHARED not in text_of(answer), request
            now = await world.content(ALICE)
            for number, was in before["items"].items():
                if number not in shared:
                    assert now["items"].get(number) == was, request
                elif now["items"].get(number) != was:
                    assert rights & (Right.EDIT_ANY | Right.DELETE_ANY | Right.OWNER), request
            if not rights & Right.OWNER:
                assert {number: now["folders"].get(number) for number in before["folders"]} == before["folders"], (
                    request
                )
                assert now["rights"].get(world.shared) == before["rights"].get(world.shared), request
                assert {number: now["properties"][number] for number in before["properties"]} == before["properties"]
            new = now["items"].keys() - before["items"].keys()
            assert not new or rights & Right.CREATE, request
            assert now["folders"].keys() == before["folders"].keys() or rights & (Right.CREATE_SUBFOLDER | Right.OWNER)
            if not rights & Right.OWNER:
                assert SECRET not in str(await world.content(BOB)), request

    asyncio.run(steps())
