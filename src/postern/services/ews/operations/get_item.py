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
from postern.services.ews.operation import Batch, Long, as_error
from postern.services.ews.places import ItemRef, item_ref
from postern.services.ews.rendering import Rendering, streamed

MAX_IDS = 1_000
"""Items of one request."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | Long | EwsError]:
    rendering = Rendering(read_shape(request.find(m("ItemShape"))), call.header.version)
    named = (request.find(m("ItemIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_IDS} items.")
    refs = [_ref(each) for each in named]
    for guid, group in groupby(refs, lambda ref: ref.id.mailbox if isinstance(ref, ItemRef) else None):
        told = list(group)
        if guid is None:
            for ref in told:
                yield ref if isinstance(ref, EwsError) else EwsError(Code.ITEM_NOT_FOUND)
            continue
        async for part in _items(call, guid, [ref.id.item for ref in told if isinstance(ref, ItemRef)], rendering):
            yield part


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


def _ref(named: xml.Element) -> ItemRef | EwsError:
    try:
        return item_ref(named)
    except EwsError as error:
        return error


GET_ITEM = Batch("GetItem", Version.V2007, "MS-OXWSCORE 3.1.4.4", run)
