"""Looks at the octets that a client puts: whether the collection takes them, and what the store keeps beside them."""

from __future__ import annotations

import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from http import HTTPStatus

from postern.items import appointment, calendar_object, contact, task
from postern.items.calendar_object import Refused
from postern.items.stored import card_class, card_values, class_of, values_of
from postern.model.item_store import RenderedItem
from postern.model.resources import NOTHING_RENDERED
from postern.protocols import xml
from postern.protocols.dav.names import CALDAV, CARDDAV, DAV, element
from postern.services.dav.folders import Collection, Kind
from postern.services.dav.octets import may_recur
from postern.services.dav.request import Refusal
from postern.services.scheduling.aside import aside

FILE_CLASS = "IPM.Document"
CLASSES = {"VEVENT": appointment.ITEM_CLASS, "VTODO": task.ITEM_CLASS, "VJOURNAL": appointment.JOURNAL_CLASS}
"""The class of an item by its component, for those that clients put (`items.stored.class_of`)."""
_MEDIA = {
    Kind.CALENDAR: ("text/calendar", "text/x-vcalendar"),
    Kind.TASKS: ("text/calendar", "text/x-vcalendar"),
    Kind.ADDRESSBOOK: ("text/vcard", "text/x-vcard", "text/directory"),
}
_SUPPORTED = {
    Kind.CALENDAR: f"{{{CALDAV}}}supported-calendar-data",
    Kind.TASKS: f"{{{CALDAV}}}supported-calendar-data",
    Kind.ADDRESSBOOK: f"{{{CARDDAV}}}supported-address-data",
}


@dataclass(frozen=True, slots=True)
class Content:
    """Octets as an item."""

    octets: bytes
    item_class: str
    rendered: RenderedItem


def check_media(collection: Collection, media: str) -> None:
    """Raises Refusal 403 for a content type that the collection does not take. None at all is no reason."""
    kinds = _MEDIA.get(collection.kind)
    if kinds is not None and media and media not in (*kinds, "application/octet-stream", "text/plain"):
        raise Refusal(HTTPStatus.FORBIDDEN, element(_SUPPORTED[collection.kind]))


async def examined(collection: Collection, octets: bytes, me: AbstractSet[str] = frozenset()) -> Content:
    """Does what `examine` does without keeping others waiting."""
    is_long = collection.kind is not Kind.FILES and may_recur(octets)
    return await aside(octets, lambda: examine(collection, octets, me), is_long)


def examine(collection: Collection, octets: bytes, me: AbstractSet[str] = frozenset()) -> Content:
    """Returns the octets as an item of a collection. `me` are the addresses of the mailbox's owner, whose answer counts for how a
    meeting shows. Raises Refusal 403 with the precondition that they do not meet (RFC 4791
    section 5.3.2.1, RFC 6352 section 6.3.2.1)."""
    if collection.kind is Kind.FILES:
        return Content(octets, FILE_CLASS, NOTHING_RENDERED)
    if collection.kind is Kind.ADDRESSBOOK:
        return _card(octets)
    return _calendar(collection, octets, int(time.time()), me)


def refusal(refused: Refused, space: str) -> Refusal:
    """Returns the answer to content that `items` does not take. The reason is in it for whoever reads the client's log."""
    markup = element(f"{{{space}}}{refused.precondition}")
    why = element(f"{{{DAV}}}responsedescription", xml.text(refused.why))
    return Refusal(HTTPStatus.FORBIDDEN, markup + why)


def _card(octets: bytes) -> Content:
    card = contact.read(octets)
    if isinstance(card, Refused):
        raise refusal(card, CARDDAV)
    refused = contact.check(card)
    if refused is not None:
        raise refusal(refused, CARDDAV)
    return Content(octets, card_class(card), card_values(card))


def _calendar(collection: Collection, octets: bytes, now: int, me: AbstractSet[str]) -> Content:
    calendar = calendar_object.read(octets)
    if isinstance(calendar, Refused):
        raise refusal(calendar, CALDAV)
    refused = calendar_object.check(calendar)
    if refused is not None:
        raise refusal(refused, CALDAV)
    if calendar.kind not in collection.components:
        raise Refusal(HTTPStatus.FORBIDDEN, element(f"{{{CALDAV}}}supported-calendar-component"))
    return Content(octets, class_of(calendar), values_of(calendar, now, frozenset(me)))
