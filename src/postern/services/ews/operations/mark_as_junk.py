"""MarkAsJunk (MS-OXWSCORE section 3.1.4.6). No lists of blocked senders are kept here: it moves items, and that is all."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.model.folders import FolderKind
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, change_key
from postern.protocols.ews.names import element, is_true, m
from postern.protocols.ews.versions import Version
from postern.services.ews import moving
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import ItemRef, Place, item_refs

MAX_IDS = 1_000


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    is_junk = is_true(request.attributes.get("IsJunk", ""))
    is_moved = is_true(request.attributes.get("MoveItem", ""))
    for ref in await item_refs(call, request.find(m("ItemIds")), MAX_IDS):
        yield ref if isinstance(ref, EwsError) else await attempted(_mark(call, ref, is_junk, is_moved))


async def _mark(call: Call, ref: ItemRef, is_junk: bool, is_moved: bool) -> str:
    if ref.id.start is not None:
        raise EwsError(Code.CALENDAR_CANNOT_MOVE_OR_COPY_OCCURRENCE)
    mailbox = await call.mailbox_with(ref.id.mailbox)
    await mailbox.nodes()
    if not await mailbox.store.get(mailbox.id, [ref.id.item]):
        raise EwsError(Code.ITEM_NOT_FOUND)
    if not is_moved:
        return ""
    target = await mailbox.of_kind(FolderKind.JUNK if is_junk else FolderKind.INBOX)
    await moving.put(mailbox, [ref.id.item], Place(mailbox, target), True)
    for item in await mailbox.server.items.get(mailbox.id, [ref.id.item]):
        return element("m:MovedItemId", Id=str(ItemId(mailbox.id, item.id)), ChangeKey=change_key(item.change))
    raise EwsError(Code.ITEM_NOT_FOUND)


MARK_AS_JUNK = Batch("MarkAsJunk", Version.V2013, "MS-OXWSCORE 3.1.4.6", run)
