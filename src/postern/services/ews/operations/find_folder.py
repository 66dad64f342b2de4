"""FindFolder (MS-OXWSSRCH section 3.1.4.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from enum import StrEnum

from postern.model.folders import FolderNode
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.conditions import read_restriction
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE, ROOT, SEARCHES, TOP
from postern.protocols.ews.names import m
from postern.protocols.ews.paths import ExtendedPath, PropertyPath, path_markup
from postern.protocols.ews.shapes import Base, Shape, read_shape
from postern.protocols.ews.versions import Version
from postern.protocols.ews.views import Fractional, Indexed, read_view
from postern.services.ews import folder_rendering, places, search_folders
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.finding import page_of, paging, part
from postern.services.ews.folder_rendering import FolderView
from postern.services.ews.item_values import texts_of
from postern.services.ews.judging import Judge, Values, judge, paths_of
from postern.services.ews.operation import Batch, attempted

MAX_PARENTS = 100


class Traversal(StrEnum):
    """The folders that are searched (MS-OXWSSRCH section 2.2.5.4)."""

    SHALLOW = "Shallow"
    DEEP = "Deep"
    SOFT_DELETED = "SoftDeleted"


@dataclass(frozen=True, slots=True)
class _Search:
    """The request, read. `loaded` is a shape with the properties that the condition asks for."""

    shape: Shape
    loaded: Shape
    traversal: Traversal
    view: Indexed | Fractional
    judge: Judge[FolderView] | None


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    parents = (request.find(m("ParentFolderIds")) or xml.Element("")).elements
    if not 0 < len(parents) <= MAX_PARENTS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_PARENTS} folders.")
    search = _search(call, request)
    for each in parents:
        yield await attempted(_below(call, each, search))


def _search(call: Call, request: xml.Element) -> _Search:
    shape = read_shape(request.find(m("FolderShape")))
    folder_rendering.check_shape(shape)
    try:
        traversal = Traversal(request.attributes.get("Traversal", Traversal.SHALLOW))
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None
    view = read_view(request, "FolderView")
    if not isinstance(view, Indexed | Fractional):
        raise EwsError(Code.SCHEMA_VALIDATION)
    condition = read_restriction(request.find(m("Restriction")))
    if condition is None:
        return _Search(shape, shape, traversal, view, None)
    asked = tuple(path for path in paths_of(condition) if isinstance(path, ExtendedPath))
    judges = judge(condition, lambda path: _values(path, call.header.version))
    return _Search(shape, replace(shape, paths=(*shape.paths, *asked)), traversal, view, judges)


def _values(path: PropertyPath, version: Version) -> Values[FolderView]:
    """The values of a folder's property are those that an answer would show."""
    shape = Shape(Base.ID_ONLY, (path,))
    try:
        folder_rendering.check_shape(shape)
    except EwsError:
        raise EwsError(Code.UNSUPPORTED_PATH_FOR_QUERY, path=path_markup(path)) from None
    return lambda row: texts_of(folder_rendering.markup(row, shape, version))


async def _below(call: Call, named: xml.Element, search: _Search) -> str:
    place = await places.folder(call, named)
    nodes: list[FolderNode] = []
    # Nothing here is deleted softly.
    if search.traversal is not Traversal.SOFT_DELETED:
        nodes = await _children(place.mailbox, place.node.id, search.traversal is Traversal.DEEP)
    rows = await folder_rendering.views(place.mailbox, nodes, search.loaded)
    await search_folders.fill(call, rows, search.loaded)
    if search.judge is not None:
        rows = list(filter(search.judge, rows))
    start, end = part(search.view, len(rows))
    page = page_of(search.view, [row.node.id for row in rows[start:end]], len(rows), start)
    folders = "".join([folder_rendering.markup(row, search.shape, call.header.version) for row in rows[start:end]])
    return f"<m:RootFolder{paging(page, search.view)}><t:Folders>{folders}</t:Folders></m:RootFolder>"


async def _children(mailbox: Mailbox, parent: int, is_deep: bool) -> list[FolderNode]:
    nodes = await mailbox.nodes()
    by_parent: dict[int, list[FolderNode]] = {}
    for node in nodes.values():
        is_known = node.parent in nodes or node.parent in ABOVE
        by_parent.setdefault(node.parent if is_known else TOP, []).append(node)
    if parent == ROOT:
        by_parent[ROOT] = [await mailbox.node(TOP), await mailbox.node(SEARCHES)]
    below: list[FolderNode] = []
    waiting = list(reversed(by_parent.get(parent, [])))
    while waiting:
        below.append(waiting.pop())
        if is_deep:
            waiting.extend(reversed(by_parent.get(below[-1].id, [])))
    return below


FIND_FOLDER = Batch("FindFolder", Version.V2007, "MS-OXWSSRCH 3.1.4.1", run)
