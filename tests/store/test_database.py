"""The store itself, held to what every implementation of Mailboxes must do.

covers: database, folders
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from postern.model.folder_names import folder_names
from postern.model.folders import FOLDER_CLASSES
from postern.store.database import MailboxDatabase
from tests.model.mailboxes_contract import MailboxesContract, Opened
from tests.store.conftest import opened as opened_database

pytestmark = pytest.mark.slow


class TestMailboxDatabase(MailboxesContract):
    @pytest.fixture
    def opened(self, postgres_dsn: str) -> Opened:
        return lambda: opened_database(postgres_dsn)


def test_a_new_mailbox_has_folders_in_the_language_of_the_organization(postgres_dsn: str) -> None:
    async def names(language: str) -> set[str]:
        database = await MailboxDatabase.open(postgres_dsn, 3, language)
        try:
            mailbox = uuid4()
            await database.logon(mailbox)
            return {node.name for node in await database.tree(mailbox) if node.kind in FOLDER_CLASSES}
        finally:
            await database.close()

    assert asyncio.run(names("ko")) == set(folder_names("ko").values())
    assert asyncio.run(names("en")) == set(folder_names("en").values())
