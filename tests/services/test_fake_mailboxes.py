"""The store in memory of the services' tests does what the real one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from postern.model.mailbox_server import Mailboxes
from tests.model.assistant_store_contract import AssistantStoreContract
from tests.model.assistant_store_contract import Opened as AssistantStoreOpened
from tests.model.assistant_store_contract import Store as AssistantStore
from tests.model.edit_store_contract import EditStoreContract
from tests.model.item_store_contract import ItemStoreContract, Store
from tests.model.item_store_contract import Opened as ItemStoreOpened
from tests.model.mailboxes_contract import MailboxesContract, Opened
from tests.model.out_of_office_contract import Opened as OutOfOfficeOpened
from tests.model.out_of_office_contract import OutOfOfficeContract
from tests.model.out_of_office_contract import Store as OutOfOfficeStore
from tests.model.resource_store_contract import Opened as ResourceStoreOpened
from tests.model.resource_store_contract import ResourceStoreContract
from tests.model.resource_store_contract import Store as ResourceStore
from tests.services.fake_assistant_store import FakeAssistantStore
from tests.services.fake_item_store import FakeItemStore
from tests.services.fake_mailboxes import FakeMailboxes
from tests.services.fake_out_of_office import FakeOutOfOffice
from tests.services.fake_resource_store import FakeResourceStore


class TestFakeMailboxes(MailboxesContract):
    @pytest.fixture
    def opened(self) -> Opened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[Mailboxes]:
            yield FakeMailboxes()

        return open_one


class TestFakeItemStore(ItemStoreContract):
    @pytest.fixture
    def opened(self) -> ItemStoreOpened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[Store]:
            yield FakeItemStore()

        return open_one


class TestFakeResourceStore(ResourceStoreContract, EditStoreContract):
    @pytest.fixture
    def opened(self) -> ResourceStoreOpened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[ResourceStore]:
            yield FakeResourceStore()

        return open_one


class TestFakeAssistantStore(AssistantStoreContract):
    @pytest.fixture
    def opened(self) -> AssistantStoreOpened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[AssistantStore]:
            yield FakeAssistantStore()

        return open_one


class TestFakeOutOfOffice(OutOfOfficeContract):
    @pytest.fixture
    def opened(self) -> OutOfOfficeOpened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[OutOfOfficeStore]:
            yield FakeOutOfOffice()

        return open_one
