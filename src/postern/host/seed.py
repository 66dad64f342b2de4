"""What a host needs before its roles start, and what --demo adds: run apart from the supervisor, for both use event loops.

The directory's own entries are `host.directory`'s, the schema `store`'s, the demo's mails `demo`'s.
"""

from __future__ import annotations

import asyncio
import os
import time
from uuid import UUID

from postern.host import demo_mails, directory, edge, secret_files
from postern.model.mailbox import Delivery, Flag, FlagChange, FolderKind
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.store.database import MailboxDatabase
from postern.trust import passwords

_BATCH = 50
_DONE = "demo-delivered"


async def seed(state: StateFolder, organization: Organization, server: Server) -> str:
    """Brings the database's schema up to date and makes the directory's entries that every start relies on."""
    if Role.EDGE in server.roles:
        await edge.seed(organization, state)
    else:
        await directory.seed(state, organization, server)
    if Role.HUB in server.roles and organization.with_role(Role.EDGE):
        edge.prepare_hub(state)
    if Role.MAILBOX in server.roles:
        await (await MailboxDatabase.open(organization.postgres, 1)).close()
    return ""


async def demo(state: StateFolder, organization: Organization, server: Server, given: str | None) -> str:
    """The users of the demo with their mails; returns their password. Said again it changes the password at most."""
    password = secret_files.keep(state, secret_files.DEMO_PASSWORD, given) if given else None
    password = password or secret_files.obtain(state, secret_files.DEMO_PASSWORD)
    mailboxes = {}
    async with directory.opened(state, organization) as opened:
        for name, display_name in demo_mails.PEOPLE.items():
            address = f"{name}@{organization.default_domain}"
            await _ensure_user(opened, organization, address, display_name, password)
            recipient = await opened.read.recipient(address)
            assert recipient is not None
            mailboxes[name] = recipient.guid
    marker = state.root / _DONE
    if Role.MAILBOX in server.roles and not marker.exists():
        database = await MailboxDatabase.open(organization.postgres, 2)
        try:
            await _deliver(database, organization.default_domain, mailboxes)
        finally:
            await database.close()
        os.close(os.open(marker, os.O_WRONLY | os.O_CREAT, 0o600))
    return password


async def _ensure_user(
    opened: directory.OpenDirectory, organization: Organization, address: str, display_name: str, password: str
) -> None:
    account = await opened.read.account(address)
    if account is None:
        home = organization.with_role(Role.MAILBOX)[0].name
        await opened.write.add_user(
            address, await opened.verifiers(password), display_name=display_name, home_server=home
        )
        return
    stored = await opened.read.verifier(account, "argon2id")
    if not await asyncio.to_thread(passwords.matches, stored, password):
        await opened.write.set_verifiers(address, await opened.verifiers(password))


async def _deliver(database: MailboxDatabase, domain: str, mailboxes: dict[str, UUID]) -> None:
    """A crash in between leaves mails that have their delivery's id: they are not delivered twice."""
    for mailbox in mailboxes.values():
        await database.logon(mailbox)
    mails = demo_mails.mails(domain, int(time.time()))
    for first in range(0, len(mails), _BATCH):
        await database.deliver(
            [
                Delivery(
                    delivery_id=f"demo-{first + number}",
                    content=mail.content,
                    mailboxes=[mailboxes[name] for name in mail.to],
                    return_path=mail.sender,
                    received=mail.time,
                )
                for number, mail in enumerate(mails[first : first + _BATCH])
            ]
        )
    for mailbox in mailboxes.values():
        inbox = next(f for f in await database.folders(mailbox) if f.kind is FolderKind.INBOX)
        read = [(1, inbox.uid_next * 3 // 4)]
        await database.change_flags(mailbox, inbox.id, read, FlagChange.ADD, Flag.SEEN)
        starred = [(uid, uid) for uid in range(7, inbox.uid_next, 23)]
        await database.change_flags(mailbox, inbox.id, starred, FlagChange.ADD, Flag.FLAGGED)
