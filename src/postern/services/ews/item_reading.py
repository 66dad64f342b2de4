"""Items read for a search, whatever their kinds: most folders hold one kind, and one question brings its parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from postern.model.item_store import PropertyName
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.fields.field import Prepare
from postern.services.ews.item_view import ItemView, Need, load
from postern.services.ews.kinds import ItemKind, kind_of


class Reader(Protocol):
    """A reader of items. `likely` are the parts that the next ones will probably need."""

    likely: Need

    def needs_of(self, kind: ItemKind) -> Need:
        """The parts that it needs of an item of this kind."""
        ...

    def names_of(self, kind: ItemKind) -> Sequence[PropertyName]:
        """The named properties that it reads of an item of this kind; their numbers are in `ItemView.numbers`."""
        ...

    def preparations(self, kind: ItemKind) -> Sequence[Prepare]:
        """The parts that are read for all items of this kind at once."""
        ...


async def read_views(call: Call, mailbox: Mailbox, ids: Sequence[int], reader: Reader) -> list[ItemView]:
    """Reads these items with the parts that the reader needs, in the order of `ids`; those that are not there, or that the caller
    may not see, are left out. Ask for few at a time: PAGE."""
    needs = reader.likely
    return await _complete(call, mailbox, await load(call, mailbox, ids, needs), needs, reader)


async def _complete(
    call: Call, mailbox: Mailbox, views: Sequence[ItemView], had: Need, reader: Reader
) -> list[ItemView]:
    """Reads again those of these items of whose kind the reader needs more than they were read with."""
    again: dict[Need, list[int]] = {}
    counts: dict[Need, int] = {}
    for view in views:
        needs = reader.needs_of(kind_of(view.stored.item_class))
        counts[needs] = counts.get(needs, 0) + 1
        if needs & ~had:
            again.setdefault(needs, []).append(view.stored.id)
    if counts:
        reader.likely = max(counts, key=lambda needs: counts[needs])
    complete = list(views)
    if again:
        anew = {view.stored.id: view for needs, ids in again.items() for view in await load(call, mailbox, ids, needs)}
        asked = {number for ids in again.values() for number in ids}
        complete = [
            view if view.stored.id not in asked else anew[view.stored.id]
            for view in views
            if view.stored.id not in asked or view.stored.id in anew
        ]
    await _prepare(mailbox, complete, reader)
    return complete


async def _prepare(mailbox: Mailbox, views: Sequence[ItemView], reader: Reader) -> None:
    """Gives the views the numbers of named properties, and what else a kind reads for all of its items at once."""
    by_kind: dict[str, list[ItemView]] = {}
    for view in views:
        by_kind.setdefault(view.stored.item_class, []).append(view)
    names = [name for item_class in by_kind for name in reader.names_of(kind_of(item_class))]
    numbers = await mailbox.numbers(names) if names else {}
    for item_class, alike in by_kind.items():
        if numbers:
            for view in alike:
                view.numbers = numbers
        for prepare in reader.preparations(kind_of(item_class)):
            await prepare(alike)
