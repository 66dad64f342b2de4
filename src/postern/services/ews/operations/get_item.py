"""GetItem (MS-OXWSCORE section 3.1.4.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
from postern.services.ews.operation import Batch, as_error, attempted
from postern.services.ews.places import ItemRef, item_refs
from postern.services.ews.rendering import Rendering, markup_of, markup_of_occurrence

MAX_IDS = 1_000
"""Items of one request."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    rendering = Rendering(read_shape(request.find(m("ItemShape"))), call.header.version)
    refs = await item_refs(call, request.find(m("ItemIds")), MAX_IDS)
    mailboxes: dict[UUID, list[int]] = {}
    for ref in refs:
        if isinstance(ref, ItemRef) and ref.id.start is None:
            mailboxes.setdefault(ref.id.mailbox, []).append(ref.id.item)
    elements: dict[tuple[UUID, int], str] = {}
    failed: dict[UUID, EwsError] = {}
    for guid, ids in mailboxes.items():
        try:
            mailbox = await call.mailbox_with(guid)
            await mailbox.nodes()
            for number, markup in (await markup_of(call, mailbox, ids, rendering)).items():
                elements[guid, number] = markup
        except (EwsError, MailboxError, DirectoryUnavailable) as error:
            failed[guid] = as_error(error)
    for ref in refs:
        if isinstance(ref, EwsError):
            yield ref
            continue
        if ref.id.start is not None:
            yield await attempted(_occurrence(call, ref, rendering))
            continue
        element = elements.get((ref.id.mailbox, ref.id.item))
        if element is None:
            yield failed.get(ref.id.mailbox) or EwsError(Code.ITEM_NOT_FOUND)
        else:
            yield f"<m:Items>{element}</m:Items>"


async def _occurrence(call: Call, ref: ItemRef, rendering: Rendering) -> str:
    return f"<m:Items>{await markup_of_occurrence(call, ref.id, rendering)}</m:Items>"


GET_ITEM = Batch("GetItem", Version.V2007, "MS-OXWSCORE 3.1.4.4", run)
