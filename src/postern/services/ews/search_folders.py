"""Search folders: folders without items of their own, which show what a search finds in others (MS-OXWSFOLD, SearchFolderType).

The search is kept with the folder, and made whenever somebody looks into it. So it finds what is there now, and by the rights of
whoever looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from postern.items.properties import Type
from postern.items.property_values import decoded, encoded
from postern.model.folders import FolderNode, Right
from postern.model.item_store import PropertyName
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.conditions import Compare, Condition, Operator, read_restriction, with_times
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE, SEARCHES, FolderId, read_id
from postern.protocols.ews.names import TYPES, t
from postern.protocols.ews.paths import ExtendedPath, FieldPath
from postern.protocols.ews.shapes import Base, Shape
from postern.protocols.ews.times import read_local, written
from postern.protocols.ews.views import Indexed
from postern.services.ews import folder_edits, places
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.appointments import zone_of_request
from postern.services.ews.calendar_times import GivenTime
from postern.services.ews.finding import Finder, Page, Search, joined
from postern.services.ews.folder_rendering import COUNTED, FolderView
from postern.services.ews.places import Place

MAX_BASES = 100
"""Folders that one search folder names."""
MAX_FOLDERS = 1_000
"""Folders that one search folder searches, with those below."""
MAX_COUNTED = 1_000
"""Folders that one request searches to say how many items its search folders have. Search folders after these have no numbers."""
MAX_OCTETS = 60_000
"""Octets of a definition."""
_PROPERTY = PropertyName(UUID("e1cf1f5c-8a3d-4b1e-9c55-8b3f7a6d2c40"), None, "SearchParameters")
"""The folder's property that has the definition. The set is one of our own."""
_COUNTS = frozenset(FieldPath(uri) for uri in ("folder:TotalCount", "folder:UnreadCount"))
_UNREAD = Compare(FieldPath("message:IsRead"), Operator.EQUAL, "false")


@dataclass(frozen=True, slots=True)
class _Definition:
    """The search of a search folder. `bases` are the numbers of the folders in which it begins."""

    restriction: xml.Element
    bases: tuple[int, ...]
    is_deep: bool


def condition_of(call: Call, restriction: xml.Element | None) -> Condition | None:
    """Reads a Restriction. "2026-11-30T09:00:00" is a time in the zone of the request (MS-OXWSCDATA section 2.2.3.13). Raises
    EwsError as `read_restriction` does."""
    condition = read_restriction(restriction)
    if condition is None or call.header.zone is None:
        return condition
    zone = zone_of_request(call)
    return with_times(condition, lambda text: written(GivenTime(*read_local(text)).utc(zone)))


async def define(call: Call, place: Place, parameters: xml.Element) -> None:
    """Keeps the search of a search folder. Raises EwsError: ErrorInvalidFolderTypeForOperation for another folder, or where a
    search folder or another mailbox is to be searched; ErrorFolderNotFound; as `condition_of` does."""
    mailbox, node = place.mailbox, place.node
    if not node.is_search:
        raise EwsError(Code.INVALID_FOLDER_TYPE_FOR_OPERATION)
    restriction = parameters.find(t("Restriction"))
    # The search is tried, so that a folder never keeps one that cannot be made.
    Finder(call, Search(condition_of(call, restriction)), Indexed(), True)
    traversal = parameters.attributes.get("Traversal", "Shallow")
    named = (parameters.find(t("BaseFolderIds")) or xml.Element("")).elements
    if restriction is None or traversal not in ("Shallow", "Deep") or not 0 < len(named) <= MAX_BASES:
        raise EwsError(Code.SCHEMA_VALIDATION)
    bases = [await places.folder(call, each) for each in named]
    if any(base.mailbox.id != mailbox.id or base.node.id == SEARCHES or base.node.is_search for base in bases):
        raise EwsError(
            Code.INVALID_FOLDER_TYPE_FOR_OPERATION, "A search folder searches other folders of its own mailbox."
        )
    ids = [xml.Element(t("FolderId"), {"Id": str(base.id)}) for base in bases]
    kept = xml.Element(t("SearchParameters"), {"Traversal": traversal}, [restriction])
    kept.children.append(xml.Element(t("BaseFolderIds"), {}, [*ids]))
    octets = xml.write(kept, {TYPES: "t"}, declaration=False)
    if len(octets) > MAX_OCTETS:
        raise EwsError(Code.RESTRICTION_TOO_LONG)
    number = (await mailbox.numbers([_PROPERTY], create=True))[_PROPERTY]
    values = {number << 16 | Type.BINARY: encoded(Type.BINARY, octets)}
    await mailbox.server.items.set_folder_properties(mailbox.id, node.id, values)


async def page(call: Call, place: Place, finder: Finder) -> Page:
    """The part that a view asks for of what a search finds in a search folder. Raises EwsError: ErrorSearchFolderNotInitialized
    for one that has no definition; as `Finder.page` does."""
    octets = (await _kept(place.mailbox, [place.node])).get(place.node.id)
    definition = _read(octets) if octets is not None else None
    if definition is None:
        raise EwsError(Code.SEARCH_FOLDER_NOT_INITIALIZED)
    within = finder.within(condition_of(call, definition.restriction))
    return await within.page(*await _searched(place.mailbox, definition))


async def fill(call: Call, rows: Sequence[FolderView], shape: Shape) -> None:
    """Puts the definitions of search folders into the rows of an answer and, where the shape asks for numbers, how many items
    they show."""
    searches = [row for row in rows if row.node.is_search]
    if not searches:
        return
    is_counting = shape.base is not Base.ID_ONLY or any(
        path in _COUNTS if isinstance(path, FieldPath) else isinstance(path, ExtendedPath) and path.tag in COUNTED
        for path in shape.paths
    )
    kept = await _kept(searches[0].mailbox, [row.node for row in searches])
    left = MAX_COUNTED
    for row in searches:
        octets = kept.get(row.node.id)
        definition = _read(octets) if octets is not None else None
        row.is_counted = False
        if octets is None or definition is None:
            continue
        row.search = octets.decode()
        folders = await _searched(row.mailbox, definition) if is_counting else []
        if is_counting and len(folders) <= left:
            left -= len(folders)
            await _count(call, row, folders, definition)


async def _count(call: Call, row: FolderView, folders: Sequence[Place], definition: _Definition) -> None:
    try:
        condition = condition_of(call, definition.restriction)
        # Of a search that the store makes by itself, the number costs little.
        items = Finder(call, Search(condition), Indexed(0, False, 1))
        unread = Finder(call, Search(joined(condition, _UNREAD)), Indexed(0, False, 1))
        total = sum([(await items.page(each)).total for each in folders])
        unseen = sum([(await unread.page(each)).total for each in folders])
    except EwsError:
        # Too much would have to be read.
        return
    row.state = row.state._replace(items=total, unseen=unseen)
    row.is_counted = True


async def _kept(mailbox: Mailbox, nodes: Sequence[FolderNode]) -> dict[int, bytes]:
    """The definitions of search folders as they are kept, by folder."""
    number = (await mailbox.numbers([_PROPERTY])).get(_PROPERTY)
    if number is None:
        return {}
    bags = await mailbox.store.folder_properties(mailbox.id, [node.id for node in nodes])
    kept = {}
    for folder, bag in bags.items():
        octets = bag.get(number << 16 | Type.BINARY)
        value = decoded(Type.BINARY, octets) if octets is not None else None
        if isinstance(value, bytes):
            kept[folder] = value
    return kept


def _read(octets: bytes) -> _Definition | None:
    """Reads a definition; None for octets that are none, for a client can set the property as any other."""
    try:
        parameters = xml.read(octets)
        restriction = parameters.find(t("Restriction"))
        named = (parameters.find(t("BaseFolderIds")) or xml.Element("")).elements
        ids = [read_id(each.attributes.get("Id", "")) for each in named[:MAX_BASES]]
    except (xml.XmlError, EwsError):
        return None
    if restriction is None:
        return None
    bases = tuple(each.folder for each in ids if isinstance(each, FolderId))
    return _Definition(restriction, bases, parameters.attributes.get("Traversal") == "Deep")


async def _searched(mailbox: Mailbox, definition: _Definition) -> list[Place]:
    """The folders that are searched, each once: of those that are there, the ones that the caller may read. Raises EwsError
    ErrorInsufficientResources for too many."""
    nodes = await mailbox.nodes()
    every = [node for node in nodes.values() if not node.is_search]
    chosen: dict[int, FolderNode] = {}
    for base in definition.bases:
        if base in nodes:
            below = folder_edits.below(every, nodes[base]) if definition.is_deep else [nodes[base]]
        else:
            # Above the tree are all folders, and no items.
            below = every if definition.is_deep and base in ABOVE else []
        chosen |= {node.id: node for node in below if mailbox.rights_in(node) & Right.READ_ANY}
    if len(chosen) > MAX_FOLDERS:
        raise EwsError(Code.INSUFFICIENT_RESOURCES, f"A search folder searches at most {MAX_FOLDERS} folders.")
    return [Place(mailbox, node) for node in chosen.values()]
