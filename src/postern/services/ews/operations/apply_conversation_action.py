"""ApplyConversationAction (MS-OXWSCONV section 3.1.4.1): what is done to the messages of a conversation that are there now.

The actions that would also be done to messages which come later are rules, and there are none yet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.model.item_store import StoredItem
from postern.model.items import Flag
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import is_true, m, t
from postern.protocols.ews.times import read_time
from postern.protocols.ews.versions import Version
from postern.services.ews import moving, places
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.deleting import Disposal, dispose
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.operations.get_conversation_items import found

MAX_ACTIONS = 100
_LATER = frozenset({"AlwaysCategorize", "AlwaysDelete", "AlwaysMove", "SetRetentionPolicy"})


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    actions = (request.find(m("ConversationActions")) or xml.Element("")).find_all(t("ConversationAction"))
    if not 0 < len(actions) <= MAX_ACTIONS:
        raise EwsError(Code.INVALID_REQUEST, f"A request has 1 to {MAX_ACTIONS} actions.")
    for each in actions:
        yield await attempted(_apply(call, each))


async def _apply(call: Call, action: xml.Element) -> str:
    name = action.text_of(t("Action"))
    if name in _LATER:
        raise EwsError(Code.INVALID_OPERATION, "Actions on messages that come later are not supported by this server.")
    mailbox, _, ids = await found(call, action.find(t("ConversationId")))
    items = await _meant(call, mailbox, ids, action)
    if not items:
        return ""
    numbers = [item.id for item in items]
    if name == "Delete":
        await dispose(mailbox, numbers, _disposal(action.text_of(t("DeleteType"))))
    elif name in ("Move", "Copy"):
        target = await places.target(call, action.find(t("DestinationFolderId")))
        await moving.put(mailbox, numbers, target, name == "Move")
    elif name == "SetReadState":
        await _set(mailbox, items, Flag.SEEN, is_true(action.text_of(t("IsRead"))))
    elif name == "Flag" and call.header.version >= Version.V2013:
        await _set(mailbox, items, Flag.FLAGGED, action.text_of(t("Flag"), t("FlagStatus")) == "Flagged")
    else:
        raise EwsError(Code.SCHEMA_VALIDATION)
    return ""


async def _meant(call: Call, mailbox: Mailbox, ids: list[int], action: xml.Element) -> list[StoredItem]:
    """The messages of a conversation that an action is for: in its folder, and not newer than the client knows."""
    items = await mailbox.store.get(mailbox.id, ids)
    context = action.find(t("ContextFolderId"))
    if context is not None:
        place = await places.target(call, context, Code.FOLDER_NOT_FOUND)
        items = [item for item in items if (mailbox.id, item.folder) == (place.mailbox.id, place.node.id)]
    known = action.text_of(t("ConversationLastSyncTime"))
    if known:
        until = read_time(known)
        items = [item for item in items if item.internal_date <= until]
    return items


async def _set(mailbox: Mailbox, items: list[StoredItem], flag: Flag, is_set: bool) -> None:
    for item in items:
        flags = item.flags | flag if is_set else item.flags & ~flag
        if flags != item.flags:
            await mailbox.change_flags(item.id, flags)


def _disposal(text: str) -> Disposal:
    try:
        return Disposal(text or Disposal.TRASH)
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None


APPLY_CONVERSATION_ACTION = Batch("ApplyConversationAction", Version.V2010_SP1, "MS-OXWSCONV 3.1.4.1", run)
