"""Changes of an item that are more than its content: with its flags and its bag, all at once.

What a client makes of one item in one request is one call here, and one transaction. So nobody sees half of it, and nothing that
ends between two calls leaves half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from postern.model.item_store import RenderedItem
from postern.model.items import NewItem
from postern.model.resources import NewResource, Put


@dataclass(frozen=True, slots=True)
class Beside:
    """The flags and properties that an item gets beside its content.

    `flags` are its system flags; None leaves those that it has, and keywords stay in any case. `properties` are set in its bag,
    as `ItemStore.set_properties` sets them; None takes one out."""

    flags: int | None = None
    properties: Mapping[int, bytes | None] = field(default_factory=dict)


NOTHING_BESIDE = Beside()


class EditStore(Protocol):
    """Makes and changes items with what they have beside their contents, all or nothing. Each method also raises MailboxError:
    LIMIT for a bag that would be larger than MAX_PROPERTIES and MAX_PROPERTY_OCTETS, CANNOT for what is no tag."""

    async def create_with(
        self, mailbox: UUID, folder: int, items: Sequence[NewItem], properties: Mapping[int, bytes]
    ) -> list[int]:
        """Does what `ItemStore.create` does; each item has these properties in its bag."""
        ...

    async def add_with(
        self,
        mailbox: UUID,
        folder: int,
        resources: Sequence[NewResource],
        properties: Mapping[int, bytes],
        unique_uids: bool = False,
    ) -> list[int]:
        """Does what `ResourceStore.add` does; each item has these properties in its bag."""
        ...

    async def edit(
        self,
        mailbox: UUID,
        item: int,
        beside: Beside,
        content: bytes | None = None,
        rendered: RenderedItem | None = None,
        item_class: str = "",
        unchanged_since: int | None = None,
    ) -> int:
        """Changes an item, and returns the number of the change that last touched it: an edit that changes nothing is none.

        With `content` it does what `ItemStore.update` does, and with `rendered` what `ResourceStore.replace` does; `item_class`
        counts only then. Raises MailboxError as these do, and MODIFIED where the item changed after the change number
        `unchanged_since`."""
        ...

    async def send(
        self,
        mailbox: UUID,
        item: int,
        beside: Beside,
        content: bytes | None = None,
        unchanged_since: int | None = None,
    ) -> int:
        """Does what `edit` does with a message, moves it to the outbox and submits it as `Outbox.submit` does. Returns the number
        of the change."""
        ...

    async def put_with(
        self,
        mailbox: UUID,
        letters: Sequence[int],
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        beside: Beside,
        expected: bytes | None = None,
        unique_uid: bool = False,
        unchanged_since: int | None = None,
    ) -> Put:
        """Does what `MeetingStore.put_sending` does. Raises MailboxError as that does, and MODIFIED where the item of this name
        changed after the change number `unchanged_since`."""
        ...
