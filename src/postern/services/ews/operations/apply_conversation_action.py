"""ApplyConversationAction (MS-OXWSCONV section 3.1.4.1): what is done to the messages of a conversation that are there now.

The actions that would also be done to messages which come later are rules, and there are none yet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

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
from postern.services.ews.conversations_named import NamedConversation, named_conversations
from postern.services.ews.deleting import Disposal, dispose
from postern.services.ews.editing import bag_of
from postern.services.ews.follow_up import FollowUp, read_follow_up
from postern.services.ews.operation import Batch, attempted

MAX_ACTIONS = 100
PAGE = 1_000
"""Messages to which an action is applied by one call of the store."""
MAX_DATED = 1_000
"""Messages of one action that get a flag with dates, or that is complete: each of them is written to by itself."""
_LATER = frozenset({"AlwaysCategorize", "AlwaysDelete", "AlwaysMove", "SetRetentionPolicy"})


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    actions = (request.find(m("ConversationActions")) or xml.Element("")).find_all(t("ConversationAction"))
    if not 0 < len(actions) <= MAX_ACTIONS:
        raise EwsError(Code.INVALID_REQUEST, f"A request has 1 to {MAX_ACTIONS} actions.")
    conversations = await named_conversations(call, [each.find(t("ConversationId")) for each in actions])
    for action, conversation in zip(actions, conversations, strict=True):
        yield await attempted(_apply(call, action, conversation))


async def _apply(call: Call, action: xml.Element, conversation: NamedConversation | EwsError) -> str:
    name = action.text_of(t("Action"))
    if name in _LATER:
        raise EwsError(Code.INVALID_OPERATION, "Actions on messages that come later are not supported by this server.")
    if isinstance(conversation, EwsError):
        raise conversation
    mailbox = conversation.mailbox
    apply = await _action(call, mailbox, name, action)
    items = await _meant(call, conversation, action)
    if len(items) > MAX_DATED and name == "Flag" and any(read_follow_up(action.find(t("Flag"))).bag.values()):
        raise EwsError(Code.INVALID_OPERATION, f"At most {MAX_DATED} messages get a flag with dates.")
    for start in range(0, len(items), PAGE):
        await apply(items[start : start + PAGE])
    return ""


async def _action(
    call: Call, mailbox: Mailbox, name: str, action: xml.Element
) -> Callable[[Sequence[StoredItem]], Awaitable[object]]:
    """Returns the work that an action does on messages. Raises EwsError."""
    if name == "Delete":
        disposal = _disposal(action.text_of(t("DeleteType")))
        return lambda items: dispose(mailbox, _numbers(items), disposal)
    if name in ("Move", "Copy"):
        target = await places.target(call, action.find(t("DestinationFolderId")))
        return lambda items: moving.put(mailbox, _numbers(items), target, name == "Move")
    if name == "SetReadState":
        is_read = is_true(action.text_of(t("IsRead")))
        return lambda items: mailbox.mark(items, Flag.SEEN, is_read)
    if name == "Flag" and call.header.version >= Version.V2013:
        flag = read_follow_up(action.find(t("Flag")))
        return lambda items: _flag(mailbox, items, flag)
    raise EwsError(Code.SCHEMA_VALIDATION)


def _numbers(items: Sequence[StoredItem]) -> list[int]:
    return [item.id for item in items]


async def _meant(call: Call, conversation: NamedConversation, action: xml.Element) -> list[StoredItem]:
    """The messages of a conversation that an action is for: in its folder, and not newer than the client knows."""
    items = await conversation.seen()
    context = action.find(t("ContextFolderId"))
    if context is not None:
        place = await places.target(call, context, Code.FOLDER_NOT_FOUND)
        folder = place.mailbox.id, place.node.id
        items = [item for item in items if (conversation.mailbox.id, item.folder) == folder]
    known = action.text_of(t("ConversationLastSyncTime"))
    if known:
        until = read_time(known)
        items = [item for item in items if item.internal_date <= until]
    return items


async def _flag(mailbox: Mailbox, items: Sequence[StoredItem], flag: FollowUp) -> None:
    """Sets the flag for follow-up. What the bag of a message has of it is written where it is something else."""
    await mailbox.mark(items, Flag.FLAGGED, flag.is_flagged)
    values = await bag_of(mailbox, flag.bag)
    is_empty = all(held is None for held in flag.bag.values())
    bags = await mailbox.store.bags(mailbox.id, _numbers(items)) if is_empty else {}
    for item in items:
        if not is_empty or values.keys() & bags.get(item.id, {}).keys():
            await mailbox.store.set_properties(mailbox.id, item.id, values)


def _disposal(text: str) -> Disposal:
    try:
        return Disposal(text or Disposal.TRASH)
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None


APPLY_CONVERSATION_ACTION = Batch("ApplyConversationAction", Version.V2010_SP1, "MS-OXWSCONV 3.1.4.1", run)
