"""Items read for an answer or a search, whatever their kinds: most folders hold one kind, and one question brings its parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from postern.model.item_store import PropertyName
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.fields.field import Prepare
from postern.services.ews.item_view import ItemView, Need, load
from postern.services.ews.kinds import ItemKind, kind_of_view


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
    views = await load(call, mailbox, ids, needs)
    counts = Counter(reader.needs_of(kind_of_view(view)) for view in views)
    if counts:
        # Most folders hold items of one kind: the next page is read with what this one needed.
        reader.likely = counts.most_common(1)[0][0]
    return await complete(call, mailbox, views, needs, reader)


async def complete(
    call: Call, mailbox: Mailbox, views: Sequence[ItemView], had: Need, reader: Reader
) -> list[ItemView]:
    """The views that were read with the parts `had`, in their order, prepared. Those of a kind that needs more are read again."""
    again: dict[Need, list[int]] = {}
    for view in views:
        needs = reader.needs_of(kind_of_view(view))
        if needs & ~had:
            again.setdefault(needs, []).append(view.stored.id)
    fresh: dict[int, ItemView] = {}
    for needs, numbers in again.items():
        fresh.update((view.stored.id, view) for view in await load(call, mailbox, numbers, needs))
    missing = {number for numbers in again.values() for number in numbers} - fresh.keys()
    ready = [fresh.get(view.stored.id, view) for view in views if view.stored.id not in missing]
    await prepare(mailbox, ready, reader)
    return ready


async def prepare(mailbox: Mailbox, views: Sequence[ItemView], reader: Reader) -> None:
    """Gives the views the numbers of named properties, and what else a kind reads for all of its items at once."""
    by_kind: dict[str, tuple[ItemKind, list[ItemView]]] = {}
    for view in views:
        kind = kind_of_view(view)
        by_kind.setdefault(kind.key, (kind, []))[1].append(view)
    names = [name for kind, _ in by_kind.values() for name in reader.names_of(kind)]
    numbers = await mailbox.numbers(names) if names else {}
    for kind, alike in by_kind.values():
        for view in alike:
            view.numbers = numbers
        for each in reader.preparations(kind):
            await each(alike)
