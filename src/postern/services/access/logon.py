"""Opens the mailbox of a proven identity for IMAP and POP3, if the guard admits it; finds it for the protocols of the web.

Reads the directory for the mailbox's home. `trust` proves identities; the protocol's session words each refusal.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import UUID

from postern.model.directory import Directory, DirectoryUnavailable, Recipient, RecipientType
from postern.model.folders import FolderTree
from postern.model.mailbox import MailboxError, MailboxInfo
from postern.model.mailbox_server import ClientMailboxes
from postern.model.organization import Limits
from postern.model.security import Identity, Mechanism
from postern.net.link import Link
from postern.paths.guard import Guard, Refusal
from postern.services.access.changes import MailboxChanges
from postern.services.access.room import AnswerRoom, LiteralRoom
from postern.services.access.sharing import Sharing
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed
from postern.trust.acceptor import Cause, Failure, Granted, failed, refused
from postern.trust.authenticator import Authenticator

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class MailboxServer:
    """One mailbox server as this process reaches it: its mailboxes, the one wait for changes on them, and who may do what in
    their folders."""

    mailboxes: ClientMailboxes
    changes: MailboxChanges
    tree: FolderTree


@dataclass(frozen=True, slots=True)
class ClientAccess:
    """The state that the sessions of one door share. `server` returns the mailbox server that has a database now
    (Recipient.database). `host` is the name in greetings, `guard` speaks for the door's rows.
    """

    guard: Guard
    authenticator: Authenticator
    directory: Directory
    server: Callable[[str], MailboxServer | None]
    observed: Observed
    limits: Limits
    host: str
    sharing: Sharing
    literals: LiteralRoom = field(init=False)
    answers: AnswerRoom = field(init=False, default_factory=AnswerRoom)

    def __post_init__(self) -> None:
        object.__setattr__(self, "literals", LiteralRoom(self.limits.message_size))


@dataclass(frozen=True, slots=True)
class OpenedMailbox:
    """A logged-on user's mailbox. `address` is its primary address. `info` is from when it was opened or its quota renewed."""

    identity: Identity
    mailbox: UUID
    mailboxes: ClientMailboxes
    changes: MailboxChanges
    info: MailboxInfo
    address: str
    tree: FolderTree


async def open_with_password(access: ClientAccess, link: Link, name: str, password: str) -> OpenedMailbox | Failure:
    """Logs on by name and password (LOGIN, USER and PASS). Asks the guard, then the authenticator, and opens the mailbox."""
    refusal = access.guard.check_mechanism(Mechanism.BASIC, link.seal)
    if refusal is not None:
        return refused(access.guard.door, refusal)
    outcome = await access.authenticator.password(name, password, link.peer)
    if isinstance(outcome, Granted):
        return await open_mailbox(access, link, outcome.identity)
    return failed(access.guard.door, link.peer, Mechanism.BASIC, outcome)


async def open_mailbox(access: ClientAccess, link: Link, identity: Identity) -> OpenedMailbox | Failure:
    """Opens the mailbox of a proven identity, if a row of this door admits it."""
    row = access.guard.row_for(identity, link.seal)
    if isinstance(row, Refusal):
        return refused(access.guard.door, row)
    home = await home_of(access.directory, access.server, identity)
    if isinstance(home, Failure):
        return home
    recipient, server = home
    quota = recipient.quota or access.limits.mailbox_quota
    try:
        info = await server.mailboxes.logon(recipient.guid, quota)
    except MailboxError as error:
        return not_opened(error)
    access.observed.seen(row.id, link.peer.host, identity.mechanism.value, link.seal, time.time())
    log(
        Event.AUTHENTICATED,
        path=row.id,
        peer=str(link.peer),
        name=identity.name,
        mechanism=identity.mechanism.value,
        cipher=link.seal.cipher if link.seal else "",
    )
    return OpenedMailbox(
        identity, recipient.guid, server.mailboxes, server.changes, info, recipient.primary, server.tree
    )


async def home_of(
    directory: Directory, server: Callable[[str], S | None], identity: Identity
) -> tuple[Recipient, S] | Failure:
    """Finds the mailbox of an identity, and the server that has it now. `server` returns that of a database."""
    try:
        recipient = await recipient_of(directory, identity)
    except DirectoryUnavailable:
        return Failure(Cause.UNAVAILABLE, "The directory does not answer")
    if recipient is None or recipient.type not in (RecipientType.USER, RecipientType.ROOM):
        return Failure(Cause.CONTACT, "This account has no mailbox")
    home = server(recipient.database)
    return (recipient, home) if home is not None else Failure(Cause.CONTACT, "The mailbox's database is unknown here")


def not_opened(error: MailboxError) -> Failure:
    """The failure of a log-in whose mailbox could not be opened."""
    if error.code == "UNAVAILABLE":
        return Failure(Cause.UNAVAILABLE, "The mailbox does not answer")
    return Failure(Cause.CONTACT, "The mailbox cannot be opened")


async def renewed(access: ClientAccess, opened: OpenedMailbox) -> OpenedMailbox:
    """Returns the mailbox with the quota that the directory grants now: a session may be open for days. The directory's cache
    mostly answers; without an answer the quota stays. Raises MailboxError."""
    try:
        recipient = await access.directory.recipient(opened.address)
    except DirectoryUnavailable:
        return opened
    if recipient is None or recipient.guid != opened.mailbox:
        return opened
    quota = recipient.quota or access.limits.mailbox_quota
    if quota == opened.info.quota:
        return opened
    return replace(opened, info=await opened.mailboxes.logon(opened.mailbox, quota))


async def recipient_of(directory: Directory, identity: Identity) -> Recipient | None:
    """Looks the identity's recipient up by logon name, which mostly is the primary address (answered from the cache), else
    through the account."""
    recipient = await directory.recipient(identity.name)
    if recipient is not None and recipient.guid == identity.guid:
        return recipient
    account = await directory.account(identity.name)
    if account is None or account.guid != identity.guid or not account.recipient:
        return None
    recipient = await directory.recipient(account.recipient)
    return recipient if recipient is not None and recipient.guid == account.guid else None
