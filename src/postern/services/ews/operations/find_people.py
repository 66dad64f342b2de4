"""FindPeople and GetPersona (MS-OXWSPERS section 3.1.4): people of a folder of contacts, and of the directory."""

from __future__ import annotations

from postern.model.folders import FolderKind
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, read_id
from postern.protocols.ews.names import element, m, number, t
from postern.protocols.ews.shapes import Base, Shape, read_shape
from postern.protocols.ews.versions import Version
from postern.services.ews import card_search, personas, places
from postern.services.ews.access import Call
from postern.services.ews.item_view import PAGE, Need, load
from postern.services.ews.operation import Direct
from postern.services.ews.places import Place

MAX_ROWS = 1_000
"""Personas of one page."""
MAX_FOUND = 1_000
"""Entries of the directory that one search tells."""
_CARDS = ("ipm.contact", "ipm.distlist")


async def find(call: Call, request: xml.Element) -> str:
    if request.find(m("Restriction")) is not None or request.find(m("AggregationRestriction")) is not None:
        raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
    named = request.find(m("PersonaShape"))
    shape = read_shape(named) if named is not None else Shape(Base.DEFAULT)
    text = " ".join(request.text_of(m("QueryString")).replace('"', " ").replace("*", " ").split())
    offset, most = _view(request.find(m("IndexedPageItemView")))
    is_reversed = _is_descending(request.find(m("SortOrder")))
    parent = request.find(m("ParentFolderId"))
    people: list[tuple[str, str]] = []
    total = 0
    if _is_directory(parent):
        people = await _in_directory(call, text, shape)
    elif text:
        place = await _place(call, parent)
        matching = await card_search.search(call, place, text, MAX_FOUND)
        people = [(each.rendered.name, personas.of_card(each.view, shape)) for each in matching]
        if parent is None:
            people += await _in_directory(call, text, shape)
    else:
        total, markup = await _page(call, await _place(call, parent), shape, offset, most, is_reversed)
        return _answer(markup, total, offset)
    people.sort(key=lambda each: each[0].casefold(), reverse=is_reversed)
    return _answer([markup for _, markup in people[offset : offset + most]], len(people), offset)


def _answer(people: list[str], total: int, offset: int) -> str:
    told = (number("m:TotalNumberOfPeopleInView", total), number("m:FirstMatchingRowIndex", offset))
    return element("m:People", *people) + "".join(told) + number("m:FirstLoadedRowIndex", offset)


def _view(view: xml.Element | None) -> tuple[int, int]:
    """The first row, and how many are asked for. Raises EwsError."""
    attributes = view.attributes if view is not None else {}
    texts = attributes.get("Offset", "0"), attributes.get("MaxEntriesReturned", str(MAX_ROWS))
    if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in texts) or texts[1] == "0":
        raise EwsError(Code.INVALID_INDEXED_PAGING_PARAMETERS)
    if attributes.get("BasePoint", "Beginning") != "Beginning":
        raise EwsError(Code.INVALID_INDEXED_PAGING_PARAMETERS)
    return int(texts[0]), min(int(texts[1]), MAX_ROWS)


def _is_descending(order: xml.Element | None) -> bool:
    """Whether the names run downwards; nothing else is sorted by. Raises EwsError ErrorUnsupportedPathForSortGroup."""
    fields = order.find_all(t("FieldOrder")) if order is not None else []
    for field in fields:
        paths = [each.attributes.get("FieldURI", "") for each in field.elements]
        if len(fields) > 1 or paths not in (["persona:DisplayName"], ["persona:FileAs"]):
            raise EwsError(Code.UNSUPPORTED_PATH_FOR_SORT_GROUP)
        return field.attributes.get("Order") == "Descending"
    return False


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


async def _in_directory(call: Call, text: str, shape: Shape) -> list[tuple[str, str]]:
    """The entries that match a text; the directory is not told as a whole (MS-OXWSPERS section 3.1.4.1)."""
    if not text or len(text) > card_search.MAX_TEXT:
        return []
    entries = await call.access.directory.resolve(text, MAX_FOUND)
    version = call.header.version
    return [(entry.display_name, personas.of_directory_entry(entry, version, shape)) for entry in entries]


async def _page(
    call: Call, place: Place, shape: Shape, offset: int, most: int, is_reversed: bool
) -> tuple[int, list[str]]:
    """How many personas a folder has, and those of one page, in the order of their names."""
    names: list[tuple[str, int]] = []
    async for each in card_search.cards(call, place):
        if each.view.stored.item_class.lower().startswith(_CARDS):
            names.append((each.rendered.name.casefold(), each.view.stored.id))
    names.sort(reverse=is_reversed)
    wanted = [item for _, item in names[offset : offset + most]]
    markup: list[str] = []
    for start in range(0, len(wanted), PAGE):
        page = wanted[start : start + PAGE]
        numbers = await place.mailbox.numbers(personas.BAG_NAMES)
        for view in await load(call, place.mailbox, page, Need.CONTENT | Need.BAG):
            view.numbers = numbers
            markup.append(personas.of_card(view, shape))
    return len(names), markup


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
    mailbox = await call.mailbox_with(item.mailbox)
    await mailbox.nodes()
    for view in await load(call, mailbox, [item.item], Need.CONTENT | Need.BAG):
        if view.stored.item_class.lower().startswith(_CARDS):
            view.numbers = await mailbox.numbers(personas.BAG_NAMES)
            return personas.of_card(view, shape, "m:Persona")
    raise EwsError(Code.ITEM_NOT_FOUND)


FIND_PEOPLE = Direct("FindPeople", Version.V2013, "MS-OXWSPERS 3.1.4.1", find)
GET_PERSONA = Direct("GetPersona", Version.V2013, "MS-OXWSPERS 3.1.4.2", get, "GetPersonaResponseMessage")
