"""UpdateItem (MS-OXWSCORE section 3.1.4.9), of items of every kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

from postern.model.mailbox import MailboxError
from postern.net.turns import turns_of
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, t
from postern.protocols.ews.paths import ExtendedPath, IndexedPath, PropertyPath, path_markup, read_path
from postern.protocols.ews.versions import Version
from postern.services.ews import extended, places
from postern.services.ews.access import Call
from postern.services.ews.editing import Conflict, Disposition, Editor, How
from postern.services.ews.fields.field import Field
from postern.services.ews.item_view import ItemView, Need, load_one
from postern.services.ews.kinds import MAX_PROPERTIES, ItemKind, kind_of
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.operations.create_item import is_large, items_markup
from postern.services.ews.places import ItemRef, Place, resolved_ref
from postern.services.scheduling.aside import AT_ONCE, aside, may_recur

MAX_CHANGES = 1_000
MAX_APPENDS = 50
"""Properties of one item that are added to: what they have is read, and written anew, each time."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    changes = (request.find(m("ItemChanges")) or xml.Element("")).find_all(t("ItemChange"))
    if not 0 < len(changes) <= MAX_CHANGES:
        raise EwsError(Code.INVALID_REQUEST, f"A request changes 1 to {MAX_CHANGES} items.")
    named = request.find(m("SavedItemFolderId"))
    saved = await places.target(call, named, Code.SAVED_ITEM_FOLDER_NOT_FOUND) if named is not None else None
    attributes = request.attributes
    try:
        disposition = Disposition(attributes["MessageDisposition"]) if attributes.get("MessageDisposition") else None
        conflict = Conflict(attributes.get("ConflictResolution", Conflict.AUTO_RESOLVE))
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None
    how = How(disposition, attributes.get("SendMeetingInvitationsOrCancellations", ""), conflict, saved)
    for each in changes:
        yield await attempted(_change(call, each, how))


async def _change(call: Call, change: xml.Element, how: How) -> str:
    updates = change.find(t("Updates"))
    named = [each for each in change.elements if each is not updates]
    if updates is None or len(named) != 1:
        raise EwsError(Code.SCHEMA_VALIDATION)
    parts = updates.elements
    if len(parts) > MAX_PROPERTIES or sum(each.local == "AppendToItemField" for each in parts) > MAX_APPENDS:
        raise EwsError(
            Code.INVALID_REQUEST, f"A request changes at most {MAX_PROPERTIES} properties, and adds to {MAX_APPENDS}."
        )
    ref = await resolved_ref(call, named[0])
    is_sent = how.disposition not in (None, Disposition.SAVE_ONLY)
    for is_last in (False, False, True):
        try:
            return await _changed(call, ref, updates, how)
        except MailboxError as error:
            # Somebody else was quicker. Where the client does not mind other changes (MS-OXWSCORE section 2.2.5.4), his is made
            # once more, of what the item has become; but not what may have been sent already.
            if error.code != "MODIFIED" or how.conflict is Conflict.NEVER_OVERWRITE or is_sent or is_last:
                raise
    raise AssertionError("unreachable")


async def _changed(call: Call, ref: ItemRef, updates: xml.Element, how: How) -> str:
    """Reads an item, and stores what these updates make of it."""
    parts = updates.elements
    view = await whole(call, ref)
    kind = kind_of(view.stored.item_class)
    if kind.edit is None:
        raise EwsError(Code.INVALID_PROPERTY_SET)
    octets = view.content or b""
    edit = partial(kind.edit, call, Place(view.mailbox, view.node), view)
    editor = await aside(octets, edit, is_long=may_recur(octets))
    if len(octets) > AT_ONCE or is_large(updates):
        await asyncio.to_thread(_apply_all, kind, editor, parts)
    else:
        turns = turns_of(asyncio.get_running_loop())
        for place, each in enumerate(parts):
            if place:
                # A header or a list of people may be long, and each change of it reads it all.
                await turns.come()
            _apply(kind, editor, each)
    known = ref.change if how.conflict is Conflict.NEVER_OVERWRITE else None
    saved = await editor.update(how, known)
    conflicts = "<m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>"
    return items_markup(kind, saved) + conflicts


async def whole(call: Call, ref: ItemRef) -> ItemView:
    """An item with its content and its bag, to be changed. Raises EwsError ErrorItemNotFound."""
    view = await load_one(call, ref.id, Need.CONTENT | Need.HEADER | Need.BAG)
    view.start = ref.id.start
    return view


def _apply_all(kind: ItemKind, editor: Editor, updates: Sequence[xml.Element]) -> None:
    for each in updates:
        _apply(kind, editor, each)


def _apply(kind: ItemKind, editor: Editor, update: xml.Element) -> None:
    """Applies a SetItemField, AppendToItemField or DeleteItemField (MS-OXWSCORE section 2.2.4)."""
    parts = update.elements
    if not parts or update.local not in ("SetItemField", "AppendToItemField", "DeleteItemField"):
        raise EwsError(Code.SCHEMA_VALIDATION)
    path = read_path(parts[0])
    item = parts[1] if len(parts) > 1 else None
    values = item.elements if item is not None else []
    if update.local != "DeleteItemField" and len(values) != 1:
        raise EwsError(Code.INCORRECT_UPDATE_PROPERTY_COUNT, path=path_markup(path))
    value = values[0] if update.local != "DeleteItemField" else None
    if isinstance(path, ExtendedPath):
        if update.local == "AppendToItemField":
            raise EwsError(Code.INVALID_PROPERTY_APPEND, path=path_markup(path))
        if value is None:
            editor.extend(extended.property_of(path), None)
        else:
            editor.extend(*extended.read(value))
        return
    field = kind.by_uri.get(path.uri)
    if field is None or field.since > editor.call.header.version:
        raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))
    if isinstance(path, IndexedPath) and field.write_part is not None:
        _check(field, path, value, update.local)
        field.write_part(editor, path, value)
        return
    if update.local == "AppendToItemField" and field.append is not None:
        if value is None or value.local != field.element:
            raise EwsError(Code.UPDATE_PROPERTY_MISMATCH, path=path_markup(path))
        field.append(editor, value)
        return
    if field.write is None or isinstance(path, IndexedPath):
        code = Code.INVALID_PROPERTY_DELETE if value is None else Code.INVALID_PROPERTY_SET
        raise EwsError(code, path=path_markup(path))
    _check(field, path, value, update.local)
    field.write(editor, value)


def _check(field: Field, path: PropertyPath, value: xml.Element | None, action: str) -> None:
    if value is not None and value.local != field.element:
        raise EwsError(Code.UPDATE_PROPERTY_MISMATCH, path=path_markup(path))
    if action == "AppendToItemField":
        raise EwsError(Code.INVALID_PROPERTY_APPEND, path=path_markup(path))


UPDATE_ITEM = Batch("UpdateItem", Version.V2007, "MS-OXWSCORE 3.1.4.9", run)
