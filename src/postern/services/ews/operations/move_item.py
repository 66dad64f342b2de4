"""MoveItem and CopyItem (MS-OXWSCORE sections 3.1.4.7 and 3.1.4.1), and ArchiveItem (MS-OXWSARCH)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, change_key
from postern.protocols.ews.names import element, is_true, m
from postern.protocols.ews.versions import Version
from postern.services.ews import moving, places
from postern.services.ews.access import Call
from postern.services.ews.kinds import kind_of
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import ItemRef, Place, Selected, item_refs, selected

MAX_IDS = 1_000


async def run(call: Call, request: xml.Element, is_move: bool) -> AsyncIterator[str | EwsError]:
    target = await places.target(call, request.find(m("ToFolderId")))
    returned = request.text_of(m("ReturnNewItemIds"))
    refs = await item_refs(call, request.find(m("ItemIds")), MAX_IDS)
    # A copy of what is named twice is two copies: the second is made by itself.
    done: dict[ItemRef, str | EwsError] = {}
    for each in await selected(call, refs):
        done.update(await _put_at_once(each, target, is_move))
    for ref in refs:
        if isinstance(ref, EwsError):
            yield ref
            continue
        answer = done.pop(ref) if ref in done else await attempted(_put(call, ref, target, is_move))
        yield "<m:Items/>" if isinstance(answer, str) and returned and not is_true(returned) else answer


async def _put_at_once(those: Selected, target: Place, is_move: bool) -> dict[ItemRef, str | EwsError]:
    """Places the items of one mailbox in one call. Where that fails for one of them, those that are not placed are tried by
    themselves afterwards; no item is placed twice."""
    if those.mailbox.id != target.mailbox.id:
        return {}
    whole = [ref for ref in those.refs if ref.id.start is None and ref.id.item in those.items]
    try:
        placed = await moving.put(those.mailbox, list(dict.fromkeys(ref.id.item for ref in whole)), target, is_move)
    except (EwsError, MailboxError):
        return {}
    told = await attempted(_markup(target, list(placed.values())))
    elements = {} if isinstance(told, EwsError) else told
    # An item that was placed and is not there any more is not placed again.
    missing = told if isinstance(told, EwsError) else EwsError(Code.ITEM_NOT_FOUND)
    return {ref: elements.get(placed[ref.id.item], missing) for ref in whole if ref.id.item in placed}


async def _put(call: Call, ref: ItemRef, target: Place, is_move: bool) -> str:
    if ref.id.start is not None:
        raise EwsError(Code.CALENDAR_CANNOT_MOVE_OR_COPY_OCCURRENCE)
    source = await call.mailbox_with(ref.id.mailbox)
    await source.nodes()
    placed = await moving.put(source, [ref.id.item], target, is_move)
    for markup in (await _markup(target, list(placed.values()))).values():
        return markup
    raise EwsError(Code.ITEM_NOT_FOUND)


async def _markup(target: Place, numbers: Sequence[int]) -> dict[int, str]:
    """The m:Items with the ids that items have now, by number; of a folder that the caller fills and does not read, too."""
    mailbox = target.mailbox
    elements: dict[int, str] = {}
    for item in await mailbox.server.items.get(mailbox.id, numbers):
        item_id = element("t:ItemId", Id=str(ItemId(mailbox.id, item.id)), ChangeKey=change_key(item.change))
        name = kind_of(item.item_class).element
        elements[item.id] = f"<m:Items><t:{name}>{item_id}</t:{name}></m:Items>"
    return elements


async def archive(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    """There are no archives here."""
    for ref in await item_refs(call, request.find(m("ItemIds")), MAX_IDS):
        yield ref if isinstance(ref, EwsError) else EwsError(Code.ARCHIVE_MAILBOX_NOT_ENABLED)


MOVE_ITEM = Batch("MoveItem", Version.V2007, "MS-OXWSCORE 3.1.4.7", partial(run, is_move=True))
COPY_ITEM = Batch("CopyItem", Version.V2007, "MS-OXWSCORE 3.1.4.1", partial(run, is_move=False))
ARCHIVE_ITEM = Batch("ArchiveItem", Version.V2013, "MS-OXWSARCH 3.1.4.1", archive)
