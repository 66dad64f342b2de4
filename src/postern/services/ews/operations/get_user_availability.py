"""GetUserAvailability (MS-OXWAVLS section 3.1.4.1)."""

from __future__ import annotations

import asyncio
import binascii
import time
from base64 import b64decode
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from functools import partial

from postern.items import working_hours
from postern.items.appointment_properties import uid_of_global_id
from postern.items.suggestions import Attendee, Quality, Wish, suggestions
from postern.items.working_hours import DEFAULT, WorkingHours
from postern.model.availability import MAX_DAYS, Span, WhenBusy
from postern.model.directory import DirectoryUnavailable, Recipient
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.availability import (
    AvailabilityRequest,
    MailboxData,
    SuggestionsOptions,
    View,
    Window,
    read_request,
)
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import CLOSING, Fault, opening, start_tag
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.versions import Version
from postern.protocols.ical.zones import Zone
from postern.services.access.availability import Found, Problem
from postern.services.ews.access import Call
from postern.services.ews.availability_markup import Writer, described
from postern.services.ews.operation import as_error
from postern.services.ews.time_zones import definition_zone


@dataclass(frozen=True, slots=True)
class GetUserAvailability:
    """Tells when people, groups and rooms are busy, and suggests times for a meeting. A mailbox of which nothing may be told has
    an error of its own; a request that is wrong gets a fault."""

    name: str = "GetUserAvailability"
    since: Version = Version.V2007
    section: str = "MS-OXWAVLS 3.1.4.1"

    async def answer(self, call: Call, request: xml.Element) -> AsyncGenerator[str, None]:
        try:
            asked = read_request(request, _context(call))
            findings = await _ask(call, asked)
            mailboxes = await _recipients(call, asked)
        except (EwsError, MailboxError, DirectoryUnavailable) as error:
            known = as_error(error)
            raise Fault(known.code, str(known), known.values) from None
        writer = Writer(asked.zone, call.header.version)
        yield f"{opening()}{start_tag('GetUserAvailabilityResponse')}"
        if asked.free_busy is not None:
            yield "<m:FreeBusyResponseArray>"
            for data, each in zip(asked.mailboxes, findings, strict=True):
                owner = mailboxes.get(data.address.lower())
                write = partial(writer.free_busy, each, owner.guid if owner is not None else None, asked.free_busy)
                # The digits of many members together take a tenth of a second.
                yield await asyncio.to_thread(write) if each.is_group else write()
            yield "</m:FreeBusyResponseArray>"
        if asked.suggestions is not None:
            attendees = [_attendee(data, each) for data, each in zip(asked.mailboxes, findings, strict=True)]
            hours = _hours(asked.mailboxes, findings)
            window, wish = asked.suggestions.window, _wish(asked.suggestions)
            work = partial(suggestions, attendees, window.start, window.end, asked.zone, hours, wish, int(time.time()))
            for piece in writer.suggestions(await asyncio.to_thread(work), attendees):
                yield piece
        yield f"</m:GetUserAvailabilityResponse>{CLOSING}"


def _context(call: Call) -> Zone | None:
    """The zone in the header of the request: clients of 2010 and later leave it out of the body."""
    definition = call.header.zone
    return definition_zone(definition) if definition is not None else None


async def _ask(call: Call, asked: AvailabilityRequest) -> list[Found]:
    free_busy = call.access.free_busy
    if free_busy is None:
        raise EwsError(Code.FREE_BUSY_GENERATION_FAILED)
    options = [each.window for each in (asked.free_busy, asked.suggestions) if each is not None]
    window = Window(min(each.start for each in options), max(each.end for each in options))
    if window.end - window.start > MAX_DAYS * 86_400:
        raise EwsError(Code.TIME_INTERVAL_TOO_BIG)
    span = Span(window.start, window.end, described(asked.zone).numbers)
    details = asked.free_busy is not None and bool(asked.free_busy.view & View.DETAILS)
    without = _uid(asked.suggestions.global_id) if asked.suggestions is not None else ""
    addresses = [each.address for each in asked.mailboxes]
    only_here = call.header.is_proxied
    return await free_busy.when_busy(call.identity.guid, addresses, span, details, without, only_here)


async def _recipients(call: Call, asked: AvailabilityRequest) -> dict[str, Recipient]:
    """Those of the mailboxes that are here, by their addresses: their items have ids."""
    if asked.free_busy is None or not asked.free_busy.view & View.DETAILS:
        return {}
    return await call.access.directory.recipients([each.address.lower() for each in asked.mailboxes])


def _uid(global_id: str) -> str:
    """The UID of the meeting that is planned anew: PidLidGlobalObjectId in base64, or in hexadecimal digits."""
    try:
        octets = bytes.fromhex(global_id)
    except ValueError:
        try:
            octets = b64decode(global_id, validate=True)
        except (ValueError, binascii.Error):
            raise EwsError(Code.INVALID_ARGUMENT) from None
    return uid_of_global_id(octets) if octets else ""


def _attendee(data: MailboxData, finding: Found) -> Attendee:
    members = [each.events if isinstance(each, WhenBusy) else None for each in finding.answers]
    is_too_big = finding.problem is Problem.LARGE_GROUP
    return Attendee(members, finding.is_group, data.kind != "Optional", data.excludes_conflicts, is_too_big)


def _hours(mailboxes: Sequence[MailboxData], findings: Sequence[Found]) -> WorkingHours:
    """The working hours of the organizer; where the request names none, of the first mailbox."""
    order = sorted(zip(mailboxes, findings, strict=True), key=lambda each: each[0].kind != "Organizer")
    answer = order[0][1].answers[0] if order[0][1].answers else None
    kept = working_hours.read(answer.hours) if isinstance(answer, WhenBusy) and answer.hours else None
    return kept or DEFAULT


def _wish(options: SuggestionsOptions) -> Wish:
    return Wish(
        minutes=options.minutes,
        good=options.good,
        most_by_day=options.most_by_day,
        most_out_of_hours=options.most_out_of_hours,
        worst=Quality(options.worst),
    )


GET_USER_AVAILABILITY = GetUserAvailability()
