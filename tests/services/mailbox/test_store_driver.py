"""The store driver: parcels into mailboxes over the RPC interface, with every outcome that a mailbox server can give.

covers: services.mailbox.peer
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from postern.model.delivery import DeliveryStatus
from postern.model.mail import Action, Content, Envelope, EnvelopeRecipient, HopKind, NextHop, Origin, Parcel
from postern.model.mailbox import KEEP_QUOTA, MailboxError
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_DELIVERY
from postern.services.mailbox import store_driver
from postern.services.mailbox.client import mailbox_client
from postern.services.mailbox.peer import MailboxPeer, peer_of
from postern.services.mailbox.store_driver import StoreDriver
from postern.services.rpc.client import RpcClient
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import serve

pytestmark = pytest.mark.slow
HOP = NextHop(HopKind.MAILBOX, ("mbx1",), "hub-to-mailbox-mapi")
ALICE, BOB = UUID(int=1), UUID(int=2)


def parcel(number: int, *people: tuple[str, UUID | None], content: bytes = b"Subject: x\r\n\r\nbody\r\n") -> Parcel:
    envelope = Envelope("s@x.test", tuple(EnvelopeRecipient(address) for address, _ in people))
    guids = {address: guid for address, guid in people if guid is not None}
    return Parcel(
        f"q{number}", "", envelope, Content.of(content), Origin("internet-to-hub", "192.0.2.1"), 1000.0, guids
    )


class Store(FakeMailboxes):
    """Says of each mailbox what a test wants, and remembers what it was given."""

    def __init__(self, says: dict[UUID, DeliveryStatus] | None = None) -> None:
        super().__init__()
        self.says = says or {}
        self.batches: list[list[tuple[str, list[UUID], str, int, int]]] = []
        self.quotas: list[dict[UUID, int]] = []
        self.opened: list[UUID] = []

    async def logon(self, mailbox, quota=KEEP_QUOTA):
        self.opened.append(mailbox)
        self.says.pop(mailbox, None)
        return await super().logon(mailbox, quota)

    async def deliver(self, deliveries):
        self.batches.append(
            [(d.delivery_id, list(d.mailboxes), d.return_path, d.received, len(d.content)) for d in deliveries]
        )
        self.quotas += [dict(zip(d.mailboxes, d.quotas, strict=True)) for d in deliveries]
        return [[self.says.get(m, DeliveryStatus.DELIVERED) for m in d.mailboxes] for d in deliveries]


def run(store: FakeMailboxes, test: Callable[[StoreDriver], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with serve(store) as served:
            rpc = RpcClient(MAILBOX_DELIVERY, served.target("hub-to-mailbox-mapi"), served.observed)
            client = mailbox_client(rpc, MAILBOX_DELIVERY)
            try:
                await test(StoreDriver({"mbx1": peer_of("mbx1", client)}.get, "hub1", 4096))
            finally:
                await client.close()

    asyncio.run(asyncio.wait_for(whole(), 30))


def test_a_batch_is_one_call() -> None:
    store = Store()

    async def test(driver: StoreDriver) -> None:
        parcels = [parcel(1, ("a@x.test", ALICE)), parcel(2, ("a@x.test", ALICE), ("b@x.test", BOB))]
        outcomes = await driver.carry(HOP, parcels)
        assert [[(o.address, o.action, o.status) for o in row] for row in outcomes] == [
            [("a@x.test", Action.DELIVERED, "2.1.5")],
            [("a@x.test", Action.DELIVERED, "2.1.5"), ("b@x.test", Action.DELIVERED, "2.1.5")],
        ]
        assert outcomes[0][0].mechanism == "Peer credentials" and outcomes[0][0].remote == "mbx1"

    run(store, test)
    assert store.batches == [
        [("hub1/q1", [ALICE], "s@x.test", 1000, 20), ("hub1/q2", [ALICE, BOB], "s@x.test", 1000, 20)]
    ]


def test_two_addresses_of_one_person_are_one_delivery() -> None:
    store = Store()

    async def test(driver: StoreDriver) -> None:
        (row,) = await driver.carry(HOP, [parcel(1, ("a@x.test", ALICE), ("alias@x.test", ALICE))])
        assert [o.action for o in row] == [Action.DELIVERED] * 2

    run(store, test)
    assert store.batches[0][0][1] == [ALICE]


@pytest.mark.parametrize(
    ("status", "action", "code"),
    [
        (DeliveryStatus.DUPLICATE, Action.DELIVERED, "2.1.5"),
        (DeliveryStatus.OVER_QUOTA, Action.FAILED, "5.2.2"),
        (DeliveryStatus.TEMPORARY, Action.DELAYED, "4.2.0"),
    ],
)
def test_each_recipient_has_its_own_outcome(status: DeliveryStatus, action: Action, code: str) -> None:
    async def test(driver: StoreDriver) -> None:
        (row,) = await driver.carry(HOP, [parcel(1, ("a@x.test", ALICE), ("b@x.test", BOB))])
        assert [(o.action, o.status) for o in row] == [(Action.DELIVERED, "2.1.5"), (action, code)]

    run(Store({BOB: status}), test)


def test_a_mailbox_that_is_not_there_yet_is_opened() -> None:
    store = Store({BOB: DeliveryStatus.NO_MAILBOX})

    async def test(driver: StoreDriver) -> None:
        (row,) = await driver.carry(HOP, [parcel(1, ("b@x.test", BOB))])
        assert row[0].action is Action.DELIVERED

    run(store, test)
    assert store.opened == [BOB] and len(store.batches) == 2


def test_the_owners_quotas_travel_with_the_delivery() -> None:
    store = Store(dict.fromkeys((ALICE, BOB), DeliveryStatus.NO_MAILBOX))

    async def test(driver: StoreDriver) -> None:
        mail = parcel(1, ("a@x.test", ALICE), ("b@x.test", BOB))._replace(quotas={BOB: 1024})
        (row,) = await driver.carry(HOP, [mail])
        assert [o.action for o in row] == [Action.DELIVERED] * 2

    run(store, test)
    assert set(store.opened) == {ALICE, BOB}
    # Whom the directory grants nothing has the organization's again.
    assert store.quotas == [{ALICE: 4096, BOB: 1024}] * 2


def test_a_recipient_without_a_mailbox_fails() -> None:
    async def test(driver: StoreDriver) -> None:
        (row,) = await driver.carry(HOP, [parcel(1, ("a@x.test", ALICE), ("nobody@x.test", None))])
        assert [o.status for o in row] == ["2.1.5", "5.1.1"]

    run(Store(), test)


def test_a_large_batch_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_driver, "CALL_BYTES", 50)
    store = Store()

    async def test(driver: StoreDriver) -> None:
        parcels = [parcel(n, ("a@x.test", ALICE), content=b"x" * size) for n, size in enumerate((20, 20, 20, 200, 20))]
        outcomes = await driver.carry(HOP, parcels)
        assert [row[0].action for row in outcomes] == [Action.DELIVERED] * 5

    run(store, test)
    assert [[d[0] for d in batch] for batch in store.batches] == [
        ["hub1/q0", "hub1/q1"],
        ["hub1/q2"],
        ["hub1/q3"],
        ["hub1/q4"],
    ]


def test_the_server_of_a_database_is_looked_up_at_each_batch() -> None:
    here, there, database = Store(), Store(), NextHop(HopKind.MAILBOX, ("sales",), HOP.path)
    peers = [MailboxPeer(name, "", HOP.path, store) for name, store in (("mbx1", here), ("mbx2", there))]

    async def test() -> None:
        driver = StoreDriver(lambda name: peers[0] if name == "sales" else None, "hub1")
        for number in range(2):
            (row,) = await driver.carry(database, [parcel(number, ("a@x.test", ALICE))])
            assert (row[0].action, row[0].remote) == (Action.DELIVERED, peers[0].server)
            peers.reverse()

    asyncio.run(test())
    assert [batch[0][0] for batch in here.batches + there.batches] == ["hub1/q0", "hub1/q1"]


def test_a_server_that_does_not_answer_delays_everything() -> None:
    class Down(Store):
        async def deliver(self, deliveries):
            raise MailboxError("UNAVAILABLE", "the database is away")

    async def test(driver: StoreDriver) -> None:
        (row,) = await driver.carry(HOP, [parcel(1, ("a@x.test", ALICE))])
        assert (row[0].action, row[0].status, row[0].diagnostic) == (Action.DELAYED, "4.4.1", "the database is away")
        unknown = NextHop(HopKind.MAILBOX, ("mbx9",), HOP.path)
        (row,) = await driver.carry(unknown, [parcel(1, ("a@x.test", ALICE))])
        assert (row[0].action, row[0].status) == (Action.DELAYED, "4.4.4")

    run(Down(), test)
