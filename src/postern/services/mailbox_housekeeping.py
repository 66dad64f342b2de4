"""What the mailbox role does behind its doors: it counts the database's row, notices whose owner is gone, purges what was kept
long enough, and renders anew what an older version rendered.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from uuid import UUID

from postern.model.directory import Directory, DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.store.database import MailboxDatabase
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed

EVERY = 300.0
"""Seconds from one look to the next."""


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


async def render_anew(database: MailboxDatabase) -> None:
    """Returns when nothing old is left. Whoever does it may end before it is done: then another process goes on."""
    while True:
        try:
            if await database.render_anew():
                return
        except MailboxError:
            pass
        except Exception as error:
            log(Event.CONVERSATION_FAILED, conversation="rendering anew", error=repr(error), exc_info=error)
        await asyncio.sleep(EVERY)
