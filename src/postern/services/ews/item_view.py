"""Items as they are read for an answer: what the store says of them, and as much of their content as the answer needs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, TypeVar
from uuid import UUID

from postern.model.folders import FolderNode
from postern.model.item_store import ItemColumns, StoredItem
from postern.model.items import Column
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, change_key
from postern.services.ews.access import Call, Mailbox

PAGE = 200
"""Items whose contents are read at once."""
PAGE_OCTETS = 4 << 20
"""Octets of contents that are read at once; a larger content is read alone."""
V = TypeVar("V")


class Need(IntFlag):
    """The parts of an item that a property is read from, beside what the store always says."""

    ENVELOPE = 1
    """IMAP's ENVELOPE, rendered at delivery."""
    STRUCTURE = 2
    """IMAP's BODYSTRUCTURE."""
    HEADER = 4
    CONTENT = 8
    BAG = 16
    """The properties that no content has a place for."""


NOTHING = Need(0)
_COLUMNS = {
    Need.ENVELOPE: Column.ENVELOPE,
    Need.STRUCTURE: Column.BODYSTRUCTURE,
    Need.HEADER: Column.HEADER,
    Need.CONTENT: Column.CONTENT,
}


@dataclass(slots=True)
class ItemView:
    """An item as one request reads it. `node` is its folder. What was not needed is empty, and `content` None. `start` is set in
    the view of one occurrence of a series: its original start in seconds since the epoch. `numbers` are those of named
    properties in this mailbox. `parsed` keeps what was read of the content, by the function that read it."""

    call: Call
    mailbox: Mailbox
    node: FolderNode
    stored: StoredItem
    envelope: bytes = b""
    structure: bytes = b""
    header: bytes = b""
    content: bytes | None = None
    bag: Mapping[int, bytes] = field(default_factory=dict)
    numbers: Mapping[Any, int] = field(default_factory=dict)
    start: int | None = None
    parsed: dict[object, Any] = field(default_factory=dict)

    @property
    def id(self) -> ItemId:
        return ItemId(self.mailbox.id, self.stored.id, self.start)

    @property
    def change_key(self) -> str:
        return change_key(self.stored.change)

    @property
    def in_store(self) -> tuple[UUID, StoredItem]:
        return self.mailbox.id, self.stored


async def load(call: Call, mailbox: Mailbox, ids: Sequence[int], needs: Need) -> list[ItemView]:
    """Reads these items in the order of `ids`; those that are not there, or that the caller may not see, are left out. Where
    contents are needed, all of them are in memory: ask `load_pages` for those of items whose sizes are not known. A content that
    did not fit beside the others is asked for alone."""
    return await views_of(call, mailbox, await mailbox.store.columns(mailbox.id, ids, columns_of(needs)), needs)


async def load_pages(call: Call, mailbox: Mailbox, ids: Sequence[int], needs: Need) -> AsyncIterator[list[ItemView]]:
    """Reads these items as `load` does, in lists whose contents fit into memory: PAGE items, or PAGE_OCTETS."""
    page: list[int] = []
    octets = 0
    for start in range(0, len(ids), PAGE):
        for item in await mailbox.store.get(mailbox.id, ids[start : start + PAGE]):
            if page and (len(page) >= PAGE or octets + item.size > PAGE_OCTETS):
                yield await load(call, mailbox, page, needs)
                page, octets = [], 0
            page.append(item.id)
            octets += item.size
    if page:
        yield await load(call, mailbox, page, needs)


async def load_one(call: Call, wanted: ItemId, needs: Need) -> ItemView:
    """Reads the item that an id names; `start` is left to the caller. Raises EwsError ErrorItemNotFound for one that is not
    there, or that the caller may not see."""
    mailbox = await call.mailbox_with(wanted.mailbox)
    await mailbox.nodes()
    for view in await load(call, mailbox, [wanted.item], needs):
        return view
    raise EwsError(Code.ITEM_NOT_FOUND)


class ReadOnce:
    """Items that are read once for all that a request asks of them near each other. Those that were used last stay, up to
    PAGE_OCTETS of contents."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self._views: OrderedDict[ItemId, ItemView] = OrderedDict()

    async def view(self, wanted: ItemId, needs: Need) -> ItemView:
        """The view of an item, with parts that are the same for all items. Raises EwsError as `load_one`."""
        if wanted not in self._views:
            # The new one takes the place of others before it is in memory.
            self._leave(PAGE_OCTETS // 2)
            view = await load_one(self.call, wanted, needs)
            self._leave(PAGE_OCTETS - len(view.content or b""))
            self._views[wanted] = view
        self._views.move_to_end(wanted)
        return self._views[wanted]

    def _leave(self, octets: int) -> None:
        """Forgets those that were used longest ago, until the others have so many octets at most."""
        kept = sum(len(each.content or b"") for each in self._views.values())
        while self._views and kept > octets:
            kept -= len(self._views.popitem(last=False)[1].content or b"")


def columns_of(needs: Need) -> Column:
    """The columns of the store that these parts of an item are in."""
    columns = Column(0)
    for need, column in _COLUMNS.items():
        if needs & need:
            columns |= column
    return columns


async def views_of(call: Call, mailbox: Mailbox, told: ItemColumns, needs: Need) -> list[ItemView]:
    """The views of items that were read with the columns of `needs`."""
    nodes = await mailbox.nodes()
    bags = await mailbox.store.bags(mailbox.id, [item.id for item in told.items]) if needs & Need.BAG else {}
    views = []
    for place, item in enumerate(told.items):
        node = nodes.get(item.folder)
        if node is None:
            continue
        content = item.content
        if content is None and needs & Need.CONTENT:
            alone = await mailbox.store.get(mailbox.id, [item.id], True)
            content = alone[0].content if alone else None
        views.append(
            ItemView(
                call,
                mailbox,
                node,
                item,
                told.envelopes[place] if told.envelopes else b"",
                told.structures[place] if told.structures else b"",
                told.headers[place] if told.headers else b"",
                content,
                bags.get(item.id, {}),
            )
        )
    return views


def needed(parts: Iterable[Need]) -> Need:
    """All of these parts together."""
    needs = Need(0)
    for part in parts:
        needs |= part
    return needs
