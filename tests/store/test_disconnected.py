"""Mailboxes whose owner is gone: marked, listed, connected to another owner, purged with all that they held."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import psycopg
import pytest

from postern.model.delivery import Delivery
from postern.model.directory import DirectoryUnavailable, IncompleteAnswer
from postern.model.items import Column
from postern.model.mailbox import MailboxError
from postern.model.organization import Limits
from postern.services.mailbox import housekeeping as mailbox_housekeeping
from postern.services.mailbox.housekeeping import maintain, reconcile
from postern.store import disconnected
from postern.telemetry.log import Event
from tests.store.conftest import Store, message

pytestmark = pytest.mark.slow


def listed(store: Store) -> dict[UUID, str]:
    return {one.mailbox: one.owner for one in store.run(store.database.disconnected())}


def reconciled(store: Store, owners: dict[UUID, str]) -> None:
    async def find(asked: Sequence[UUID]) -> dict[UUID, str]:
        return {guid: owners[guid] for guid in asked if guid in owners}

    store.run(store.database.reconcile(find))


def test_an_incomplete_answer_disconnects_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disconnected, "_ASKED", 2)
    boxes = sorted((store.mailbox().guid for _ in range(5)), key=lambda guid: guid.bytes)
    asked: list[UUID] = []

    async def broken(guids: Sequence[UUID]) -> dict[UUID, str]:
        asked.extend(guids)
        if boxes[4] in asked:
            raise DirectoryUnavailable
        return {guid: "there@x.test" for guid in guids if guid != boxes[0]}

    with pytest.raises(DirectoryUnavailable):
        store.run(store.database.reconcile(broken))
    assert boxes[0] in asked and boxes[0] not in listed(store)


def test_what_the_directory_no_longer_has_is_disconnected_until_it_is_back(store: Store) -> None:
    gone, stays = store.mailbox(), store.mailbox()
    owners = {stays.guid: "stays@x.test", gone.guid: "gone@x.test"}
    reconciled(store, owners)
    assert not {gone.guid, stays.guid} & set(listed(store))
    reconciled(store, {stays.guid: "stays@x.test"})
    assert listed(store)[gone.guid] == "gone@x.test" and stays.guid not in listed(store)
    with pytest.raises(IncompleteAnswer):
        reconciled(store, {})
    assert stays.guid not in listed(store)
    reconciled(store, owners)
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
    store.run(store.database.maintain(-5.0))

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


def test_a_mailbox_is_kept_for_thirty_days(store: Store) -> None:
    """What the mailbox role hands on where nobody says otherwise."""
    day = 86_400
    boxes = {days: store.mailbox().guid for days in (29, 31)}
    for days, guid in boxes.items():
        store.run(store.database.disconnect(guid, ""))
        with psycopg.connect(store.dsn) as connection:
            connection.execute(
                "UPDATE mailboxes SET disconnected = disconnected - %s WHERE guid = %s", (days * day, guid)
            )
    stays = store.mailbox().guid
    store.run(maintain(store.database, Owners(stays), Limits().mailbox_retention))
    assert boxes[29] in listed(store) and boxes[31] not in listed(store)
    with pytest.raises(MailboxError):
        store.run(store.database.folders(boxes[31]))


class Owners:
    """The directory: who has a mailbox, or why it does not say."""

    def __init__(self, *known: UUID, error: DirectoryUnavailable | None = None) -> None:
        self.known = known
        self.error = error

    async def mailbox_owners(self, guids: Sequence[UUID]) -> dict[UUID, str]:
        if self.error is not None:
            raise self.error
        return {guid: "stays@x.test" for guid in guids if guid in self.known}


def test_who_was_removed_on_another_host_is_noticed(store: Store) -> None:
    gone, stays = store.mailbox().guid, store.mailbox().guid
    assert store.run(reconcile(store.database, Owners(stays)))
    assert gone in listed(store) and stays not in listed(store)


@pytest.mark.parametrize("error", [DirectoryUnavailable("hub-to-ad"), IncompleteAnswer("a part only")])
def test_nothing_is_purged_while_the_directory_does_not_say_who_is_gone(
    store: Store, error: DirectoryUnavailable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mailbox that was marked long ago may have an owner again: only a directory that still says no has it purged."""
    gone, stays = store.mailbox().guid, store.mailbox().guid
    store.run(maintain(store.database, Owners(stays), 3600.0))
    said: list[tuple[Event, object]] = []
    monkeypatch.setattr(mailbox_housekeeping, "log", lambda event, **more: said.append((event, more["error"])))
    store.run(maintain(store.database, Owners(error=error), -5.0))
    assert gone in listed(store)
    assert said == [(Event.OWNERS_UNKNOWN, str(error))]
    store.run(maintain(store.database, Owners(gone, stays), -5.0))
    assert gone not in listed(store)
    store.run(store.database.logon(gone))
    store.run(maintain(store.database, Owners(stays), -5.0))
    assert gone not in listed(store)
    with pytest.raises(MailboxError):
        store.run(store.database.folders(gone))
