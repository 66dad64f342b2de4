"""The other appointments at the time of one: those that it conflicts with, and those that it adjoins (MS-OXWSMTGS section
2.2.4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from postern.items.rendered import busy_of, status_of
from postern.model.folders import FolderKind, FolderNode
from postern.model.item_store import Busy
from postern.protocols.ews.names import element, number
from postern.protocols.ews.shapes import Shape
from postern.services.ews import access
from postern.services.ews.appointments import Times, of_view
from postern.services.ews.calendar_span import Entry, Span, entries_in, of_entry
from postern.services.ews.fields import calendar_read as read
from postern.services.ews.item_view import ItemView, Need, load
from postern.services.ews.places import Place
from postern.services.scheduling.aside import aside

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
        it = await aside(view.content or b"", partial(of_view, view))
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
    conflicting: list[str] = []
    adjacent: list[str] = []
    uid = of_view(view).calendar.uid
    shown = entries[:MAX_NEIGHBOURS]
    ids = list(dict.fromkeys(entry.item for entry in shown))
    loaded = {each.stored.id: each for each in await load(view.call, view.mailbox, ids, Need.CONTENT)} if ids else {}
    for entry in shown:
        other = loaded.get(entry.item)
        if other is None:
            continue
        neighbour = of_entry(other, entry)
        it = of_view(neighbour)
        place = it.times
        is_free = busy_of(it.part, it.content.me) is Busy.FREE or status_of(it.part) == "CANCELLED"
        if place is None or it.calendar.uid == uid or is_free:
            continue
        if place.start < times.end and place.end > times.start:
            conflicting.append(_item(neighbour))
        elif times.start in (place.start, place.end) or times.end in (place.start, place.end):
            adjacent.append(_item(neighbour))
    return conflicting, adjacent


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
