"""The store itself, held to what every implementation of Mailboxes must do.

covers: database, folders
"""

from __future__ import annotations

import pytest

from tests.model.mailboxes_contract import MailboxesContract, Opened
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class TestMailboxDatabase(MailboxesContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)
