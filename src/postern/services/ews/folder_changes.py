"""The properties of folders that a request sets: name, class, rights of others, MAPI properties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from postern.items.properties import Property, Value
from postern.items.property_values import encoded
from postern.model.directory import DirectoryUnavailable
from postern.model.folders import MAIL, SEARCH, FolderKind, FolderNode, Right, is_class
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import TYPES, element
from postern.protocols.ews.paths import ExtendedPath, FieldPath, path_markup, read_path
from postern.services.ews import above, extended, folder_edits, permissions, search_folders
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.folder_rendering import (
    BY_URI,
    ELEMENTS,
    PERMISSION_SET,
    SEARCH_PARAMETERS,
    element_of,
    shown_class,
    shown_name,
)
from postern.services.ews.places import Place

NAME, CLASS = "folder:DisplayName", "folder:FolderClass"
_CLASS_OF = {each: folder_class for folder_class, each in ELEMENTS.items()}
_BY_ELEMENT = {each.element: each for each in BY_URI.values()}


@dataclass(slots=True)
class FolderChange:
    """The properties that a request sets of a folder. `entries` None: it says nothing of the rights of others.
    `search` is the SearchParameters of a search folder. `bag` has None for
    a property that is taken out."""

    name: str | None = None
    folder_class: str | None = None
    entries: dict[UUID, Right] | None = None
    search: xml.Element | None = None
    bag: dict[Property, Value | None] = field(default_factory=dict)

    async def put(self, call: Call, node: FolderNode, value: xml.Element) -> None:
        """Takes in a property's element. Raises EwsError: ErrorInvalidPropertySet for one that is read-only,
        ErrorInvalidPropertyRequest for one that no folder has."""
        if value.local == "ExtendedProperty":
            property_, content = extended.read(value)
            self.bag[property_] = content
            return
        known = _BY_ELEMENT.get(value.local)
        if known is None or value.namespace != TYPES:
            raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=element("t:FieldURI", FieldURI=f"folder:{value.local}"))
        if known.uri == NAME:
            self.name = value.text
        elif known.uri == CLASS:
            self.folder_class = value.text.strip()
        elif known.uri == PERMISSION_SET:
            self.entries = await permissions.read_set(call, node, value)
        elif known.uri == SEARCH_PARAMETERS:
            self.search = value
        else:
            raise EwsError(Code.INVALID_PROPERTY_SET, path=element("t:FieldURI", FieldURI=known.uri))

    async def keep(self, call: Call, place: Place) -> None:
        """Stores what is not in the folder already, but for its name. Raises EwsError, MailboxError."""
        mailbox, node = place.mailbox, place.node
        if self.bag:
            mailbox.demand(node, Right.OWNER)
            await self._keep_bag(mailbox, node)
        if self.search is not None:
            mailbox.demand(node, Right.OWNER)
            await search_folders.define(call, place, self.search)
        if self.entries is not None:
            await permissions.set_entries(call, mailbox, node, self.entries)

    async def _keep_bag(self, mailbox: Mailbox, node: FolderNode) -> None:
        home = await above.home_of(mailbox, node)
        kept = {each: each if home is node else above.kept_as(node.id, each) for each in self.bag}
        # The names that clients know have numbers too: answers are made by them.
        names = [each.name for each in (*self.bag, *kept.values()) if each.name is not None]
        numbers = await mailbox.numbers(names, create=True)
        try:
            values = {
                extended.tag_of(kept[each], numbers): None if content is None else encoded(each.type, content)
                for each, content in self.bag.items()
            }
        except ValueError:
            raise EwsError(Code.INVALID_EXTENDED_PROPERTY_VALUE) from None
        await mailbox.server.items.set_folder_properties(mailbox.id, home.id, values)


def class_of(folder: xml.Element) -> str:
    """The class of a new folder. Raises EwsError: ErrorInvalidFolderTypeForOperation for an element that is none,
    ErrorNoFolderClassOverride for a class that is not that of the element."""
    stated = next((each.text.strip() for each in folder.elements if each.local == "FolderClass"), "")
    if folder.namespace != TYPES or folder.local not in ("Folder", *_CLASS_OF):
        raise EwsError(Code.INVALID_FOLDER_TYPE_FOR_OPERATION)
    if folder.local == "SearchFolder":
        return SEARCH
    if folder.local == "Folder" and not is_class(stated, SEARCH):
        return stated or MAIL
    if stated and element_of(stated) != folder.local:
        raise EwsError(Code.NO_FOLDER_CLASS_OVERRIDE)
    return stated or _CLASS_OF[folder.local]


async def create(call: Call, parent: Place, folder: xml.Element) -> Place:
    """Makes the folder that an element describes; where its properties cannot be kept, none. Raises EwsError."""
    folder_class = class_of(folder)
    change = FolderChange()
    described = FolderNode(0, parent.node.id, "", folder_class, FolderKind.USER, 0)
    for each in folder.elements:
        await change.put(call, described, each)
    if not change.name:
        raise EwsError(Code.FOLDER_SAVE_PROPERTY_ERROR, "A folder has a name.")
    node = await folder_edits.create(call, parent, change.name, folder_class)
    place = Place(parent.mailbox, node)
    try:
        await place.mailbox.nodes()
        await change.keep(call, place)
    except (EwsError, MailboxError, DirectoryUnavailable):
        await place.mailbox.server.mailboxes.delete_folder(place.mailbox.id, node.id)
        place.mailbox.forget_nodes()
        raise
    return place


async def update(call: Call, place: Place, updates: Sequence[xml.Element]) -> None:
    """Applies SetFolderField and DeleteFolderField (MS-OXWSFOLD section 2.2.4). Raises EwsError."""
    change = FolderChange()
    for each in updates:
        await _apply(call, place.node, change, each)
    if change.folder_class is not None and change.folder_class.lower() != shown_class(place.node).lower():
        raise EwsError(Code.INVALID_PROPERTY_SET, path=element("t:FieldURI", FieldURI=CLASS))
    await change.keep(call, place)
    if change.name is not None and change.name != shown_name(place.node):
        await folder_edits.rename(place, change.name)


async def _apply(call: Call, node: FolderNode, change: FolderChange, update_: xml.Element) -> None:
    parts = update_.elements
    if not parts:
        raise EwsError(Code.SCHEMA_VALIDATION)
    path = read_path(parts[0])
    if update_.local == "AppendToFolderField":
        raise EwsError(Code.INVALID_PROPERTY_APPEND, path=path_markup(path))
    if update_.local == "DeleteFolderField":
        _take_out(change, path)
        return
    values = parts[1].elements if len(parts) > 1 else []
    if update_.local != "SetFolderField":
        raise EwsError(Code.SCHEMA_VALIDATION)
    if len(values) != 1:
        raise EwsError(Code.INCORRECT_UPDATE_PROPERTY_COUNT, path=path_markup(path))
    if isinstance(path, FieldPath):
        known = BY_URI.get(path.uri)
        if known is None:
            raise EwsError(Code.INVALID_PROPERTY_REQUEST, path=path_markup(path))
        if known.element != values[0].local:
            raise EwsError(Code.UPDATE_PROPERTY_MISMATCH, path=path_markup(path))
    elif values[0].local != "ExtendedProperty":
        raise EwsError(Code.UPDATE_PROPERTY_MISMATCH, path=path_markup(path))
    await change.put(call, node, values[0])


def _take_out(change: FolderChange, path: object) -> None:
    if isinstance(path, ExtendedPath):
        change.bag[extended.property_of(path)] = None
    elif path == FieldPath(PERMISSION_SET):
        change.entries = {}
    elif isinstance(path, FieldPath) and path.uri in BY_URI:
        raise EwsError(Code.INVALID_PROPERTY_DELETE, path=path_markup(path))
    else:
        raise EwsError(Code.INVALID_PROPERTY_REQUEST)
