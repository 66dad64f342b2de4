"""Keeps the booking policies of rooms, each with its room's calendar: a property of that folder, by name.

So a policy is where the calendar is, is restored and purged with it, and needs no attribute of a directory. Exchange 2007 keeps
its own in the resource's mailbox, too. The value is JSON of `items.booking_values`, as text (PtypString).
"""

from __future__ import annotations

import json
from typing import Protocol
from uuid import UUID

from postern.items.booking import Policy
from postern.items.booking_values import policy_of, values_of
from postern.model.directory import Recipient
from postern.model.folders import FolderKind, FolderTree
from postern.model.item_store import ItemStore, PropertyName
from postern.model.mailbox import MailboxError
from postern.services.mailbox.speakers import Left

_NAME = PropertyName(UUID("6f2b4c1e-8d0a-4a53-9b7e-2c5d1f6e9a30"), None, "Postern:booking-policy")
_UNICODE = 0x001F
"""PtypString (MS-OXCDATA section 2.11.1): UTF-16 with a zero at the end."""


class PolicyStore(FolderTree, ItemStore, Protocol):
    """The store as policies are kept in it."""


class BookingPolicies:
    """The policies of the rooms in one store."""

    def __init__(self, store: PolicyStore) -> None:
        self._store = store

    async def of(self, room: Recipient) -> Policy:
        """Returns the policy of a room. Raises MailboxError, and Left where what is kept cannot be read."""
        try:
            return await self.read(room.guid)
        except ValueError as error:
            raise Left(f"the settings of the room cannot be read: {error}") from None

    async def read(self, mailbox: UUID) -> Policy:
        """Returns the policy that is kept in a mailbox, the default one where there is none. Raises MailboxError, and ValueError
        for one that cannot be read."""
        calendar, tag = await self._place(mailbox, create=False)
        if not tag:
            return Policy()
        bag = (await self._store.folder_properties(mailbox, [calendar])).get(calendar, {})
        if tag not in bag:
            return Policy()
        values = json.loads(bag[tag].decode("utf-16-le").removesuffix("\0"))
        if not isinstance(values, dict):
            raise ValueError("the settings of the room cannot be read")
        return policy_of(values)

    async def write(self, mailbox: UUID, policy: Policy) -> None:
        """Keeps a policy. Raises MailboxError: NONEXISTENT for a mailbox that was never opened, LIMIT."""
        calendar, tag = await self._place(mailbox, create=True)
        values = values_of(policy)
        text = json.dumps(values, ensure_ascii=False, sort_keys=True) + "\0" if values else None
        value = text.encode("utf-16-le") if text is not None else None
        await self._store.set_folder_properties(mailbox, calendar, {tag: value})

    async def _place(self, mailbox: UUID, create: bool) -> tuple[int, int]:
        """Returns the calendar and the property's tag; the tag is 0 where no policy was ever kept."""
        nodes = await self._store.tree(mailbox)
        calendar = next((node.id for node in nodes if node.kind is FolderKind.CALENDAR), 0)
        if not calendar:
            raise MailboxError("NONEXISTENT", "The mailbox has no calendar")
        (number,) = await self._store.property_ids(mailbox, [_NAME], create=create)
        return calendar, number << 16 | _UNICODE if number else 0
