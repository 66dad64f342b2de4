"""GetFolder (MS-OXWSFOLD section 3.1.4.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.shapes import Shape, read_shape
from postern.protocols.ews.versions import Version
from postern.services.ews import folder_rendering, places
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted

MAX_IDS = 1_000
"""Folders of one request."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    shape = read_shape(request.find(m("FolderShape")))
    folder_rendering.check_shape(shape)
    named = (request.find(m("FolderIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_IDS} folders.")
    for each in named:
        yield await attempted(_folder(call, each, shape))


async def _folder(call: Call, named: xml.Element, shape: Shape) -> str:
    place = await places.folder(call, named)
    (view,) = await folder_rendering.views(place.mailbox, [place.node], shape, call)
    return f"<m:Folders>{folder_rendering.markup(view, shape, call.header.version)}</m:Folders>"


GET_FOLDER = Batch("GetFolder", Version.V2007, "MS-OXWSFOLD 3.1.4.6", run)
