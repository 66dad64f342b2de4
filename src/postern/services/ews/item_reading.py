"""Items read for an answer or a search, whatever their kinds: most folders hold one kind, and one question brings its parts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Protocol

from postern.model.item_store import PropertyName
from postern.net.turns import turns_of
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.fields.field import Prepare
from postern.services.ews.item_view import PAGE, PAGE_OCTETS, ItemView, Need, load
from postern.services.ews.kinds import ItemKind, kind_of_view
from postern.services.scheduling.aside import aside

_CONTENTS = 50
"""Contents that are worked on between two turns of the event loop."""


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


async def read_views(call: Call, mailbox: Mailbox, ids: Sequence[int], reader: Reader) -> AsyncIterator[list[ItemView]]:
    """Reads these items with the parts that the reader needs, in the order of `ids`, in lists whose contents fit into memory.
    Those that are not there, or that the caller may not see, are left out."""
    for start in range(0, len(ids), PAGE):
        # Contents are read in smaller parts, when it is known how large they are.
        needs = reader.likely & ~Need.CONTENT
        views = await load(call, mailbox, ids[start : start + PAGE], needs)
        async for part in completed(call, mailbox, views, needs, reader):
            yield part


async def completed(
    call: Call, mailbox: Mailbox, views: Sequence[ItemView], had: Need, reader: Reader
) -> AsyncIterator[list[ItemView]]:
    """The views that were read with the parts `had`, in their order, with all that the reader needs, in lists whose contents fit
    into memory. Between two lists the event loop gets its turn."""
    counts = Counter(reader.needs_of(kind_of_view(view)) for view in views)
    waiting: list[ItemView] = []
    contents = octets = 0
    for view in views:
        if reader.needs_of(kind_of_view(view)) & ~had & Need.CONTENT:
            if contents and (contents >= _CONTENTS or octets + view.stored.size > PAGE_OCTETS):
                yield await complete(call, mailbox, waiting, had, reader)
                await turns_of(asyncio.get_running_loop()).come()
                waiting, contents, octets = [], 0, 0
            contents += 1
            octets += view.stored.size
        waiting.append(view)
    if counts:
        # Most folders hold items of one kind: the next ones are read with what these needed.
        reader.likely = counts.most_common(1)[0][0]
        yield await complete(call, mailbox, waiting, had, reader)


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
    for view in fresh.values():
        # What meeting a large message brings is found in a thread; the kind of the view depends on it.
        await aside(view.content or b"", partial(kind_of_view, view))
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
