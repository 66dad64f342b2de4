"""SyncFolderItems (MS-OXWSSYNC section 3.1.4.2).

A client without a state is told all items that are there, page by page in the order of their UIDs, however many there are. From
then on it is told what has changed, by the change numbers of the mailbox.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

from postern.model.folders import Right
from postern.model.item_store import ItemChanges
from postern.model.items import Column, Flag
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, change_key
from postern.protocols.ews.names import boolean, element, m, unsigned, value
from postern.protocols.ews.shapes import Shape, read_shape
from postern.protocols.ews.sync_states import Fate, ItemsState, read_items_state
from postern.protocols.ews.versions import Version
from postern.services.ews import places
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import Place
from postern.services.ews.rendering import Rendering, markup_of, markup_of_walk

MOST = 512
"""Changes of one answer (MS-OXWSSYNC section 3.1.4.2.4.1)."""
MAX_IGNORED = 5_000
"""Items that a request may want to hear nothing of."""
_END_OF_TIME = 1 << 62
"""A change number that no mailbox reaches."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for a page."""

    place: Place
    rendering: Rendering
    most: int
    ignored: frozenset[int]


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    yield await attempted(_answer(call, request))


async def _answer(call: Call, request: xml.Element) -> str:
    shape = read_shape(request.find(m("ItemShape")))
    if shape.mime:
        raise EwsError(Code.INVALID_PROPERTY_FOR_OPERATION)
    place = await places.target(call, request.find(m("SyncFolderId")), Code.SYNC_FOLDER_NOT_FOUND)
    mailbox, node = place.mailbox, place.node
    await mailbox.nodes()
    if node.is_search:
        raise EwsError(Code.INVALID_FOLDER_TYPE_FOR_OPERATION, "A search folder is searched, and not synchronized.")
    if node.id > 0:
        mailbox.demand(node, Right.READ_ANY)
    text = request.text_of(m("SyncState"))
    state = read_items_state(text) if text else ItemsState(mailbox.id, node.id)
    if (state.mailbox, state.folder) != (mailbox.id, node.id):
        raise EwsError(Code.INVALID_SYNC_STATE_DATA)
    if node.id <= 0:
        # The folders above the tree have no items.
        return _told(replace(state, walked=-1), True, "")
    asked = _Asked(place, _rendering(shape, call), _most(request), _ignored(request, mailbox.id))
    if state.walked >= 0:
        return await _first(call, asked, state)
    return await _later(call, asked, state)


def _rendering(shape: Shape, call: Call) -> Rendering:
    # Clients name all properties that they know: what no list has is left out, and not refused as FindItem refuses it.
    return Rendering(shape, call.header.version, listed=True)


def _most(request: xml.Element) -> int:
    number = unsigned(request.text_of(m("MaxChangesReturned")), 4) or 0
    if not 1 <= number <= MOST:
        raise EwsError(Code.SCHEMA_VALIDATION, f"MaxChangesReturned is between 1 and {MOST}.")
    return number


def _ignored(request: xml.Element, mailbox: object) -> frozenset[int]:
    named = (request.find(m("Ignore")) or xml.Element("")).elements
    if len(named) > MAX_IGNORED:
        raise EwsError(Code.INVALID_REQUEST, f"A request ignores {MAX_IGNORED} items at most.")
    ids = [places.item_ref(each).id for each in named]
    return frozenset(each.item for each in ids if each.mailbox == mailbox)


async def _first(call: Call, asked: _Asked, state: ItemsState) -> str:
    """The next page of the items that were there when the client first asked."""
    mailbox, folder = asked.place.mailbox, asked.place.node.id
    if not state.since:
        now = (await mailbox.store.changes(mailbox.id, folder, _END_OF_TIME, 1)).change
        state = replace(state, since=now)
    elements, last, is_last = await markup_of_walk(
        call, asked.place, asked.rendering, state.walked, asked.most, state.since
    )
    told = "".join([f"<t:Create>{each}</t:Create>" for number, each in elements.items() if number not in asked.ignored])
    if not is_last:
        return _told(replace(state, walked=last), False, told)
    # What has changed since the first page is told next.
    states = await mailbox.store.folder_states(mailbox.id, [folder])
    is_current = folder in states and states[folder].change <= state.since
    return _told(replace(state, walked=-1), is_current, told)


async def _later(call: Call, asked: _Asked, state: ItemsState) -> str:
    """The next page of changes."""
    mailbox, folder = asked.place.mailbox, asked.place.node.id
    changes = await mailbox.store.changes(mailbox.id, folder, state.since, 1 if state.within else asked.most)
    if state.since > changes.change:
        # The state is of a later time than the database, which was restored.
        raise EwsError(Code.INVALID_SYNC_STATE_DATA)
    told = list(_fates(changes))
    following = ItemsState(mailbox.id, folder, changes.change, -1)
    is_last = not changes.more
    if state.within or len(told) > asked.most:
        following, is_last, told = await _part(asked, state)
    markup = await _markup(call, asked, [each for each in told if each[1] not in asked.ignored], state.since)
    return _told(following, is_last, markup)


async def _part(asked: _Asked, state: ItemsState) -> tuple[ItemsState, bool, list[tuple[Fate, int]]]:
    """A part of the first change after the state, which may be larger than a page: it is told in the order of fates and ids."""
    mailbox, folder = asked.place.mailbox, asked.place.node.id
    changes = await mailbox.store.changes(mailbox.id, folder, state.since, 1)
    number = changes.change
    if not changes.more:
        # It is the last change of this folder, and `change` is that of the mailbox.
        states = await mailbox.store.folder_states(mailbox.id, [folder])
        if folder not in states:  # it went after it was found
            raise EwsError(Code.FOLDER_NOT_FOUND)
        number = states[folder].change
    told = list(_fates(changes))
    if state.within == number:
        told = [each for each in told if each > (state.fate, state.item)]
    if len(told) <= asked.most:
        return ItemsState(mailbox.id, folder, changes.change, -1), not changes.more, told
    told = told[: asked.most]
    fate, item = told[-1]
    return replace(state, within=number, fate=fate, item=item), False, told


def _fates(changes: ItemChanges) -> Iterator[tuple[Fate, int]]:
    """The items of changes with what became of them, in order."""
    yield from ((Fate.CREATED, number) for number in changes.created)
    yield from ((Fate.CHANGED, number) for number in changes.changed)
    # For a client of this folder, what is in another now is gone.
    yield from ((Fate.REMOVED, number) for number in sorted({*changes.removed, *changes.moved}))


async def _markup(call: Call, asked: _Asked, told: list[tuple[Fate, int]], since: int) -> str:
    mailbox = asked.place.mailbox
    changed = [number for fate, number in told if fate is Fate.CHANGED]
    read: dict[int, str] = {}
    if changed:
        columns = await mailbox.store.columns(mailbox.id, changed, Column(0))
        for item, other in zip(columns.items, columns.others, strict=True):
            if other <= since:
                item_id = element("t:ItemId", Id=str(ItemId(mailbox.id, item.id)), ChangeKey=change_key(item.change))
                is_read = boolean("t:IsRead", bool(item.flags & Flag.SEEN))
                read[item.id] = f"<t:ReadFlagChange>{item_id}{is_read}</t:ReadFlagChange>"
    shown = [number for fate, number in told if fate is not Fate.REMOVED and number not in read]
    elements = await markup_of(call, mailbox, shown, asked.rendering)
    parts = []
    for fate, number in told:
        if fate is Fate.REMOVED:
            parts.append(f"<t:Delete>{element('t:ItemId', Id=str(ItemId(mailbox.id, number)))}</t:Delete>")
        elif number in read:
            parts.append(read[number])
        elif number in elements:
            tag = "Create" if fate is Fate.CREATED else "Update"
            parts.append(f"<t:{tag}>{elements[number]}</t:{tag}>")
    return "".join(parts)


def _told(state: ItemsState, is_last: bool, changes: str) -> str:
    return (
        f"{value('m:SyncState', str(state))}{boolean('m:IncludesLastItemInRange', is_last)}"
        f"{f'<m:Changes>{changes}</m:Changes>' if changes else '<m:Changes/>'}"
    )


SYNC_FOLDER_ITEMS = Batch("SyncFolderItems", Version.V2007, "MS-OXWSSYNC 3.1.4.2", run)
