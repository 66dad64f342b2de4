"""Changes of meetings by DAV, with the messages that follow from them (implicit scheduling, RFC 6638 section 3).

`items.implicit_scheduling` says what a change means, and `services.scheduling` stores it together with the letters.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from http import HTTPStatus

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.implicit_scheduling import intended, write_statuses
from postern.items.organizing import Role, Sending, role_of
from postern.items.schedule_tag import schedule_tag
from postern.items.stored import values_of
from postern.model.directory import DirectoryUnavailable
from postern.model.resources import ABSENT, Put, Resource
from postern.protocols.dav.names import CALDAV, caldav, element
from postern.protocols.http.events import Field
from postern.services.dav import contents, enclosures, folders
from postern.services.dav.contents import Content
from postern.services.dav.folders import CALENDARS, Collection
from postern.services.dav.guarded import need_privileges
from postern.services.dav.live import href
from postern.services.dav.mailbox import OwnMailbox, unavailable
from postern.services.dav.octets import content_of, may_have
from postern.services.dav.places import Space
from postern.services.dav.request import Refusal, Request
from postern.services.scheduling import sending
from postern.services.scheduling.aside import aside


@dataclass(frozen=True, slots=True)
class Plan:
    """A change of a resource. `content` is stored (None: the resource is removed) if what is there is still `expected`, together
    with `letters`, which are mails. `is_written`: the content is no longer what was put. `tag` is the tag of the new meeting; ""
    for what is none."""

    content: Content | None
    expected: bytes | None = None
    letters: Sequence[bytes] = ()
    is_written: bool = False
    tag: str = ""
    is_meeting: bool = False

    @property
    def fields(self) -> list[Field]:
        return tag_fields(self.tag)


def tag_fields(tag: str) -> list[Field]:
    return [(b"schedule-tag", f'"{tag}"'.encode())] if tag else []


def may_be_meeting(octets: bytes) -> bool:
    """Whether it is worth reading an object to see what part its owner has in it."""
    return may_have(octets, b"ORGANIZER")


async def plan(
    box: OwnMailbox, request: Request, container: Collection, content: Content | None, old: Resource | None
) -> Plan:
    """Plans to store `content` in the place of `old`, or to remove that (None). In a calendar, `old` has come with its octets.
    Raises Refusal where the owner must not change this."""
    if container.kind not in CALENDARS:
        return Plan(content)
    before = b"" if old is None else await content_of(box, old)
    after = b"" if content is None else content.octets
    if not (may_be_meeting(before) or may_be_meeting(after)):
        return Plan(content)
    now = int(time.time())
    keeps = request.field("if-schedule-tag-match") is not None
    replies = (request.field("schedule-reply") or "").strip().upper() != "F"
    was, becomes = [await _read(octets) for octets in (before, after)]
    outcome = await aside(before + after, lambda: intended(was, becomes, box.calendar_addresses, now, keeps, replies))
    if isinstance(outcome, Refused):
        raise contents.refusal(outcome, CALDAV)
    is_whole = becomes is not None and {id(part) for part in becomes.parts} <= {
        id(each) for each in becomes.root.entries
    }
    if outcome.role is Role.NONE:
        if content is None or becomes is None or not outcome.is_written or not is_whole:
            return Plan(content)
        return Plan(replace(content, octets=becomes.root.octets()), is_written=True)
    if becomes is not None and not is_whole:
        # It would be written without those of its components that are in another VCALENDAR.
        raise contents.refusal(Refused("valid-calendar-object-resource", "a meeting is one VCALENDAR"), CALDAV)
    if old is None and becomes is not None:
        await _check_unique(box, container, becomes)
        if content is not None and content.rendered.ends is not None and content.rendered.ends < now:
            outcome = outcome._replace(sendings=[])  # a calendar is moved here, and nobody is invited to what is over
    statuses = await _statuses(box, outcome.sendings)
    sendings = await enclosures.for_guests(box, outcome.sendings)
    letters = await aside(before + after, lambda: sending.letters_of(box.address, sendings, statuses, now))
    expected = ABSENT if old is None else old.tag
    if content is None or becomes is None:
        return Plan(None, expected, letters, is_meeting=True)
    meeting, put = becomes, content

    def stored() -> tuple[Content, bool, str]:
        is_written = write_statuses(meeting, outcome.role, statuses) or outcome.is_written
        octets = meeting.root.octets() if is_written else put.octets
        rendered = values_of(meeting, now, box.calendar_addresses)
        return replace(put, octets=octets, rendered=rendered), is_written, schedule_tag(meeting, box.calendar_addresses)

    content, is_written, tag = await aside(after, stored)
    return Plan(content, expected, letters, is_written, tag, is_meeting=True)


async def _read(octets: bytes) -> CalendarObject | None:
    read = await aside(octets, lambda: calendar_object.read(octets)) if octets else None
    return None if isinstance(read, Refused) else read


async def _check_unique(box: OwnMailbox, container: Collection, meeting: CalendarObject) -> None:
    """Raises Refusal 403 where another calendar of the owner has the meeting already (RFC 6638 section 3.2.4.1)."""
    others = await box.store.with_uids(box.id, None, [meeting.uid])
    ids = [each.id for each in others if each.folder != container.id]
    if not ids:
        return
    calendars = {each.id: each for each in await folders.collections(box, Space.CALENDARS) if each.kind in CALENDARS}
    for other in await box.store.with_ids(box.id, ids, True):
        calendar = calendars.get(other.folder)
        if calendar is not None and await tag_of(box, other):
            raise _not_unique(calendar.path + other.name)


def _not_unique(path: str) -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, element(caldav("unique-scheduling-object-resource"), href(path)))


async def _statuses(box: OwnMailbox, sendings: Sequence[Sending]) -> dict[str, str]:
    try:
        return await sending.statuses_of(box.access.directory, box.access.domains(), sendings)
    except DirectoryUnavailable:
        raise unavailable() from None


async def carry_out(box: OwnMailbox, container: Collection, name: str, change: Plan, unique: bool) -> Put | None:
    """Carries out a plan that has letters. Raises MailboxError as `put` and `remove` do, and Refusal 403 where the caller may not
    send on behalf of the calendar's owner."""
    if not await box.may_send():
        raise need_privileges()
    directory, domains = box.access.directory, box.access.domains
    sender = sending.Sender(box.id, box.address, box.store, box.whole.store, directory, domains)
    content = change.content
    stored = sending.Stored(content.octets, content.item_class, content.rendered) if content is not None else None
    return await sending.carry_out(sender, change.letters, container.id, name, stored, change.expected, unique)


async def end(box: OwnMailbox, request: Request, container: Collection, name: str, source: Resource) -> bool:
    """Removes a meeting that `source` is about to replace, and tells the others. Returns whether there was one. Where the UID of
    `source` keeps it from coming, the meeting stays."""
    if container.kind not in CALENDARS:
        return False
    others = await box.store.with_uids(box.id, container.id, [source.uid])
    if any(each.id != source.id and each.name != name for each in others):
        return False
    for old in await box.store.named(box.id, container.id, [name], True):
        change = await plan(box, request, container, None, old)
        if change.letters:
            await carry_out(box, container, name, change, False)
            return True
    return False


async def end_all(box: OwnMailbox, request: Request, collection: Collection) -> None:
    """Removes the meetings of a calendar that is about to go, and tells the others; of those that have ended nobody is told."""
    after, now = 0, int(time.time())
    while rendered := await box.store.overlapping(box.id, collection.id, now, 1 << 62, after, 500):
        after = max(rendered)
        meetings = [number for number, item in rendered.items() if item.organizer]
        for old in await box.store.with_ids(box.id, meetings, True) if meetings else ():
            change = await plan(box, request, collection, None, old)
            if change.letters:
                await carry_out(box, collection, old.name, change, False)


async def check_copy(box: OwnMailbox, container: Collection, source: Resource, path: str) -> None:
    """Raises Refusal 403 for a copy of a meeting: its owner has it once."""
    if container.kind in CALENDARS and await tag_of(box, source):
        raise _not_unique(path)


async def tag_of(box: OwnMailbox, resource: Resource) -> str:
    """The tag of a meeting (RFC 6638 section 3.2.10); "" for what is none. The content is read where it did not come along."""
    known = box.access.tags.get(box.id, resource.tag)
    if known is not None:
        return known
    octets = await content_of(box, resource)
    tag = await aside(octets, lambda: _tag(octets, box.calendar_addresses)) if may_be_meeting(octets) else ""
    box.access.tags.put(box.id, resource.tag, tag)
    return tag


def _tag(octets: bytes, me: AbstractSet[str]) -> str:
    read = calendar_object.read(octets)
    return "" if isinstance(read, Refused) or role_of(read, me) is Role.NONE else schedule_tag(read, me)


async def tags_of(box: OwnMailbox, resources: Sequence[Resource]) -> dict[int, str]:
    """The tags of those that are meetings, by id. Contents are read a page at a time."""
    unknown = [each for each in resources if box.access.tags.get(box.id, each.tag) is None]
    missing = [each.id for each in unknown if each.content is None]
    for start in range(0, len(missing), 250):
        for whole in await box.store.with_ids(box.id, missing[start : start + 250], True):
            await tag_of(box, whole)
    for each in unknown:
        if each.content is not None:
            await tag_of(box, each)
    tags = {each.id: box.access.tags.get(box.id, each.tag) for each in resources}
    return {number: tag for number, tag in tags.items() if tag}


async def check_tag(box: OwnMailbox, request: Request, resource: Resource | None) -> None:
    """Raises Refusal 412 where the meeting is another than the client knows (If-Schedule-Tag-Match, RFC 6638 section 8.3)."""
    wanted = request.field("if-schedule-tag-match")
    if wanted is None:
        return
    tag = "" if resource is None else await tag_of(box, resource)
    if not tag or wanted.strip() not in (f'"{tag}"', "*"):
        raise Refusal(HTTPStatus.PRECONDITION_FAILED)
