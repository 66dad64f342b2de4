"""Keeps the list of delivered messages that the calendar attendant has not finished."""

from __future__ import annotations

from uuid import UUID

from postern.model.assistants import AssistantStore, WaitingMeeting
from postern.model.item_store import RenderedItem
from postern.model.resources import Put
from postern.store import wire
from postern.store.resources import ResourceDatabase, put_call

_LAND = put_call("land_meeting", "bigint")
_WAITING = """
    SELECT m.guid, g.item FROM meetings g JOIN mailboxes m ON m.id = g.mailbox
    WHERE g.item > $2::bigint AND ($1::uuid IS NULL OR m.guid = $1::uuid) ORDER BY g.item LIMIT $3::bigint
"""
_PROMISE = """
    UPDATE meetings g SET promise = coalesce(g.promise, $3::bigint) FROM mailboxes m
    WHERE g.item = $2::bigint AND m.id = g.mailbox AND m.guid = $1::uuid RETURNING g.promise
"""
_FINISH = """
    DELETE FROM meetings g USING mailboxes m WHERE g.item = $2::bigint AND m.id = g.mailbox AND m.guid = $1::uuid
    RETURNING g.item
"""


class AssistantDatabase(ResourceDatabase, AssistantStore):
    """The part of a mailbox database that keeps the list, beside the named items that meetings become."""

    async def waiting_meetings(
        self, mailbox: UUID | None = None, after: int = 0, most: int = 100
    ) -> list[WaitingMeeting]:
        parameters = [None if mailbox is None else mailbox.bytes, wire.int8(after), wire.int8(most)]
        return [
            WaitingMeeting(UUID(bytes=guid), wire.to_int8(item))
            for guid, item in await self._pool.run(_WAITING, parameters)
        ]

    async def land_meeting(
        self,
        mailbox: UUID,
        message: int,
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        expected: bytes,
    ) -> Put:
        own = [wire.int8(message)]
        return await self._put(_LAND, own, mailbox, folder, name, content, item_class, rendered, expected, True)

    async def promise(self, mailbox: UUID, message: int, number: int | None = None) -> int | None:
        parameters = [mailbox.bytes, wire.int8(message), None if number is None else wire.int8(number)]
        rows = await self._pool.run(_PROMISE, parameters)
        return wire.to_int8(rows[0][0]) if rows and rows[0][0] is not None else None

    async def finish_meeting(self, mailbox: UUID, message: int) -> bool:
        return bool(await self._pool.run(_FINISH, [mailbox.bytes, wire.int8(message)]))
