"""UploadItems (MS-OXWSBTRF section 3.1.4.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, change_key
from postern.protocols.ews.names import element, is_true, m, t
from postern.protocols.ews.versions import Version
from postern.services.ews import places
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.transfer import unpacked, upload_new, upload_over

MAX_ITEMS = 1_000
_ACTIONS = frozenset({"CreateNew", "Update", "UpdateOrCreate"})


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    items = (request.find(m("Items")) or xml.Element("")).elements
    if not 0 < len(items) <= MAX_ITEMS:
        raise EwsError(Code.INVALID_REQUEST, f"A request uploads 1 to {MAX_ITEMS} items.")
    for each in items:
        yield await attempted(_upload(call, each))


async def _upload(call: Call, item: xml.Element) -> str:
    action = item.attributes.get("CreateAction", "")
    parent, data, named = item.find(t("ParentFolderId")), item.find(t("Data")), item.find(t("ItemId"))
    if action not in _ACTIONS or parent is None or data is None or (named is None) != (action == "CreateNew"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    if is_true(item.attributes.get("IsAssociated", "")):
        raise EwsError(Code.INVALID_OPERATION, "Associated items are not supported.")
    place = await places.folder(call, xml.Element(t("FolderId"), parent.attributes))
    exported = await unpacked(data.text)
    if named is not None:
        ref = places.item_ref(named)
        try:
            mailbox = await call.mailbox_with(ref.id.mailbox)
            stored = await upload_over(mailbox, ref, exported)
            return _item_id(ItemId(mailbox.id, stored.id), stored.change)
        except EwsError as error:
            if action == "Update" or error.code is not Code.ITEM_NOT_FOUND:
                raise
    stored = await upload_new(place, exported)
    return _item_id(ItemId(place.mailbox.id, stored.id), stored.change)


def _item_id(item: ItemId, change: int) -> str:
    return element("m:ItemId", Id=str(item), ChangeKey=change_key(change))


UPLOAD_ITEMS = Batch("UploadItems", Version.V2010_SP1, "MS-OXWSBTRF 3.1.4.2", run)
