"""Stores and removes meetings in the transaction that submits the letters about them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from postern.model.item_store import RenderedItem
from postern.model.meetings import MeetingStore
from postern.model.resources import Put
from postern.store import wire
from postern.store.resource_checks import is_name
from postern.store.resources import ResourceDatabase

_REMOVE = "SELECT remove_sending($1::bigint[], $2::uuid, $3::bigint, $4::text, $5::bytea)"


class MeetingDatabase(ResourceDatabase, MeetingStore):
    """The part of a mailbox database that changes meetings, beside the named items that they are."""

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
        return await self.put(
            mailbox, folder, name, content, item_class, rendered, expected, unique_uid, letters=letters
        )

    async def remove_sending(
        self, mailbox: UUID, letters: Sequence[int], folder: int, name: str, expected: bytes | None = None
    ) -> None:
        parameters = [
            wire.int8s(letters),
            mailbox.bytes,
            wire.int8(folder),
            wire.text(name if is_name(name) else ""),
            expected,
        ]
        rows = await self._pool.run(_REMOVE, parameters)
        self._notices.changed(mailbox, wire.to_int8(rows[0][0]))
