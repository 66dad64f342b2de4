"""GetItem (MS-OXWSCORE section 3.1.4.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import groupby
from uuid import UUID

from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.shapes import read_shape
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, Long, as_error, attempted
from postern.services.ews.places import ItemRef, item_refs
from postern.services.ews.rendering import Rendering, markup_of_occurrence, streamed

MAX_IDS = 1_000
"""Items of one request."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | Long | EwsError]:
    rendering = Rendering(read_shape(request.find(m("ItemShape"))), call.header.version)
    refs = await item_refs(call, request.find(m("ItemIds")), MAX_IDS)
    for guid, group in groupby(refs, _mailbox_of):
        if guid is not None:
            ids = [ref.id.item for ref in group if isinstance(ref, ItemRef)]
            async for part in _items(call, guid, ids, rendering):
                yield part
            continue
        for ref in group:
            yield ref if isinstance(ref, EwsError) else await attempted(_occurrence(call, ref, rendering))


def _mailbox_of(ref: ItemRef | EwsError) -> UUID | None:
    """The mailbox of an item that is read together with others; None: it is an occurrence, or there is none."""
    return ref.id.mailbox if isinstance(ref, ItemRef) and ref.id.start is None else None


async def _items(call: Call, guid: UUID, ids: list[int], rendering: Rendering) -> AsyncIterator[str | Long | EwsError]:
    """The answers for these items of one mailbox, in their order."""
    waiting: dict[int, str | Long] = {}
    place = 0
    last = {number: place for place, number in enumerate(ids)}
    failed = EwsError(Code.ITEM_NOT_FOUND)
    try:
        mailbox = await call.mailbox_with(guid)
        await mailbox.nodes()
        async for each in streamed(call, mailbox, list(last), rendering):
            inner = ("<m:Items>", *each.parts, "</m:Items>")
            waiting[each.number] = Long(inner) if each.is_long else "".join([str(part) for part in inner])
            while place < len(ids) and ids[place] in waiting:
                number = ids[place]
                yield waiting.pop(number) if last[number] == place else waiting[number]
                place += 1
    except (EwsError, MailboxError, DirectoryUnavailable) as error:
        failed = as_error(error)
    while place < len(ids):
        yield waiting.get(ids[place], failed)
        place += 1


async def _occurrence(call: Call, ref: ItemRef, rendering: Rendering) -> str:
    return f"<m:Items>{await markup_of_occurrence(call, ref.id, rendering)}</m:Items>"


GET_ITEM = Batch("GetItem", Version.V2007, "MS-OXWSCORE 3.1.4.4", run)
