"""FindPeople and GetPersona (MS-OXWSPERS section 3.1.4): people of a folder of contacts, and of the directory."""

from __future__ import annotations

from functools import partial

from postern.items import contact
from postern.model.folders import FolderKind, is_class
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, read_id
from postern.protocols.ews.names import element, m, number, t
from postern.protocols.ews.paths import FieldPath
from postern.protocols.ews.shapes import Base, Shape, read_shape
from postern.protocols.ews.versions import Version
from postern.protocols.ews.views import Indexed, read_order, read_view
from postern.services.ews import card_search, personas, places
from postern.services.ews.access import Call
from postern.services.ews.finding import part
from postern.services.ews.item_view import Need, load_one, load_pages
from postern.services.ews.operation import Direct
from postern.services.ews.places import Place
from postern.services.scheduling.aside import aside

MAX_FOUND = 1_000
"""Entries of the directory that one search tells."""
_CARDS = (contact.ITEM_CLASS, contact.LIST_CLASS)
_NAMES = (FieldPath("persona:DisplayName"), FieldPath("persona:FileAs"))


async def find(call: Call, request: xml.Element) -> str:
    if request.find(m("Restriction")) is not None or request.find(m("AggregationRestriction")) is not None:
        raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
    named = request.find(m("PersonaShape"))
    shape = read_shape(named) if named is not None else Shape(Base.DEFAULT)
    text = " ".join(request.text_of(m("QueryString")).replace('"', " ").replace("*", " ").split())
    view = read_view(request)
    if not isinstance(view, Indexed):
        raise EwsError(Code.INVALID_INDEXED_PAGING_PARAMETERS)
    is_reversed = _is_descending(request.find(m("SortOrder")))
    parent = request.find(m("ParentFolderId"))
    people: list[tuple[str, int | str]] = []
    place = None if _is_directory(parent) else await _place(call, parent)
    if place is not None:
        people += await _in_folder(call, place, text)
    if place is None or (parent is None and text):
        people += await _in_directory(call, text, shape)
    people.sort(key=lambda each: each[0].casefold(), reverse=is_reversed)
    start, stop = part(view, len(people))
    page = [each for _, each in people[start:stop]]
    cards = await _cards(call, place, [each for each in page if isinstance(each, int)], shape)
    told = [each if isinstance(each, str) else cards.get(each, "") for each in page]
    return _answer(told, len(people), start)


def _answer(people: list[str], total: int, offset: int) -> str:
    told = (number("m:TotalNumberOfPeopleInView", total), number("m:FirstMatchingRowIndex", offset))
    return element("m:People", *people) + "".join(told) + number("m:FirstLoadedRowIndex", offset)


def _is_descending(order: xml.Element | None) -> bool:
    """Whether the names run downwards; nothing else is sorted by. Raises EwsError: ErrorUnsupportedPathForSortGroup, and as
    `read_order`."""
    keys = read_order(order)
    if len(keys) > 1 or any(each.path not in _NAMES for each in keys):
        raise EwsError(Code.UNSUPPORTED_PATH_FOR_SORT_GROUP)
    return any(each.is_descending for each in keys)


def _is_directory(parent: xml.Element | None) -> bool:
    names = parent.elements if parent is not None else []
    return (
        len(names) == 1 and names[0].name == t("DistinguishedFolderId") and names[0].attributes.get("Id") == "directory"
    )


async def _place(call: Call, parent: xml.Element | None) -> Place:
    if parent is not None:
        return await places.target(call, parent, Code.FOLDER_NOT_FOUND)
    own = await call.own()
    return Place(own, await own.of_kind(FolderKind.CONTACTS))


async def _in_directory(call: Call, text: str, shape: Shape) -> list[tuple[str, int | str]]:
    """The entries that match a text; the directory is not told as a whole (MS-OXWSPERS section 3.1.4.1)."""
    if not text or len(text) > card_search.MAX_TEXT:
        return []
    entries = await call.access.directory.resolve(text, MAX_FOUND)
    version = call.header.version
    return [(entry.display_name, personas.of_directory_entry(entry, version, shape)) for entry in entries]


async def _in_folder(call: Call, place: Place, text: str) -> list[tuple[str, int | str]]:
    """The cards of a folder that match a text, or all, by their names and the numbers of their items."""
    if text:
        return [
            (each.rendered.name, each.number)
            for each in (await card_search.search(call, place, [text], MAX_FOUND))[text]
        ]
    every: list[tuple[str, int | str]] = []
    async for view, rendered in card_search.cards(call, place):
        if is_class(view.stored.item_class, *_CARDS):
            every.append((rendered.name, view.stored.id))
    return every


async def _cards(call: Call, place: Place | None, wanted: list[int], shape: Shape) -> dict[int, str]:
    """The personas of these items."""
    markup: dict[int, str] = {}
    if place is None or not wanted:
        return markup
    numbers = await place.mailbox.numbers(personas.BAG_NAMES)
    async for views in load_pages(call, place.mailbox, wanted, Need.CONTENT | Need.BAG):
        for view in views:
            view.numbers = numbers
            markup[view.stored.id] = await aside(view.content or b"", partial(personas.of_card, view, shape))
    return markup


async def get(call: Call, request: xml.Element) -> str:
    named = request.find(m("PersonaId")) or request.find(t("PersonaId"))
    shape = Shape(Base.ALL)
    if named is None:
        address = request.find(m("EmailAddress"))
        wanted = address.text_of(t("EmailAddress")).strip().lower() if address is not None else ""
        if not wanted:
            raise EwsError(Code.SCHEMA_VALIDATION)
        for entry in await call.access.directory.resolve(wanted, 10):
            if wanted in entry.addresses:
                return personas.of_directory_entry(entry, call.header.version, shape, "m:Persona")
        raise EwsError(Code.ITEM_NOT_FOUND)
    item = read_id(named.attributes.get("Id", ""))
    if not isinstance(item, ItemId):
        raise EwsError(Code.INVALID_ID_MALFORMED)
    if item.item == personas.OF_DIRECTORY:
        entries = await call.access.directory.address_book_entries([item.mailbox])
        if item.mailbox in entries:
            return personas.of_directory_entry(entries[item.mailbox], call.header.version, shape, "m:Persona")
        raise EwsError(Code.ITEM_NOT_FOUND)
    view = await load_one(call, item, Need.CONTENT | Need.BAG)
    if not is_class(view.stored.item_class, *_CARDS):
        raise EwsError(Code.ITEM_NOT_FOUND)
    view.numbers = await view.mailbox.numbers(personas.BAG_NAMES)
    return await aside(view.content or b"", partial(personas.of_card, view, shape, "m:Persona"))


FIND_PEOPLE = Direct("FindPeople", Version.V2013, "MS-OXWSPERS 3.1.4.1", find)
GET_PERSONA = Direct("GetPersona", Version.V2013, "MS-OXWSPERS 3.1.4.2", get, "GetPersonaResponseMessage")
