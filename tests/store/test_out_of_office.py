"""Out-of-office settings, and the list of messages that wait for an answer, in PostgreSQL. covers: out_of_office"""

from __future__ import annotations

import pytest

from tests.model.out_of_office_contract import Opened, OutOfOfficeContract
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class TestReplyStore(OutOfOfficeContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)
