"""Whole items on PostgreSQL."""

from __future__ import annotations

import pytest

from tests.model.edit_store_contract import EditStoreContract
from tests.model.resource_store_contract import Opened
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class TestEditStore(EditStoreContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)
