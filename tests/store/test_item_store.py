"""Items by id and folders by parent in the store itself.

covers: folder_tree
"""

from __future__ import annotations

import pytest

from tests.model.item_store_contract import ItemStoreContract, Opened
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class TestItemStore(ItemStoreContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)
