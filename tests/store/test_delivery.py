"""Batches from the hub: one commit, what one mailbox refuses does not touch the rest, said again it is dropped."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import psycopg
import pytest

from postern.model.delivery import Delivery, DeliveryStatus
from postern.model.items import Column, NewItem
from postern.model.mailbox import KEEP_QUOTA, MailboxError
from postern.protocols.mime.message import Rendered, render
from postern.store import rendered
from postern.telemetry import attempts
from tests.store.conftest import Store, message

pytestmark = pytest.mark.slow

DELIVERED, DUPLICATE = DeliveryStatus.DELIVERED, DeliveryStatus.DUPLICATE
OVER_QUOTA, NO_MAILBOX = DeliveryStatus.OVER_QUOTA, DeliveryStatus.NO_MAILBOX


def test_a_batch_with_refusals(store: Store) -> None:
    small = message("small")
    alice, bob = store.mailbox(), store.mailbox(quota=len(small) + 100)
    batch = [
        Delivery("d-1", message("big", "x" * 1000), [alice.guid, uuid4(), bob.guid], "from@example.org", 1700000000),
        Delivery("d-2", small, [bob.guid, alice.guid]),
    ]
    said = store.run(store.database.deliver(batch))
    assert said == [[DELIVERED, NO_MAILBOX, OVER_QUOTA], [DELIVERED, DELIVERED]]
    again = store.run(store.database.deliver(batch))
    assert again == [[DUPLICATE, NO_MAILBOX, OVER_QUOTA], [DUPLICATE, DUPLICATE]]
    got = store.run(
        store.database.fetch(alice.guid, alice.inbox, [(1, 9)], Column.CONTENT | Column.INTERNAL_DATE | Column.FLAGS)
    )
    assert list(got.uids) == [1, 2]
    assert got.contents[0] == b"Return-Path: <from@example.org>\r\n" + batch[0].content
    assert got.contents[1] == b"Return-Path: <>\r\n" + small
    assert got.dates[0] == 1700000000
    assert list(got.flags) == [0, 0]
    folder = store.run(store.database.folder(bob.guid, bob.inbox))
    assert (folder.messages, folder.unseen) == (1, 1)


def test_a_quota_that_comes_with_the_delivery_counts_at_once(store: Store) -> None:
    mail = message("as large as any other")
    alice, bob = store.mailbox(quota=10), store.mailbox()

    def said(number: int, of_alice: int, of_bob: int) -> list[DeliveryStatus]:
        delivery = Delivery(f"granted {number}", mail, [alice.guid, bob.guid], quotas=[of_alice, of_bob])
        return store.run(store.database.deliver([delivery]))[0]

    assert said(1, KEEP_QUOTA, KEEP_QUOTA) == [OVER_QUOTA, DELIVERED]
    assert said(2, 1_000_000, 10) == [DELIVERED, OVER_QUOTA]
    assert said(3, 0, KEEP_QUOTA) == [DELIVERED, OVER_QUOTA]
    quotas = [store.run(store.database.logon(box.guid)).quota for box in (alice, bob)]
    assert quotas == [0, 10]


def test_what_mailboxes_hold_is_told_before_anything_is_delivered(store: Store) -> None:
    box, empty = store.mailbox(), store.mailbox()
    box.append(message("held"))
    assert store.run(store.database.used([uuid4(), box.guid, empty.guid])) == [0, len(message("held")), 0]
    assert store.run(store.database.used([])) == []


def test_a_foreign_return_path_goes(store: Store) -> None:
    """RFC 5321 section 4.4: the field is what our SMTP was told, whoever wrote one before."""
    box = store.mailbox()
    content = b"Return-Path: <forged@x.test>\r\nFrom: a@x.test\r\nRETURN-PATH :\r\n <again@x.test>\r\n\r\nReturn-Path: text\r\n"
    store.run(store.database.deliver([Delivery("foreign", content, [box.guid], "true@x.test")]))
    store.run(
        store.database.deliver([Delivery("alone", b"Return-Path: <forged@x.test>\r\n", [box.guid], "true@x.test")])
    )
    got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 9)], Column.CONTENT)).contents
    assert got[0] == b"Return-Path: <true@x.test>\r\nFrom: a@x.test\r\n\r\nReturn-Path: text\r\n"
    assert got[1] == b"Return-Path: <true@x.test>\r\n"


def test_what_cannot_be_rendered_holds_up_nobody_and_is_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(content: bytes) -> Rendered:
        if b"poison" in content:
            raise RecursionError("too deep")
        return render(content)

    monkeypatch.setattr(rendered, "render", fails)
    box = store.mailbox()

    def said(*names: str) -> list[DeliveryStatus]:
        batch = [Delivery(f"hub1/{name}", message(name), [box.guid]) for name in names]
        return [status for (status,) in store.run(store.database.deliver(batch))]

    assert said("a", "poison", "b") == [DELIVERED, DeliveryStatus.TEMPORARY, DELIVERED]
    assert said("poison", "c") == [DeliveryStatus.POISON, DELIVERED]
    assert said("poison") == [DeliveryStatus.TEMPORARY], "told once, it is forgotten: a retry is one"
    # What brought the worker down does not even get so far.
    for _ in range(attempts.LIMIT):
        attempts._table.strike("delivery/hub1/killer", "ended by SIGSEGV")
    assert said("d", "killer") == [DELIVERED, DeliveryStatus.POISON]
    with pytest.raises(MailboxError, match="cannot be read"):
        store.run(store.database.append(box.guid, box.inbox, [NewItem(message("poison"))]))


def test_what_one_mailbox_cannot_take_the_others_get_once(store: Store) -> None:
    """Its numbers are used up, say: the database refuses the row, and with it the whole statement."""
    alice, bob, carol = store.mailbox(), store.mailbox(), store.mailbox()
    with psycopg.connect(store.dsn, autocommit=True) as database:
        database.execute(
            "UPDATE folders SET uid_next = 9223372036854775807 WHERE path = '{INBOX}' AND mailbox ="
            " (SELECT id FROM mailboxes WHERE guid = %s)",
            (bob.guid,),
        )

    def said() -> list[list[DeliveryStatus]]:
        batch = [
            Delivery(
                "hub1/for three", message("three"), [alice.guid, bob.guid, carol.guid, bob.guid], quotas=[0, 0, 0, 0]
            ),
            Delivery("hub1/for one", message("one"), [carol.guid]),
        ]
        return store.run(store.database.deliver(batch))

    later = DeliveryStatus.TEMPORARY
    assert said() == [[DELIVERED, later, DELIVERED, later], [DELIVERED]]
    given_up = DeliveryStatus.POISON
    assert said() == [[DUPLICATE, given_up, DUPLICATE, given_up], [DUPLICATE]]
    assert said()[0][1] == later, "told once, it is forgotten: a retry is one"
    assert [store.run(store.database.folder(box.guid, box.inbox)).messages for box in (alice, bob, carol)] == [1, 0, 2]


def test_the_same_mailbox_twice_in_one_delivery(store: Store) -> None:
    box = store.mailbox()
    said = store.run(store.database.deliver([Delivery("twice", message(), [box.guid, box.guid])]))
    assert said == [[DELIVERED, DELIVERED]]
    assert store.run(store.database.folder(box.guid, box.inbox)).messages == 1


def test_a_return_path_cannot_bring_lines_of_its_own(store: Store) -> None:
    box = store.mailbox()
    store.run(store.database.deliver([Delivery("evil", message("x"), [box.guid], "a@b\r\nX-Evil: 1")]))
    got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 1)], Column.HEADER))
    assert got.headers[0].startswith(b"Return-Path: <a@bX-Evil: 1>\r\nSubject:")


def test_nothing_to_deliver(store: Store) -> None:
    assert store.run(store.database.deliver([])) == []
    assert store.run(store.database.deliver([Delivery("none", message(), [])])) == [[]]


def test_many_batches_at_once_to_the_same_mailboxes(store: Store) -> None:
    """Batches name mailboxes and contents in different orders; all arrive, each once, UIDs without gaps."""
    boxes = [store.mailbox() for _ in range(4)]
    guids = [box.guid for box in boxes]
    contents = [message(f"shared {n}") for n in range(12)]

    async def batch(number: int) -> list[list[DeliveryStatus]]:
        order = guids if number % 2 else guids[::-1]
        chosen = contents if number % 3 else contents[::-1]
        return await store.database.deliver(
            [Delivery(f"batch {number} {n}", content, order) for n, content in enumerate(chosen)]
        )

    async def all_of_them() -> list[list[list[DeliveryStatus]]]:
        return await asyncio.gather(*[batch(number) for number in range(12)])

    said = store.run(all_of_them())
    assert {status for batch in said for line in batch for status in line} == {DELIVERED}
    for box in boxes:
        got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 1000)], Column.SIZE))
        assert list(got.uids) == list(range(1, 145))


def test_deliveries_and_sweeps_at_once(store: Store) -> None:
    """The same content comes, goes and is swept over and over: what was delivered can be read."""
    box = store.mailbox()
    content = message("here and gone")

    async def deliver(worker: int) -> None:
        for n in range(15):
            await store.database.deliver([Delivery(f"sweep {worker} {n}", content, [box.guid])])

    async def remove() -> None:
        from postern.model.items import FlagChange

        for _ in range(25):
            await store.database.change_flags(box.guid, box.inbox, [(1, 999)], FlagChange.ADD, 8)
            await store.database.expunge(box.guid, box.inbox)
            await store.database.maintain()

    async def everything() -> None:
        await asyncio.gather(deliver(1), deliver(2), remove(), remove())

    store.run(everything())
    store.run(store.database.deliver([Delivery("sweep last", content, [box.guid])]))
    store.run(store.database.maintain())
    folder = store.run(store.database.folder(box.guid, box.inbox))
    got = store.run(store.database.fetch(box.guid, box.inbox, [(1, 999)], Column.CONTENT | Column.ENVELOPE))
    assert len(got.uids) == folder.messages > 0
    assert set(got.contents) == {b"Return-Path: <>\r\n" + content}
