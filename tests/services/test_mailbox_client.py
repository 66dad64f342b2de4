"""Every operation of Mailboxes says the same through the RPC interface as without it, over the unix socket and sealed TCP.

covers: mailbox_server
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from postern.model.mailbox import (
    Column,
    Delivery,
    DeliveryStatus,
    FlagChange,
    FolderKind,
    MailboxError,
    Mailboxes,
    NewItem,
    SearchTerm,
    SortKey,
)
from postern.protocols.dcerpc.mailbox_store import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.services.mailbox_client import MailboxClient
from postern.services.rpc_client import RpcClient
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import MAILBOX, serve

pytestmark = pytest.mark.slow
MESSAGE = b"Subject: Gr\xc3\xbc\xc3\x9fe\r\nFrom: a@example.test\r\n\r\nbody\r\n"


def over(wire: str, test: Callable[[Mailboxes, Mailboxes, FakeMailboxes], Awaitable[None]]) -> None:
    """Runs `test` with clients of both interfaces of a server on a fake store."""

    async def run() -> None:
        fake = FakeMailboxes()
        local = wire == "ncalrpc"
        async with serve(fake, local_account="CAS1$") as access_served, serve(fake, local_account="HUB1$") as served:
            targets = (
                (MAILBOX_ACCESS, access_served.target("cas-to-mailbox", "" if local else "CAS1$")),
                (MAILBOX_DELIVERY, served.target("hub-to-mailbox-mapi", "" if local else "HUB1$")),
            )
            access, delivery = (
                MailboxClient(RpcClient(interface, target, served.observed), interface) for interface, target in targets
            )
            try:
                await test(access, delivery, fake)
            finally:
                await access.close()
                await delivery.close()

    asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.parametrize("wire", ["ncalrpc", "ncacn_ip_tcp"])
def test_every_operation_says_the_same(wire: str) -> None:
    async def test(access: Mailboxes, delivery: Mailboxes, fake: FakeMailboxes) -> None:
        assert await access.logon(MAILBOX, 10**9) == await fake.logon(MAILBOX, 10**9)
        assert await access.folders(MAILBOX) == await fake.folders(MAILBOX)
        inbox = (await fake.folders(MAILBOX))[0]
        made = await access.create_folder(MAILBOX, ("Über", "받은편지함"), FolderKind.USER)
        assert made == await fake.folder(MAILBOX, made.id)
        await access.rename_folder(MAILBOX, made.id, ("Neu",))
        assert (await fake.folder(MAILBOX, made.id)).path == ("Neu",)
        await access.subscribe(MAILBOX, ("not", "there"), True)
        assert await access.subscriptions(MAILBOX) == await fake.subscriptions(MAILBOX)
        assert ("not", "there") in await access.subscriptions(MAILBOX)
        bits = await access.keywords(MAILBOX, inbox.id, ("$Junk", "later"), True)
        assert bits and bits == await fake.keywords(MAILBOX, inbox.id, ("$Junk", "later"), False)

        items = [NewItem(MESSAGE, 1, 86400), NewItem(MESSAGE + b"x" * 200_000, bits, None), NewItem(MESSAGE, 0, 5)]
        appended = await access.append(MAILBOX, inbox.id, items)
        assert list(appended.targets) == [1, 2, 3] and appended.uid_validity == inbox.uid_validity
        assert await access.index(MAILBOX, inbox.id) == await fake.index(MAILBOX, inbox.id)
        everything = Column(0x1FF)
        ours = await access.fetch(MAILBOX, inbox.id, [(1, 2**32 - 1)], everything)
        theirs = await fake.fetch(MAILBOX, inbox.id, [(1, 2**32 - 1)], everything)
        for name in ("uids", "flags", "modseqs", "sizes", "dates", "envelopes", "structures", "headers", "contents"):
            assert list(getattr(ours, name)) == list(getattr(theirs, name)), name
        some = await access.fetch(MAILBOX, inbox.id, [(1, 1), (3, 3)], Column.SIZE)
        assert (list(some.uids), list(some.contents)) == ([1, 3], [])

        flagged = await access.change_flags(MAILBOX, inbox.id, [(1, 2)], FlagChange.ADD, 4)
        assert list(flagged.uids) == [1, 2] and flagged.flags[0] & 4
        late = await access.change_flags(MAILBOX, inbox.id, [(1, 1)], FlagChange.REPLACE, 8, unchanged_since=0)
        assert list(late.modified) == [1]
        term = SearchTerm(
            "and", terms=(SearchTerm("all"), SearchTerm("not", terms=(SearchTerm("uid", uids=((3, 3),)),)))
        )
        assert await access.search(MAILBOX, inbox.id, term) == await fake.search(MAILBOX, inbox.id, term)
        assert (await access.search(MAILBOX, inbox.id, term)).uids == [1, 2]
        by_size = [SortKey("size", True)]
        assert await access.search(MAILBOX, inbox.id, SearchTerm("all"), by_size) == await fake.search(
            MAILBOX, inbox.id, SearchTerm("all"), by_size
        )
        threads = await access.thread(MAILBOX, inbox.id, SearchTerm("all"), "REFERENCES")
        assert threads == await fake.thread(MAILBOX, inbox.id, SearchTerm("all"), "REFERENCES")
        copied = await access.copy(MAILBOX, inbox.id, [(1, 3)], made.id)
        assert (list(copied.sources), list(copied.targets)) == ([1, 2, 3], [1, 2, 3])
        moved = await access.copy(MAILBOX, inbox.id, [(3, 3)], made.id, move=True)
        assert list(moved.sources) == [3] and (await fake.folder(MAILBOX, inbox.id)).messages == 2
        await access.change_flags(MAILBOX, inbox.id, [(2, 2)], FlagChange.ADD, 8)
        assert await access.expunge(MAILBOX, inbox.id, [(1, 1)]) == []
        assert await access.expunge(MAILBOX, inbox.id) == [2]
        await access.delete_folder(MAILBOX, made.id)
        assert len(await access.folders(MAILBOX)) == len(await fake.folders(MAILBOX))

        statuses = await delivery.deliver([Delivery("1", MESSAGE, [MAILBOX], "s@x.test", 77)])
        assert statuses == [[DeliveryStatus.DELIVERED]]
        assert (await access.folder(MAILBOX, inbox.id)).messages == 2
        for quota in (2**40, 0):
            await delivery.deliver([Delivery(f"of {quota}", MESSAGE, [MAILBOX], quotas=[quota])])
            assert (await access.logon(MAILBOX)).quota == quota

    over(wire, test)


def test_a_refusal_keeps_its_code_and_words() -> None:
    async def test(access: Mailboxes, delivery: Mailboxes, fake: FakeMailboxes) -> None:
        await access.logon(MAILBOX)
        with pytest.raises(MailboxError) as ours:
            await access.folder(MAILBOX, 9999)
        with pytest.raises(MailboxError) as theirs:
            await fake.folder(MAILBOX, 9999)
        assert (ours.value.code, str(ours.value)) == (theirs.value.code, str(theirs.value))
        assert ours.value.code == "NONEXISTENT"

    over("ncalrpc", test)


def test_a_hubs_client_has_no_way_to_read_at_will() -> None:
    async def test(access: Mailboxes, delivery: Mailboxes, fake: FakeMailboxes) -> None:
        for call in (delivery.index(MAILBOX, 1), delivery.wait({}, 1), access.deliver([])):
            with pytest.raises(MailboxError) as refused:
                await call
            assert refused.value.code == "CANNOT"

    over("ncalrpc", test)


@pytest.mark.parametrize("wire", ["ncalrpc", "ncacn_ip_tcp"])
def test_waiting_does_not_hold_up_other_calls(wire: str) -> None:
    async def test(access: Mailboxes, delivery: Mailboxes, fake: FakeMailboxes) -> None:
        info = await access.logon(MAILBOX)
        inbox = (await access.folders(MAILBOX))[0]
        waiting = asyncio.create_task(access.wait({MAILBOX: info.change}, 20))
        for _ in range(20):
            await access.folder(MAILBOX, inbox.id)
        assert not waiting.done()
        await access.append(MAILBOX, inbox.id, [NewItem(MESSAGE)])
        changed = await waiting
        assert changed[MAILBOX] > info.change
        assert await access.wait({MAILBOX: changed[MAILBOX]}, 0.01) == {}

    over(wire, test)


def test_many_calls_at_once_get_their_own_answers() -> None:
    async def test(access: Mailboxes, delivery: Mailboxes, fake: FakeMailboxes) -> None:
        boxes = [UUID(int=n) for n in range(300)]
        infos = await asyncio.gather(*(access.logon(box, box.int) for box in boxes))
        assert [info.quota for info in infos] == [box.int for box in boxes]

    over("ncacn_ip_tcp", test)
