"""The collections of a mailbox: folders by their class, and the segment that each has in its path.

The first folder of a class has a segment that is always the same. A collection that a DAV client made has the segment that the
client chose, and any other its id: so a path stays when another client renames the folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from postern.model.folders import FolderNode
from postern.model.mailbox import MailboxError
from postern.services.dav import documents
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import Place, Space, home_path

DOCUMENT = "collections"
"""The document that has the segments and properties of collections."""
Properties = Mapping[str, str]


class _Class(NamedTuple):
    folder_class: str
    name: str
    segment: str
    space: Space
    components: tuple[str, ...]


class Kind(_Class, Enum):
    """A kind of collection. `components` are those of a collection for which nobody chose others."""

    CALENDAR = _Class("IPF.Appointment", "Calendar", "calendar", Space.CALENDARS, ("VEVENT",))
    TASKS = _Class("IPF.Task", "Tasks", "tasks", Space.CALENDARS, ("VTODO",))
    ADDRESSBOOK = _Class("IPF.Contact", "Contacts", "contacts", Space.ADDRESSBOOKS, ())
    FILES = _Class("IPF.Files", "Files", "", Space.FILES, ())


def kind_of(node: FolderNode) -> Kind | None:
    return next((kind for kind in Kind if f"{node.folder_class}.".startswith(f"{kind.folder_class}.")), None)


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder as a collection. `path` ends in a slash. `properties` are those that clients have set, as markup of the whole
    element by name; `components` are what a calendar takes. The first folder of its class `is_default`."""

    kind: Kind
    node: FolderNode
    path: str
    properties: Properties = field(default_factory=dict)
    components: tuple[str, ...] = ()
    is_default: bool = False

    @property
    def id(self) -> int:
        return self.node.id


async def collections(box: OwnMailbox, space: Space) -> list[Collection]:
    """Returns the collections of a home of calendars or address books, by their path. Makes the first of each class."""
    kinds = [kind for kind in Kind if kind.space is space]
    nodes = await box.tree()
    for kind in kinds:
        if not any(kind_of(node) is kind for node in nodes):
            await _make_first(box, kind)
            nodes = await box.tree()
    document = await documents.read(box, DOCUMENT)
    made: dict[str, Collection] = {}
    for kind in kinds:
        folders = [node for node in nodes if kind_of(node) is kind]
        for node in folders:
            entry = document.get(str(node.id), {})
            is_first = node is folders[0]
            segment = kind.segment if is_first else entry.get("segment") or str(node.id)
            path = f"{home_path(space, box.address)}{segment}/"
            components = tuple(entry.get("components", ())) or kind.components
            made.setdefault(path, Collection(kind, node, path, entry.get("properties", {}), components, is_first))
    return list(made.values())


async def _make_first(box: OwnMailbox, kind: Kind) -> None:
    """Makes the first folder of a class. A folder of mail may have its name."""
    for name in (kind.value.name, f"{kind.value.name} (DAV)"):
        try:
            await box.store.create_in(box.id, 0, name, kind.folder_class)
            break
        except MailboxError as error:
            if error.code != "ALREADYEXISTS":
                raise
    box.forget()


async def collection_at(box: OwnMailbox, space: Space, segment: str) -> Collection | None:
    """Finds a collection of a home by its segment."""
    path = f"{home_path(space, box.address)}{segment}/"
    return next((each for each in await collections(box, space) if each.path == path), None)


async def files_root(box: OwnMailbox) -> Collection:
    """Returns the folder that documents lie in."""
    kind = Kind.FILES
    nodes = [node for node in await box.tree() if kind_of(node) is kind]
    if not nodes:
        await _make_first(box, kind)
        nodes = [node for node in await box.tree() if kind_of(node) is kind]
    ids = {node.id for node in nodes}
    root = next(node for node in nodes if node.parent not in ids)
    return Collection(kind, root, home_path(Space.FILES, box.address), await _properties(box, root), (), True)


async def _properties(box: OwnMailbox, node: FolderNode) -> Properties:
    entry = (await documents.read(box, DOCUMENT)).get(str(node.id), {})
    properties: Properties = entry.get("properties", {})
    return properties


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
    return Collection(Kind.FILES, node, f"{here.path}{'/'.join(names)}/", await _properties(box, node))


async def files_below(box: OwnMailbox, above: Collection) -> list[Collection]:
    """Returns the folders directly in a folder of documents."""
    document = await documents.read(box, DOCUMENT)
    return [
        Collection(Kind.FILES, node, f"{above.path}{node.name}/", document.get(str(node.id), {}).get("properties", {}))
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
