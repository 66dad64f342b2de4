"""GET, HEAD, PUT and DELETE of resources, and POST to a collection, which adds a member (RFC 5995)."""

from __future__ import annotations

from http import HTTPStatus
from uuid import uuid4

from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT, Put, Resource
from postern.protocols.dav.multistatus import href_of
from postern.protocols.dav.names import CALDAV, CARDDAV, element
from postern.protocols.http.conditions import condition, range_applies
from postern.protocols.http.dates import http_date
from postern.protocols.http.events import Field
from postern.protocols.http.ranges import content_range, parse_range
from postern.services.dav import attached, contents, folders, locks, meetings, nodes, time_zones
from postern.services.dav.folders import CALENDARS, Collection, Kind
from postern.services.dav.live import href
from postern.services.dav.mailbox import MAX_RESOURCE, OwnMailbox
from postern.services.dav.meetings import Plan
from postern.services.dav.nodes import Target
from postern.services.dav.octets import content_of
from postern.services.dav.places import Place, Space
from postern.services.dav.request import Answer, Refusal, Request, not_allowed
from postern.services.dav.resource_properties import content_type_of, etag_of
from postern.services.dav.writing import Before, settled, tag_field, validators_of
from postern.services.scheduling.aside import aside

SPACES = {Kind.CALENDAR: CALDAV, Kind.TASKS: CALDAV, Kind.ADDRESSBOOK: CARDDAV}
_SUFFIXES = {Kind.CALENDAR: ".ics", Kind.TASKS: ".ics", Kind.ADDRESSBOOK: ".vcf"}


async def get(box: OwnMailbox, place: Place, request: Request) -> Answer:
    in_calendars = place.space is Space.CALENDARS
    wish = time_zones.asked(request) if in_calendars else ""
    target = await nodes.find(box, place, content=request.method == "GET" or in_calendars)
    if not isinstance(target, Target):
        text = b"A collection of WebDAV, CalDAV or CardDAV: a calendar, mail or file program shows what is in it.\n"
        return Answer(HTTPStatus.OK, [(b"content-type", b"text/plain; charset=utf-8")], text)
    resource, kind = target.resource, target.container.kind
    schedule_tag = await meetings.tag_of(box, resource) if kind in CALENDARS else ""
    if wish:
        octets = await content_of(box, resource)
        shown = await aside(octets, lambda: time_zones.as_asked(octets, wish))
        resource = resource._replace(content=shown, size=len(shown))
    answer = served(request, resource, content_type_of(kind, resource.name), is_document=kind is Kind.FILES)
    if in_calendars:
        answer.fields.append((b"vary", b"CalDAV-Timezones"))
        answer.fields += meetings.tag_fields(schedule_tag)
    return answer


def served(request: Request, resource: Resource, content_type: str, is_document: bool) -> Answer:
    """Returns the answer to GET and HEAD of a resource, by the conditions and the range of the request."""
    content = resource.content or b""
    fields: list[Field] = [
        (b"etag", etag_of(resource).encode()),
        (b"last-modified", http_date(resource.modified)),
        (b"accept-ranges", b"bytes"),
        (b"cache-control", b"private, no-cache"),
    ]
    status = condition(request.method, request.fields, validators_of(resource))
    if status is not None:
        return Answer(status, fields)
    fields.append((b"content-type", content_type.encode()))
    if is_document:
        # A document is for programs that asked for it, and no page of this site.
        fields += [
            (b"content-disposition", b"attachment"),
            (b"content-security-policy", b"default-src 'none'; sandbox"),
        ]
    if request.method == "HEAD":
        return Answer(HTTPStatus.OK, [*fields, (b"content-length", b"%d" % resource.size)])
    wanted = request.field("range")
    if wanted is not None and range_applies(request.fields, validators_of(resource)):
        ranges = parse_range(wanted.encode("latin-1"), len(content))
        if ranges == ():
            unmet = [(b"content-range", content_range(None, len(content)))]
            return Answer(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, unmet)
        if ranges is not None and len(ranges) == 1:  # of several, the whole is sent (RFC 9110 section 14.2)
            (part,) = ranges
            fields.append((b"content-range", content_range(part, len(content))))
            return Answer(HTTPStatus.PARTIAL_CONTENT, fields, content[part.start : part.end])
    return Answer(HTTPStatus.OK, fields, content)


async def put(box: OwnMailbox, place: Place, request: Request) -> Answer:
    within = await folders.container_of(box, place)
    if within is None:
        if place.space in (Space.ROOT, Space.PRINCIPALS) or (len(place.names) < 2 and place.space is not Space.FILES):
            raise Refusal(HTTPStatus.FORBIDDEN)
        raise Refusal(HTTPStatus.CONFLICT, text="There is no such collection")
    container, name = within
    if container.kind is Kind.INBOX:
        raise Refusal(HTTPStatus.FORBIDDEN, text="Messages come into the schedule inbox by themselves")
    if place.is_slashed or (place.space is Space.FILES and await folders.files_folder(box, place.names) is not None):
        raise not_allowed("OPTIONS", "PROPFIND", "PROPPATCH")
    if request.field("content-range") is not None:
        raise Refusal(HTTPStatus.BAD_REQUEST, text="A part of a resource cannot be put")  # RFC 9110 section 14.5
    contents.check_media(container, request.content_type.media)
    octets = await request.body(MAX_RESOURCE, _too_large(container))
    content = await contents.examined(container, octets, box.calendar_addresses)

    async def attempt(old: Before) -> Answer:
        lost = await attached.check(box, container, content, old.resource)
        change = await meetings.plan(box, request, container, content, old.resource)
        stored = await store(box, container, name, change, old.expected, old.resource)
        await attached.collect(box, lost)
        return await stored_answer(request, container, name, change, stored)

    return await settled(box, request, container, name, attempt)


async def post(box: OwnMailbox, place: Place, request: Request) -> Answer:
    """Adds a member under a name that the server chooses."""
    container = await folders.collection_of(box, place) if place.names else None
    if container is None or container.kind in (Kind.FILES, Kind.INBOX):
        raise not_allowed()
    contents.check_media(container, request.content_type.media)
    octets = await request.body(MAX_RESOURCE, _too_large(container))
    content = await contents.examined(container, octets, box.calendar_addresses)
    name = f"{uuid4()}{_SUFFIXES[container.kind]}"
    await attached.check(box, container, content, None)
    change = await meetings.plan(box, request, container, content, None)
    stored = await store(box, container, name, change, ABSENT, None)
    answer = await stored_answer(request, container, name, change, stored)
    answer.fields.append((b"location", href_of(container.path + name).encode()))
    return answer


def _too_large(container: Collection) -> str:
    space = SPACES.get(container.kind)
    return element(f"{{{space}}}max-resource-size") if space is not None else ""


async def store(
    box: OwnMailbox, container: Collection, name: str, change: Plan, expected: bytes | None, old: Resource | None
) -> Put:
    """Stores the content of a plan under a name. Raises Refusal for what the store refuses."""
    unique, content = container.kind in SPACES, change.content
    assert content is not None
    expected = change.expected if change.is_meeting else expected
    if unique and old is not None and old.uid and old.uid != content.rendered.uid:
        raise uid_conflict(container, name)
    try:
        if change.letters:
            put = await meetings.carry_out(box, container, name, change, unique)
            assert put is not None
            return put
        return await box.store.put(
            box.id, container.id, name, content.octets, content.item_class, content.rendered, expected, unique
        )
    except MailboxError as error:
        if error.code == "UIDEXISTS":
            others = await box.store.with_uids(box.id, container.id, [content.rendered.uid])
            raise uid_conflict(container, next(iter(others.names), name)) from None
        raise


def uid_conflict(container: Collection, name: str) -> Refusal:
    """Returns the refusal of an object whose UID another resource has; its href is in it."""
    markup = element(f"{{{SPACES[container.kind]}}}no-uid-conflict", href(container.path + name))
    return Refusal(HTTPStatus.FORBIDDEN, markup)


async def stored_answer(request: Request, container: Collection, name: str, change: Plan, stored: Put) -> Answer:
    assert change.content is not None
    fields = change.fields
    is_returned = request.preferences.wants_representation
    if is_returned or not change.is_written:  # else the client would take its own octets for what the tag stands for
        fields.append(tag_field(stored.tag))
    status = HTTPStatus.CREATED if stored.is_new else HTTPStatus.NO_CONTENT
    if not is_returned:
        return Answer(status, fields)
    # RFC 8144 section 3
    fields += [
        (b"content-type", content_type_of(container.kind, name).encode()),
        (b"content-location", href_of(container.path + name).encode()),
        (b"preference-applied", b"return=representation"),
    ]
    return Answer(HTTPStatus.CREATED if stored.is_new else HTTPStatus.OK, fields, change.content.octets)


async def delete(box: OwnMailbox, container: Collection, name: str, request: Request) -> Answer:
    """Removes a resource."""

    async def attempt(old: Before) -> None:
        if old.resource is None:
            raise nodes.missing()
        lost = await attached.named_by(box, container, old.resource)
        change = await meetings.plan(box, request, container, None, old.resource)
        if change.letters:
            await meetings.carry_out(box, container, name, change, False)
        else:
            await box.store.remove(box.id, container.id, name, old.expected)
        await attached.collect(box, lost)
        if container.kind is Kind.FILES:
            await locks.forget(box, old.locks, container.path + name)

    await settled(box, request, container, name, attempt, members=True)
    return Answer(HTTPStatus.NO_CONTENT)
