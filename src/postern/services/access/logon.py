"""What IMAP and POP3 share: from a proven identity to an opened mailbox, under the guard's eyes.

Reads the directory for the mailbox's home; leaves proof to `trust` and each refusal's wording to the protocol's session.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID

from postern.model.directory import Directory, DirectoryUnavailable, Recipient, RecipientType
from postern.model.mailbox import MailboxError, MailboxInfo
from postern.model.mailbox_server import ClientMailboxes
from postern.model.organization import Limits
from postern.model.security import Identity, Mechanism
from postern.net.link import Link
from postern.paths.guard import Guard, Reason, Refusal
from postern.services.access.changes import MailboxChanges
from postern.services.access.room import AnswerRoom, LiteralRoom
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed
from postern.trust.outcome import FAILED, Denied, Granted
from postern.trust.sasl.mechanisms import SaslServer

if TYPE_CHECKING:
    from postern.trust.authenticator import Authenticator


@dataclass(frozen=True, slots=True)
class MailboxServer:
    """One mailbox server as this process reaches it: its mailboxes and the one wait for changes on them."""

    mailboxes: ClientMailboxes
    changes: MailboxChanges


@dataclass(frozen=True, slots=True)
class ClientAccess:
    """What the sessions of one door share. `server` finds the mailbox server that has a database now (Recipient.database).

    `host` is the name in greetings, `guard` speaks for the door's rows.
    """

    guard: Guard
    authenticator: Authenticator
    directory: Directory
    server: Callable[[str], MailboxServer | None]
    observed: Observed
    limits: Limits
    host: str
    literals: LiteralRoom = field(init=False)
    answers: AnswerRoom = field(init=False, default_factory=AnswerRoom)

    def __post_init__(self) -> None:
        object.__setattr__(self, "literals", LiteralRoom(self.limits.message_size))


@dataclass(frozen=True, slots=True)
class OpenedMailbox:
    """A logged-on user's mailbox. `address` is its primary one, `info` what it was when it was opened or its quota renewed."""

    identity: Identity
    mailbox: UUID
    mailboxes: ClientMailboxes
    changes: MailboxChanges
    info: MailboxInfo
    address: str


class Cause(Enum):
    """Why there is no mailbox, as RFC 5530 and RFC 3206 divide it."""

    FAILED = "authentication failed"
    PRIVACY = "encryption required"
    UNAVAILABLE = "try again later"
    CONTACT = "ask the administrator"


@dataclass(frozen=True, slots=True)
class NotOpened:
    cause: Cause
    text: str


async def open_with_password(access: ClientAccess, link: Link, name: str, password: str) -> OpenedMailbox | NotOpened:
    """LOGIN, USER and PASS: the guard first, then the authenticator, then the mailbox."""
    refusal = access.guard.check_mechanism(Mechanism.BASIC, link.seal)
    if refusal is not None:
        return refused(refusal)
    return await open_verdict(access, link, await access.authenticator.password(name, password, link.peer))


async def open_mailbox(access: ClientAccess, link: Link, identity: Identity) -> OpenedMailbox | NotOpened:
    """The mailbox of someone who has proven who it is, if a row of this door admits them."""
    row = access.guard.row_for(identity, link.seal)
    if isinstance(row, Refusal):
        return refused(row)
    try:
        recipient = await _recipient(access.directory, identity)
        if recipient is None or recipient.type not in (RecipientType.USER, RecipientType.ROOM):
            return NotOpened(Cause.CONTACT, "This account has no mailbox")
        server = access.server(recipient.database)
        if server is None:
            return NotOpened(Cause.CONTACT, "The mailbox's database is unknown here")
        quota = recipient.quota or access.limits.mailbox_quota
        info = await server.mailboxes.logon(recipient.guid, quota)
    except DirectoryUnavailable:
        return NotOpened(Cause.UNAVAILABLE, "The directory does not answer")
    except MailboxError as error:
        if error.code == "UNAVAILABLE":
            return NotOpened(Cause.UNAVAILABLE, "The mailbox does not answer")
        return NotOpened(Cause.CONTACT, "The mailbox cannot be opened")
    access.observed.seen(row.id, link.peer.host, identity.mechanism.value, link.seal, time.time())
    log(
        Event.AUTHENTICATED,
        path=row.id,
        peer=str(link.peer),
        name=identity.name,
        mechanism=identity.mechanism.value,
        cipher=link.seal.cipher if link.seal else "",
    )
    return OpenedMailbox(identity, recipient.guid, server.mailboxes, server.changes, info, recipient.primary)


async def renewed(access: ClientAccess, opened: OpenedMailbox) -> OpenedMailbox:
    """With the quota that the directory grants by now: a session may be open for days. Mostly answered from the directory's
    cache; what it does not say leaves what is. Raises MailboxError."""
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


async def _recipient(directory: Directory, identity: Identity) -> Recipient | None:
    """By logon name, which mostly is the primary address (answered from the cache), else through the account."""
    recipient = await directory.recipient(identity.name)
    if recipient is not None and recipient.guid == identity.guid:
        return recipient
    account = await directory.account(identity.name)
    if account is None or account.guid != identity.guid or not account.recipient:
        return None
    recipient = await directory.recipient(account.recipient)
    return recipient if recipient is not None and recipient.guid == account.guid else None


def sasl_server(access: ClientAccess, link: Link, mechanism: str) -> SaslServer | NotOpened | None:
    """A new exchange by this mechanism, the guard's refusal, or None where nobody can verify it here."""
    _, refusal = access.guard.check_sasl(mechanism, link.seal)
    if refusal is not None:
        return refused(refusal)
    return access.authenticator.sasl(mechanism, link.peer, link.seal, link.peer_certificate(), link.channel())


async def open_verdict(access: ClientAccess, link: Link, outcome: Granted | Denied) -> OpenedMailbox | NotOpened:
    """The end of an exchange."""
    if isinstance(outcome, Granted):
        return await open_mailbox(access, link, outcome.identity)
    return denied(link, outcome)


def denied(link: Link, outcome: Denied) -> NotOpened:
    log(Event.AUTHENTICATION_FAILED, peer=str(link.peer), account=outcome.account, temporary=outcome.temporary)
    return NotOpened(Cause.UNAVAILABLE if outcome.temporary else Cause.FAILED, outcome.text)


def refused(refusal: Refusal) -> NotOpened:
    if refusal.reason is Reason.ENCRYPTION_REQUIRED:
        return NotOpened(Cause.PRIVACY, refusal.text)
    if refusal.reason is Reason.MECHANISM_NOT_LISTED:
        return NotOpened(Cause.FAILED, refusal.text)
    return NotOpened(Cause.FAILED, FAILED)
