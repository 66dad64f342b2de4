"""Principals of others: everybody in the global address list has one that all users may read, with names, addresses and type.

principal-property-search (RFC 3744 section 9.4) and calendarserver.org's calendarserver-principal-search find them, so that
calendar programs complete the names of attendees.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from postern.model.address_book import AddressBookEntry
from postern.model.directory import RecipientType
from postern.protocols import xml
from postern.protocols.dav.names import caldav, calendar_server, carddav, dav
from postern.protocols.dav.reports import PrincipalSearch, PrincipalTokens, PropertySearch
from postern.services.dav import address_list, live
from postern.services.dav.live import LIVE, Level, Node, href
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import ROOT, Space, home_path, principal_path

MAX_FOUND = 200
"""Principals that one search tells."""
SEARCHED = {
    dav("displayname"): "Name",
    calendar_server("first-name"): "First name",
    calendar_server("last-name"): "Last name",
    calendar_server("email-address-set"): "E-mail address",
    caldav("calendar-user-address-set"): "Calendar address",
    caldav("calendar-user-type"): "Type",
}
"""Properties that a search may name."""
_RESOLVED = frozenset(SEARCHED) - {caldav("calendar-user-type")}
"""Those by which the directory finds entries; the others only choose among what was found."""
_CONTEXTS = {"user": {"INDIVIDUAL"}, "location": {"ROOM"}, "resource": {"RESOURCE"}, "group": {"GROUP"}}
"""The values of calendar-user-type for each `context`; "attendee" and others want all."""
_SHARED = tuple(
    dav(name)
    for name in (
        *("resourcetype", "current-user-principal", "principal-collection-set", "current-user-privilege-set"),
        *("supported-privilege-set", "acl-restrictions", "inherited-acl-set", "supported-report-set"),
        *("alternate-URI-set", "group-member-set", "group-membership"),
    )
)
_TEXT = re.compile(r">([^<>]++)<")


async def principal(box: OwnMailbox, address: str) -> Node | None:
    """Returns the principal of somebody in the global address list, by one of his addresses. None for nobody, and for one who is
    not in the list."""
    recipient = await box.access.directory.recipient(address.lower())
    if recipient is None:
        return None
    entries = await address_list.book_of(box).address_book_entries([recipient.guid])
    entry = entries.get(recipient.guid)
    return None if entry is None or not entry.primary else principal_of(box, entry)


def principal_of(box: OwnMailbox, entry: AddressBookEntry) -> Node:
    path = principal_path(entry.primary)
    plain = Node(Level.PRINCIPAL, Space.PRINCIPALS, path, box)
    values = {name: markup for name in _SHARED if (markup := LIVE[name](plain)) is not None}
    values |= {
        dav("displayname"): xml.text(entry.display_name or entry.primary),
        dav("principal-URL"): href(path),
        dav("acl"): live.READABLE,
        caldav("calendar-user-address-set"): live.addresses(entry.addresses),
        caldav("calendar-user-type"): live.USER_TYPES.get(entry.type, "INDIVIDUAL"),
        calendar_server("email-address-set"): live.email_addresses(entry.addresses),
        carddav("principal-address"): href(address_list.card_path(box.address, entry.guid)),
    }
    if entry.type in (RecipientType.USER, RecipientType.ROOM):
        values[caldav("calendar-home-set")] = href(home_path(Space.CALENDARS, entry.primary))
    if entry.primary in box.sharers:
        values[carddav("addressbook-home-set")] = href(home_path(Space.ADDRESSBOOKS, entry.primary))
    for name, text in (("first-name", entry.given_name), ("last-name", entry.surname)):
        if text:
            values[calendar_server(name)] = xml.text(text)
    return Node(Level.PRINCIPAL, Space.PRINCIPALS, path, box, values=values)


async def search(box: OwnMailbox, body: PrincipalSearch) -> tuple[list[Node], bool]:
    """Returns the principals that a search finds, and whether there are more. The caller finds himself in any case."""
    texts = [text for each in body.searches if (text := _text_of(each)) and not _RESOLVED.isdisjoint(each.names)]
    if not body.any_of:
        texts = [max(texts, key=len, default="")]
    others, more = await _resolved(box, texts or [""])
    own = Node(Level.PRINCIPAL, Space.PRINCIPALS, principal_path(box.address), box)
    return [node for node in (own, *others) if _fits_all(node, body)], more


async def search_tokens(box: OwnMailbox, body: PrincipalTokens) -> tuple[list[Node], bool]:
    """Returns the principals of which each token begins a name or an address, but for the caller's."""
    others, more = await _resolved(box, [" ".join(body.tokens)])
    kinds = _CONTEXTS.get(body.context)
    name = caldav("calendar-user-type")
    nodes = [node for node in others if kinds is None or _value(node, name) in kinds]
    most = body.limit or MAX_FOUND
    return nodes[:most], more or len(nodes) > most


async def _resolved(box: OwnMailbox, texts: Sequence[str]) -> tuple[list[Node], bool]:
    """Returns the principals of others whom the directory finds by one of these texts, and whether there are more."""
    nodes: dict[str, Node] = {}
    more = False
    for text in texts:
        matches = await address_list.book_of(box).resolve(text, MAX_FOUND + 1)
        more = more or len(matches) > MAX_FOUND
        for entry in matches:
            if entry.primary and entry.guid != box.id:
                nodes.setdefault(entry.primary, principal_of(box, entry))
    return list(nodes.values())[:MAX_FOUND], more or len(nodes) > MAX_FOUND


def _text_of(each: PropertySearch) -> str:
    """The text as a directory knows it: an address without its scheme, or that of a principal's path."""
    text = each.text.strip()
    if text[:7].lower() == "mailto:":
        return text[7:]
    return text.partition(f"{ROOT}principals/users/")[2].strip("/") or text


def _value(node: Node, name: str) -> str:
    return (live.present(node, name) or "").partition(">")[2].partition("<")[0]


def _fits_all(node: Node, body: PrincipalSearch) -> bool:
    results = [_fits(node, each) for each in body.searches]
    return any(results) if body.any_of and results else all(results)


def _fits(node: Node, wanted: PropertySearch) -> bool:
    """Whether one of the properties has the text. A property that cannot be searched has it not."""
    text = xml.text(wanted.text).casefold()
    for name in wanted.names:
        markup = live.present(node, name) if name in SEARCHED else None
        for value in _TEXT.findall(markup or ""):
            value = value.casefold()
            if wanted.starts and wanted.ends:
                fits = value == text
            elif wanted.starts or wanted.ends:
                fits = value.startswith(text) if wanted.starts else value.endswith(text)
            else:
                fits = text in value
            if fits:
                return True
    return False
