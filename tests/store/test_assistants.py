"""The list of meetings that wait for the calendar attendant, in PostgreSQL. covers: assistants"""

from __future__ import annotations

import pytest

from tests.model.assistant_store_contract import AssistantStoreContract, Opened
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class TestAssistantStore(AssistantStoreContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)
