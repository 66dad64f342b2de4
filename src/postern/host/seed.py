"""Prepares directory and databases before the roles start, and adds the demo's users and mails. Both use event loops, so they run
in a process of their own beside the supervisor. Users of the demo that an administrator changed or removed stay so.

`host.directory` makes the directory's own entries, `store` the schema, `demo_mails` the demo's mails.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from uuid import UUID

from postern.host import demo_mails, directory, edge, secret_files
from postern.model.delivery import Delivery
from postern.model.folders import FolderKind
from postern.model.items import Flag, FlagChange
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.roles.secrets import Secret
from postern.store.database import MailboxDatabase
from postern.trust.passwords.verifiers import matches

_BATCH = 50
_DONE = "demo-delivered"


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo's password, and the addresses of the users who have it. Users who were removed or have another one are left
    out."""

    password: str
    people: tuple[str, ...]


def delivered(state: StateFolder) -> bool:
    """Whether the demo's mails were delivered. From then on, accounts that were removed are not made again."""
    return (state.root / _DONE).exists()


async def seed(state: StateFolder, organization: Organization, server: Server) -> str:
    """Brings the databases' schema up to date and makes the directory's entries that every start relies on. Returns warnings for
    the administrator, each on a line."""
    warning = ""
    if Role.EDGE in server.roles:
        await edge.seed(organization, state)
    else:
        warning = await directory.seed(state, organization, server)
    if Role.HUB in server.roles and organization.with_role(Role.EDGE):
        edge.prepare_hub(state)
    for served in organization.databases_of(server):
        await (await MailboxDatabase.open(served.url, 1)).close()
    return warning


async def demo(state: StateFolder, organization: Organization, server: Server, new_password: str | None) -> str:
    """Makes the users of the demo and, the first time, their mails. Returns a text for `demo_of`.

    Accounts that exist keep their passwords, with one exception: those that still have the demo's former password get
    `new_password`.
    """
    former = secret_files.obtain(state, Secret.DEMO_PASSWORD)
    password, first = new_password or former, not delivered(state)
    mailboxes = {}
    async with directory.opened(state, organization) as opened:
        for name, display_name in demo_mails.PEOPLE.items():
            address = f"{name}@{organization.default_domain}"
            if await _has_password(opened, organization, address, display_name if first else None, password, former):
                recipient = await opened.read.recipient(address)
                assert recipient is not None
                mailboxes[name] = recipient.guid
    if password != former:
        secret_files.keep(state, Secret.DEMO_PASSWORD, password)
    if first:
        for served in organization.databases_of(server):
            database = await MailboxDatabase.open(served.url, 2, organization.language)
            try:
                await _deliver(database, organization.default_domain, mailboxes)
            finally:
                await database.close()
        os.close(os.open(state.root / _DONE, os.O_WRONLY | os.O_CREAT, 0o600))
    return json.dumps([password, *(f"{name}@{organization.default_domain}" for name in mailboxes)])


def demo_of(answer: str) -> Demo:
    """Reads the text that `demo` returned; it comes from another process."""
    password, *people = json.loads(answer)
    return Demo(password, tuple(people))


async def _has_password(
    opened: directory.OpenDirectory,
    organization: Organization,
    address: str,
    display_name: str | None,
    password: str,
    former: str,
) -> bool:
    """Makes the account, or gives it the demo's password, and returns whether it has that password in the end. With
    `display_name` None an account that is missing is not made."""
    account = await opened.read.account(address)
    if account is not None:
        stored = await opened.read.verifier(account, "argon2id")
        if await asyncio.to_thread(matches, stored, password):
            return True
        if password == former or not await asyncio.to_thread(matches, stored, former):
            return False
        await opened.write.set_verifiers(address, await opened.verifiers(address, password))
        return True
    if display_name is None:
        return False
    home = organization.databases[0]
    await opened.write.add_user(
        address, await opened.verifiers(address, password), display_name=display_name, database=home
    )
    return True


async def _deliver(database: MailboxDatabase, domain: str, mailboxes: dict[str, UUID]) -> None:
    """Delivers the mails and sets some flags. Each has a delivery id, so that a start after a crash delivers none twice.
    `mailboxes` has the users of the demo only."""
    for mailbox in mailboxes.values():
        await database.logon(mailbox)
    mails = demo_mails.mails(domain, int(time.time()))
    for first in range(0, len(mails), _BATCH):
        await database.deliver(
            [
                Delivery(
                    delivery_id=f"demo-{first + number}",
                    content=mail.content,
                    mailboxes=[mailboxes[name] for name in mail.to if name in mailboxes],
                    return_path=mail.sender,
                    received=mail.time,
                )
                for number, mail in enumerate(mails[first : first + _BATCH])
                if not mailboxes.keys().isdisjoint(mail.to)
            ]
        )
    for mailbox in mailboxes.values():
        inbox = next(f for f in await database.folders(mailbox) if f.kind is FolderKind.INBOX)
        read = [(1, inbox.uid_next * 3 // 4)]
        await database.change_flags(mailbox, inbox.id, read, FlagChange.ADD, Flag.SEEN)
        starred = [(uid, uid) for uid in range(7, inbox.uid_next, 23)]
        await database.change_flags(mailbox, inbox.id, starred, FlagChange.ADD, Flag.FLAGGED)
