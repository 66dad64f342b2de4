"""FindConversation (MS-OXWSCONV section 3.1.4.2): the conversations of a folder, by the newest message that each has there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from postern.model.folders import FolderNode, Right
from postern.model.item_store import StoredItem
from postern.model.search import SortKey
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.conditions import And, Compare, Condition, Contains, Mode, Operator
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ConversationId
from postern.protocols.ews.names import m, number
from postern.protocols.ews.paths import FieldPath
from postern.protocols.ews.query_strings import read_query
from postern.protocols.ews.versions import Version
from postern.protocols.ews.views import Indexed, read_order, read_view
from postern.services.ews import conversation_rendering as rendering
from postern.services.ews import places
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.conversation_index import MAX_ITEMS, members
from postern.services.ews.conversation_rendering import MAX_MEMBERS, Members
from postern.services.ews.finding import Finder, Search, page_of, part
from postern.services.ews.item_view import PAGE, ItemView, Need, load
from postern.services.ews.operation import Direct
from postern.services.ews.places import Place

MAX_ROWS = 250
"""Conversations of one page."""
_NEEDS = Need.ENVELOPE | Need.STRUCTURE | Need.HEADER | Need.BAG
_FILTERS: Mapping[str, Condition] = MappingProxyType(
    {
        "Unread": Compare(FieldPath("message:IsRead"), Operator.EQUAL, "false"),
        "HasAttachment": Compare(FieldPath("item:HasAttachments"), Operator.EQUAL, "true"),
        "Flagged": Contains(FieldPath("item:Flag"), "Flagged", Mode.FULL),
    }
)
"""The view filters that there are (MS-OXWSCONV section 2.2.5.2). The others are of features that are not here."""
_TIME = FieldPath("conversation:LastDeliveryTime")


async def run(call: Call, request: xml.Element) -> str:
    view = _view(request)
    newest_first = _order(request.find(m("SortOrder")))
    condition = _condition(call, request)
    place = await places.target(call, request.find(m("ParentFolderId")), Code.FOLDER_NOT_FOUND)
    mailbox = place.mailbox
    await mailbox.nodes()
    if place.node.id > 0:
        mailbox.demand(place.node, Right.READ_ANY)
    folders = await _folders(place, request.attributes.get("Traversal") == "Deep")
    numbers, dates = await call.access.conversations.dated(mailbox.id, mailbox.server.items)
    here: dict[int, list[int]] = {}
    for item in await _newest_first(folders, dates):
        here.setdefault(numbers[item], []).append(item)
    if condition is not None:
        # A conversation is shown whole if one of its messages is what is looked for.
        finder = Finder(call, Search(condition), Indexed(0, False, MAX_ITEMS))
        wanted = {numbers[item] for each in folders for item in (await finder.page(each)).ids if item in numbers}
        here = {each: items for each, items in here.items() if each in wanted}
    every = list(here) if newest_first else list(reversed(here))
    start, stop = part(view, len(every))
    page = every[start:stop]
    told = await _markup(call, mailbox, {each: here[each] for each in page}, members(numbers, page))
    parts = f"<m:Conversations>{told}</m:Conversations>" if told else "<m:Conversations/>"
    if call.header.version >= Version.V2013:
        told_page = page_of(view, page, len(every), start)
        parts += number("m:TotalConversationsInView", len(every)) + number("m:IndexedOffset", told_page.offset)
    return parts


async def _folders(place: Place, is_deep: bool) -> list[Place]:
    """The folders that are searched: the one that is named and, in a deep search, those below it that the caller may read. The
    folders above the tree have no messages themselves."""
    nodes = await place.mailbox.nodes()
    chosen = [place.node] if place.node.id > 0 else []
    if is_deep:
        children: dict[int, list[FolderNode]] = {}
        for node in nodes.values():
            above = node.parent if place.node.id > 0 else place.node.id
            children.setdefault(above, []).append(node)
        waiting = list(children.get(place.node.id, []))
        while waiting:
            chosen.append(node := waiting.pop())
            waiting.extend(children.get(node.id, []))
    mailbox = place.mailbox
    return [Place(mailbox, node) for node in chosen if mailbox.rights_in(node) & Right.READ_ANY]


async def _newest_first(folders: Sequence[Place], dates: Mapping[int, int]) -> Sequence[int]:
    """The items of folders that are in conversations, up to MAX_ITEMS of each; those of several folders by when they came into
    the mailbox (`dates`)."""
    order = [SortKey("arrival", True)]
    items: list[int] = []
    for each in folders:
        ids = (await each.mailbox.store.find(each.mailbox.id, each.node.id, order, 0, MAX_ITEMS)).ids
        items += [item for item in ids if item in dates]
    return items if len(folders) < 2 else sorted(items, key=dates.__getitem__, reverse=True)


def _condition(call: Call, request: xml.Element) -> Condition | None:
    """The condition for a message of a conversation, by the ViewFilter and the QueryString. Raises EwsError."""
    name = request.attributes.get("ViewFilter", "All")
    if name != "All" and name not in _FILTERS:
        raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
    text = request.text_of(m("QueryString"))
    query = read_query(text, int(time.time())) if text else None
    terms = [each for each in (_FILTERS.get(name), query) if each is not None]
    return And(tuple(terms)) if len(terms) > 1 else terms[0] if terms else None


def _view(request: xml.Element) -> Indexed:
    """The page that is asked for, of MAX_ROWS at most. Raises EwsError: ErrorUnsupportedQueryFilter for a view of another kind,
    and as `read_view`."""
    view = read_view(request)
    if not isinstance(view, Indexed):
        raise EwsError(Code.UNSUPPORTED_QUERY_FILTER)
    return replace(view, most=min(view.most, MAX_ROWS))


def _order(order: xml.Element | None) -> bool:
    """Whether the newest come first. Raises EwsError for another order than by time."""
    keys = read_order(order)
    if len(keys) > 1 or any(each.path != _TIME for each in keys):
        raise EwsError(Code.UNSUPPORTED_PATH_FOR_SORT_GROUP)
    return all(each.is_descending for each in keys)


async def _markup(call: Call, mailbox: Mailbox, here: dict[int, list[int]], all_: dict[int, list[int]]) -> str:
    items = {item.id: item for item in await _stored(mailbox, {item for ids in all_.values() for item in ids})}
    shown = {item for ids in (*here.values(), *all_.values()) for item in _seen(ids, items)[:MAX_MEMBERS]}
    views: dict[int, ItemView] = {}
    for start in range(0, len(order := sorted(shown)), PAGE):
        for view in await load(call, mailbox, order[start : start + PAGE], _NEEDS):
            views[view.stored.id] = view
    return "".join(
        [
            rendering.markup(
                ConversationId(mailbox.id, each), _of(here[each], items, views), _of(all_[each], items, views)
            )
            for each in here
        ]
    )


async def _stored(mailbox: Mailbox, ids: Iterable[int]) -> list[StoredItem]:
    """These items as far as the caller may see them."""
    order = sorted(ids)
    seen: list[StoredItem] = []
    for start in range(0, len(order), 10 * PAGE):
        seen += await mailbox.store.get(mailbox.id, order[start : start + 10 * PAGE])
    return seen


def _seen(ids: Sequence[int], items: dict[int, StoredItem]) -> list[int]:
    return [item for item in ids if item in items]


def _of(ids: Sequence[int], items: dict[int, StoredItem], views: dict[int, ItemView]) -> Members:
    seen = sorted(_seen(ids, items), key=lambda item: items[item].internal_date, reverse=True)
    return Members([items[item] for item in seen], [views[item] for item in seen if item in views][:MAX_MEMBERS])


FIND_CONVERSATION = Direct("FindConversation", Version.V2010_SP1, "MS-OXWSCONV 3.1.4.2", run)
