"""Says what the store keeps beside the octets of an appointment, a task or a contact: its class, and the values by which it is
looked up."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from postern.items import appointment, contact, task
from postern.items.calendar_object import CalendarObject
from postern.items.contact import Contact
from postern.items.managed_attachments import keys_of
from postern.items.recurrence import DAY
from postern.items.reminder import next_reminder
from postern.model.item_store import FROM_EVER, RenderedItem

MAX_ADDRESS = 320
"""Octets of an address that the store keeps to look an item up."""
_OPEN = frozenset({"", "PUBLIC", "X-PERSONAL"})
"""Values of CLASS that hide nothing. X-PERSONAL is Outlook's word for what is not about work (MS-OXCICAL)."""
_CLASSES = {"VTODO": task.ITEM_CLASS, "VJOURNAL": appointment.JOURNAL_CLASS}


def class_of(calendar: CalendarObject) -> str:
    """The class of the item that a calendar object is."""
    return _CLASSES.get(calendar.kind, appointment.ITEM_CLASS)


def values_of(calendar: CalendarObject, now: int, me: Collection[str] = ()) -> RenderedItem:
    """The values to store beside an object that `calendar_object.check` lets pass. `now` is in seconds since the epoch. `me` are
    the owner's addresses in lower case, whose answer counts for how an appointment shows.

    Bound: linear in the object, COUNTED steps of rules with a COUNT, and `reminder.STEPS` for the next alarm.
    """
    is_task = calendar.kind == "VTODO"
    values = task.render(calendar, me=me) if is_task else appointment.render(calendar, me=me)
    starts, ends = values.starts, values.recurs_until
    if starts is None and is_task:
        starts, ends = FROM_EVER, None
    if values.floating:
        # They may be in any zone, and are up to a day earlier or later than in UTC.
        starts = starts if starts is None or starts == FROM_EVER else starts - DAY
        ends = None if ends is None else ends + DAY
    return RenderedItem(
        uid=values.uid,
        starts=starts,
        ends=ends,
        expands=values.recurs or values.floating,
        busy=values.busy,
        is_private=is_closed(calendar),
        status=values.status,
        organizer=values.organizer if is_address(values.organizer) else "",
        reminds=next_reminder(calendar, now) if values.has_alarms else None,
        addresses=keys_of(calendar),
    )


def card_class(card: Contact) -> str:
    """The class of the item that a card is."""
    return contact.LIST_CLASS if contact.kind_of(card.card) == "group" else contact.ITEM_CLASS


def card_values(card: Contact) -> RenderedItem:
    """The values to store beside a card that `contact.check` lets pass.

    Bound: linear in the card; at most `contact.MAX_ADDRESSES` addresses.
    """
    values = contact.render(card)
    addresses = tuple(dict.fromkeys(each.lower() for each in values.emails if "@" in each and is_address(each)))
    return RenderedItem(uid=values.uid, is_private=closes([card.card.text("CLASS")]), addresses=addresses)


def is_closed(calendar: CalendarObject) -> bool:
    """Whether an object is its owner's alone: all of it, even where a single occurrence is."""
    return closes(entry.value for part in calendar.parts for entry in part.lines("CLASS"))


def closes(values: Iterable[str]) -> bool:
    """Whether one of these values of CLASS keeps others out. An unknown one does (RFC 5545 section 3.8.1.3)."""
    return any(value.strip().upper() not in _OPEN for value in values)


def is_address(address: str) -> bool:
    """Whether an address is short enough to look an item up by it."""
    return len(address.encode()) <= MAX_ADDRESS
