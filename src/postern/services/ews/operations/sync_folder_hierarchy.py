"""SyncFolderHierarchy (MS-OXWSSYNC section 3.1.4.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from postern.model.folders import FolderNode
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ABOVE, ROOT, SEARCHES, TOP, FolderId
from postern.protocols.ews.names import boolean, element, m, value
from postern.protocols.ews.shapes import Shape, read_shape
from postern.protocols.ews.sync_states import FoldersState, read_folders_state
from postern.protocols.ews.versions import Version
from postern.services.ews import folder_rendering, places, search_folders
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.operation import Batch, attempted


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    yield await attempted(_answer(call, request))


async def _answer(call: Call, request: xml.Element) -> str:
    shape = read_shape(request.find(m("FolderShape")))
    folder_rendering.check_shape(shape)
    mailbox, folder = await _place(call, request)
    text = request.text_of(m("SyncState"))
    state = read_folders_state(text) if text else FoldersState(mailbox.id, folder)
    if (state.mailbox, state.folder) != (mailbox.id, folder):
        raise EwsError(Code.INVALID_SYNC_STATE_DATA)
    nodes = await mailbox.nodes()
    changes = await mailbox.store.folder_changes(mailbox.id, state.since)
    if state.since > changes.change:
        # The state is of a later time than the database, which was restored.
        raise EwsError(Code.INVALID_SYNC_STATE_DATA)
    below = _below(nodes, folder)
    created = [nodes[node.id] for node in changes.created if node.id in below]
    changed = [nodes[node.id] for node in changes.changed if node.id in below]
    # What was moved out of the tree, or is hidden from the caller, is gone for the client.
    left = [node.id for node in changes.changed if node.id not in below] if state.since else []
    if not state.since and folder == ROOT:
        created[:0] = [await mailbox.node(TOP), await mailbox.node(SEARCHES)]
    told = await _markup(call, mailbox, "Create", _downwards(created, below), shape)
    told += await _markup(call, mailbox, "Update", changed, shape)
    for number in sorted({*changes.removed, *left} - {folder}):
        told += f"<t:Delete>{element('t:FolderId', Id=str(FolderId(mailbox.id, number)))}</t:Delete>"
    following = value("m:SyncState", str(FoldersState(mailbox.id, folder, changes.change)))
    inner = f"<m:Changes>{told}</m:Changes>" if told else "<m:Changes/>"
    return f"{following}{boolean('m:IncludesLastFolderInRange', True)}{inner}"


async def _place(call: Call, request: xml.Element) -> tuple[Mailbox, int]:
    """The mailbox, and the folder below which is synchronized; without a SyncFolderId it is the top of the caller's own."""
    named = request.find(m("SyncFolderId"))
    if named is None:
        return await call.own(), TOP
    place = await places.target(call, named, Code.SYNC_FOLDER_NOT_FOUND)
    return place.mailbox, place.node.id


def _below(nodes: Mapping[int, FolderNode], top: int) -> dict[int, int]:
    """The folders below one, with their distance from it."""
    depths: dict[int, int] = {}
    by_parent: dict[int, list[int]] = {}
    for node in nodes.values():
        # A folder whose parent the caller may not see stands at the top.
        is_known = node.parent in nodes or node.parent in ABOVE
        by_parent.setdefault(node.parent if is_known else TOP, []).append(node.id)
    tops = (TOP, SEARCHES) if top == ROOT else (top,)
    waiting = [(number, 1) for above in tops for number in by_parent.get(above, [])]
    while waiting:
        number, depth = waiting.pop()
        if number not in depths:
            depths[number] = depth
            waiting.extend((child, depth + 1) for child in by_parent.get(number, []))
    return depths


def _downwards(nodes: Iterable[FolderNode], depths: Mapping[int, int]) -> list[FolderNode]:
    """Folders in an order in which a client can make them: each after the one that it is in."""
    return sorted(nodes, key=lambda node: depths.get(node.id, 0))


async def _markup(call: Call, mailbox: Mailbox, tag: str, nodes: list[FolderNode], shape: Shape) -> str:
    rows = await folder_rendering.views(mailbox, nodes, shape)
    await search_folders.fill(call, rows, shape)
    return "".join([f"<t:{tag}>{folder_rendering.markup(row, shape, call.header.version)}</t:{tag}>" for row in rows])


SYNC_FOLDER_HIERARCHY = Batch("SyncFolderHierarchy", Version.V2007, "MS-OXWSSYNC 3.1.4.1", run)
