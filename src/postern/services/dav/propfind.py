"""PROPFIND (RFC 4918 section 9.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http import HTTPStatus

from postern.protocols.dav import multistatus
from postern.protocols.dav.bodies import PropFind, Wanted, read_propfind
from postern.protocols.dav.fields import Depth, Preferences, read_depth
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.names import dav, element
from postern.services.dav import address_list, live, locks, nodes
from postern.services.dav.folders import Collection, Kind
from postern.services.dav.live import Node
from postern.services.dav.locks import Locks
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import Place, Space
from postern.services.dav.request import TOO_MANY, Answer, Refusal, Request, applied
from postern.services.dav.request import multistatus as answer_of
from postern.services.dav.resource_properties import ResourceResponses

PAGE = 2_000
"""Resources that are asked of the store at a time."""
AT_ONCE = 100
"""Responses that are put together before the next step: one has about 500 octets, and at most 70 KB with its dead properties."""
MAX_DEEP = 20_000
"""Resources and folders that one PROPFIND of infinite depth tells."""


async def propfind(box: OwnMailbox, place: Place, request: Request) -> Answer:
    depth = read_depth(request.field("depth"), Depth.INFINITY)
    find = read_propfind(await request.body(), request.charset)
    preferences = request.preferences
    held = await locks.read(box) if place.space is Space.FILES and place.address else locks.NO_LOCKS
    if find.wanted is Wanted.NAMES or live.QUOTAS & set(find.names):
        await box.measure()
    await ask(box, find)
    if live.CTAG in find.names and (address_list.holds(place) or _lists_homes(place, depth)):
        await address_list.measure(box)
    if live.PRINCIPAL_ADDRESS in find.names:
        await address_list.look_up(box)
    target = await nodes.find(box, place, held)
    if isinstance(target, nodes.Target):
        writer = ResourceResponses(box, target.container, find, preferences, held)
        await writer.prepare([target.resource])
        return answer_of(_single(writer.response(target.resource)), applied(preferences))
    if depth is Depth.INFINITY and target.kind is not Kind.FILES:
        raise Refusal(HTTPStatus.FORBIDDEN, element(dav("propfind-finite-depth")))
    return answer_of(_of_node(target, depth, find, preferences, held), applied(preferences))


async def ask(box: OwnMailbox, find: PropFind) -> None:
    """Asks for the rights that properties tell of."""
    names = set(find.names)
    if names & live.GRANTS or names & live.SHARES:
        await box.look(grants=bool(names & live.GRANTS), shares=bool(names & live.SHARES))


def _lists_homes(place: Place, depth: Depth) -> bool:
    return place.space is Space.ADDRESSBOOKS and place.is_home and depth is Depth.ONE


async def _single(response: str) -> AsyncIterator[str]:
    yield multistatus.BEGIN + response + multistatus.END


def node_response(node: Node, find: PropFind, preferences: Preferences) -> str:
    """Returns the response about a thing that is no resource."""
    if find.wanted is Wanted.NAMES:
        return multistatus.properties(href_of(node.path), "".join(map(element, live.names_of(node))))
    if find.wanted is Wanted.NAMED:
        names = list(find.names)
    else:
        dead = node.collection.dead if node.collection is not None else {}
        names = list(dict.fromkeys([*live.IN_ALL, *dead, *find.names]))
    present: list[str] = []
    missing: list[str] = []
    for name in names:
        markup = live.present(node, name)
        if markup is not None:
            present.append(markup)
        elif name in find.names:
            missing.append(element(name))
    return multistatus.properties(href_of(node.path), "".join(present), "".join(missing), preferences.is_minimal)


async def _of_node(
    node: Node, depth: Depth, find: PropFind, preferences: Preferences, held: Locks
) -> AsyncIterator[str]:
    """Writes what is asked of a thing and of what is below it."""
    yield multistatus.BEGIN
    if not (preferences.without_root and depth is not Depth.ZERO):
        yield node_response(node, find, preferences)
    count = 0
    waiting = [node] if depth is not Depth.ZERO else []
    while waiting:
        here = waiting.pop()
        children = await nodes.below(here, held)
        for child in children:
            yield node_response(child, find, preferences)
        if here.collection is not None:
            try:
                async for responses, number in _of_resources(here.box, here.collection, find, preferences, held):
                    yield responses
                    count += number
            except address_list.TooMany:
                yield multistatus.state(href_of(here.path), HTTPStatus.INSUFFICIENT_STORAGE, TOO_MANY)
        count += len(children)
        if depth is Depth.INFINITY:
            if count > MAX_DEEP:
                yield multistatus.state(href_of(here.path), HTTPStatus.INSUFFICIENT_STORAGE)
                break
            waiting.extend(reversed(children))
    yield multistatus.END


async def _of_resources(
    box: OwnMailbox, collection: Collection, find: PropFind, preferences: Preferences, held: Locks
) -> AsyncIterator[tuple[str, int]]:
    """Gives the responses about the resources of a collection, many at a time, with their number."""
    writer = ResourceResponses(box, collection, find, preferences, held)
    async for page in box.pages(collection.id, PAGE):
        resources = list(page)
        await writer.prepare(resources)
        for start in range(0, len(resources), AT_ONCE):
            part = resources[start : start + AT_ONCE]
            yield "".join(writer.responses(part)), len(part)
