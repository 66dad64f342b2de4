"""Stores named items under conditions, moves and removes them by name, and sets their reminders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from uuid import UUID

from postern.model.item_store import RenderedItem
from postern.model.items import NewItem
from postern.model.mailbox import MailboxError
from postern.model.resources import NewResource, Put, content_tag
from postern.store import items as item_work
from postern.store import wire
from postern.store.columns import ITEM_COLUMNS, arrays, within
from postern.store.notices import Notices
from postern.store.rendered import PLACES, placeholders
from postern.store.resource_checks import (
    checked,
    checked_name,
    checked_rendered,
    checked_resource_class,
    chosen_name,
    is_name,
)
from postern.store.resource_lookup import ResourceLookup

_SET_REMINDER = """
    WITH its AS (
        SELECT r.item FROM resources r JOIN folders f ON f.id = r.folder JOIN mailboxes m ON m.id = f.mailbox
        WHERE r.item = $2::bigint AND m.guid = $1::uuid
    ), written AS (
        UPDATE resources r SET reminds = $4::bigint FROM its WHERE r.item = its.item AND r.reminds = $3::bigint
        RETURNING r.item
    )
    SELECT (SELECT count(*) FROM its), (SELECT count(*) FROM written)
"""


def _call(head: str, start: int) -> str:
    """Returns the placeholders of `head`, and from the number `start` on those of tags, ITEM_COLUMNS and a batch."""
    return f"{head}, {placeholders(start, 1 + len(ITEM_COLUMNS) + PLACES)}"


def put_call(function: str, *own: str) -> str:
    """Returns the statement that puts a named item by a function, whose parameters are of its `own` types and then those of
    `put_resource`."""
    types = (*own, "uuid", "bigint", "text", "bytea", "boolean", "text", "bigint")
    head = ", ".join(f"${place}::{type_}" for place, type_ in enumerate(types, 1))
    return f"SELECT item, is_new, change FROM {function}({_call(head, len(types) + 1)})"  # noqa: S608 (our own words)


_PUT = put_call("put_resource")
_REMOVE = "SELECT remove_resource($1::uuid, $2::bigint, $3::text, $4::bytea)"
REPLACE = f"""SELECT replace_resource({_call("$1::uuid, $2::bigint, $3::text, $4::text, $5::bigint, $6::bigint", 7)})"""
ADD = f"""SELECT ids, change FROM add_resources({
    _call(item_work.PLACED_ITEMS + ", $10::text[], $11::boolean, $12::bigint", 13)
})"""  # noqa: S608 (our own words)


class ResourceDatabase(ResourceLookup):
    """The part of a mailbox database that keeps named items."""

    _notices: Notices

    async def put(
        self,
        mailbox: UUID,
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        expected: bytes | None = None,
        unique_uid: bool = False,
    ) -> Put:
        return await self._put(_PUT, [], mailbox, folder, name, content, item_class, rendered, expected, unique_uid)

    async def _put(
        self,
        statement: str,
        own: Sequence[wire.Parameter],
        mailbox: UUID,
        folder: int,
        name: str,
        content: bytes,
        item_class: str,
        rendered: RenderedItem,
        expected: bytes | None,
        unique_uid: bool,
    ) -> Put:
        """Puts a named item by a statement of `put_call`; `own` are the function's own parameters."""
        checked_name(name)
        checked_rendered(rendered)
        tag = content_tag(content)
        parameters = [
            *own,
            mailbox.bytes,
            wire.int8(folder),
            wire.text(name),
            expected,
            wire.boolean(unique_uid),
            wire.text(checked_resource_class(item_class)),
            wire.int8(int(time.time())),
            wire.byteas([tag]),
            *arrays([rendered], ITEM_COLUMNS),
            *(await item_work.rendered([content], exactly=True)).parameters(),
        ]
        item, is_new, change = (await item_work.retried(self._pool, statement, parameters))[0]
        self._notices.changed(mailbox, wire.to_int8(change))
        return Put(wire.to_int8(item), tag, is_new == b"\x01")

    async def add(
        self, mailbox: UUID, folder: int, resources: Sequence[NewResource], unique_uids: bool = False
    ) -> list[int]:
        return await self._made(mailbox, ADD, await self._new(mailbox, folder, resources, unique_uids))

    async def _new(
        self, mailbox: UUID, folder: int, resources: Sequence[NewResource], unique_uids: bool
    ) -> list[wire.Parameter]:
        """Renders new named items, and returns the parameters of ADD."""
        names = checked(resources, unique_uids)
        items = [NewItem(each.content, each.flags, each.internal_date, each.item_class) for each in resources]
        batch = await item_work.new_items(mailbox, folder, items, [each.item_class for each in resources], exactly=True)
        return [
            *batch[:-PLACES],
            wire.texts(names),
            wire.boolean(unique_uids),
            wire.int8(int(time.time())),
            wire.byteas([content_tag(each.content) for each in resources]),
            *arrays([each.rendered for each in resources], ITEM_COLUMNS),
            *batch[-PLACES:],
        ]

    async def _made(self, mailbox: UUID, statement: str, parameters: list[wire.Parameter]) -> list[int]:
        """Makes items by a statement that gives their ids, which it returns, and the number of the change."""
        ids, change = (await item_work.retried(self._pool, statement, parameters))[0]
        self._notices.changed(mailbox, wire.to_int8(change))
        return wire.to_int8s(ids)

    async def replace(
        self,
        mailbox: UUID,
        item: int,
        content: bytes,
        rendered: RenderedItem,
        item_class: str = "",
        unchanged_since: int | None = None,
    ) -> Put:
        parameters = await self._other(mailbox, item, content, rendered, item_class, unchanged_since)
        rows = await item_work.retried(self._pool, REPLACE, parameters)
        self._notices.changed(mailbox, wire.to_int8(rows[0][0]))
        return Put(item, content_tag(content), False)

    async def _other(
        self,
        mailbox: UUID,
        item: int,
        content: bytes,
        rendered: RenderedItem,
        item_class: str,
        unchanged_since: int | None,
    ) -> list[wire.Parameter]:
        """Renders another content of a named item, and returns the parameters of REPLACE."""
        checked_rendered(rendered)
        return [
            mailbox.bytes,
            wire.int8(item),
            wire.text(chosen_name(item_class)),
            wire.text(item_work.checked_class(item_class) if item_class else ""),
            wire.int8(-1 if unchanged_since is None else unchanged_since),
            wire.int8(int(time.time())),
            wire.byteas([content_tag(content)]),
            *arrays([rendered], ITEM_COLUMNS),
            *(await item_work.rendered([content], exactly=True)).parameters(),
        ]

    async def remove(self, mailbox: UUID, folder: int, name: str, expected: bytes | None = None) -> None:
        await self._remove(_REMOVE, [], mailbox, folder, name, expected)

    async def _remove(
        self,
        statement: str,
        own: Sequence[wire.Parameter],
        mailbox: UUID,
        folder: int,
        name: str,
        expected: bytes | None,
    ) -> None:
        """Removes a named item by a statement whose parameters are `own` and then those of `remove_resource`."""
        parameters = [*own, mailbox.bytes, wire.int8(folder), wire.text(name if is_name(name) else ""), expected]
        rows = await self._pool.run(statement, parameters)
        self._notices.changed(mailbox, wire.to_int8(rows[0][0]))

    async def place(
        self,
        mailbox: UUID,
        folder: int,
        name: str,
        target: int,
        new_name: str,
        move: bool,
        overwrite: bool,
        unique_uid: bool = False,
    ) -> Put:
        parameters = [
            mailbox.bytes,
            wire.int8(folder),
            wire.text(name if is_name(name) else ""),
            wire.int8(target),
            wire.text(checked_name(new_name)),
            *map(wire.boolean, (move, overwrite, unique_uid)),
        ]
        rows = await self._pool.run(
            "SELECT item, tag, is_new, change FROM place_resource("
            "$1::uuid, $2::bigint, $3::text, $4::bigint, $5::text, $6::boolean, $7::boolean, $8::boolean)",
            parameters,
        )
        item, tag, is_new, change = rows[0]
        self._notices.changed(mailbox, wire.to_int8(change))
        return Put(wire.to_int8(item), tag or b"", is_new == b"\x01")

    async def set_reminder(self, mailbox: UUID, item: int, was: int, at: int | None) -> bool:
        time_or_none = None if at is None else wire.int8(within(at))
        rows = await self._pool.run(
            _SET_REMINDER, [mailbox.bytes, wire.int8(item), wire.int8(within(was)), time_or_none]
        )
        is_there, is_written = map(wire.to_int8, rows[0])
        if not is_there:
            raise MailboxError("NONEXISTENT", "No such item")
        return bool(is_written)
