"""Finds what a path names: a thing that is no resource (`live.Node`), or a resource in a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from postern.model.mailbox import MailboxError
from postern.model.resources import Resource
from postern.services.dav import address_list, folders, principal_search
from postern.services.dav.folders import Collection, Kind
from postern.services.dav.live import Level, Node
from postern.services.dav.locks import NO_LOCKS, Locks
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import HOMES, ROOT, Place, Space, home_path, principal_path
from postern.services.dav.request import Refusal
from postern.services.dav.shared import mounted


@dataclass(frozen=True, slots=True)
class Target:
    """A resource, and the collection that it is in."""

    container: Collection
    resource: Resource

    @property
    def path(self) -> str:
        return self.container.path + self.resource.name


def missing() -> Refusal:
    return Refusal(HTTPStatus.NOT_FOUND)


async def find(
    box: OwnMailbox, place: Place, locks: Locks = NO_LOCKS, content: bool = False, with_state: bool = True
) -> Node | Target:
    """Returns what is at this place of this mailbox. `content` brings a resource's octets; without `with_state` a collection
    comes without its state and properties, which are two questions to the store. Raises Refusal 404: whether what is elsewhere,
    or closed to the caller, exists is nobody else's business."""
    if place.address and place.space is not Space.PRINCIPALS:
        inner = box.inner(place)
        if inner is None:
            raise missing()
        place = inner
    if place.space is Space.ROOT:
        return Node(Level.ROOT, place.space, ROOT, box)
    if place.space is Space.PRINCIPALS:
        return await _principal(box, place)
    if not place.address:
        return Node(Level.HOMES, place.space, f"{ROOT}{place.space}/", box)
    if place.is_home and place.space is not Space.FILES:
        if not box.is_open:
            raise missing()
        return Node(Level.HOME, place.space, home_path(place.space, box.address), box)
    if place.space is Space.CALENDARS and place.names == (folders.OUTBOX,):
        return Node(Level.OUTBOX, place.space, f"{home_path(place.space, box.address)}{folders.OUTBOX}/", box)
    if address_list.holds(place):
        if box.me is not box:
            raise missing()
        return await _in_address_list(box, place)
    collection = await folders.collection_of(box, place)
    if collection is not None and not with_state:
        return Node(Level.COLLECTION, collection.kind.space, collection.path, box, collection)
    if collection is not None:
        (node,) = await of_collections(box, [collection], locks)
        return node
    container = await folders.container_of(box, place)
    if container is None or place.is_slashed:
        raise missing()
    return await find_resource(box, *container, content=content)


async def find_resource(box: OwnMailbox, container: Collection, name: str, content: bool = False) -> Target:
    """Returns the resource of this name in a collection. Raises Refusal 404."""
    resource = await resource_in(box, container, name, content)
    if resource is None:
        raise missing()
    return Target(container, resource)


async def resource_in(box: OwnMailbox, container: Collection, name: str, content: bool = False) -> Resource | None:
    try:
        resources = await box.store.named(box.id, container.id, [name], content)
    except MailboxError as error:
        if error.code != "NONEXISTENT":
            raise
        return None
    return next(iter(resources), None)


async def _in_address_list(box: OwnMailbox, place: Place) -> Node | Target:
    node = _address_list(box)
    assert node.collection is not None
    if len(place.names) == 1:
        return node
    if place.is_slashed:
        raise missing()
    return await find_resource(node.box, node.collection, place.names[1])


def _address_list(box: OwnMailbox) -> Node:
    box = address_list.list_of(box)
    collection = address_list.collection_of(box.address)
    return Node(Level.COLLECTION, Space.ADDRESSBOOKS, collection.path, box, collection)


async def _principal(box: OwnMailbox, place: Place) -> Node:
    if place.address and not box.is_mine(place.address):
        other = await principal_search.principal(box, place.address)
        if other is None:
            raise missing()
        return other
    if place.address:
        return Node(Level.PRINCIPAL, place.space, principal_path(box.address), box)
    path = f"{ROOT}principals/users/" if place.names else f"{ROOT}principals/"
    return Node(Level.PRINCIPALS, place.space, path, box)


async def of_collections(box: OwnMailbox, collections: Sequence[Collection], locks: Locks = NO_LOCKS) -> list[Node]:
    """Returns these collections with their states, which are asked for at once."""
    if not collections:
        return []
    states = await box.store.folder_states(box.id, [each.id for each in collections])
    collections = await folders.with_properties(box, collections)
    return [
        Node(Level.COLLECTION, each.kind.space, each.path, box, each, states.get(each.id), locks.covering(each.path))
        for each in collections
    ]


async def below(node: Node, locks: Locks = NO_LOCKS) -> list[Node]:
    """Returns what is directly below a thing and no resource. Of all users, a caller sees himself; others are searched for."""
    box = node.box
    if node.level is Level.ROOT:
        homes = [Node(Level.HOMES, space, f"{ROOT}{space}/", box) for space in HOMES]
        return [Node(Level.PRINCIPALS, Space.PRINCIPALS, f"{ROOT}principals/", box), *homes]
    if node.level is Level.PRINCIPALS:
        if node.path.endswith("/users/"):
            return [Node(Level.PRINCIPAL, node.space, principal_path(box.address), box)]
        return [Node(Level.PRINCIPALS, node.space, f"{ROOT}principals/users/", box)]
    if node.level is Level.HOMES:
        if node.space is Space.FILES:
            return await of_collections(box, [await folders.files_root(box)], locks)
        return [Node(Level.HOME, node.space, home_path(node.space, box.address), box)]
    if node.level is Level.HOME:
        own = await of_collections(box, await folders.collections(box, node.space))
        if box.me is not box:
            return own
        shared = [await of_collections(*each) for each in await mounted(box, node.space)]
        lists = [_address_list(box)] if node.space is Space.ADDRESSBOOKS else []
        return [*own, *(node for several in shared for node in several), *lists]
    if node.collection is not None and node.kind is Kind.FILES:
        return await of_collections(box, await folders.files_below(box, node.collection), locks)
    return []
