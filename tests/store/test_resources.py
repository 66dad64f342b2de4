"""Named items on PostgreSQL.

covers: meetings, resource_checks, resource_lookup
"""

from __future__ import annotations

import psycopg
import pytest

from postern.model.item_store import RenderedItem
from postern.model.resources import NewResource
from postern.store import resource_lookup
from tests.model.item_store_contract import APPOINTMENT, CALENDAR
from tests.model.resource_store_contract import Opened, ResourceStoreContract
from tests.store.conftest import Store
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class TestResourceStore(ResourceStoreContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)


def test_rows_go_with_their_items(store: Store) -> None:
    box, database, run = store.mailbox(), store.database, store.run
    folder = run(database.create_in(box.guid, 0, "Team", CALENDAR)).id
    ids = run(database.add(box.guid, folder, [NewResource(b"x", APPOINTMENT), NewResource(b"y", APPOINTMENT)]))
    with psycopg.connect(store.dsn) as connection:
        count = "SELECT count(*) FROM resources WHERE item = ANY (%s)"
        run(database.delete(box.guid, ids[:1]))
        assert connection.execute(count, (ids,)).fetchone() == (1,)
        run(database.disconnect(box.guid, "gone@x.test"))
        assert run(database.purge(box.guid))
        assert connection.execute(count, (ids,)).fetchone() == (0,)


def test_contents_that_do_not_fit_beside_others_are_asked_for_apart(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, database, run = store.mailbox(), store.database, store.run
    statement = resource_lookup._packed(resource_lookup._WITH_IDS, True).replace(
        str(resource_lookup.CONTENT_OCTETS), "100"
    )
    monkeypatch.setitem(resource_lookup._WITH_IDS_STATEMENTS, True, statement)
    new = [NewResource(letter * 60, APPOINTMENT) for letter in (b"x", b"y")]
    ids = run(database.add(box.guid, box.inbox, [*new, NewResource(b"z" * 200, APPOINTMENT)]))
    contents = [r.content for r in run(database.with_ids(box.guid, ids, content=True))]
    assert contents == [b"x" * 60, None, None]
    assert next(iter(run(database.with_ids(box.guid, ids[1:2], content=True)))).content == b"y" * 60
    assert next(iter(run(database.with_ids(box.guid, ids[2:], content=True)))).content == b"z" * 200, (
        "larger, but alone"
    )


@pytest.mark.parametrize(
    ("statement", "parameters", "index"),
    [
        (resource_lookup._LIST, "'{guid}', {folder}, '', 10", "resources_folder_name_key"),
        (resource_lookup._NAMED_STATEMENTS[False], "'{guid}', {folder}, '{{x}}'", "resources_folder_name_key"),
        (resource_lookup._WITH_UIDS_STATEMENT, "'{guid}', {folder}, '{{x}}', 10", "resources_uid"),
        (resource_lookup._CHANGES, "'{guid}', {folder}, 5, 10", "resources_changed"),
        (resource_lookup._OVERLAPPING, "'{guid}', {folder}, 0, 10, 0, 10", "resources_span"),
        (resource_lookup._ADDRESSED, "'{guid}', '{{x}}', 10", "resources_addresses"),
        (resource_lookup._DUE, "5, 10", "resources_reminds"),
    ],
)
def test_each_question_has_its_index(store: Store, statement: str, parameters: str, index: str) -> None:
    """As a plan that was made while there was little, and as one made while there is much."""
    box, run = store.mailbox(), store.run
    folder = run(store.database.create_in(box.guid, 0, "Team", CALENDAR)).id
    with psycopg.connect(store.dsn) as connection:
        connection.execute(
            "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off;"
            " SET enable_mergejoin = off"
        )
        for count in (1, 1_500):
            contact = RenderedItem("u", 5, 10, reminds=5, addresses=("a@b.test",))
            new = [
                NewResource(b"x", APPOINTMENT, contact if number % 100 == 0 else RenderedItem("u", 5, 10))
                for number in range(count)
            ]
            run(store.database.add(box.guid, folder, new))
            connection.execute(f"ANALYZE resources; ANALYZE folders; PREPARE ask{count} AS {statement}".encode())
            asked = parameters.format(guid=box.guid, folder=folder)
            rows = connection.execute(f"EXPLAIN EXECUTE ask{count} ({asked})".encode()).fetchall()
            plan = "\n".join(str(row[0]) for row in rows)
            assert index in plan and "Seq Scan on resources" not in plan, plan
