"""What the mailbox role does every few minutes: it counts the database's row, and notices whose owner is gone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from uuid import UUID

from postern.model.directory import Directory, DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.store.database import MailboxDatabase
from postern.telemetry.observed import Observed


async def observe(database: MailboxDatabase, observed: Observed) -> None:
    """No door of ours sees this row, and it is used all the time: it is counted at the start and with each housekeeping."""
    used = await database.transport()
    observed.seen("postgresql", used.peer, used.mechanism, used.seal, time.time())


async def reconcile(database: MailboxDatabase, directory: Directory) -> None:
    """Whoever was removed on another host is noticed. Not for Active Directory: accounts are asked of our own domain alone, and a
    mailbox's owner may be in another of the forest; there an administrator decides (`postern mailbox list --disconnected`)."""

    async def owners(mailboxes: Sequence[UUID]) -> dict[UUID, str]:
        found = await directory.accounts_by_guid(mailboxes)
        return {guid: account.recipient or account.name for guid, account in found.items()}

    with contextlib.suppress(MailboxError, DirectoryUnavailable):
        await database.reconcile(owners)
