"""SyncFolderHierarchy: all folders at first, then what has changed."""

from __future__ import annotations

import asyncio

from postern.model.folders import FolderKind, Right
from postern.protocols.ews.ids import TOP, FolderId
from postern.protocols.ews.sync_states import FoldersState, ItemsState
from tests.services.dav.site import ALICE, BOB, guid_of, recipient_of
from tests.services.ews.site import EwsSite

ALICE_GUID = guid_of(ALICE)
NAME = '<t:FieldURI FieldURI="folder:DisplayName"/>'
TREE = f'<t:FolderId Id="{FolderId(ALICE_GUID, TOP)}"/>'


class Client:
    def __init__(self, site: EwsSite, tree: str = TREE, address: str = ALICE) -> None:
        self.site, self.tree, self.address, self.state = site, tree, address, ""

    def body(self, state: str) -> str:
        return (
            "<m:SyncFolderHierarchy><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>"
            f"<t:AdditionalProperties>{NAME}</t:AdditionalProperties></m:FolderShape>"
            f"{f'<m:SyncFolderId>{self.tree}</m:SyncFolderId>' if self.tree else ''}"
            f"{f'<m:SyncState>{state}</m:SyncState>' if state else ''}</m:SyncFolderHierarchy>"
        )

    async def changes(self) -> list[tuple[str, str]]:
        """What was told: the names of folders that are there, the ids of others."""
        answer = await self.site.ask(self.body(self.state), self.address)
        assert answer.codes == ["NoError"], answer.text
        assert answer.texts(".//m:IncludesLastFolderInRange") == ["true"]
        self.state = answer.texts(".//m:SyncState")[0]
        told = []
        for change in answer.find(".//m:Changes"):
            tag = change.tag.rpartition("}")[2]
            names = [each.text or "" for each in change.iter() if each.tag.endswith("}DisplayName")]
            told.append((tag, names[0] if names else change[0].attrib["Id"]))
        return told


def test_folders_are_told_once() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        client = Client(site)
        first = await client.changes()
        assert {tag for tag, _ in first} == {"Create"} and len(first) == len(await site.mailboxes.tree(ALICE_GUID))
        assert await client.changes() == []
        outer = await site.mailboxes.create_in(ALICE_GUID, 0, "outer")
        inner = await site.mailboxes.create_in(ALICE_GUID, outer.id, "inner")
        assert await client.changes() == [("Create", "outer"), ("Create", "inner")]
        await site.mailboxes.move_folder(ALICE_GUID, inner.id, 0, "renamed")
        assert ("Update", "renamed") in await client.changes()
        await site.mailboxes.delete_folder(ALICE_GUID, inner.id)
        assert await client.changes() == [("Delete", str(FolderId(ALICE_GUID, inner.id)))]
        # Without a folder, it is the top of one's own mailbox.
        assert len(await Client(site, "").changes()) == len(first) + 1

    asyncio.run(steps())


def test_a_part_of_the_tree_is_told_alone() -> None:
    async def steps() -> None:
        site = EwsSite()
        await site.folder(FolderKind.INBOX)
        outer = await site.mailboxes.create_in(ALICE_GUID, 0, "outer")
        inner = await site.mailboxes.create_in(ALICE_GUID, outer.id, "inner")
        client = Client(site, f'<t:FolderId Id="{FolderId(ALICE_GUID, outer.id)}"/>')
        assert await client.changes() == [("Create", "inner")]
        await site.mailboxes.create_in(ALICE_GUID, 0, "other")
        assert await client.changes() == []
        await site.mailboxes.move_folder(ALICE_GUID, inner.id, 0, "inner")
        assert await client.changes() == [("Delete", str(FolderId(ALICE_GUID, inner.id)))]

    asyncio.run(steps())


def test_states_that_are_not_ours_are_refused() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        client = Client(site)
        for state in (
            "x",
            str(ItemsState(ALICE_GUID, 0)),
            str(FoldersState(guid_of(BOB), 0)),
            str(FoldersState(ALICE_GUID, inbox)),
            str(FoldersState(ALICE_GUID, 0, 1 << 61)),
        ):
            assert (await site.ask(client.body(state))).codes == ["ErrorInvalidSyncStateData"]

    asyncio.run(steps())


def test_rights_decide_in_anothers_mailbox() -> None:
    async def steps() -> None:
        site = EwsSite()
        inbox = await site.folder(FolderKind.INBOX)
        calendar = await site.folder(FolderKind.CALENDAR)
        await site.folder(FolderKind.INBOX, BOB)
        secret = await site.mailboxes.create_in(ALICE_GUID, inbox, "secret")
        shown = await site.mailboxes.create_in(ALICE_GUID, inbox, "shown")
        tree = f'<t:FolderId Id="{FolderId(ALICE_GUID, inbox)}"/>'
        client = Client(site, tree, BOB)
        assert (await site.ask(client.body(""), BOB)).codes == ["ErrorSyncFolderNotFound"]
        reads = Right.VISIBLE | Right.READ_ANY
        for folder in (inbox, calendar, shown.id):
            await site.sharing.set_rights(recipient_of(ALICE), folder, guid_of(BOB), reads)
        assert await client.changes() == [("Create", "shown")]
        await site.mailboxes.move_folder(ALICE_GUID, secret.id, inbox, "still secret")
        assert ("Update", "still secret") not in await client.changes()
        await site.sharing.set_rights(recipient_of(ALICE), shown.id, guid_of(BOB), Right(0))
        assert ("Delete", str(FolderId(ALICE_GUID, shown.id))) in await client.changes()

    asyncio.run(steps())
