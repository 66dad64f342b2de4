"""CreateItem (MS-OXWSCORE section 3.1.4.2), of items of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import change_key
from postern.protocols.ews.names import TYPES, element, m
from postern.protocols.ews.versions import Version
from postern.services.ews import places
from postern.services.ews.access import Call
from postern.services.ews.editing import Disposition, How, Saved
from postern.services.ews.kinds import ItemKind, kind_to_make, put_all
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.places import Place
from postern.services.ews.responses import RESPONSES
from postern.services.scheduling.aside import AT_ONCE

MAX_ITEMS = 1_000


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    made = (request.find(m("Items")) or xml.Element("")).elements
    if not 0 < len(made) <= MAX_ITEMS:
        raise EwsError(Code.INVALID_REQUEST, f"A request makes 1 to {MAX_ITEMS} items.")
    named = request.find(m("SavedItemFolderId"))
    saved = await places.target(call, named, Code.SAVED_ITEM_FOLDER_NOT_FOUND) if named is not None else None
    how = How(_disposition(request), request.attributes.get("SendMeetingInvitations", ""), saved=saved)
    for each in made:
        yield await attempted(_create(call, each, how))


def _disposition(request: xml.Element) -> Disposition | None:
    text = request.attributes.get("MessageDisposition", "")
    try:
        return Disposition(text) if text else None
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None


async def _create(call: Call, made: xml.Element, how: How) -> str:
    respond = RESPONSES.get(made.local) if made.namespace == TYPES else None
    if respond is not None:
        return await respond(call, made, how)
    kind = kind_to_make(made)
    if kind is None or kind.edit is None:
        raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_CREATE_ITEM)
    place = how.saved
    if place is None:
        own = await call.own()
        place = Place(own, await own.of_kind(kind.home))
    editor = kind.edit(call, place, None)
    if is_large(made):
        await asyncio.to_thread(put_all, kind, editor, made)
    else:
        put_all(kind, editor, made)
    return items_markup(kind, await editor.create(how))


def is_large(values: xml.Element) -> bool:
    """Whether values are too long to be read in the loop."""
    return sum(len(part.text) for part in values.walk()) > AT_ONCE


def items_markup(kind: ItemKind, saved: Saved | None) -> str:
    """The m:Items of an answer with the id of what was stored."""
    if saved is None:
        return "<m:Items/>"
    item_id = element("t:ItemId", Id=str(saved.id), ChangeKey=change_key(saved.change))
    return f"<m:Items><t:{kind.element}>{item_id}{saved.more}</t:{kind.element}></m:Items>"


CREATE_ITEM = Batch("CreateItem", Version.V2007, "MS-OXWSCORE 3.1.4.2", run)
