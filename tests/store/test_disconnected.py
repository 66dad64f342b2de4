"""Mailboxes whose owner is gone: marked, listed, connected to another owner, purged with all that they held."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
import pytest

from postern.model.mailbox import Column, Delivery, MailboxError
from postern.store import disconnected
from tests.store.conftest import Store, message

pytestmark = pytest.mark.slow


def listed(store: Store) -> dict[UUID, str]:
    return {one.mailbox: one.owner for one in store.run(store.database.disconnected())}


def test_what_the_directory_no_longer_has_is_disconnected_until_it_is_back(store: Store) -> None:
    gone, stays = store.mailbox(), store.mailbox()
    owners = {stays.guid: "stays@x.test", gone.guid: "gone@x.test"}
    store.run(store.database.reconcile(owners))
    assert not {gone.guid, stays.guid} & set(listed(store))
    store.run(store.database.reconcile({stays.guid: "stays@x.test"}))
    assert listed(store)[gone.guid] == "gone@x.test" and stays.guid not in listed(store)
    store.run(store.database.reconcile({}))
    assert stays.guid not in listed(store)
    store.run(store.database.reconcile(owners))
    assert gone.guid not in listed(store)
    store.run(store.database.disconnect(gone.guid, "gone@x.test"))
    store.run(store.database.logon(gone.guid))
    assert gone.guid in listed(store)
    store.run(store.database.logon(gone.guid, 0))
    assert gone.guid not in listed(store)


def test_another_owner_gets_it_with_its_mail(store: Store) -> None:
    old, fresh, full = store.mailbox(), store.mailbox(), store.mailbox()
    old.append(message("kept"))
    full.append(message("mine"))
    with pytest.raises(MailboxError) as connected:
        store.run(store.database.connect(old.guid, fresh.guid))
    assert connected.value.code == "NONEXISTENT"
    store.run(store.database.disconnect(old.guid, "old@x.test"))
    with pytest.raises(MailboxError) as has_mail:
        store.run(store.database.connect(old.guid, full.guid))
    assert has_mail.value.code == "CANNOT"
    store.run(store.database.connect(old.guid, fresh.guid))
    got = store.run(store.database.fetch(fresh.guid, old.inbox, [(1, 1)], Column.CONTENT))
    assert list(got.contents) == [message("kept")]
    assert old.guid not in listed(store)
    other, newcomer = store.mailbox(), uuid4()
    store.run(store.database.disconnect(other.guid, ""))
    store.run(store.database.connect(other.guid, newcomer))
    assert {folder.id for folder in store.run(store.database.folders(newcomer))} == set(other.folders.values())


def test_a_purge_leaves_nothing_and_touches_nobody_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disconnected, "_PORTION", 2)
    store.run(store.database.maintain())

    def counts() -> list[int]:
        tables = ("mailboxes", "folders", "items", "expunged", "delivered", "subscriptions", "outbox")
        with psycopg.connect(store.dsn) as connection:
            found = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]
        return [row[0] for row in found if row is not None]

    other = store.mailbox()
    other.append(message("shared"))
    before = counts()
    box = store.mailbox()
    box.append(*[message(f"purged {n}") for n in range(5)], message("shared"), flags=8)
    store.run(store.database.expunge(box.guid, box.inbox, [(1, 1)]))
    for n in range(3):
        store.run(store.database.deliver([Delivery(f"purge {n}", message("purged too"), [box.guid])]))
    assert not store.run(store.database.purge(box.guid))
    store.run(store.database.disconnect(box.guid, ""))
    store.run(store.database.maintain())
    assert box.guid in listed(store)
    store.run(store.database.maintain(-5.0))
    assert counts() == before and box.guid not in listed(store)
    got = store.run(store.database.fetch(other.guid, other.inbox, [(1, 1)], Column.CONTENT))
    assert list(got.contents) == [message("shared")]
    with psycopg.connect(store.dsn) as connection:
        left = connection.execute("SELECT count(*) FROM contents WHERE subject LIKE 'purged%'").fetchone()
    assert left == (0,)
