"""RCPT TO at a receive connector: is there such a recipient, and may this sender write to it.

Reads the connector's accepted domains and directory. An edge asks no directory: whom the organization has is its recipient
filter's to know, an agent.
"""

from __future__ import annotations

from collections.abc import Awaitable

from postern.model.directory import UNKNOWN, Directory, DirectoryUnavailable, Recipient
from postern.model.domains import fold
from postern.model.organization import DomainType
from postern.protocols.smtp.address import domain_of
from postern.protocols.smtp.reply import Reply
from postern.services.receive_connector import ReceiveConnector

_OK = Reply(250, "2.1.5", "Ok")
_NO_RECIPIENT = Reply(550, "5.1.1", "No such recipient here")
_NO_RELAY = Reply(550, "5.7.1", "Unable to relay")
NO_DIRECTORY = Reply(451, "4.3.0", "The directory does not answer; try again later")
_STRANGERS_REFUSED = Reply(550, "5.7.1", "This recipient takes mail from authenticated senders only")


def judge(connector: ReceiveConnector, address: str, trusted: bool) -> Reply | Awaitable[Reply]:
    """The answer to RCPT TO. `trusted`: the sender proved to be one of ours, and so may relay."""
    address = fold(address)
    kind = connector.domains.get(domain_of(address))
    if kind is None:
        return _OK if trusted else _NO_RELAY
    directory = connector.directory
    if directory is None or kind is not DomainType.AUTHORITATIVE or address.startswith("postmaster@"):
        return _OK
    return of_directory(directory, address, trusted)


def of_directory(directory: Directory, address: str, trusted: bool) -> Reply | Awaitable[Reply]:
    """What the directory says of a folded address: 250, 550 5.1.1, 550 5.7.1 for strangers, 451 without an answer."""
    for candidate in _candidates(address):
        found = directory.cached_recipient(candidate)
        if found is UNKNOWN:
            return _look_up(directory, address, trusted)
        if found is not None:
            return _answer(found, trusted)
    return _NO_RECIPIENT


async def _look_up(directory: Directory, address: str, trusted: bool) -> Reply:
    candidates = _candidates(address)
    try:
        found = await directory.recipients(candidates)
    except DirectoryUnavailable:
        return NO_DIRECTORY
    for candidate in candidates:
        if candidate in found:
            return _answer(found[candidate], trusted)
    return _NO_RECIPIENT


def _answer(recipient: Recipient, trusted: bool) -> Reply:
    return _STRANGERS_REFUSED if recipient.accept_from_authenticated_only and not trusted else _OK


def _candidates(address: str) -> tuple[str, ...]:
    """The address itself, then without its plus part (RFC 5233's subaddress)."""
    local, _, domain = address.rpartition("@")
    base, plus, _ = local.partition("+")
    return (address, f"{base}@{domain}") if plus and base else (address,)
