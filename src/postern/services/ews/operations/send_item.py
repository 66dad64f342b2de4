"""SendItem (MS-OXWSCORE section 3.1.4.8)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import is_true, m
from postern.protocols.ews.versions import Version
from postern.services.ews import places, sending
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import item_ref
from postern.services.ews.sending import Copy

MAX_IDS = 100


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    named = (request.find(m("ItemIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request sends 1 to {MAX_IDS} items.")
    is_kept = is_true(request.attributes.get("SaveItemToFolder", ""))
    folder = request.find(m("SavedItemFolderId"))
    if folder is not None and not is_kept:
        raise EwsError(Code.INVALID_SEND_ITEM_SAVE_SETTINGS)
    place = await places.target(call, folder, Code.SAVED_ITEM_FOLDER_NOT_FOUND) if folder is not None else None
    for each in named:
        yield await attempted(_send(call, each, Copy(is_kept, place)))


async def _send(call: Call, named: xml.Element, copy: Copy) -> str:
    ref = item_ref(named)
    # The section has it so: whoever sends says which version he has read.
    if ref.change is None:
        raise EwsError(Code.CHANGE_KEY_REQUIRED)
    await sending.send_stored(call, ref.id, copy, ref.change)
    return ""


SEND_ITEM = Batch("SendItem", Version.V2007, "MS-OXWSCORE 3.1.4.8", run)
