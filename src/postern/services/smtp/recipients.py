"""RCPT TO at a receive connector: is there such a recipient, may this sender write to it, and has its mailbox room.

Reads the connector's accepted domains and directory, and asks mailbox servers (`mailbox.room`). An edge asks no directory: its
recipient filter, an agent, knows whom the organization has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

from postern.model.directory import UNKNOWN, Directory, DirectoryUnavailable, Recipient
from postern.model.domains import fold
from postern.model.organization import DomainType
from postern.protocols.smtp.address import domain_of
from postern.protocols.smtp.reply import Reply
from postern.services.mailbox.room import Space
from postern.services.smtp.receive_connector import ReceiveConnector, Room
from postern.services.smtp.session import Session

_OK = Reply(250, "2.1.5", "Ok")
_NO_RECIPIENT = Reply(550, "5.1.1", "No such recipient here")
_NO_RELAY = Reply(550, "5.7.1", "Unable to relay")
NO_DIRECTORY = Reply(451, "4.3.0", "The directory does not answer; try again later")
FULL_MAILBOX = Reply(452, "4.2.2", "The recipient's mailbox is full")
"""RFC 3463 section 3.3 (X.2.2), and RFC 5321 section 4.2.3 for the code: its owner may make room."""
_STILL_THEIRS = frozenset({"internet-to-hub", "client-to-hub-smtp"})
"""Rows whose callers have acknowledged the message to nobody. What a hub or an edge of ours brings is acknowledged: its sender
is better served by a report at once than by one after two days of trying."""
ENOUGH = Reply(250, "2.1.5", "Ok")
"""There is room for what was announced. If more comes, `have_no_room` is to be asked."""
_SAID = {Space.FULL: FULL_MAILBOX, Space.ENOUGH: ENOUGH, Space.PLENTY: _OK}
_STRANGERS_REFUSED = Reply(550, "5.7.1", "This recipient takes mail from authenticated senders only")


def judge(
    connector: ReceiveConnector, session: Session, address: str, size: int, trusted: bool
) -> Reply | Awaitable[Reply]:
    """The answer to RCPT TO, at once where nothing must be asked: most recipients are remembered, and a task for each would
    cost a tenth of what a message costs. `size` are the octets that MAIL announced, 0 for none. `trusted`: the sender proved to
    be one of ours, and so may relay."""
    address = fold(address)
    kind = connector.domains.get(domain_of(address))
    if kind is None:
        return _OK if trusted else _NO_RELAY
    directory, room = connector.recipients.directory, connector.recipients.room
    if directory is None or kind is not DomainType.AUTHORITATIVE or address.startswith("postmaster@"):
        return _OK
    if room is not None and session.logged_path not in _STILL_THEIRS:
        room = None
    return of_directory(directory, address, trusted, room, size)


def of_directory(
    directory: Directory, address: str, trusted: bool, room: Room | None = None, size: int = 0
) -> Reply | Awaitable[Reply]:
    """The directory's answer for a folded address: 250, 550 5.1.1, 550 5.7.1 for strangers, 451 without an answer; and 452 where
    `room` says that the mailbox is full."""
    for candidate in _candidates(address):
        recipient = directory.cached_recipient(candidate)
        if recipient is UNKNOWN:
            return _look_up(directory, address, trusted, room, size)
        if recipient is not None:
            return _answer(recipient, trusted, room, size)
    return _NO_RECIPIENT


async def _look_up(directory: Directory, address: str, trusted: bool, room: Room | None, size: int) -> Reply:
    candidates = _candidates(address)
    try:
        recipients = await directory.recipients(candidates)
    except DirectoryUnavailable:
        return NO_DIRECTORY
    for candidate in candidates:
        if candidate in recipients:
            reply = _answer(recipients[candidate], trusted, room, size)
            return reply if isinstance(reply, Reply) else await reply
    return _NO_RECIPIENT


def _answer(recipient: Recipient, trusted: bool, room: Room | None, size: int) -> Reply | Awaitable[Reply]:
    if recipient.accept_from_authenticated_only and not trusted:
        return _STRANGERS_REFUSED
    space = room.space(recipient, size) if room is not None else Space.PLENTY
    return _SAID[space] if isinstance(space, Space) else _say(space)


async def have_no_room(connector: ReceiveConnector, session: Session, addresses: Sequence[str], size: int) -> bool:
    """Whether no recipient's mailbox takes a message of `size` octets. Asked where more came than was announced: a message that
    is refused now needs no report later, which would go to whomever it names as its sender. One answer is for all, so that one
    recipient with room is enough."""
    if connector.recipients.room is None or session.logged_path not in _STILL_THEIRS:
        return False
    for address in addresses:
        answer = judge(connector, session, address, size, trusted=True)
        if (answer if isinstance(answer, Reply) else await answer) is not FULL_MAILBOX:
            return False
    return True


async def _say(space: Awaitable[Space]) -> Reply:
    return _SAID[await space]


def _candidates(address: str) -> tuple[str, ...]:
    """The address itself, then without its plus part (RFC 5233's subaddress)."""
    local, _, domain = address.rpartition("@")
    base, plus, _ = local.partition("+")
    return (address, f"{base}@{domain}") if plus and base else (address,)
