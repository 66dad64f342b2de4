"""Finds the mailbox that a caller may ask about: its own, by any of its addresses."""

from __future__ import annotations

from collections.abc import Sequence

from postern.model.directory import Directory, Recipient, RecipientType
from postern.model.domains import fold
from postern.model.security import Identity
from postern.services.access.logon import recipient_of

MAX_ADDRESS = 512
"""Characters of an address that is looked for; RFC 5321 section 4.5.3.1 allows fewer."""


async def own_mailbox(directory: Directory, identity: Identity) -> Recipient | None:
    """The mailbox of this caller; None if its account has none, or is gone. Raises DirectoryUnavailable."""
    recipient = await recipient_of(directory, identity)
    return recipient if recipient is not None and recipient.database else None


async def answers(
    directory: Directory, own: Recipient | None, addresses: Sequence[str]
) -> dict[str, Recipient | str | None]:
    """By address as it was asked about: the caller's own mailbox; the outside address (a text) to ask about instead, where it is
    a contact's; None for every other address, whether somebody has it or not. Raises DirectoryUnavailable."""
    folded = {address: fold(address) for address in addresses if len(address) <= MAX_ADDRESS}
    mine = {fold(address) for address in own.addresses} if own is not None else set()
    others = [address for address in folded.values() if address not in mine]
    known = await directory.recipients(others) if own is not None and others else {}

    def answer(address: str) -> Recipient | str | None:
        if folded.get(address) in mine:
            return own
        recipient = known.get(folded.get(address, ""))
        outside = recipient is not None and recipient.type is RecipientType.CONTACT
        return recipient.target or None if recipient is not None and outside else None

    return {address: answer(address) for address in addresses}
