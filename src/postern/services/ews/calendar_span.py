"""The appointments and occurrences of a calendar that are in a span of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from postern.model.item_store import RenderedItem
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import When
from postern.services.ews.access import Call
from postern.services.ews.appointments import occurrence_of, of_view
from postern.services.ews.item_view import ItemView, Need, load_pages
from postern.services.ews.places import Place
from postern.services.scheduling.aside import aside, may_recur

MAX_LOOKED = 10_000
"""Appointments of a folder that are looked at for one span, and occurrences that are made of them."""
PAGE = 200
"""Appointments that are looked at together."""


class Span(NamedTuple):
    """A span in seconds since the epoch, its end not included, and how many entries are wanted."""

    start: int
    end: int
    most: int


class Entry(NamedTuple):
    """An appointment, or an occurrence by its number (`key`), in a span."""

    start: int
    item: int
    key: int | None
    recurrence: When | None = None


def _order(entry: Entry) -> tuple[int, int]:
    return entry.start, entry.item


async def entries_in(call: Call, place: Place, span: Span) -> tuple[list[Entry], bool]:
    """The entries in a span, in the order of starts, and whether these are all."""
    mailbox, entries = place.mailbox, list[Entry]()
    budget = call.steps
    after = looked = 0
    while looked < MAX_LOOKED:
        page = await mailbox.store.overlapping(mailbox.id, place.node.id, span.start, span.end, after, PAGE)
        if not page:
            entries.sort(key=_order)
            return entries[:MAX_LOOKED], len(entries) <= MAX_LOOKED and not budget.is_spent
        after, looked = max(page), looked + len(page)
        entries.extend(_simple(page, span))
        expanding = [number for number, item in page.items() if item.expands]
        async for views in load_pages(call, mailbox, expanding, Need.CONTENT):
            for view in views:
                octets = view.content or b""
                work = partial(_expanded, view, span, budget)
                entries.extend(await aside(octets, work, is_long=may_recur(octets)))
    entries.sort(key=_order)
    return entries, False


def _simple(page: dict[int, RenderedItem], span: Span) -> Iterator[Entry]:
    """Those that happen once, at a time that the store knows."""
    for number, item in page.items():
        if item.expands or item.starts is None or item.starts >= span.end:
            continue
        if item.ends is None or item.ends > span.start or item.starts >= span.start:
            yield Entry(item.starts, number, None)


def _expanded(view: ItemView, span: Span, budget: Budget) -> list[Entry]:
    it = of_view(view)
    base = it.series.masters[0] if it.series.masters else None
    number = view.stored.id
    entries = {}
    for each in it.series.between(span.start, span.end, MAX_LOOKED, budget):
        key = base.key(each.recurrence) if base is not None and each.recurrence is not None else None
        entries[key] = Entry(each.start, number, key, each.recurrence if key is not None else None)
    return list(entries.values())


async def views_of(view: ItemView, entries: Sequence[Entry]) -> list[tuple[Entry, ItemView]]:
    """The entries of one appointment, each with its view."""
    octets = view.content or b""
    return await aside(octets, lambda: [(entry, _of_entry(view, entry)) for entry in entries])


def _of_entry(view: ItemView, entry: Entry) -> ItemView:
    if entry.key is None or entry.recurrence is None:
        return view
    return occurrence_of(view, entry.key, entry.recurrence)
