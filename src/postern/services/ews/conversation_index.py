"""The conversations of mailboxes: which items belong together.

A conversation's number follows from the subject of each of its messages (items.conversations), so that nothing has to be stored.
To find the messages of one, a process reads the envelopes of a mailbox once, when a program first asks for conversations, and
afterwards what has changed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from postern.items import conversations
from postern.model.folders import is_class
from postern.model.item_store import ItemStore
from postern.model.items import MESSAGE, Column
from postern.net.turns import turns_of
from postern.protocols.mime.rendered_values import read_subject
from postern.protocols.mime.words import decode_words

PAGE = 500
"""Items whose envelopes are read between two turns of the event loop."""
MAX_ITEMS = 200_000
"""Messages of one mailbox that are in conversations; later ones are in none."""
MAX_KEPT = 400_000
"""Messages of all mailboxes that one process remembers, some 80 MB."""
_MAIL = (MESSAGE, "IPM.Schedule", "IPM.Post", "REPORT")


@dataclass(slots=True)
class _Index:
    """The conversations of one mailbox up to a change number: by item, the number of its conversation, and when it came."""

    change: int = 0
    numbers: dict[int, int] = field(default_factory=dict)
    dates: dict[int, int] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def forget(self, item: int) -> None:
        """The item is gone, or is no message."""
        self.numbers.pop(item, None)
        self.dates.pop(item, None)


class ConversationIndex:
    """The conversations that one process knows."""

    def __init__(self) -> None:
        self._indexes: OrderedDict[UUID, _Index] = OrderedDict()

    async def of(self, mailbox: UUID, items: ItemStore) -> Mapping[int, int]:
        """By item, the number of its conversation: for all messages of a mailbox as it stands now, whoever may see them. Raises
        MailboxError."""
        return (await self._renewed(mailbox, items)).numbers

    async def dated(self, mailbox: UUID, items: ItemStore) -> tuple[Mapping[int, int], Mapping[int, int]]:
        """The same, and by item when it came into the mailbox, in seconds since the epoch. Raises MailboxError."""
        index = await self._renewed(mailbox, items)
        return index.numbers, index.dates

    async def _renewed(self, mailbox: UUID, items: ItemStore) -> _Index:
        index = self._indexes.setdefault(mailbox, _Index())
        self._indexes.move_to_end(mailbox)
        async with index.lock:
            await _renew(index, items, mailbox)
        self._shrink(mailbox)
        return index

    def _shrink(self, latest: UUID) -> None:
        """Forgets mailboxes that were not asked for lately."""
        kept = sum(len(index.numbers) for index in self._indexes.values())
        while kept > MAX_KEPT and (oldest := next(iter(self._indexes))) != latest:
            kept -= len(self._indexes.pop(oldest).numbers)


async def _renew(index: _Index, items: ItemStore, mailbox: UUID) -> None:
    more = True
    while more:
        told = await items.changes(mailbox, None, index.change, PAGE)
        if told.change < index.change:  # the mailbox was restored from a backup
            index.numbers.clear()
            index.dates.clear()
            index.change = 0
            continue
        for number in told.removed:
            index.forget(number)
        await _read(index, items, mailbox, [*told.created, *told.changed])
        index.change, more = told.change, told.more


async def _read(index: _Index, items: ItemStore, mailbox: UUID, ids: Sequence[int]) -> None:
    turns = turns_of(asyncio.get_running_loop())
    for start in range(0, len(ids), PAGE):
        told = await items.columns(mailbox, ids[start : start + PAGE], Column.ENVELOPE)
        await turns.come()
        for item, envelope in zip(told.items, told.envelopes, strict=True):
            if not is_class(item.item_class, *_MAIL):
                index.forget(item.id)
            elif item.id in index.numbers or len(index.numbers) < MAX_ITEMS:
                index.numbers[item.id] = number_of(envelope)
                index.dates[item.id] = item.internal_date


def number_of(envelope: bytes) -> int:
    """The number of the conversation that a message belongs to, by its rendered envelope.

    Bound: linear in the envelope.
    """
    subject = decode_words(read_subject(envelope)).strip()
    return conversations.number_of(conversations.topic_of(subject))


def members(numbers: Mapping[int, int], wanted: Collection[int]) -> dict[int, list[int]]:
    """The items of these conversations, by conversation, the newest id first."""
    together: dict[int, list[int]] = {each: [] for each in wanted}
    for item, number in numbers.items():
        if number in together:
            together[number].append(item)
    return {number: sorted(items, reverse=True) for number, items in together.items()}
