"""MoveFolder and CopyFolder (MS-OXWSFOLD sections 3.1.4.7 and 3.1.4.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.versions import Version
from postern.services.ews import folder_edits, folder_rendering, places
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import Place

MAX_IDS = 100
"""Folders of one request."""


async def run(call: Call, request: xml.Element, is_move: bool) -> AsyncIterator[str | EwsError]:
    target = await places.target(call, request.find(m("ToFolderId")))
    named = (request.find(m("FolderIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_IDS} folders.")
    for each in named:
        yield await attempted(_put(call, each, target, is_move))


async def _put(call: Call, named: xml.Element, target: Place, is_move: bool) -> str:
    place = await places.folder(call, named)
    if is_move:
        await folder_edits.move(place, target)
        node = await place.mailbox.node(place.node.id)
    else:
        node = await folder_edits.copy(call, place, target)
    return await folder_rendering.ids(call, Place(target.mailbox, node))


MOVE_FOLDER = Batch("MoveFolder", Version.V2007, "MS-OXWSFOLD 3.1.4.7", partial(run, is_move=True))
COPY_FOLDER = Batch("CopyFolder", Version.V2007, "MS-OXWSFOLD 3.1.4.1", partial(run, is_move=False))
