"""UpdateFolder (MS-OXWSFOLD section 3.1.4.8)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, t
from postern.protocols.ews.versions import Version
from postern.services.ews import folder_changes, folder_rendering, places
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import Place

MAX_CHANGES = 100
"""Folders that one request changes."""
MAX_UPDATES = 500
"""Changes of one folder."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    changes = (request.find(m("FolderChanges")) or xml.Element("")).find_all(t("FolderChange"))
    if not 0 < len(changes) <= MAX_CHANGES:
        raise EwsError(Code.INVALID_REQUEST, f"A request changes 1 to {MAX_CHANGES} folders.")
    for each in changes:
        yield await attempted(_change(call, each))


async def _change(call: Call, change: xml.Element) -> str:
    updates = change.find(t("Updates"))
    named = [each for each in change.elements if each is not updates]
    if updates is None or len(named) != 1 or not 0 < len(updates.elements) <= MAX_UPDATES:
        raise EwsError(Code.SCHEMA_VALIDATION)
    place = await places.folder(call, named[0])
    await folder_changes.update(call, place, updates.elements)
    return await folder_rendering.ids(call, Place(place.mailbox, await place.mailbox.node(place.node.id)))


UPDATE_FOLDER = Batch("UpdateFolder", Version.V2007, "MS-OXWSFOLD 3.1.4.8", run)
