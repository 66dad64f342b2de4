"""Whole items on PostgreSQL."""

from __future__ import annotations

import time

import psycopg
import pytest

from postern.model.edits import Beside
from postern.model.folders import FolderKind
from postern.model.items import Flag, FlagChange, NewItem
from tests.model.edit_store_contract import EditStoreContract
from tests.model.resource_store_contract import Opened
from tests.store.conftest import Store, message
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class TestEditStore(EditStoreContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)


def test_the_number_of_a_change_says_when_it_was(store: Store) -> None:
    box, database, run = store.mailbox(), store.database, store.run
    (item,) = run(database.create(box.guid, box.inbox, [NewItem(message())]))
    archive = box.folders[FolderKind.ARCHIVE]
    made = run(database.get(box.guid, [item]))[0]
    assert made.modified == made.created

    async def flagged() -> None:
        (stored,) = await database.get(box.guid, [item])
        await database.change_flags(box.guid, stored.folder, [(stored.uid, stored.uid)], FlagChange.ADD, Flag.FLAGGED)

    for change in (
        lambda: database.update(box.guid, item, message("b")),
        lambda: database.set_properties(box.guid, item, {5: b"x"}),
        lambda: database.move_items(box.guid, [item], archive),
        lambda: database.edit(box.guid, item, Beside(0, {5: b"y"}), message("c")),
        flagged,
    ):
        # As if everything until now had been long ago.
        with psycopg.connect(store.dsn) as connection:
            connection.execute("UPDATE items SET modseq = 1, created = 1 WHERE id = %s", (item,))
            connection.execute("UPDATE mailboxes SET change = 1 WHERE guid = %s", (box.guid,))
        assert run(database.get(box.guid, [item]))[0].modified == 1
        before = int(time.time())
        run(change())
        stored = run(database.get(box.guid, [item]))[0]
        assert before <= stored.modified <= time.time() + 1
        assert stored.change == run(database.logon(box.guid)).change
