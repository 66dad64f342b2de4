"""COPY and MOVE (RFC 4918 sections 9.8 and 9.9)."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from postern.model.mailbox import MailboxError
from postern.protocols.dav.conditions import IfHeader
from postern.protocols.dav.fields import Depth, read_depth, read_overwrite, read_url
from postern.protocols.dav.names import caldav, element
from postern.services.dav import address_list, creation, folders, locks, meetings, nodes, properties
from postern.services.dav.contents import CLASSES
from postern.services.dav.folders import Collection, Kind
from postern.services.dav.locks import Locks, plain
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.nodes import Target
from postern.services.dav.places import Place, Space, place_of
from postern.services.dav.request import Answer, Refusal, Request
from postern.services.dav.resources import SPACES, uid_conflict
from postern.services.dav.writing import check_if, held_and_if, tag_field

_COMPONENTS = {item_class: component for component, item_class in CLASSES.items()}
PAGE = 500
"""Documents that are copied before others have their turn."""


@dataclass(frozen=True, slots=True)
class _Move:
    """A COPY or MOVE that goes to `name` in `container`."""

    is_move: bool
    overwrite: bool
    container: Collection
    name: str
    held: Locks
    condition: IfHeader


async def place(box: OwnMailbox, source: Place, request: Request) -> Answer:
    is_move = request.method == "MOVE"
    if address_list.holds(source):
        raise Refusal(
            HTTPStatus.FORBIDDEN, text="A card of this list is copied by its content: GET it, and PUT it elsewhere"
        )
    target = await nodes.find(box, source)
    if not isinstance(target, Target) and (
        target.collection is None or target.kind is not Kind.FILES or target.collection.is_default
    ):
        raise Refusal(HTTPStatus.FORBIDDEN, text="This collection stays where it is")
    goal = _destination(box, request)
    if goal.address and plain(target.path) == box.path_of(goal):
        raise Refusal(HTTPStatus.FORBIDDEN, text="The destination is the resource itself")
    if goal.space is not source.space:
        raise Refusal(HTTPStatus.FORBIDDEN, text="The destination takes other things")
    if address_list.holds(goal):
        raise address_list.not_granted(box.path_of(goal), "bind")
    within = await folders.container_of(box, goal)
    if within is None:
        is_inside = len(goal.names) > (0 if goal.space is Space.FILES else 1)
        raise Refusal(HTTPStatus.CONFLICT if is_inside else HTTPStatus.FORBIDDEN)
    container, name = within
    if Kind.INBOX in (container.kind, target.container.kind if isinstance(target, Target) else None):
        raise Refusal(HTTPStatus.FORBIDDEN, text="Messages of the schedule inbox stay there until they are deleted")
    held, condition = await held_and_if(box, request, container)
    await meetings.check_tag(box, request, target.resource if isinstance(target, Target) else None)
    await check_if(box, condition, held, target.path, target.resource if isinstance(target, Target) else None)
    move = _Move(is_move, read_overwrite(request.field("overwrite")), container, name, held, condition)
    if is_move:
        held.check(target.path, condition.tokens, members=True, deep=True)
    if isinstance(target, Target):
        return await _resource(box, request, target, move)
    assert target.collection is not None
    depth = read_depth(request.field("depth"), Depth.INFINITY)
    if depth is Depth.ONE or (is_move and depth is Depth.ZERO):
        raise Refusal(HTTPStatus.BAD_REQUEST, text="Depth cannot be this here")
    return await _folder(box, target.collection, move, depth)


def _destination(box: OwnMailbox, request: Request) -> Place:
    value = request.field("destination")
    if value is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, text="There is no Destination")
    path = read_url(value)
    if path is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, text="Destination cannot be read")
    if read_url(value, request.host) is None:
        raise Refusal(HTTPStatus.BAD_GATEWAY, text="The destination is on another server")
    goal = place_of(path)
    if goal is not None and goal.address:
        goal = box.inner(goal)  # nothing goes from one mailbox to another
    if goal is None:
        raise Refusal(HTTPStatus.FORBIDDEN)
    return goal


async def _resource(box: OwnMailbox, request: Request, source: Target, move: _Move) -> Answer:
    """Copies or moves one resource."""
    container, name, kind = move.container, move.name, source.container.kind
    path = container.path + name
    _check_class(source, container)
    if not move.is_move:
        await meetings.check_copy(box, container, source.resource, source.path)
    is_replaced = move.overwrite and await meetings.end(box, request, container, name, source.resource)
    if kind is Kind.FILES:
        there = await _there(box, container, name)
        if isinstance(there, Collection):
            _check_overwrite(move)
            move.held.check(path, move.condition.tokens, members=True, deep=True)
            await creation.remove(box, there)
            is_replaced = True
        else:
            move.held.check(path, move.condition.tokens, members=not there)
    try:
        placed = await box.store.place(
            box.id,
            source.container.id,
            source.resource.name,
            container.id,
            name,
            move.is_move,
            move.overwrite,
            kind in SPACES,
        )
    except MailboxError as error:
        if error.code == "ALREADYEXISTS":
            raise Refusal(HTTPStatus.PRECONDITION_FAILED) from None
        if error.code == "UIDEXISTS":
            others = await box.store.with_uids(box.id, container.id, [source.resource.uid])
            raise uid_conflict(container, next(iter(others.names), name)) from None
        raise
    if move.is_move and kind is Kind.FILES:
        await locks.forget(box, move.held, source.path)
    status = HTTPStatus.CREATED if placed.is_new and not is_replaced else HTTPStatus.NO_CONTENT
    return Answer(status, [tag_field(placed.tag)])


def _check_class(source: Target, container: Collection) -> None:
    """Raises Refusal 403 where the destination does not take the resource."""
    component = _COMPONENTS.get(source.resource.item_class)
    if component is not None and container.components and component not in container.components:
        raise Refusal(HTTPStatus.FORBIDDEN, element(caldav("supported-calendar-component")))


def _check_overwrite(move: _Move) -> None:
    if not move.overwrite:
        raise Refusal(HTTPStatus.PRECONDITION_FAILED)


async def _there(box: OwnMailbox, container: Collection, name: str) -> Collection | bool:
    """Returns the folder of this name in a folder of documents, else whether there is a document."""
    for each in await folders.files_below(box, container):
        if each.node.name == name:
            return each
    return await nodes.resource_in(box, container, name) is not None


async def _folder(box: OwnMailbox, source: Collection, move: _Move, depth: Depth) -> Answer:
    """Copies or moves a folder of documents."""
    path = move.container.path + move.name
    if (path + "/").startswith(source.path):
        raise Refusal(HTTPStatus.FORBIDDEN, text="A folder cannot be put into itself")
    if source.path.startswith(path + "/"):
        raise Refusal(HTTPStatus.FORBIDDEN, text="A folder cannot be put in the place of one above it")
    there = await _there(box, move.container, move.name)
    if there:
        _check_overwrite(move)
    move.held.check(path, move.condition.tokens, members=True, deep=True)
    if isinstance(there, Collection):
        await creation.remove(box, there)
    elif there:
        await box.store.remove(box.id, move.container.id, move.name)
    if move.is_move:
        await box.store.move_folder(box.id, source.id, move.container.id, move.name)
        box.forget()
        await locks.forget(box, move.held, source.path)
    else:
        await _copy_folder(box, source, move.container.id, move.name, depth)
    return Answer(HTTPStatus.NO_CONTENT if there else HTTPStatus.CREATED)


async def _copy_folder(box: OwnMailbox, source: Collection, parent: int, name: str, depth: Depth) -> None:
    made = await box.store.create_in(box.id, parent, name, source.node.folder_class)
    copies = [(source, made.id)]
    below = {made.id}
    for origin, copy in copies:
        (origin,) = await folders.with_properties(box, [origin])
        await properties.write_folder(box, copy, origin.dead)
        if depth is Depth.ZERO:
            break
        await _copy_documents(box, origin.id, copy)
        for child in await folders.files_below(box, origin):
            if child.id in below:
                continue
            node = await box.store.create_in(box.id, copy, child.node.name, child.node.folder_class)
            below.add(node.id)
            copies.append((child, node.id))
    box.forget()


async def _copy_documents(box: OwnMailbox, origin: int, copy: int) -> None:
    async for page in box.pages(origin, PAGE):
        await box.store.copy_items(box.id, list(page.ids), copy)
