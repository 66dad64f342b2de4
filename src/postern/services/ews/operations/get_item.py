"""GetItem (MS-OXWSCORE section 3.1.4.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Container, Sequence
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
from postern.services.ews.item_view import PAGE_OCTETS
from postern.services.ews.occurrences import SeriesRead
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
        series = SeriesRead(call)
        for ref in group:
            yield ref if isinstance(ref, EwsError) else await attempted(_occurrence(series, ref, rendering))


def _mailbox_of(ref: ItemRef | EwsError) -> UUID | None:
    """The mailbox of an item that is read together with others; None: it is an occurrence, or there is none."""
    return ref.id.mailbox if isinstance(ref, ItemRef) and ref.id.start is None else None


async def _items(call: Call, guid: UUID, ids: list[int], rendering: Rendering) -> AsyncIterator[str | Long | EwsError]:
    """The answers for these items of one mailbox, in their order. An item that is named again is read again, unless its answer
    is short: what has been told is not in memory any more."""
    again = Counter(ids)
    known: dict[int, str | EwsError] = {}
    octets = place = 0
    while place < len(ids):
        if ids[place] in known:
            yield known[ids[place]]
            place += 1
            continue
        distinct = _distinct(ids, place, known)
        async for answer in _distinct_items(call, guid, distinct, rendering):
            number = ids[place]
            yield answer
            again[number] -= 1
            size = len(answer) if isinstance(answer, str) else 0
            if again[number] and not isinstance(answer, Long) and octets + size <= PAGE_OCTETS:
                known[number] = answer
                octets += size
            place += 1


def _distinct(ids: Sequence[int], place: int, known: Container[int]) -> list[int]:
    """The ids from a place on, up to one that is named again."""
    distinct: dict[int, None] = {}
    for number in ids[place:]:
        if number in distinct or number in known:
            break
        distinct[number] = None
    return list(distinct)


async def _distinct_items(
    call: Call, guid: UUID, ids: Sequence[int], rendering: Rendering
) -> AsyncIterator[str | Long | EwsError]:
    """The answers for items that are named once, each before the next ones are read."""
    place = 0
    failed = EwsError(Code.ITEM_NOT_FOUND)
    try:
        mailbox = await call.mailbox_with(guid)
        await mailbox.nodes()
        async for each in streamed(call, mailbox, ids, rendering):
            while ids[place] != each.number:
                yield failed
                place += 1
            inner = ("<m:Items>", *each.parts, "</m:Items>")
            yield Long(inner) if each.is_long else "".join([str(part) for part in inner])
            place += 1
    except (EwsError, MailboxError, DirectoryUnavailable) as error:
        failed = as_error(error)
    for _ in range(place, len(ids)):
        yield failed


async def _occurrence(series: SeriesRead, ref: ItemRef, rendering: Rendering) -> str:
    return f"<m:Items>{await markup_of_occurrence(series, ref.id, rendering)}</m:Items>"


GET_ITEM = Batch("GetItem", Version.V2007, "MS-OXWSCORE 3.1.4.4", run)
