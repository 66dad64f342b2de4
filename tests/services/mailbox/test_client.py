"""Every operation of Mailboxes says the same through the RPC interface as without it, over the unix socket and sealed TCP.

covers: client, protocols.dcerpc.interfaces.mailbox_codecs
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from postern.model.items import NewItem
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import Mailboxes
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.services.mailbox.client import MailboxClient, mailbox_client
from postern.services.rpc.client import RpcClient
from tests.model.mailboxes_contract import MailboxesContract, Opened
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.rpc_parts import MAILBOX, serve
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow
MESSAGE = b"Subject: Gr\xc3\xbc\xc3\x9fe\r\nFrom: a@example.test\r\n\r\nbody\r\n"


@asynccontextmanager
async def clients(wire: str, store: Mailboxes) -> AsyncIterator[tuple[MailboxClient, MailboxClient]]:
    """Clients of both interfaces of a server on this store: for client access, and for a hub."""
    local = wire == "ncalrpc"
    async with serve(store, local_account="CAS1$") as for_access, serve(store, local_account="HUB1$") as for_hub:
        targets = (
            (MAILBOX_ACCESS, for_access.target("cas-to-mailbox", "" if local else "CAS1$")),
            (MAILBOX_DELIVERY, for_hub.target("hub-to-mailbox-mapi", "" if local else "HUB1$")),
        )
        access, delivery = (
            mailbox_client(RpcClient(interface, target, for_hub.observed), interface) for interface, target in targets
        )
        try:
            yield access, delivery
        finally:
            await access.close()
            await delivery.close()


def over(wire: str, test: Callable[[Mailboxes, Mailboxes, FakeMailboxes], Awaitable[None]]) -> None:
    """Runs `test` with clients of both interfaces of a server on a fake store."""

    async def run() -> None:
        fake = FakeMailboxes()
        async with clients(wire, fake) as (access, delivery):
            await test(access, delivery, fake)

    asyncio.run(asyncio.wait_for(run(), 30))


class _Both:
    """Mailboxes by both interfaces: what a hub does by its own, all else by client access's."""

    def __init__(self, access: Mailboxes, delivery: Mailboxes) -> None:
        self._access = access
        self.deliver, self.used, self.submitted = delivery.deliver, delivery.used, delivery.submitted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._access, name)


class TestOverUnixSockets(MailboxesContract):
    """With the store behind them, as in use."""

    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[Mailboxes]:
            async with opened_database(postgres_dsn) as database, clients("ncalrpc", database) as (access, delivery):
                yield _Both(access, delivery)

        return open_one


class TestOverSealedTcp(MailboxesContract):
    """With the store in memory behind it: what is added is the seal."""

    @pytest.fixture
    def opened(self) -> Opened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[Mailboxes]:
            async with clients("ncacn_ip_tcp", FakeMailboxes()) as (access, delivery):
                yield _Both(access, delivery)

        return open_one


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
