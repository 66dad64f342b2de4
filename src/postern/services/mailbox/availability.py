"""Tells when the owners of this server's mailboxes are busy, for client access servers on the row availability-to-mailbox.

The rights are judged here, beside the calendars: one call of a client access server asks about many mailboxes. All calendars of a
mailbox count in which the reader has a right to know it, but for those that their owner set aside (RFC 6638 section 9.1).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

from postern.items import calendar_object
from postern.items.availability import events_of
from postern.items.calendar_object import Refused
from postern.items.properties import DAV
from postern.items.working_hours import read as read_hours
from postern.model.availability import (
    MAX_ASKED,
    MAX_DAYS,
    MAX_EVENTS,
    Asked,
    BusyEvent,
    EventFlag,
    Span,
    State,
    Told,
    WhenBusy,
)
from postern.model.folders import FolderKind, FolderNode, FolderTree, Right
from postern.model.item_store import ItemStore, PropertyName
from postern.model.mailbox import MailboxError
from postern.model.resources import Resource, ResourceStore
from postern.model.sharing import EVERY_RIGHT, MailboxGrants, rights_in, sees_private
from postern.protocols.ical.bias_zones import BiasZone
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import Zone
from postern.services.mailbox import working_hours

PAGE = 1_000
"""Appointments that are asked of the store at a time."""
BATCH = 250
"""Contents that are read at a time."""
AT_ONCE = 3
"""Mailboxes of one question that are read at the same time. A process has a handful of connections to its database, and others
want some of them."""
STEPS = 200_000
"""Steps that the rules of one mailbox's series may take: less than a second."""
UNICODE = 0x001F
"""PtypString (MS-OXCDATA section 2.11.1): UTF-16 with a zero at the end."""
_TRANSPARENCY = PropertyName(DAV, None, "{urn:ietf:params:xml:ns:caldav}schedule-calendar-transp")
"""The property by which CalDAV sets a calendar aside, as `services.dav.properties` keeps it."""
_FEW = 10
"""Contents that are read in the loop, in a millisecond or two."""


class AvailabilityStore(FolderTree, ItemStore, ResourceStore, MailboxGrants, Protocol):
    """The store as availability is read from it."""


class _TooMany(Exception):
    """The calendar has more than may be told."""


class _Calendar(NamedTuple):
    """A calendar, what may be told of it, and whether that counts for private appointments, too."""

    folder: int
    told: Told
    shows_private: bool


class _Reading(NamedTuple):
    """A question about one mailbox; `floating` is the zone of dates, `budget` what the rules may still cost."""

    asked: Asked
    span: Span
    details: bool
    without: str
    floating: Zone
    budget: Budget


class MailboxAvailability:
    """Implements `model.availability.Availability` on the mailboxes of one store."""

    def __init__(self, store: AvailabilityStore) -> None:
        self._store = store

    async def when_busy(
        self, asked: Sequence[Asked], grantees: Sequence[UUID], span: Span, details: bool, without: str = ""
    ) -> list[WhenBusy]:
        if len(asked) > MAX_ASKED or not 0 <= span.end - span.start <= (MAX_DAYS + 1) * 86_400:
            raise MailboxError("CANNOT", "Too many mailboxes, or too long a span")
        zone = BiasZone.of_numbers(span.zone)
        answers: list[WhenBusy] = []
        for first in range(0, len(asked), AT_ONCE):
            part = asked[first : first + AT_ONCE]
            work = (self._or_unreadable(each, grantees, span, zone, details, without) for each in part)
            answers += await asyncio.gather(*work)
        return answers

    async def _or_unreadable(
        self, asked: Asked, grantees: Sequence[UUID], span: Span, zone: Zone, details: bool, without: str
    ) -> WhenBusy:
        """One mailbox that cannot be read, as when a folder is removed meanwhile, does not take the others with it."""
        try:
            return await self._told(asked, grantees, span, zone, details, without)
        except MailboxError as error:
            if error.code == "UNAVAILABLE":
                raise
            return WhenBusy(Told.NOTHING, state=State.UNREADABLE)

    async def _told(
        self, asked: Asked, grantees: Sequence[UUID], span: Span, zone: Zone, details: bool, without: str
    ) -> WhenBusy:
        try:
            nodes, rights = await self._rights(asked.mailbox, grantees)
        except MailboxError as error:
            if error.code != "NONEXISTENT":
                raise
            return WhenBusy(Told.TIME)  # nobody has opened the mailbox yet
        calendars = [
            _Calendar(node.id, _told_by(held), sees_private(held)) for node in nodes if (held := rights[node.id])
        ]
        hours, aside = await self._kept(asked.mailbox, nodes)
        calendars = [each for each in calendars if each.told]
        if not calendars:
            return WhenBusy(Told.NOTHING)
        told = max(each.told for each in calendars)
        set_hours = read_hours(hours) if hours else None
        floating = set_hours.zone if set_hours is not None and set_hours.zone is not None else zone
        reading = _Reading(asked, span, details, without, floating, Budget(STEPS))
        events: list[BusyEvent] = []
        try:
            for calendar in calendars:
                if calendar.folder not in aside:
                    events += await self._events(calendar, reading, MAX_EVENTS - len(events))
        except _TooMany:
            return WhenBusy(told, hours=hours, state=State.TOO_MANY)
        return WhenBusy(told, tuple(sorted(events)), hours)

    async def _rights(self, mailbox: UUID, grantees: Sequence[UUID]) -> tuple[list[FolderNode], Mapping[int, Right]]:
        """The calendars of a mailbox, and the rights in each."""
        nodes = [node for node in await self._store.tree(mailbox) if node.is_calendar]
        is_owner = mailbox in grantees[:1] or not set(await self._store.full_access(mailbox)).isdisjoint(grantees)
        if is_owner:
            return nodes, dict.fromkeys([node.id for node in nodes], EVERY_RIGHT)
        entries = await self._store.mailbox_rights(mailbox)
        return nodes, {node.id: rights_in(entries.get(node.id, {}), grantees, node.kind) for node in nodes}

    async def _kept(self, mailbox: UUID, nodes: Sequence[FolderNode]) -> tuple[str, set[int]]:
        """The working hours, and the calendars that are set aside."""
        numbers = await self._store.property_ids(mailbox, [working_hours.PROPERTY, _TRANSPARENCY])
        if not any(numbers):
            return "", set()
        hours, transparency = working_hours.tag_of(numbers[0]), numbers[1] << 16 | UNICODE if numbers[1] else 0
        bags = await self._store.folder_properties(mailbox, [node.id for node in nodes])
        own = next((node.id for node in nodes if node.kind is FolderKind.CALENDAR), 0)
        text = working_hours.text_in(bags.get(own, {}), hours)
        return text, {id for id, bag in bags.items() if "transparent" in _text(bag.get(transparency, b""))}

    async def _events(self, calendar: _Calendar, reading: _Reading, most: int) -> list[BusyEvent]:
        """The appointments of a calendar. Only of series, and where details are told, the content is read. Raises _TooMany."""
        events: list[BusyEvent] = []
        mailbox, span = reading.asked.mailbox, reading.span
        detail = calendar.told if reading.details else Told.TIME
        reads_all = detail >= Told.DETAILS
        after = 0
        while page := await self._store.overlapping(mailbox, calendar.folder, span.start, span.end, after, PAGE):
            after = max(page)
            contents = []
            for number, item in page.items():
                if reading.without and item.uid == reading.without:
                    continue
                if item.expands or reads_all:
                    contents.append(number)
                elif item.busy and item.starts is not None and item.ends is not None:
                    events.append(BusyEvent(item.starts, item.ends, item.busy))
            for first in range(0, len(contents), BATCH):
                async for resources in self._contents(mailbox, contents[first : first + BATCH]):
                    octets = [resource.content or b"" for resource in resources]
                    expands = any(page[resource.id].expands for resource in resources)
                    told = await _read_aside(octets, reading, most - len(events) + 1, expands, reads_all)
                    for resource, of_one in zip(resources, told, strict=True):
                        is_hidden = page[resource.id].is_private and not calendar.shows_private
                        events += [_shown(event, resource.id, detail, is_hidden) for event in of_one]
                    if len(events) > most:
                        raise _TooMany
            if len(events) > most or reading.budget.is_spent or reading.budget.is_cut:
                raise _TooMany
            if len(page) < PAGE:
                break
        return events

    async def _contents(self, mailbox: UUID, ids: Sequence[int]) -> AsyncIterator[list[Resource]]:
        """Appointments with their contents: those that fit together, then each of the others alone. A portion is dropped before
        the next one is asked for, so that no more than one and an object are held."""
        together = list(await self._store.with_ids(mailbox, ids, True))
        alone = [resource.id for resource in together if resource.content is None]
        yield [resource for resource in together if resource.content is not None]
        del together
        for number in alone:
            yield list(await self._store.with_ids(mailbox, [number], True))


async def _read_aside(
    contents: Sequence[bytes], reading: _Reading, most: int, expands: bool, free: bool
) -> list[list[BusyEvent]]:
    """The appointments of each content, `most` in all; with `free`, those in which the owner is free are among them. Many, and
    series (`expands`), are read in a thread together: to change to one costs as much as to read a content."""
    if not expands and len(contents) < _FEW and sum(map(len, contents)) < 65_536:
        return _read(contents, reading, most, free)
    return await asyncio.to_thread(_read, contents, reading, most, free)


def _read(contents: Sequence[bytes], reading: _Reading, most: int, free: bool) -> list[list[BusyEvent]]:
    span, me = reading.span, reading.asked.addresses
    told: list[list[BusyEvent]] = []
    for content in contents:
        calendar = calendar_object.read(content) if most > 0 else Refused("", "")
        events: list[BusyEvent] = []
        if not isinstance(calendar, Refused):
            events = events_of(calendar, span.start, span.end, reading.floating, reading.budget, me, most, free)
        told.append(events)
        most -= len(events)
    return told


def _shown(event: BusyEvent, item: int, told: Told, private: bool) -> BusyEvent:
    """The part of an appointment that the reader sees."""
    if told < Told.DETAILS:
        return BusyEvent(event.start, event.end, event.busy)
    if private:
        flags = event.flags & (EventFlag.RECURRING | EventFlag.EXCEPTION) | EventFlag.PRIVATE
        return BusyEvent(event.start, event.end, event.busy, flags)
    return event._replace(item=item if told is Told.EVERYTHING else 0)


def _told_by(rights: Right) -> Told:
    if rights & Right.READ_ANY:
        return Told.EVERYTHING
    if rights & Right.FREE_BUSY_DETAILED:
        return Told.DETAILS
    return Told.TIME if rights & Right.FREE_BUSY_SIMPLE else Told.NOTHING


def _text(value: bytes) -> str:
    return value.decode("utf-16-le", "replace").removesuffix("\0")
