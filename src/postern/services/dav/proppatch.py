"""PROPPATCH (RFC 4918 section 9.2): all changes of a request, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from postern.items import calendar_object
from postern.items.calendar_object import Refused
from postern.items.zones import zone_named
from postern.model.folders import FolderNode, Right
from postern.model.mailbox import MailboxError
from postern.protocols.dav import multistatus
from postern.protocols.dav.bodies import MAX_VALUE, Change, read_proppatch
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.names import caldav, dav, element
from postern.services.dav import live, nodes, properties
from postern.services.dav.folders import CALENDARS, Collection, Kind
from postern.services.dav.guarded import need_privileges
from postern.services.dav.live import Level
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import Place, Space
from postern.services.dav.request import Answer, Refusal, Request, whole
from postern.services.dav.resource_properties import DATA, IN_ALL, SCHEDULE_TAG
from postern.services.dav.time_zones import TIME_ZONE, TIME_ZONE_ID, both
from postern.services.dav.writing import check_if, held_and_if

_NAME = dav("displayname")
_TRANSPARENCY = caldav("schedule-calendar-transp")
_TRANSPARENCIES = {caldav("opaque"), caldav("transparent")}
_PROTECTED = element(dav("cannot-modify-protected-property"))
_FULL = element(dav("sufficient-disk-space"))
_INVALID = element(caldav("valid-calendar-data"))
_STATUS = {_FULL: HTTPStatus.INSUFFICIENT_STORAGE}
_COMPUTED = frozenset({*IN_ALL, *DATA, SCHEDULE_TAG, *(name for name in live.LIVE if name not in live.SETTABLE)})
"""Properties that no client sets, of collections and of resources."""


def checked(kind: Kind, change: Change) -> str | None:
    """Returns the markup of the precondition that forbids a change of a collection's property; None: it may be."""
    if change.name in _COMPUTED:
        return _PROTECTED
    if change.value is None:
        return None
    if len(change.markup.encode()) > MAX_VALUE:
        return _FULL
    if change.name == TIME_ZONE_ID and zone_named(change.value.text.strip()) is None:
        return element(caldav("valid-timezone"))
    if change.name == _TRANSPARENCY and not {child.name for child in change.value.elements} <= _TRANSPARENCIES:
        return _INVALID
    if change.name == TIME_ZONE and kind in CALENDARS and not _is_time_zone(change.value.text):
        return _INVALID
    return None


def _is_time_zone(text: str) -> bool:
    """Whether a text is an iCalendar object with a time zone (RFC 4791 section 5.2.2)."""
    return "BEGIN:VTIMEZONE" in text.upper() and not (
        isinstance(read := calendar_object.read(text.encode()), Refused) and read.precondition == "valid-calendar-data"
    )


def kept_of(name: str, changes: Sequence[Change]) -> dict[str, str]:
    """Returns the properties that are kept as they came. A name that the folder itself has is none of them."""
    kept = {
        change.name: change.markup
        for change in changes
        if change.value is not None and (change.name != _NAME or change.value.text != name)
    }
    return kept | {other: markup for other, markup in both(changes).items() if markup is not None}


async def proppatch(box: OwnMailbox, place: Place, request: Request) -> Answer:
    changes = read_proppatch(await request.body(), request.charset)
    target = await nodes.find(box, place)
    if isinstance(target, nodes.Target):
        failures = {
            change.name: _PROTECTED if change.name in _COMPUTED else _FULL
            for change in changes
            if change.name in _COMPUTED or (change.value is not None and len(change.markup.encode()) > MAX_VALUE)
        }
        container = target.container
    elif target.collection is None:
        if target.level is not Level.HOME and target.level is not Level.PRINCIPAL:
            raise Refusal(HTTPStatus.FORBIDDEN)
        failures = {change.name: _PROTECTED for change in changes}
        return _answer(request.path, changes, failures)
    else:
        container = target.collection
        failures = {change.name: why for change in changes if (why := checked(container.kind, change)) is not None}
    held, condition = await held_and_if(box, request, container)
    await check_if(box, condition, held, target.path, target.resource if isinstance(target, nodes.Target) else None)
    if place.space is Space.FILES:
        held.check(target.path, condition.tokens)
    # Before the mailbox numbers the names, of which it has a limited count.
    is_item = isinstance(target, nodes.Target)
    if not box.rights(container.node) & (Right.EDIT_ANY | Right.EDIT_OWNED if is_item else Right.OWNER):
        raise need_privileges()
    if isinstance(target, nodes.Target):
        await box.demand_edit(target.resource.id)
    if not failures:
        if isinstance(target, nodes.Target):
            await properties.write(box, target.resource.id, {each.name: _markup(each) for each in changes})
        else:
            await _change_collection(box, container, changes)
    return _answer(target.path, changes, failures)


def _markup(change: Change) -> str | None:
    return None if change.value is None else change.markup


def _answer(path: str, changes: Sequence[Change], failures: dict[str, str]) -> Answer:
    names = list(dict.fromkeys(change.name for change in changes))
    if not failures:
        parts = [(HTTPStatus.OK, names, "")]
    else:
        parts = [
            (_STATUS.get(why, HTTPStatus.FORBIDDEN), [name for name in names if failures.get(name) == why], why)
            for why in dict.fromkeys(failures.values())
        ]
        parts.append((HTTPStatus.FAILED_DEPENDENCY, [name for name in names if name not in failures], ""))
    text = multistatus.BEGIN + multistatus.outcomes(href_of(path), parts) + multistatus.END
    return whole(text)


async def _change_collection(box: OwnMailbox, collection: Collection, changes: Sequence[Change]) -> None:
    """Keeps properties of a collection. A display name becomes the folder's, where the store takes it, for other clients show
    that; a folder of files keeps its name, which is in its path."""
    names = [change for change in changes if change.name == _NAME]
    node = collection.node
    folder_name = node.name
    if names and names[-1].value is not None and collection.kind is not Kind.FILES and not collection.is_default:
        folder_name = await _renamed(box, node, names[-1].value.text)
    values = {change.name: _markup(change) for change in changes} | both(changes)
    if names and names[-1].value is not None and names[-1].value.text == folder_name:
        values[_NAME] = None
    try:
        await properties.write_folder(box, collection.id, values)
    except (MailboxError, Refusal):
        await _renamed(box, replace(node, name=folder_name), node.name)
        raise


async def _renamed(box: OwnMailbox, node: FolderNode, name: str) -> str:
    """Renames a folder, and returns the name that it has then."""
    if name == node.name:
        return name
    try:
        await box.store.move_folder(box.id, node.id, node.parent, name)
    except MailboxError as error:
        if error.code not in ("ALREADYEXISTS", "CANNOT", "LIMIT"):
            raise
        return node.name
    box.forget()
    return name
