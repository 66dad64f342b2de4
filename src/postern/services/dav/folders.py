"""The collections of a mailbox: folders by their class, and the segment that each has in its path.

The well-known folders have segments that are always the same. A collection that a DAV client made has the segment that the client
chose, and any other its id: so a path stays when another client renames the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from postern.model.folders import FOLDER_CLASSES, FolderKind, FolderNode
from postern.model.mailbox import MailboxError
from postern.services.dav import properties
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import Place, Space, home_path
from postern.services.dav.properties import COMPONENTS, SEGMENT, Values
from postern.services.dav.request import Refusal
from postern.services.mailbox.schedule_inbox import INBOX_CLASS


class _Class(NamedTuple):
    folder_class: str
    well_known: FolderKind | None
    segment: str
    space: Space
    components: tuple[str, ...]


class Kind(_Class, Enum):
    """A kind of collection. `components` are those of a calendar for which nobody chose others."""

    CALENDAR = _Class(
        FOLDER_CLASSES[FolderKind.CALENDAR], FolderKind.CALENDAR, "calendar", Space.CALENDARS, ("VEVENT",)
    )
    TASKS = _Class(FOLDER_CLASSES[FolderKind.TASKS], FolderKind.TASKS, "tasks", Space.CALENDARS, ("VTODO",))
    ADDRESSBOOK = _Class(FOLDER_CLASSES[FolderKind.CONTACTS], FolderKind.CONTACTS, "contacts", Space.ADDRESSBOOKS, ())
    FILES = _Class("IPF.Files", None, "", Space.FILES, ())
    INBOX = _Class(INBOX_CLASS, None, "inbox", Space.CALENDARS, ("VEVENT", "VTODO"))
    """The schedule inbox (RFC 6638 section 2.2), which the calendar attendant fills."""


CALENDARS = (Kind.CALENDAR, Kind.TASKS)
"""The kinds that CalDAV calls a calendar: a list of tasks is one that takes VTODO alone."""
FILES_NAMES = ("Files", "Files (DAV)")
INBOX_NAMES = ("Schedule inbox", "Schedule inbox (DAV)")
OUTBOX = "outbox"
"""The segment of the schedule outbox (RFC 6638 section 2.1), which is no folder: nothing is kept in it."""


def kind_of(node: FolderNode) -> Kind | None:
    return _kind_of(node.folder_class)


@lru_cache(maxsize=256)  # each request asks it of each folder
def _kind_of(folder_class: str) -> Kind | None:
    return next((kind for kind in Kind if _is_of(folder_class, kind.folder_class)), None)


def _is_of(folder_class: str, wanted: str) -> bool:
    return f"{folder_class}.".startswith(f"{wanted}.")


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder as a collection. `path` ends in a slash. `components` are what a calendar takes. The well-known folder of a class
    `is_default`. `properties` are those that clients have set, as markup of the whole element by name; None where they were not
    read yet. The global address list (`address_list`) has no folder behind it."""

    kind: Kind
    node: FolderNode
    path: str
    components: tuple[str, ...] = ()
    is_default: bool = False
    properties: Mapping[str, str] | None = None
    is_address_list: bool = False

    @property
    def id(self) -> int:
        return self.node.id

    @property
    def dead(self) -> Mapping[str, str]:
        assert self.properties is not None
        return self.properties


def _with(collection: Collection, kept: Values) -> Collection:
    """The collection with what is kept of it."""
    components = tuple(filter(None, kept.get(COMPONENTS, "").split(","))) or collection.components
    dead = {name: markup for name, markup in kept.items() if name not in (SEGMENT, COMPONENTS)}
    return replace(collection, components=components, properties=dead)


async def with_properties(box: OwnMailbox, collections: Sequence[Collection]) -> list[Collection]:
    """Returns these collections with their properties, which are asked for at once."""
    missing = [each.node for each in collections if each.properties is None]
    kept = await properties.read_folders(box, missing) if missing else {}
    return [each if each.properties is not None else _with(each, kept.get(each.id, {})) for each in collections]


async def collections(box: OwnMailbox, space: Space) -> list[Collection]:
    """Returns the collections of a home of calendars or address books, by their path."""
    nodes = [node for node in await box.tree() if (kind := kind_of(node)) is not None and kind.space is space]
    kept = await properties.read_folders(box, nodes)
    made: dict[str, Collection] = {}
    # Well-known folders first: nobody takes their segments from them.
    for node in sorted(nodes, key=lambda node: _default(box, node) is None):
        default = _default(box, node)
        segment = kept.get(node.id, {}).get(SEGMENT) or str(node.id)
        collection = default or _plain(node, box.collection_path(space, segment))
        made.setdefault(collection.path, _with(collection, kept.get(node.id, {})))
    return list(made.values())


def _default(box: OwnMailbox, node: FolderNode) -> Collection | None:
    """The collection of a well-known folder."""
    kind = kind_of(node)
    if kind is None or ((kind.well_known is None or node.kind is not kind.well_known) and not _is_inbox(node)):
        return None
    path = box.collection_path(kind.space, kind.segment)
    return Collection(kind, node, path, kind.components, is_default=True)


def _plain(node: FolderNode, path: str) -> Collection:
    kind = kind_of(node)
    assert kind is not None
    return Collection(kind, node, path, kind.components)


async def collection_at(box: OwnMailbox, space: Space, segment: str) -> Collection | None:
    """Finds a collection of a home by its segment. A well-known folder is found in the tree alone."""
    path = box.collection_path(space, segment)
    for node in await box.tree():
        default = _default(box, node)
        if default is not None and default.path == path:
            return default
    if space is Space.CALENDARS and segment == Kind.INBOX.segment:
        return await _inbox(box)
    return next((each for each in await collections(box, space) if each.path == path), None)


def _is_inbox(node: FolderNode) -> bool:
    return node.folder_class == INBOX_CLASS and not node.parent


async def _inbox(box: OwnMailbox) -> Collection | None:
    """Makes the schedule inbox when it is first asked for. From then on the calendar attendant puts messages into it."""
    return _default(box, await make_at_top(box, INBOX_CLASS, *INBOX_NAMES))


async def files_root(box: OwnMailbox) -> Collection:
    """Returns the folder that documents lie in; it is made when it is first asked for."""
    root = await make_at_top(box, Kind.FILES.folder_class, *FILES_NAMES)
    return Collection(Kind.FILES, root, home_path(Space.FILES, box.address), is_default=True)


async def find_at_top(box: OwnMailbox, folder_class: str) -> FolderNode | None:
    """Finds the folder of a class at the top of a mailbox: there the server keeps one of each class that it made for itself."""
    nodes = await box.tree()
    return next((node for node in nodes if not node.parent and _is_of(node.folder_class, folder_class)), None)


async def make_at_top(box: OwnMailbox, folder_class: str, *names: str) -> FolderNode:
    """Returns the folder of a class at the top of a mailbox. Where there is none it is made, under the first of these names that
    is free. Raises Refusal 409 where other folders have all of them: the mail programs of a user may name folders so."""
    for name in names:
        node = await find_at_top(box, folder_class)
        if node is not None:
            return node
        try:
            await box.store.create_in(box.id, 0, name, folder_class)
        except MailboxError as error:
            if error.code != "ALREADYEXISTS":
                raise
        box.forget()
    node = await find_at_top(box, folder_class)
    if node is None:
        taken = ", ".join(names)
        raise Refusal(
            HTTPStatus.CONFLICT,
            text=f"Other folders have all names that this one may have ({taken}): rename one of them",
        )
    return node


async def files_folder(box: OwnMailbox, names: Sequence[str]) -> Collection | None:
    """Finds a folder of documents by its names from the root down."""
    here = await files_root(box)
    if not names:
        return here
    by_place = {(node.parent, node.name): node for node in await box.tree() if kind_of(node) is Kind.FILES}
    node = here.node
    for name in names:
        below = by_place.get((node.id, name))
        if below is None:
            return None
        node = below
    return Collection(Kind.FILES, node, f"{here.path}{'/'.join(names)}/")


async def files_below(box: OwnMailbox, above: Collection) -> list[Collection]:
    """Returns the folders directly in a folder of documents."""
    return [
        Collection(Kind.FILES, node, f"{above.path}{node.name}/")
        for node in await box.tree()
        if node.parent == above.id and kind_of(node) is Kind.FILES
    ]


async def container_of(box: OwnMailbox, place: Place) -> tuple[Collection, str] | None:
    """Finds the collection that a resource at this place lies in, or would lie in, and the resource's name there."""
    if not place.names:
        return None
    *above, name = place.names
    if place.space is Space.FILES:
        collection = await files_folder(box, above)
    else:
        collection = await collection_at(box, place.space, above[0]) if above else None
    return (collection, name) if collection is not None else None


async def collection_of(box: OwnMailbox, place: Place) -> Collection | None:
    """Finds the collection at this place."""
    if place.space is Space.FILES:
        return await files_folder(box, place.names)
    return await collection_at(box, place.space, place.names[0]) if len(place.names) == 1 else None
