"""A database of an older version, with what people leave in one, is brought to the newest and is as it was.

covers: index_build
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from postern.host.engines.postgres import PrivateCluster
from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.folders import FOLDER_CLASSES, MAIL, FolderKind
from postern.model.item_store import RenderedItem
from postern.model.items import MESSAGE, Column, FlagChange
from postern.model.mailbox import MailboxError
from postern.store import index_build
from postern.store.database import MailboxDatabase
from tests.model.mailboxes_contract import words
from tests.store.conftest import fresh
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow

VERSION_5 = Path(__file__).parent / "upgrades" / "version_5.sql"
ALICE, BOB, CAROL = (UUID(int=number) for number in (0xA, 0xB, 0xC))
INBOX, OUTBOX, PROJECTS, DEEP, REMOVED = 1, 6, 22, 24, 23
COLUMNS = {
    "mailboxes": "id, guid, quota, used, items, change, last_validity, owner, disconnected",
    "folders": "id, mailbox, path, kind, uid_validity, uid_next, highest_modseq, messages, unseen, deleted, size, recent_uid,"
    " keywords",
    "items": "folder, uid, id, content, flags, modseq, internal_date, size",
    "contents": "id, hash, size, envelope, structure, subject",
    "bodies": "content, data",
    "texts": "content, fields, body",
    "expunged": "folder, modseq, uids",
    "subscriptions": "mailbox, path",
    "outbox": "mailbox, uid",
    "orphans": "content",
    "delivered": "mailbox, delivery_id, at",
}
"""What version 5 had."""


@pytest.fixture
def dsn(postgres_cluster: PrivateCluster) -> str:
    """A database of version 5."""
    dsn = fresh(postgres_cluster)
    with psycopg.connect(dsn) as connection:
        connection.execute(VERSION_5.read_bytes())
    return dsn


def _rows(dsn: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(dsn) as connection:
        return {
            table: connection.execute(f"SELECT {columns} FROM {table} ORDER BY {columns}".encode()).fetchall()
            for table, columns in COLUMNS.items()
        }


def _with(dsn: str, steps: Callable[[MailboxDatabase], Awaitable[None]]) -> None:
    async def run() -> None:
        async with opened_database(dsn) as database:
            await steps(database)

    asyncio.run(asyncio.wait_for(run(), 60))


def test_everything_is_as_before_and_folders_have_parents(dsn: str) -> None:
    before = _rows(dsn)

    async def look(database: MailboxDatabase) -> None:
        assert _rows(dsn) == before
        nodes = {node.id: node for node in await database.tree(ALICE)}
        assert (nodes[PROJECTS].parent, nodes[PROJECTS].name) == (0, "projects")
        # Its parent was deleted: it hangs from the nearest folder above.
        assert (nodes[DEEP].parent, nodes[DEEP].name) == (PROJECTS, "회의")
        assert {node.folder_class for node in nodes.values()} == {MAIL} and len(nodes) == 9
        paths = {folder.path: folder for folder in await database.folders(ALICE)}
        assert paths["projects", "2026", "회의"].keywords == ("$Work", "other") and REMOVED not in nodes
        inbox = await database.fetch(ALICE, INBOX, [(1, 9)], Column.CONTENT | Column.FLAGS)
        assert (list(inbox.uids), list(inbox.flags)) == ([1, 4, 5], [769, 0, 0])
        assert inbox.contents[1].endswith(b"body of mail3\r\n")
        assert words((await database.index(ALICE, INBOX, 9)).vanished) == [2, 3]
        assert ("projects", "2026") in await database.subscriptions(ALICE)
        assert await database.outbox(ALICE) == [1]
        assert [box.mailbox for box in await database.disconnected()] == [CAROL]

    _with(dsn, look)


def test_its_items_are_known_by_id_before_the_index_is_there(dsn: str) -> None:
    async def steps(database: MailboxDatabase) -> None:
        item, moved = await database.get(ALICE, [1, 3], content=True)
        assert (item.folder, item.uid, item.item_class, item.created) == (INBOX, 1, MESSAGE, 1_700_000_000)
        assert (moved.folder, moved.uid) == (DEEP, 2) and moved.content is not None
        said = await database.changes(ALICE, None, 0)
        assert (list(said.created), list(said.changed), said.more) == ([1, 3, 4, 5, 11, 12, 13], [], False)
        since = said.change
        await database.change_flags(ALICE, INBOX, [(4, 4)], FlagChange.ADD, 1)
        await database.move_items(ALICE, [5], PROJECTS)
        await database.update(ALICE, 11, b"Subject: new\r\n\r\n")
        await database.delete(ALICE, [12])
        said = await database.changes(ALICE, None, since)
        assert (list(said.created), list(said.changed), list(said.removed)) == ([5], [4, 11], [12])
        assert (await database.get(BOB, [1, 7]))[0].id == 7
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT to_regclass('items_id')").fetchone() == (None,)

    _with(dsn, steps)


def test_mail_goes_on_in_it(dsn: str) -> None:
    async def steps(database: MailboxDatabase) -> None:
        again, new = (Delivery(f"hub/{name}", b"A: b\r\n\r\n", [ALICE]) for name in ("1", "new"))
        assert await database.deliver([again, new]) == [[DeliveryStatus.DUPLICATE], [DeliveryStatus.DELIVERED]]
        await database.submitted(ALICE, 1)
        assert (await database.get(ALICE, [13]))[0].folder == 2, "in Sent Items, and the same item"
        await database.create_folder(ALICE, ["projects", "2026"])
        again_there = next(node for node in await database.tree(ALICE) if node.name == "2026")
        assert next(node.parent for node in await database.tree(ALICE) if node.id == DEEP) == again_there.id

    _with(dsn, steps)


def test_a_mailbox_gets_its_calendar_at_the_next_logon(dsn: str) -> None:
    async def steps(database: MailboxDatabase) -> None:
        mail = await database.create_folder(ALICE, ["Calendar"])
        tasks = await database.create_in(ALICE, 0, "Tasks", FOLDER_CLASSES[FolderKind.TASKS])
        notes = await database.create_in(ALICE, 0, "Notes", MAIL)
        since = (await database.folder_changes(ALICE, 0)).change
        shown = await database.folders(ALICE)
        await asyncio.gather(*(database.logon(ALICE) for _ in range(3)))
        known = {node.kind: node for node in await database.tree(ALICE) if node.kind in FOLDER_CLASSES}
        assert {kind: node.folder_class for kind, node in known.items()} == FOLDER_CLASSES
        assert known[FolderKind.TASKS].id == tasks.id, "the user's own"
        assert [known[kind].name for kind in FOLDER_CLASSES] == ["Calendar1", "Contacts", "Tasks", "Notes1", "Journal"]
        assert await database.folders(ALICE) == shown and {mail.id, notes.id} < {folder.id for folder in shown}
        said = await database.folder_changes(ALICE, since)
        assert len(said.created) == 4 and [node.id for node in said.changed] == [tasks.id]
        assert [node.id for node in await database.tree(BOB) if node.kind in FOLDER_CLASSES] == []

    _with(dsn, steps)


def test_items_that_were_there_become_resources(dsn: str) -> None:
    async def steps(database: MailboxDatabase) -> None:
        await database.logon(ALICE)
        (calendar,) = [node.id for node in await database.tree(ALICE) if node.kind is FolderKind.CALENDAR]
        await database.put(ALICE, calendar, "x.ics", b"x", "IPM.Appointment", RenderedItem(uid="u"))
        await database.move_items(ALICE, [1, 3], calendar)
        assert list((await database.resources(ALICE, calendar)).names) == ["x.ics"]
        await database.replace(ALICE, 1, b"y", RenderedItem(uid="v"), "IPM.Appointment")
        assert sorted((await database.resources(ALICE, calendar)).uids) == ["u", "v"]
        await database.delete(ALICE, [1, 3])
        assert list((await database.resources(ALICE, calendar)).names) == ["x.ics"]

    _with(dsn, steps)


def _index(dsn: str) -> list[tuple[object, ...]]:
    """Whether the index of ids is valid, and unique."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "SELECT indisvalid, indisunique FROM pg_index WHERE indexrelid = to_regclass('items_id')"
        ).fetchall()


def test_the_index_of_ids_is_built_beside_the_work(dsn: str) -> None:
    async def steps(database: MailboxDatabase) -> None:
        assert _index(dsn) == []
        assert await database.render_anew()
        assert _index(dsn) == [(True, True)]
        assert await database.render_anew(), "it is there"
        assert [item.id for item in await database.get(ALICE, [13, 1])] == [13, 1]

    _with(dsn, steps)


def test_an_index_that_was_broken_off_is_built_anew(dsn: str) -> None:
    async def steps(database: MailboxDatabase) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("UPDATE items SET id = 4 WHERE id = 5")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("CREATE UNIQUE INDEX CONCURRENTLY items_id ON items (id)")
            connection.execute("UPDATE items SET id = 5 WHERE id = 4 AND uid = 5")
        assert _index(dsn) == [(False, True)]
        await database.render_anew()
        assert _index(dsn) == [(True, True)]

    _with(dsn, steps)


def test_one_process_builds_the_index(dsn: str) -> None:
    async def steps(database: MailboxDatabase) -> None:
        with psycopg.connect(dsn, autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(%s)", (index_build._LOCK,))
            assert not await database.render_anew()
            assert _index(dsn) == []

    _with(dsn, steps)


def test_a_new_database_has_the_index_at_once(postgres_cluster: PrivateCluster) -> None:
    dsn = fresh(postgres_cluster)

    async def steps(database: MailboxDatabase) -> None:
        assert _index(dsn) == [(True, True)]

    _with(dsn, steps)


def test_an_id_is_of_one_item(dsn: str) -> None:
    async def steps(database: MailboxDatabase) -> None:
        await database.render_anew()

    _with(dsn, steps)
    with psycopg.connect(dsn) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("UPDATE items SET id = 1 WHERE folder = 1")


def test_a_server_that_is_gone_is_told_as_such(dsn: str) -> None:
    async def steps(database: MailboxDatabase) -> None:
        with pytest.raises(MailboxError, match="database"):
            await index_build.build(database._pool, "host=/nowhere")

    _with(dsn, steps)
