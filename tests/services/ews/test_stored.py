"""Events, conversations, configurations and exports of mailboxes in PostgreSQL, and not in memory.

covers: events, conversation_index
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from postern.model.folders import FolderKind
from postern.model.items import FlagChange, NewItem
from postern.model.search import SortKey
from postern.services.access.changes import MailboxChanges
from postern.services.access.sharing import Sharing
from postern.services.ews.access import EwsServer
from postern.services.ews.application import EwsApplication
from postern.services.ews.operations.every import OPERATIONS
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews import test_conversations as conversations
from tests.services.ews import test_transfer as transfer
from tests.services.ews import test_user_configurations as configurations
from tests.services.ews.site import EwsSite
from tests.services.ews.test_notifications import MESSAGE, Puller, Stream, changes_of, folders_of, streaming, subscribe
from tests.store.conftest import opened

pytestmark = pytest.mark.slow
SUPPER = MESSAGE.replace(b"Lunch", b"Supper")


class StoredSite(EwsSite):
    """An application on mailboxes in PostgreSQL."""

    def __init__(self, database: Any) -> None:
        super().__init__()
        self.mailboxes = database
        self.sharing = Sharing(cast(Any, self.recipients), lambda _: database, lambda: [database])
        server = EwsServer(database, database, MailboxChanges(database))
        self.access = replace(self.access, server=lambda _: server, sharing=self.sharing)
        self.application = EwsApplication(self.access, OPERATIONS)


def test_events_are_those_of_the_store(postgres_dsn: str) -> None:
    async def steps() -> None:
        async with opened(postgres_dsn) as database:
            site = StoredSite(database)
            guid, inbox = guid_of(ALICE), await site.folder(FolderKind.INBOX)
            drafts = await site.folder(FolderKind.DRAFTS)
            puller = Puller(site, await site.ask(subscribe(folders=folders_of("inbox"))))
            every = Puller(site, await site.ask(subscribe(events=("Created", "Deleted", "Moved"))))
            stream = Stream(site, await streaming(site, folders_of("inbox")))
            assert await stream.next() == ["OK"]
            assert await puller.pull() == ["Status"]
            (item,) = await database.create(guid, inbox, [NewItem(SUPPER)])
            assert await puller.pull() == ["Created item", "NewMail item", "Modified folder"]
            assert await stream.next() == ["Created item", "NewMail item", "Modified folder"]
            await database.change_flags(guid, inbox, [(1, 1)], FlagChange.ADD, 1)
            assert await puller.pull() == ["Modified item", "Modified folder"]
            assert puller.answer.texts(".//t:UnreadCount") == ["0"]
            await database.move_items(guid, [item], drafts)
            assert await puller.pull() == ["Moved item", "Modified folder"]
            await database.move_items(guid, [item], inbox)
            assert await puller.pull() == ["Moved item", "Modified folder"]
            await database.delete(guid, [item])
            assert await puller.pull() == ["Deleted item", "Modified folder"]
            node = await database.create_in(guid, 0, "Projects")
            await database.create(guid, node.id, [NewItem(SUPPER)] * 3)
            # What came and went since the last look is told as gone.
            assert await every.pull() == ["Created folder", "Deleted item", *["Created item"] * 3]
            await database.delete_folder(guid, node.id)
            assert await every.pull() == ["Deleted folder"]
            for _ in range(12):
                await database.create(guid, drafts, [NewItem(SUPPER)] * 100)
            told = len(await every.pull())
            while every.answer.texts(".//t:MoreEvents") == ["true"]:
                told += len(await every.pull())
            assert told == 1_200
            await stream.leave()
            await changes_of(site).close()

    asyncio.run(steps())


def test_the_rest_is_kept_in_the_store(postgres_dsn: str) -> None:
    async def steps() -> None:
        async with opened(postgres_dsn) as database:
            site = StoredSite(database)
            guid = guid_of(ALICE)
            inbox, _ = await conversations.filled(site)
            answer = await site.ask(conversations.find())
            assert answer.texts(".//t:ConversationTopic") == ["Dinner", "Lunch"]
            lunch = answer.all(".//t:ConversationId")[1].attrib["Id"]
            told = await site.ask(conversations.items_of(lunch))
            assert len(told.all(".//t:Message")) == 3
            assert (await site.ask(conversations.act("Delete", lunch))).codes == ["NoError"]
            assert (await site.ask(conversations.find())).texts(".//t:ConversationTopic") == ["Dinner"]
            # A configuration, and its change.
            made = configurations.write("CreateUserConfiguration", configurations.data(b"<x/>"))
            assert (await site.ask(made)).codes == ["NoError"]
            changed = configurations.write("UpdateUserConfiguration", configurations.data(b"y", "BinaryData"))
            assert (await site.ask(changed)).codes == ["NoError"]
            told = await site.ask(configurations.get())
            assert told.texts(".//t:XmlData") == ["PHgvPg=="] and told.texts(".//t:BinaryData") == ["eQ=="]
            # An export, over another item and as a new one.
            (item, *_) = (await database.find(guid, inbox, [SortKey("arrival")], 0, 10)).ids
            exported = transfer.data_of(await site.ask(transfer.export(item)))
            copy = transfer.number_of(await site.ask(transfer.upload(inbox, exported)))
            first, second = await database.get(guid, [item, copy], True)
            assert copy != item and first.content == second.content

    asyncio.run(steps())
