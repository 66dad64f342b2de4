"""GetConversationItems (MS-OXWSCONV section 3.1.4.3): the messages of conversations, as a tree or by their dates."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import UUID

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, m, t, unsigned, value
from postern.protocols.ews.paths import FieldPath, path_markup
from postern.protocols.ews.shapes import Shape, read_shape
from postern.protocols.ews.versions import Version
from postern.services.ews import places
from postern.services.ews.access import Call
from postern.services.ews.conversations_named import NamedConversation, named_conversations
from postern.services.ews.fields import mime
from postern.services.ews.fields.item import MIME_CONTENT
from postern.services.ews.item_view import PAGE, ItemView, Need, load
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.rendering import Rendering, markup_of

MAX_CONVERSATIONS = 100
MAX_ITEMS = 500
"""Messages of one conversation that are told."""
MAX_MARKUP = 16 << 20
"""Characters of the messages of one conversation, beside the one that goes beyond: of those after it, only the ids are told."""
_ORDERS = ("TreeOrderAscending", "TreeOrderDescending", "DateOrderAscending", "DateOrderDescending")


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    shape = read_shape(request.find(m("ItemShape")))
    if shape.mime or FieldPath(MIME_CONTENT.uri) in shape.paths:
        # A conversation is one piece of markup: GetItem sends contents piece by piece.
        raise EwsError(Code.INVALID_PROPERTY_FOR_OPERATION, path=path_markup(FieldPath(MIME_CONTENT.uri)))
    rendering = Rendering(shape, call.header.version)
    wanted = (request.find(m("Conversations")) or xml.Element("")).find_all(t("Conversation"))
    if not 0 < len(wanted) <= MAX_CONVERSATIONS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_CONVERSATIONS} conversations.")
    ignored = (request.find(m("FoldersToIgnore")) or xml.Element("")).elements
    if len(ignored) > MAX_CONVERSATIONS:
        raise EwsError(Code.INVALID_REQUEST)
    without = {(place.mailbox.id, place.node.id) for place in [await places.folder(call, each) for each in ignored]}
    order = request.text_of(m("SortOrder")) or _ORDERS[0]
    most = unsigned(request.text_of(m("MaxItemsToReturn")) or str(MAX_ITEMS))
    if order not in _ORDERS or most is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    asked = _Asked(rendering, order, min(most, MAX_ITEMS), without)
    for conversation in await named_conversations(call, [each.find(t("ConversationId")) for each in wanted]):
        yield conversation if isinstance(conversation, EwsError) else await attempted(_told(call, conversation, asked))


class _Asked(NamedTuple):
    """The shape of a message, the order of messages, how many at most, and the folders whose messages are left out."""

    rendering: Rendering
    order: str
    most: int
    without: set[tuple[UUID, int]]


async def _told(call: Call, conversation: NamedConversation, asked: _Asked) -> str:
    mailbox = conversation.mailbox
    ids = [item.id for item in await conversation.seen(2 * MAX_ITEMS)]
    views: list[ItemView] = []
    for start in range(0, len(ids), PAGE):
        for view in await load(call, mailbox, ids[start : start + PAGE], Need.ENVELOPE):
            if (mailbox.id, view.node.id) not in asked.without:
                views.append(view)
    nodes = _nodes(views, asked.order)
    shown = [view.stored.id for node in nodes for view in node][: asked.most]
    elements = await markup_of(call, mailbox, shown, asked.rendering, MAX_MARKUP)
    rest = [number for number in shown if number not in elements]
    elements |= await markup_of(call, mailbox, rest, Rendering(Shape(), call.header.version))
    markup = "".join([_node(node, elements) for node in nodes])
    state = base64.b64encode(b"%d" % max((view.stored.change for view in views), default=0)).decode("ascii")
    return (
        f"<m:Conversation>{element('t:ConversationId', Id=str(conversation.id))}{value('t:SyncState', state)}"
        f"<t:ConversationNodes>{markup}</t:ConversationNodes></m:Conversation>"
    )


def _nodes(views: list[ItemView], order: str) -> list[list[ItemView]]:
    """The messages in the order that is asked for; copies of one message, such as the sent and the received one, are together. In
    the order of the tree, an answer stands behind the message that it answers."""
    by_id: dict[bytes, list[ItemView]] = {}
    for view in sorted(views, key=lambda view: (view.stored.internal_date, view.stored.id)):
        by_id.setdefault(mime.envelope(view).message_id.strip() or b"%d" % view.stored.id, []).append(view)
    if order.startswith("Date"):
        nodes = list(by_id.values())
        return nodes[::-1] if order.endswith("Descending") else nodes
    below: dict[bytes, list[bytes]] = {}
    roots: list[bytes] = []
    for number, node in by_id.items():
        parent = mime.envelope(node[0]).in_reply_to.strip()
        (below.setdefault(parent, []) if parent in by_id and parent != number else roots).append(number)
    told: list[bytes] = []
    waiting = roots if order.endswith("Descending") else roots[::-1]
    seen: set[bytes] = set()
    while waiting:
        number = waiting.pop()
        if number not in seen:
            seen.add(number)
            told.append(number)
            answers = below.get(number, [])
            waiting.extend(answers if order.endswith("Descending") else answers[::-1])
    # Messages that answer each other in a ring have no root.
    told += [number for number in by_id if number not in seen]
    return [by_id[number] for number in told]


def _node(views: list[ItemView], elements: dict[int, str]) -> str:
    items = "".join([elements[view.stored.id] for view in views if view.stored.id in elements])
    if not items:
        return ""
    envelope = mime.envelope(views[0])
    texts = (("InternetMessageId", envelope.message_id), ("ParentInternetMessageId", envelope.in_reply_to))
    ids = "".join([value(f"t:{name}", text.decode("utf-8", "replace").strip()) for name, text in texts if text.strip()])
    return f"<t:ConversationNode>{ids}<t:Items>{items}</t:Items></t:ConversationNode>"


GET_CONVERSATION_ITEMS = Batch("GetConversationItems", Version.V2013, "MS-OXWSCONV 3.1.4.3", run)
