"""The conditions of a change: those of HTTP (RFC 9110 section 13), those of the field If, and locks (RFC 4918)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT, Resource
from postern.protocols.dav.conditions import IfHeader, read_if
from postern.protocols.http.conditions import Validators, condition
from postern.protocols.http.events import Field
from postern.services.dav import locks, meetings, nodes
from postern.services.dav.folders import CALENDARS, Collection, Kind
from postern.services.dav.locks import Locks
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import place_of
from postern.services.dav.request import Refusal, Request
from postern.services.dav.resource_properties import etag_of

TRIES = 4
"""Attempts at a change of an object while others, such as the calendar attendant, change it, too."""
T = TypeVar("T")
_CONDITIONAL = frozenset({b"if-match", b"if-none-match", b"if-unmodified-since", b"if-modified-since"})


@dataclass(frozen=True, slots=True)
class Before:
    """The state before a change that may go on. `expected` is the condition for the store, so that nothing comes between;
    None where the client has made none."""

    resource: Resource | None
    expected: bytes | None
    locks: Locks
    condition: IfHeader


def tag_field(tag: bytes) -> Field:
    return b"etag", f'"{tag.hex()}"'.encode()


async def guard(
    box: OwnMailbox, request: Request, container: Collection, name: str, *, members: bool = False
) -> Before:
    """Judges the conditions of a change of the resource `name`. `members`: it goes away; one that comes is seen. Raises
    Refusal: 412, 423."""
    held, condition_ = await held_and_if(box, request, container)
    conditions = [field for field in request.fields if field[0] in _CONDITIONAL]
    by_schedule = request.field("if-schedule-tag-match") is not None
    if (
        not by_schedule
        and conditions == [(b"if-none-match", b"*")]
        and not condition_.lists
        and container.kind is not Kind.FILES
    ):
        return Before(None, ABSENT, held, condition_)  # the store judges it in the same step
    is_conditional = bool(conditions)
    resource = await nodes.resource_in(box, container, name, content=container.kind in CALENDARS)
    await meetings.check_tag(box, request, resource)
    current = None if resource is None else validators_of(resource)
    if is_conditional and condition(request.method, request.fields, current) is not None:
        raise Refusal(HTTPStatus.PRECONDITION_FAILED)
    await check_if(box, condition_, held, container.path + name, resource)
    if container.kind is Kind.FILES:
        held.check(container.path + name, condition_.tokens, members=members or resource is None)
    expected = None
    if is_conditional or condition_.lists:
        expected = ABSENT if resource is None else resource.tag
    return Before(resource, expected, held, condition_)


async def settled(
    box: OwnMailbox,
    request: Request,
    container: Collection,
    name: str,
    change: Callable[[Before], Awaitable[T]],
    *,
    members: bool = False,
) -> T:
    """Judges the conditions of a change as `guard` does, and makes it. Where somebody else has changed the resource between, both
    are done anew, TRIES times at most; not so where the client wants nothing to be there, for now something is."""
    for tries_left in reversed(range(TRIES)):
        old = await guard(box, request, container, name, members=members)
        try:
            return await change(old)
        except MailboxError as error:
            if error.code != "MODIFIED" or old.expected == ABSENT or not tries_left:
                raise
    raise AssertionError("unreachable")


def validators_of(resource: Resource) -> Validators:
    return Validators(etag_of(resource).encode(), float(resource.modified))


async def held_and_if(box: OwnMailbox, request: Request, collection: Collection) -> tuple[Locks, IfHeader]:
    """Returns the locks of the mailbox, where the collection knows locks, and the field If."""
    condition_ = read_if(request.field("if"), request.host)
    is_locked = collection.kind is Kind.FILES
    return (await locks.read(box) if is_locked else locks.NO_LOCKS), condition_


async def check_if(box: OwnMailbox, header: IfHeader, held: Locks, path: str, resource: Resource | None) -> None:
    """Raises Refusal 412 unless the field If holds. `resource` is what is at the path of the request."""
    if not header.lists:
        return
    tags = {"": etag_of(resource) if resource is not None else ""}
    for other in header.paths:
        tags[other] = await _tag_at(box, other)

    def state(about: str) -> tuple[str, list[str]]:
        return tags.get(about, ""), [lock.token for lock in held.covering(about or path)]

    if not header.holds(state):
        raise Refusal(HTTPStatus.PRECONDITION_FAILED)


async def _tag_at(box: OwnMailbox, path: str) -> str:
    place = place_of(path)
    if place is None:
        return ""
    try:
        target = await nodes.find(box, place)
    except Refusal:
        return ""
    return etag_of(target.resource) if isinstance(target, nodes.Target) else ""
