"""MKCOL (RFC 4918 section 9.3, extended by RFC 5689) and MKCALENDAR (RFC 4791 section 5.3.1), and the end of collections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from postern.model.folders import FolderNode
from postern.model.mailbox import MailboxError
from postern.protocols.dav import multistatus
from postern.protocols.dav.bodies import BodyError, Change, read_creation
from postern.protocols.dav.names import DECLARATIONS, caldav, dav, element
from postern.services.dav import folders, locks, meetings, nodes, properties
from postern.services.dav.folders import CALENDARS, Collection, Kind
from postern.services.dav.guarded import need_privileges
from postern.services.dav.live import Node
from postern.services.dav.mailbox import OwnMailbox
from postern.services.dav.places import Place, Space
from postern.services.dav.properties import COMPONENTS, SEGMENT
from postern.services.dav.proppatch import checked, kept_of
from postern.services.dav.request import Answer, Refusal, Request, not_allowed
from postern.services.dav.writing import check_if, held_and_if

ALL_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL")
_COMPONENT_SET = caldav("supported-calendar-component-set")
_TYPE = dav("resourcetype")
_NAME = dav("displayname")


async def create(box: OwnMailbox, place: Place, request: Request) -> Answer:
    """Makes a collection, with the properties that the body sets; all or nothing."""
    body = await request.body()
    is_calendar = request.method == "MKCALENDAR"
    media = request.content_type.media
    if not is_calendar and body.strip() and media not in ("application/xml", "text/xml", ""):
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)  # RFC 4918 section 9.3.1
    changes = _read(body, request, is_calendar)
    await _check_free(box, place)
    if place.space is Space.FILES:
        if is_calendar:
            raise Refusal(HTTPStatus.FORBIDDEN, element(caldav("calendar-collection-location-ok")))
        return await _create_folder(box, place, request, changes)
    kind, changes = _kind_of(place.space, is_calendar, changes)
    if len(place.names) != 1 or kind is None:
        if is_calendar:
            raise Refusal(HTTPStatus.FORBIDDEN, element(caldav("calendar-collection-location-ok")))
        status = HTTPStatus.CONFLICT if len(place.names) == 2 else HTTPStatus.FORBIDDEN
        raise Refusal(status, element(dav("valid-resourcetype")) if status is HTTPStatus.FORBIDDEN else "")
    components, changes = _components_of(kind, changes)
    if kind is Kind.CALENDAR and components == ("VTODO",):
        kind = Kind.TASKS
    _refuse_failures(kind, changes, is_calendar)
    await _create_collection(box, place, kind, components, changes)
    return Answer(HTTPStatus.CREATED, [(b"cache-control", b"no-cache")])


def _read(body: bytes, request: Request, is_calendar: bool) -> list[Change]:
    try:
        return read_creation(body, request.charset)
    except BodyError as error:
        if is_calendar or error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text=str(error)) from None


async def _check_free(box: OwnMailbox, place: Place) -> None:
    """Raises Refusal 405 where something is already."""
    try:
        await nodes.find(box, place)
    except Refusal as refusal:
        if refusal.status is not HTTPStatus.NOT_FOUND:
            raise
    else:
        raise not_allowed(precondition=element(dav("resource-must-be-null")))
    if place.is_slashed and place.names:
        # "a/" is free where a resource "a" is; it would not be afterwards.
        await _check_free(box, Place(place.space, place.address, place.names, False))


def _types(changes: Sequence[Change]) -> tuple[set[str], list[Change]]:
    """Returns the names in `resourcetype`, and the other properties."""
    values = [change.value for change in changes if change.name == _TYPE and change.value is not None]
    names = {child.name for value in values for child in value.elements}
    return names, [change for change in changes if change.name != _TYPE]


def _kind_of(space: Space, is_calendar: bool, changes: Sequence[Change]) -> tuple[Kind | None, list[Change]]:
    """Returns the kind that `resourcetype` asks for, and the other properties."""
    names, rest = _types(changes)
    if is_calendar or caldav("calendar") in names:
        return (Kind.CALENDAR if space is Space.CALENDARS else None), rest
    if space is Space.ADDRESSBOOKS:
        # A plain MKCOL makes an address book, too: nothing else can be there.
        return Kind.ADDRESSBOOK, rest
    return (Kind.CALENDAR if space is Space.CALENDARS and not names - {dav("collection")} else None), rest


def _components_of(kind: Kind, changes: Sequence[Change]) -> tuple[tuple[str, ...], list[Change]]:
    rest = [change for change in changes if change.name != _COMPONENT_SET]
    asked = [change.value for change in changes if change.name == _COMPONENT_SET and change.value is not None]
    if kind is not Kind.CALENDAR:
        return (), rest
    if not asked:
        return ALL_COMPONENTS, rest
    names = [part.attributes.get("name", "").upper() for part in asked[-1].find_all(caldav("comp"))]
    components = tuple(name for name in ALL_COMPONENTS if name in names)
    if not components:
        raise Refusal(HTTPStatus.FORBIDDEN, element(caldav("supported-calendar-component")))
    return components, rest


def _refuse_failures(kind: Kind, changes: Sequence[Change], is_calendar: bool) -> None:
    """Raises Refusal 424, with the outcome of each property, where one of them cannot be set (RFC 5689 section 3)."""
    failed = [change.name for change in changes if checked(kind, change) is not None]
    if not failed:
        return
    others = [change.name for change in changes if change.name not in failed]
    stats = multistatus.propstats([(HTTPStatus.FORBIDDEN, failed, ""), (HTTPStatus.FAILED_DEPENDENCY, others, "")])
    root = "C:mkcalendar-response" if is_calendar else "D:mkcol-response"
    raise Refusal(HTTPStatus.FAILED_DEPENDENCY, markup=f"<{root}{DECLARATIONS}>{stats}</{root}>")


async def _create_collection(
    box: OwnMailbox, place: Place, kind: Kind, components: tuple[str, ...], changes: Sequence[Change]
) -> None:
    segment = place.names[0]
    shown = _shown_name(changes)
    names = dict.fromkeys(name for name in (shown, segment, f"{shown or segment} ({segment})") if name)
    own = {SEGMENT: segment, COMPONENTS: ",".join(components) or None}
    await _make(box, 0, list(names), kind, own, changes)


def _shown_name(changes: Sequence[Change]) -> str:
    values = [change.value for change in changes if change.name == _NAME and change.value is not None]
    return " ".join(values[-1].text.replace("/", "-").split()) if values else ""


async def _make(
    box: OwnMailbox,
    parent: int,
    names: Sequence[str],
    kind: Kind,
    own: Mapping[str, str | None],
    changes: Sequence[Change],
) -> None:
    """Makes a folder with the properties of the server's `own` and those of the client; where these cannot be kept, none."""
    node = await _named_folder(box, parent, names, kind)
    try:
        await properties.write_folder(box, node.id, {**own, **kept_of(node.name, changes)})
    except (Refusal, MailboxError):
        await box.delete_folder(node.id)
        raise


async def _named_folder(box: OwnMailbox, parent: int, names: Sequence[str], kind: Kind) -> FolderNode:
    """Makes a folder with the first of these names that can be. Raises Refusal 403 where none can."""
    for name in names:
        try:
            node = await box.store.create_in(box.id, parent, name, kind.folder_class)
        except MailboxError as error:
            if error.code not in ("ALREADYEXISTS", "CANNOT"):
                raise
        else:
            box.forget()
            return node
    raise Refusal(HTTPStatus.FORBIDDEN, text="No folder can have this name")


async def _create_folder(box: OwnMailbox, place: Place, request: Request, changes: Sequence[Change]) -> Answer:
    """Makes a folder of documents."""
    within = await folders.container_of(box, place)
    if within is None:
        raise Refusal(HTTPStatus.CONFLICT)
    parent, name = within
    held, condition = await held_and_if(box, request, parent)
    await check_if(box, condition, held, parent.path + name, None)
    held.check(parent.path + name, condition.tokens, members=True)
    types, changes = _types(changes)
    if types - {dav("collection")}:
        raise Refusal(HTTPStatus.FORBIDDEN, element(dav("valid-resourcetype")))
    _refuse_failures(Kind.FILES, changes, False)
    await _make(box, parent.id, [name], Kind.FILES, {}, changes)
    return Answer(HTTPStatus.CREATED)


async def delete(box: OwnMailbox, node: Node, request: Request) -> Answer:
    """Removes a collection with all that is in it."""
    collection = node.collection
    if collection is None or collection.is_default:
        raise Refusal(HTTPStatus.FORBIDDEN, text="This collection stays")
    if not box.is_whole:
        raise need_privileges()  # before anybody is told that meetings end
    held, condition = await held_and_if(box, request, collection)
    await check_if(box, condition, held, collection.path, None)
    held.check(collection.path, condition.tokens, members=True, deep=True)
    if collection.kind in CALENDARS:
        await meetings.end_all(box, request, collection)
    await remove(box, collection)
    await locks.forget(box, held, collection.path)
    return Answer(HTTPStatus.NO_CONTENT)


async def remove(box: OwnMailbox, collection: Collection) -> None:
    """Removes a folder, and those below it first: by itself, the store leaves them where they are."""
    tree = await box.tree()
    order = [collection.id]
    for folder in order:
        order.extend(each.id for each in tree if each.parent == folder)
    for folder in reversed(order):
        await box.delete_folder(folder)
