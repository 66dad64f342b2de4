"""Makes and changes items with their flags and their bags, each in one statement: PostgreSQL does all of it or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from uuid import UUID

from postern.model.edits import Beside, EditStore
from postern.model.item_store import MAX_PROPERTIES, MAX_PROPERTY_OCTETS, RenderedItem
from postern.model.items import KEYWORD_BASE, NewItem
from postern.model.mailbox import MailboxError
from postern.model.resources import NewResource, Put
from postern.store import items as item_work
from postern.store import wire
from postern.store.item_store import CREATE, UPDATE, check_tags, update_parameters
from postern.store.meetings import MeetingDatabase
from postern.store.resources import ADD, REPLACE, put_call

_SYSTEM = (1 << KEYWORD_BASE) - 1
_BESIDE = ("bigint", "bigint", "bigint[]", "bytea[]", "bigint", "bigint")
"""The types of what `_beside` returns."""


def _count(statement: str) -> int:
    """The number of parameters that a statement has; one that has none has its mailbox and item before it."""
    return max((int(place) for place in re.findall(r"\$(\d+)", statement)), default=2)


def _filled(made: str) -> str:
    """Returns the statement that fills the bags of the items that another statement makes."""
    count = _count(made)
    return f"""SELECT m.ids, m.change FROM ({made}) AS m, LATERAL fill_bags(
        m.ids, ${count + 1}::bigint[], ${count + 2}::bytea[])"""  # noqa: S608 (our own words)


def _edited(changed: str) -> str:
    """Returns the statement that edits an item after another has changed its content: it needs the number of that change, so it
    comes after it. Both have the mailbox and the item as their parameters 1 and 2."""
    beside = ", ".join(f"${place}::{type_}" for place, type_ in enumerate(_BESIDE, _count(changed) + 1))
    return f"""SELECT e.change FROM ({changed}) AS c(change), LATERAL edit_item(
        $1::uuid, $2::bigint, {beside}, c.change) AS e"""  # noqa: S608 (our own words)


_CREATE = _filled(CREATE)
_ADD = _filled(ADD)
_UPDATE = _edited(UPDATE)
_REPLACE = _edited(REPLACE)
_ALONE = _edited("SELECT 0::bigint")
_FLAGS = f"SELECT e.change, set_config('synchronous_commit', 'off', true) FROM ({_ALONE}) AS e"  # noqa: S608 (our own words)
"""As `items.change_flags`, a change of flags alone does not wait for the disk."""
_SEND, _SEND_OTHER = (
    f"""SELECT s.change FROM ({edit}) AS e, LATERAL send_item($1::uuid, $2::bigint, e.change) AS s"""  # noqa: S608 (our own words)
    for edit in (_ALONE, _UPDATE)
)
_PUT = put_call("put_with", "bigint[]", *_BESIDE)


def _beside(beside: Beside, unchanged_since: int | None) -> list[wire.Parameter]:
    """The parameters of `edit_item` between the item and the change before. Raises MailboxError CANNOT."""
    check_tags(beside.properties)
    return [
        wire.int8(-1 if unchanged_since is None else unchanged_since),
        wire.int8(-1 if beside.flags is None else beside.flags & _SYSTEM),
        wire.int8s(beside.properties),
        wire.byteas(list(beside.properties.values())),
        wire.int8(MAX_PROPERTIES),
        wire.int8(MAX_PROPERTY_OCTETS),
    ]


def checked_bag(properties: Mapping[int, bytes]) -> Mapping[int, bytes]:
    """Returns the bag of a new item. Raises MailboxError: CANNOT, LIMIT."""
    check_tags(properties)
    if len(properties) > MAX_PROPERTIES or sum(map(len, properties.values())) > MAX_PROPERTY_OCTETS:
        raise MailboxError("LIMIT", "The item would have too many properties")
    return properties


def _bag(properties: Mapping[int, bytes]) -> list[wire.Parameter]:
    checked_bag(properties)
    return [wire.int8s(properties), wire.byteas(list(properties.values()))]


async def _mail(
    mailbox: UUID, item: int, beside: Beside, content: bytes | None, item_class: str, unchanged_since: int | None
) -> list[wire.Parameter]:
    """The parameters of _ALONE, or with a content those of _UPDATE: that looks at the condition before it changes the item."""
    if content is None:
        return [mailbox.bytes, wire.int8(item), *_beside(beside, unchanged_since)]
    update = await update_parameters(mailbox, item, content, item_class, unchanged_since)
    return [*update, *_beside(beside, None)]


class EditDatabase(MeetingDatabase, EditStore):
    """The part of a mailbox database that makes and changes whole items."""

    async def create_with(
        self, mailbox: UUID, folder: int, items: Sequence[NewItem], properties: Mapping[int, bytes]
    ) -> list[int]:
        bag = _bag(properties)
        classes = [item_work.checked_class(item.item_class) for item in items]
        return await self._made(mailbox, _CREATE, [*await item_work.new_items(mailbox, folder, items, classes), *bag])

    async def add_with(
        self,
        mailbox: UUID,
        folder: int,
        resources: Sequence[NewResource],
        properties: Mapping[int, bytes],
        unique_uids: bool = False,
    ) -> list[int]:
        bag = _bag(properties)
        return await self._made(mailbox, _ADD, [*await self._new(mailbox, folder, resources, unique_uids), *bag])

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
        if content is None or rendered is None:
            statement = _UPDATE if content is not None else _ALONE if beside.properties else _FLAGS
            parameters = await _mail(mailbox, item, beside, content, item_class, unchanged_since)
        else:
            statement = _REPLACE
            other = await self._other(mailbox, item, content, rendered, item_class, unchanged_since)
            parameters = [*other, *_beside(beside, None)]
        return await self._changed(mailbox, statement, parameters)

    async def send(
        self,
        mailbox: UUID,
        item: int,
        beside: Beside,
        content: bytes | None = None,
        unchanged_since: int | None = None,
    ) -> int:
        statement = _SEND if content is None else _SEND_OTHER
        parameters = await _mail(mailbox, item, beside, content, "", unchanged_since)
        return await self._changed(mailbox, statement, parameters)

    async def _changed(self, mailbox: UUID, statement: str, parameters: list[wire.Parameter]) -> int:
        """Changes an item by a statement that gives the number of the change, which it returns."""
        change = wire.to_int8((await item_work.retried(self._pool, statement, parameters))[0][0])
        self._notices.changed(mailbox, change)
        return change

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
        own = [wire.int8s(letters), *_beside(beside, unchanged_since)]
        return await self._put(_PUT, own, mailbox, folder, name, content, item_class, rendered, expected, unique_uid)
