"""Managed attachments by DAV (RFC 8607): POST to an appointment or a task adds, replaces or removes one, GET reads it.

`attached` keeps them. They are read by their owner, by those who may read an object that names them, and by those who are invited
to it. `enclosures` says what guests elsewhere get.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qs

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.managed_attachments import MAX_MANAGED, Named, add, attach_line, managed, remove, update
from postern.model.folders import Right
from postern.model.mailbox import MailboxError
from postern.protocols.content_lines import Line
from postern.protocols.dav.names import CALDAV, caldav, element
from postern.protocols.mime.parameters import parameter, parse_value
from postern.services.dav import attached, contents, meetings, nodes, resources
from postern.services.dav.folders import CALENDARS
from postern.services.dav.guarded import need_privileges
from postern.services.dav.mailbox import MAX_RESOURCE, OwnMailbox, whole_mailbox
from postern.services.dav.nodes import Target
from postern.services.dav.octets import content_of
from postern.services.dav.places import Place
from postern.services.dav.request import Answer, Refusal, Request, not_allowed
from postern.services.dav.writing import Before, settled
from postern.services.http.answers import allow
from postern.services.scheduling.aside import aside

MAX_FIELDS = 16
"""Parameters of a query that are read."""
MAX_FILENAME = 200
_READS = frozenset({"OPTIONS", "GET", "HEAD"})
Change = Callable[[CalendarObject], Refused | None]


async def post(box: OwnMailbox, place: Place, request: Request) -> Answer:
    """Adds, replaces or removes an attachment (RFC 8607 section 3.3)."""
    asked = _query(request)
    target = await nodes.find(box, place)
    if not isinstance(target, Target) or target.container.kind not in CALENDARS:
        raise not_allowed()
    if not box.rights(target.container.node) & Right.EDIT_ANY:
        raise need_privileges()  # before anything is kept
    action, id_ = asked.get("action", ""), asked.get("managed-id", "")
    occurrences = [each.strip() for each in asked["rid"].split(",")] if "rid" in asked else []
    if action not in ("attachment-add", "attachment-update", "attachment-remove"):
        raise _refused("valid-action")
    if (action == "attachment-add") == ("managed-id" in asked):
        raise _refused("valid-managed-id")
    if action == "attachment-update" and "rid" in asked:
        raise _refused("valid-rid")
    if action == "attachment-remove":
        return await _changed(box, request, target, lambda calendar: remove(calendar, id_, occurrences))

    def change(entry: Line) -> Change:
        if action == "attachment-add":
            return lambda calendar: add(calendar, entry, occurrences)
        return lambda calendar: update(calendar, id_, entry)

    octets = await request.body(MAX_RESOURCE, element(caldav("max-attachment-size")))
    filename, media = _filename(request), request.content_type.media or "application/octet-stream"
    new, name = await attached.keep(box, octets, filename, media)
    named = Named(new, attached.uri_of(box, request.host, name))
    try:
        answer = await _changed(box, request, target, change(attach_line(named, media, filename, len(octets))), new)
    except (Refusal, MailboxError):
        await attached.collect(box, {new})
        raise
    if action == "attachment-add":
        answer.status = HTTPStatus.CREATED
    answer.fields.append((b"cal-managed-id", new.encode()))
    return answer


def _query(request: Request) -> Mapping[str, str]:
    try:
        fields = parse_qs(request.query, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, text="The query has too many parameters") from None
    return {name: values[0] for name, values in fields.items()}


def _refused(precondition: str) -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, element(caldav(precondition)))


def _filename(request: Request) -> str:
    """The name that the client gives (RFC 6266), without folders in front."""
    value = request.field("content-disposition") or ""
    name = parameter(parse_value(value.encode("latin-1"))[1], b"filename")
    name = "".join(each for each in name.replace("\\", "/").rpartition("/")[2] if each.isprintable()).strip()
    return name[:MAX_FILENAME] or "attachment"


async def _changed(box: OwnMailbox, request: Request, target: Target, change: Change, made: str = "") -> Answer:
    """Changes the object at a place, and removes the attachments that it no longer names. `made` is the id of a new one."""
    container, name = target.container, target.resource.name

    async def attempt(old: Before) -> Answer:
        if old.resource is None:
            raise nodes.missing()
        octets = await content_of(box, old.resource)
        changed = await aside(octets, partial(_with, octets, change))
        content = await contents.examined(container, changed, box.calendar_addresses)
        lost = await attached.check(box, container, content, old.resource, made)
        plan = await meetings.plan(box, request, container, content, old.resource)
        stored = await resources.store(box, container, name, plan, old.resource.tag, old.resource)
        await attached.collect(box, lost)
        return await resources.stored_answer(request, container, name, plan, stored)

    return await settled(box, request, container, name, attempt)


def _with(octets: bytes, change: Change) -> bytes:
    """The octets of an object after a change. Raises Refusal."""
    calendar = calendar_object.read(octets)
    if isinstance(calendar, Refused) or not calendar.is_single:
        raise Refusal(
            HTTPStatus.FORBIDDEN, element(caldav("valid-calendar-data")), text="The object is no single calendar"
        )
    refused = change(calendar)
    if refused is not None:
        raise contents.refusal(refused, CALDAV)
    if len(managed(calendar)) > MAX_MANAGED:
        raise _refused("max-attachments-per-resource")
    return calendar.root.octets()


async def get(box: OwnMailbox, place: Place, request: Request) -> Answer:
    """Answers with an attachment (RFC 8607 section 3)."""
    if request.method not in _READS:
        raise not_allowed(*_READS)
    owner = box if box.is_mine(place.address) else await whole_mailbox(box.access, place.address.lower())
    name = place.names[0]
    there = await attached.stored(owner, [name], request.method == "GET") if owner is not None else []
    resource = next(iter(there), None)
    if (
        owner is None
        or resource is None
        or (owner is not box and not await attached.may_read(box, owner, name[: attached.ID]))
    ):
        raise nodes.missing()
    if request.method == "OPTIONS":
        return Answer(HTTPStatus.OK, [allow(_READS)])
    return resources.served(request, resource, await attached.media_of(owner, resource), is_document=True)
