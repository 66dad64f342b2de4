"""The store itself, held to what every implementation of Mailboxes must do.

covers: database, folders
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from postern.model.mailbox import Mailboxes
from postern.store.database import MailboxDatabase
from tests.model.mailboxes_contract import MailboxesContract, Opened

pytestmark = pytest.mark.slow


class TestMailboxDatabase(MailboxesContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        @asynccontextmanager
        async def open_one() -> AsyncIterator[Mailboxes]:
            database = await MailboxDatabase.open(postgres_dsn, connections=2)
            try:
                yield database
            finally:
                await database.close()

        return open_one
