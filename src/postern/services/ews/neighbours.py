"""The other appointments at the time of one: those that it conflicts with, and those that it adjoins (MS-OXWSMTGS section
2.2.4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from postern.items.rendered import busy_of, status_of
from postern.model.folders import FolderKind, FolderNode
from postern.model.item_store import Busy
from postern.protocols.ews.names import element, number
from postern.protocols.ews.shapes import Shape
from postern.services.ews import access
from postern.services.ews.appointments import Times, of_view
from postern.services.ews.calendar_span import Entry, Span, entries_in, views_of
from postern.services.ews.fields import calendar_read as read
from postern.services.ews.item_view import ItemView, Need, load_pages
from postern.services.ews.places import Place
from postern.services.scheduling.aside import aside, may_recur

MAX_VIEWS = 20
"""Appointments of one request around which is looked; further ones do not say what is beside them."""
_COST = access.MAX_STEPS // 2 // MAX_VIEWS
"""Steps of rules that one look costs besides. Half of those of a request are left to other things."""
MAX_NEIGHBOURS = 100
"""Neighbours of one appointment that are told."""
CONFLICTING, ADJACENT = "ConflictingMeetings", "AdjacentMeetings"
_SHAPE = Shape()


async def look_around(views: Sequence[ItemView]) -> None:
    """Finds the neighbours of appointments, and of meetings that are asked for, and puts them into the views as markup."""
    for view in views:
        if view.call.steps.left < access.MAX_STEPS // 2:
            return
        octets = view.content or b""
        it = await aside(octets, partial(of_view, view), is_long=may_recur(octets))
        times = it.times
        folder = await _calendar_of(view)
        if times is None or it.is_master or folder is None:
            continue
        view.call.steps.left -= _COST
        span = Span(times.start - 1, times.end + 1, MAX_NEIGHBOURS)
        entries, _ = await entries_in(view.call, Place(view.mailbox, folder), span)
        conflicting, adjacent = await _sorted(view, entries, times)
        view.parsed[CONFLICTING] = _list(CONFLICTING, conflicting)
        view.parsed["ConflictingMeetingCount"] = number("t:ConflictingMeetingCount", len(conflicting))
        view.parsed[ADJACENT] = _list(ADJACENT, adjacent)
        view.parsed["AdjacentMeetingCount"] = number("t:AdjacentMeetingCount", len(adjacent))


async def _calendar_of(view: ItemView) -> FolderNode | None:
    """The calendar in which an appointment is, or a meeting would be."""
    if not of_view(view).calendar.method:
        return view.node
    nodes = await view.mailbox.nodes()
    return next((node for node in nodes.values() if node.kind is FolderKind.CALENDAR), None)


async def _sorted(view: ItemView, entries: Sequence[Entry], times: Times) -> tuple[list[str], list[str]]:
    """The elements of those that overlap, and of those that begin or end where this one ends or begins."""
    by_item: dict[int, list[Entry]] = {}
    for entry in entries[:MAX_NEIGHBOURS]:
        by_item.setdefault(entry.item, []).append(entry)
    beside: dict[Entry, _Neighbour] = {}
    async for page in load_pages(view.call, view.mailbox, list(by_item), Need.CONTENT):
        for whole in page:
            for entry, other in await views_of(whole, by_item[whole.stored.id]):
                neighbour = await aside(other.content or b"", partial(_neighbour, view, other, times))
                if neighbour is not None:
                    beside[entry] = neighbour
    told = [beside[entry] for entry in entries if entry in beside]
    return [each.markup for each in told if each.conflicts], [each.markup for each in told if not each.conflicts]


class _Neighbour(NamedTuple):
    """An appointment beside another as an element, and whether the two overlap."""

    markup: str
    conflicts: bool


def _neighbour(view: ItemView, other: ItemView, times: Times) -> _Neighbour | None:
    """Another appointment beside the one of `view`; None: it is the same, or free, or apart from it."""
    it = of_view(other)
    place = it.times
    is_free = busy_of(it.part, it.content.me) is Busy.FREE or status_of(it.part) == "CANCELLED"
    if place is None or it.calendar.uid == of_view(view).calendar.uid or is_free:
        return None
    conflicts = place.start < times.end and place.end > times.start
    if conflicts or place.start in (times.start, times.end) or place.end in (times.start, times.end):
        return _Neighbour(_item(other), conflicts)
    return None


def _item(view: ItemView) -> str:
    it = of_view(view)
    return element(
        "t:CalendarItem",
        element("t:ItemId", Id=str(view.id), ChangeKey=view.change_key),
        read.subject(it),
        read.start(it),
        read.end(it),
        read.busy(view, _SHAPE),
        read.location(it),
    )


def _list(name: str, items: list[str]) -> str:
    return element(f"t:{name}", *items) if items else ""
