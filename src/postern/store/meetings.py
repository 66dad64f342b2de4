"""Stores and removes meetings in the transaction that submits the letters about them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from postern.model.item_store import RenderedItem
from postern.model.meetings import MeetingStore
from postern.model.resources import Put
from postern.store import wire
from postern.store.resources import ResourceDatabase, put_call

_PUT = put_call("put_sending", "bigint[]")
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
        own = [wire.int8s(letters)]
        return await self._put(_PUT, own, mailbox, folder, name, content, item_class, rendered, expected, unique_uid)

    async def remove_sending(
        self, mailbox: UUID, letters: Sequence[int], folder: int, name: str, expected: bytes | None = None
    ) -> None:
        await self._remove(_REMOVE, [wire.int8s(letters)], mailbox, folder, name, expected)
