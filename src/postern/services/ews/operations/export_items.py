"""ExportItems (MS-OXWSBTRF section 3.1.4.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.model.directory import DirectoryUnavailable
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import change_key
from postern.protocols.ews.names import element, m
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, Long, as_error
from postern.services.ews.places import item_ref
from postern.services.ews.transfer import exported

MAX_IDS = 1_000
"""Items of one request; each is read and sent before the next."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[Long | EwsError]:
    named = (request.find(m("ItemIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_IDS} items.")
    for each in named:
        try:
            yield await _export(call, each)
        except (EwsError, MailboxError, DirectoryUnavailable) as error:
            yield as_error(error)


async def _export(call: Call, named: xml.Element) -> Long:
    ref = item_ref(named)
    if ref.id.start is not None:
        raise EwsError(Code.INVALID_ID_MALFORMED, "One occurrence of a series is not exported: export the series.")
    mailbox = await call.mailbox_with(ref.id.mailbox)
    item, data = await exported(mailbox, ref.id.item)
    item_id = element("m:ItemId", Id=str(ref.id), ChangeKey=change_key(item.change))
    return Long((f"{item_id}<m:Data>", data, "</m:Data>"))


EXPORT_ITEMS = Batch("ExportItems", Version.V2010_SP1, "MS-OXWSBTRF 3.1.4.1", run)
