"""Folders and items on the store itself, and as IMAP sees them afterwards.

covers: folder_edits, moving, deleting
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from postern.model.folders import FolderKind
from postern.model.items import NewItem
from postern.model.resources import NewResource
from postern.model.sharing import ROLES
from postern.protocols.ews.ids import ItemId
from postern.services.access.changes import MailboxChanges
from postern.services.access.sharing import Sharing
from postern.services.ews.access import EwsAccess, EwsServer
from postern.services.ews.application import EwsApplication
from postern.services.ews.operations.every import OPERATIONS
from postern.store.database import MailboxDatabase
from tests.services.dav.site import ALICE, BOB, event, guid_of
from tests.services.ews.site import EwsSite
from tests.services.ews.test_folders import created, id_in, on, put, read
from tests.services.ews.test_moving import deleted, distinguished, placed
from tests.store.conftest import opened

pytestmark = pytest.mark.slow


class StoredSite(EwsSite):
    """A site whose mailboxes are in a database."""

    def __init__(self, database: MailboxDatabase) -> None:
        super().__init__()
        self.mailboxes = cast(Any, database)
        directory = cast(Any, self.recipients)
        self.sharing = Sharing(directory, lambda name: database, lambda: [database])
        server = EwsServer(database, database, MailboxChanges(database))
        self.access = EwsAccess(directory, lambda name: server, self.sharing, "mail.example.test")
        self.application = EwsApplication(self.access, OPERATIONS)


def test_folders_are_changed_in_the_store(postgres_dsn: str) -> None:
    async def steps() -> None:
        async with opened(postgres_dsn) as database:
            site, guid = StoredSite(database), guid_of(ALICE)
            inbox = await site.folder(FolderKind.INBOX)
            ids = await database.create(guid, inbox, [NewItem(b"Subject: a\r\n\r\nx\r\n") for _ in range(3)])
            projects = id_in(await site.ask(created("Projects")))
            trips = id_in(await site.ask(created("Trips", projects, "CalendarFolder")))
            number = next(node.id for node in await database.tree(guid) if node.name == "Trips")
            await database.add(guid, number, [NewResource(event("a"), "IPM.Appointment")])
            items = [ItemId(guid, each) for each in ids]
            assert (await site.ask(placed("MoveItem", f'<t:FolderId Id="{projects}"/>', *items))).codes == [
                "NoError"
            ] * 3
            paths = {folder.path: folder.messages for folder in await database.folders(guid)}
            assert paths["Projects",] == 3 and paths["INBOX",] == 0 and ("Projects", "Trips") not in paths
            copy = id_in(await site.ask(put("CopyFolder", "drafts", projects)))
            told = await site.ask(read(copy))
            assert told.texts(".//t:TotalCount") == ["3"] and told.texts(".//t:ChildFolderCount") == ["1"]
            paths = {folder.path: folder.messages for folder in await database.folders(guid)}
            assert paths["Drafts", "Projects"] == 3
            attributes = 'DeleteType="MoveToDeletedItems" DeleteSubFolders="false"'
            assert (await site.ask(on("EmptyFolder", projects, attributes=attributes))).codes == ["NoError"]
            assert (await site.ask(read("deleteditems"))).texts(".//t:TotalCount") == ["3"]
            answer = await site.ask(on("DeleteFolder", copy, attributes='DeleteType="HardDelete"'))
            assert answer.codes == ["NoError"]
            assert (await site.ask(put("MoveFolder", "inbox", trips))).codes == ["NoError"]
            answer = await site.ask(on("DeleteFolder", projects, attributes='DeleteType="MoveToDeletedItems"'))
            assert answer.codes == ["NoError"]
            answer = await site.ask(
                on("EmptyFolder", "deleteditems", attributes='DeleteType="HardDelete" DeleteSubFolders="true"')
            )
            assert answer.codes == ["NoError"]
            nodes = {node.name: node for node in await database.tree(guid)}
            assert "Projects" not in nodes and nodes["Trips"].parent == inbox
            assert (await database.folder_states(guid, [nodes["Trips"].id]))[nodes["Trips"].id].items == 1

    asyncio.run(steps())


def test_items_go_between_mailboxes_of_the_store(postgres_dsn: str) -> None:
    async def steps() -> None:
        async with opened(postgres_dsn) as database:
            site, guid, other = StoredSite(database), guid_of(ALICE), guid_of(BOB)
            theirs = await site.folder(FolderKind.INBOX, BOB)
            inbox = await site.folder(FolderKind.INBOX)
            await site.sharing.set_rights(site.recipients.known[ALICE], inbox, other, ROLES["author"])
            bits = await database.keywords(other, theirs, ["red"], True)
            (mine,) = await database.create(other, theirs, [NewItem(b"Subject: a\r\n\r\nx\r\n", bits | 1)])
            await database.set_properties(other, mine, {0x1234_0003: b"\2\0\0\0"})
            answer = await site.ask(placed("MoveItem", distinguished("inbox", ALICE), ItemId(other, mine)), BOB)
            assert answer.codes == ["NoError"] and not await database.get(other, [mine])
            index = await database.index(guid, inbox)
            assert index.messages == 1
            flags = int.from_bytes(index.flags[:8], "little")
            assert flags == 1 | await database.keywords(guid, inbox, ["red"], False)
            item = answer.find(".//t:ItemId").attrib["Id"]
            # An author removes what he has made.
            request = deleted("MoveToDeletedItems", ItemId(guid, 1)).replace(str(ItemId(guid, 1)), item)
            assert (await site.ask(request, BOB)).codes == ["NoError"]
            assert (await database.index(guid, inbox)).messages == 0

    asyncio.run(steps())
