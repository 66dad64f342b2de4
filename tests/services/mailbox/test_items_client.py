"""Items by id and folders by parent say the same through their RPC interface as without it.

covers: protocols.dcerpc.interfaces.mailbox_items, protocols.dcerpc.interfaces.item_codecs
covers: protocols.dcerpc.interfaces.resource_codecs, protocols.dcerpc.interfaces.whole_items
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from postern.model.mailbox_server import MailboxItems
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS
from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
from postern.services.mailbox.client import mailbox_client
from postern.services.rpc.client import RpcClient
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.stub import Remote, stub
from tests.model.edit_store_contract import EditStoreContract
from tests.model.item_store_contract import ItemStoreContract
from tests.model.resource_store_contract import Opened, ResourceStoreContract, Store
from tests.services.fake_resource_store import FakeResourceStore
from tests.services.rpc_parts import ROWS, serve
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class _Client:
    """A store by its interfaces of client access; what only a hub calls, by itself."""

    def __init__(self, items: MailboxItems, access: Any, store: Store) -> None:
        self._items, self._access = items, access
        self.used, self.submitted, self.deliver = store.used, store.submitted, store.deliver

    def __getattr__(self, name: str) -> Any:
        return getattr(self._items if name in MAILBOX_ITEMS.numbers else self._access, name)


@asynccontextmanager
async def client(wire: str, store: Store) -> AsyncIterator[Store]:
    account = "" if wire == "ncalrpc" else "CAS1$"
    items = InterfaceService(MAILBOX_ITEMS, ROWS["cas-to-mailbox"], store)
    async with serve(store, [items], local_account="CAS1$") as served:
        target = served.target("cas-to-mailbox", account)
        access = mailbox_client(RpcClient(MAILBOX_ACCESS, target, served.observed), MAILBOX_ACCESS)
        calls = stub(RpcClient(MAILBOX_ITEMS, target, served.observed), MAILBOX_ITEMS)
        try:
            yield cast(Store, _Client(calls, access, store))
        finally:
            await access.close()
            await cast(Remote, calls).close()


class TestOverUnixSockets(ItemStoreContract, ResourceStoreContract, EditStoreContract):
    """With the store behind it, as in use."""

    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[Store]:
            async with opened_database(postgres_dsn) as database, client("ncalrpc", database) as store:
                yield store

        return open_one


class TestOverSealedTcp(ItemStoreContract, ResourceStoreContract, EditStoreContract):
    """With the store in memory behind it: what is added is the seal."""

    @pytest.fixture
    def opened(self) -> Opened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[Store]:
            async with client("ncacn_ip_tcp", FakeResourceStore()) as store:
                yield store

        return open_one
