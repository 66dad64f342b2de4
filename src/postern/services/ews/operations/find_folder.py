"""FindFolder (MS-OXWSSRCH section 3.1.4.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.model.folders import FolderNode
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ROOT, TOP
from postern.protocols.ews.names import m
from postern.protocols.ews.shapes import Shape, read_shape
from postern.protocols.ews.versions import Version
from postern.services.ews import folder_rendering, places
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.operation import Batch, attempted

MAX_PARENTS = 100


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    shape = read_shape(request.find(m("FolderShape")))
    folder_rendering.check_shape(shape)
    parents = (request.find(m("ParentFolderIds")) or xml.Element("")).elements
    if not 0 < len(parents) <= MAX_PARENTS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_PARENTS} folders.")
    is_deep = request.attributes.get("Traversal", "Shallow") == "Deep"
    for each in parents:
        yield await attempted(_below(call, each, shape, is_deep))


async def _below(call: Call, named: xml.Element, shape: Shape, is_deep: bool) -> str:
    place = await places.folder(call, named)
    nodes = await _children(place.mailbox, place.node.id, is_deep)
    rows = await folder_rendering.views(place.mailbox, nodes, shape)
    folders = "".join([folder_rendering.markup(row, shape, call.header.version) for row in rows])
    return (
        f'<m:RootFolder TotalItemsInView="{len(rows)}" IncludesLastItemInRange="true">'
        f"<t:Folders>{folders}</t:Folders></m:RootFolder>"
    )


async def _children(mailbox: Mailbox, parent: int, is_deep: bool) -> list[FolderNode]:
    nodes = await mailbox.nodes()
    by_parent: dict[int, list[FolderNode]] = {}
    for node in nodes.values():
        by_parent.setdefault(node.parent if node.parent in nodes else TOP, []).append(node)
    if parent == ROOT:
        top = await mailbox.node(TOP)
        return [top, *await _children(mailbox, TOP, True)] if is_deep else [top]
    below: list[FolderNode] = []
    waiting = list(reversed(by_parent.get(parent, [])))
    while waiting:
        below.append(waiting.pop())
        if is_deep:
            waiting.extend(reversed(by_parent.get(below[-1].id, [])))
    return below


FIND_FOLDER = Batch("FindFolder", Version.V2007, "MS-OXWSSRCH 3.1.4.1", run)
