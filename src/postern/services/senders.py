"""Says under which addresses a user may submit mail: the one place for SMTP and for outboxes.

A user sends as himself under the addresses of his mailbox, and under those that the directory gives to his account
(`Account.send_as`): nothing shows the difference. A user sends on behalf of a recipient who names him, or a group that he is in,
as a delegate (`Recipient.delegates`): then the message has the other in From and the user in Sender (RFC 5322 section 3.6.2).
`transport.submission` reads the header and writes Sender; whoever submits asks here about the addresses that it refuses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import Protocol
from uuid import UUID

from postern.model.directory import Account, Directory, Groups, Recipient
from postern.model.domains import fold
from postern.transport.submission import NotAllowed, Submitter


class SenderDirectory(Directory, Groups, Protocol):
    """The directory as those who take submissions need it."""


def submitter_of(account: Account | None, recipient: Recipient | None) -> Submitter:
    """Returns the user with the addresses under which he sends as himself. Without an account nobody may send."""
    if account is None:
        return Submitter("", frozenset())
    allowed = frozenset(map(fold, account.send_as))
    if recipient is None:
        return Submitter(account.recipient, allowed, account.guid)
    return Submitter(recipient.primary, allowed | recipient.folded_addresses, recipient.guid)


async def on_behalf(
    directory: SenderDirectory | None, submitter: Submitter, addresses: Sequence[str]
) -> Submitter | None:
    """Returns the submitter with the right to send on behalf of all these addresses, too; None without it. Raises
    DirectoryUnavailable. It asks for all addresses at once, for the delegates of each, and once for the groups of the user."""
    user = submitter.user
    if directory is None or user is None or not submitter.primary or not addresses:
        return None
    owners = await directory.recipients([fold(address) for address in addresses])
    if any(fold(address) not in owners for address in addresses):
        return None
    ids: list[UUID] = []

    async def grantees(user: UUID) -> Sequence[UUID]:
        if not ids:
            ids.extend((user, *await directory.groups_of(user)))
        return ids

    for owner in {owner.guid: owner for owner in owners.values()}.values():
        if not await is_delegate(directory, grantees, user, owner):
            return None
    return replace(submitter, behalf=submitter.behalf.union(map(fold, addresses)))


async def fixed_for(
    directory: SenderDirectory | None, submitter: Submitter, fix: Callable[[Submitter], bytes | NotAllowed]
) -> bytes | NotAllowed:
    """Returns what `fix` makes of a header (`transport.submission.fix_header`). It is called again where From claims addresses on
    whose behalf the submitter may send. Raises DirectoryUnavailable."""
    fixed = fix(submitter)
    if isinstance(fixed, NotAllowed) and fixed.claimed:
        delegate = await on_behalf(directory, submitter, fixed.claimed)
        if delegate is not None:
            return fix(delegate)
    return fixed


async def is_delegate(
    directory: Directory, grantees: Callable[[UUID], Awaitable[Collection[UUID]]], user: UUID, owner: Recipient
) -> bool:
    """Whether a user may send mail on behalf of a recipient. `grantees` gives the ids of a user and of the user's groups."""
    if not owner.delegates:
        return False
    delegates = await directory.recipients(owner.delegates)
    guids = {delegate.guid for delegate in delegates.values()}
    return user in guids or not guids.isdisjoint(await grantees(user))
