"""Changes of meetings in somebody's own calendar, together with the letters that tell others about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from postern.model.item_store import RenderedItem
from postern.model.resources import Put


class MeetingStore(Protocol):
    """Named items that change together with the outbox. `letters` are the ids of items in the outbox of the mailbox, which
    `ItemStore.create` has put there and nobody has submitted. In the transaction of the change they are submitted as
    `Outbox.submit` does it, so that there is no change without its letters and no letter without its change."""

    async def put_sending(
        self,
        mailbox: UUID,
        letters: Sequence[int],
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        expected: bytes | None = None,
        unique_uid: bool = False,
    ) -> Put:
        """Does what `ResourceStore.put` does, and submits the letters, both or none. Raises what `put` raises, and MailboxError
        NONEXISTENT, too, for a letter that is not in the outbox."""
        ...

    async def remove_sending(
        self, mailbox: UUID, letters: Sequence[int], folder: int, name: str, expected: bytes | None = None
    ) -> None:
        """Does what `ResourceStore.remove` does, and submits the letters, both or none. It raises as `put_sending` does."""
        ...
