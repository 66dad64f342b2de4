"""Items by id and folders by parent in the store itself.

covers: folder_tree, grants, item_reading
"""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from postern.model.folders import EVERYBODY, Right
from postern.model.item_store import PropertyName
from postern.model.items import NewItem
from postern.store import item_store
from tests.model.item_store_contract import ItemStoreContract, Opened
from tests.store.conftest import Store, message
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class TestItemStore(ItemStoreContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)


def test_a_purge_takes_bags_names_rights_and_tombstones_too(store: Store) -> None:
    box, database, run = store.mailbox(), store.database, store.run
    (item,) = run(database.create(box.guid, box.inbox, [NewItem(message())]))
    run(database.set_properties(box.guid, item, {5: b"x"}))
    name = PropertyName(uuid4(), 1)
    run(database.property_ids(box.guid, [name], create=True))
    gone = run(database.create_in(box.guid, 0, "gone")).id
    run(database.delete_folder(box.guid, gone))
    run(database.set_rights(box.guid, box.inbox, EVERYBODY, Right.VISIBLE))
    run(database.disconnect(box.guid, "gone@x.test"))
    assert run(database.purge(box.guid))
    with psycopg.connect(store.dsn) as connection:
        for left in (
            f"properties WHERE item = {item}",
            f"items WHERE id = {item}",
            f"folder_rights WHERE folder = {box.inbox}",
            f"folders WHERE id = {box.inbox}",
            f"property_names WHERE set = '{name.set}'",
            f"removed_folders WHERE folder = {gone}",
        ):
            assert connection.execute(f"SELECT count(*) FROM {left}".encode()).fetchone() == (0,), left


def test_contents_that_do_not_fit_beside_others_are_asked_for_apart(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_store, "CONTENT_OCTETS", 100)
    box, run = store.mailbox(), store.run
    contents = [message("x" * 60), message("y" * 60)]
    ids = run(store.database.create(box.guid, box.inbox, [NewItem(content) for content in contents]))
    first, second = run(store.database.get(box.guid, ids, content=True))
    assert (first.content, second.content) == (contents[0], None)
    assert run(store.database.get(box.guid, [ids[1]], content=True))[0].content == contents[1]
    run(store.database.update(box.guid, ids[0], message("z" * 200)))
    assert run(store.database.get(box.guid, ids, content=True))[0].content == message("z" * 200), "larger, but alone"


def test_an_id_is_looked_up_by_its_index(store: Store) -> None:
    """Also as a plan that was made while there was little."""
    box, run = store.mailbox(), store.run
    (item,) = run(store.database.create(box.guid, box.inbox, [NewItem(message())]))
    for _ in range(10):
        run(store.database.get(box.guid, [item]))
    with psycopg.connect(store.dsn) as connection:
        connection.execute(
            "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off"
        )
        connection.execute(f"PREPARE look (uuid, bigint[]) AS {item_store._ITEMS}".encode())
        plan = str(connection.execute(f"EXPLAIN EXECUTE look ('{box.guid}', '{{{item}}}')".encode()).fetchall())
    assert "items_id" in plan, plan


def test_bags_go_with_their_items(store: Store) -> None:
    box, database, run = store.mailbox(), store.database, store.run
    folder = run(database.create_in(box.guid, 0, "short-lived")).id
    (expunged, deleted, below) = (
        run(database.create(box.guid, place, [NewItem(message(), 8)]))[0] for place in (box.inbox, box.inbox, folder)
    )
    for item in (expunged, deleted, below):
        run(database.set_properties(box.guid, item, {5: b"x"}))
    run(database.delete(box.guid, [deleted]))
    run(database.expunge(box.guid, box.inbox))
    run(database.delete_folder(box.guid, folder))
    with psycopg.connect(store.dsn) as connection:
        ids = [expunged, deleted, below]
        assert connection.execute("SELECT item FROM properties WHERE item = ANY (%s)", (ids,)).fetchall() == []
