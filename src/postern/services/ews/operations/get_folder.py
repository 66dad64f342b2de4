"""GetFolder (MS-OXWSFOLD section 3.1.4.6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import FolderId
from postern.protocols.ews.names import m
from postern.protocols.ews.shapes import Shape, read_shape
from postern.protocols.ews.versions import Version
from postern.services.ews import folder_rendering, places, search_folders
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, as_error
from postern.services.ews.places import Place

MAX_IDS = 1_000
"""Folders of one request."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    shape = read_shape(request.find(m("FolderShape")))
    folder_rendering.check_shape(shape)
    named = (request.find(m("FolderIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_IDS} folders.")
    asked = [await _place(call, each) for each in named]
    elements = await _elements(call, [each for each in asked if isinstance(each, Place)], shape)
    for place in asked:
        yield place if isinstance(place, EwsError) else elements[place.id]


async def _place(call: Call, named: xml.Element) -> Place | EwsError:
    try:
        return await places.folder(call, named)
    except (EwsError, MailboxError, DirectoryUnavailable) as error:
        return as_error(error)


async def _elements(call: Call, those: Sequence[Place], shape: Shape) -> dict[FolderId, str | EwsError]:
    """The m:Folders of these folders, by id; those of one mailbox are read at once."""
    mailboxes: dict[UUID, list[Place]] = {}
    for place in those:
        mailboxes.setdefault(place.mailbox.id, []).append(place)
    elements: dict[FolderId, str | EwsError] = {}
    for its in mailboxes.values():
        nodes = {place.node.id: place.node for place in its}
        try:
            rows = await folder_rendering.views(its[0].mailbox, list(nodes.values()), shape, call)
        except (MailboxError, DirectoryUnavailable) as error:
            elements.update((place.id, as_error(error)) for place in its)
            continue
        await search_folders.fill(call, rows, shape)
        for row in rows:
            markup = folder_rendering.markup(row, shape, call.header.version)
            elements[FolderId(row.mailbox.id, row.node.id)] = f"<m:Folders>{markup}</m:Folders>"
    return elements


GET_FOLDER = Batch("GetFolder", Version.V2007, "MS-OXWSFOLD 3.1.4.6", run)
