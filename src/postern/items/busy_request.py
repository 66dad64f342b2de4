"""Requests for the times at which somebody is busy, and the answers to them (RFC 5546 section 3.3, RFC 6638 section 5)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from postern.items import calendar_object
from postern.items.calendar_object import Refused, organizer_of
from postern.items.free_busy import Period, published
from postern.items.task import time_of
from postern.protocols.content_lines import Line, component, line
from postern.protocols.ical.values import address_of
from postern.protocols.ical.zones import UTC_ZONE

MAX_ASKED = 100
"""Attendees whom one request asks about."""


class BusyRequest(NamedTuple):
    """A question for a span of time, in seconds since the epoch, by its `organizer` about its `attendees`. Their lines
    are by their addresses in lower case, without "mailto:"."""

    uid: str
    start: int
    end: int
    organizer: Line
    attendees: Mapping[str, Line]


def read_request(octets: bytes, me: Collection[str]) -> BusyRequest | Refused:
    """Reads a VFREEBUSY request of somebody with the addresses `me`.

    Bound: linear in the octets; at most MAX_ASKED attendees.
    """
    calendar = calendar_object.read(octets)
    if isinstance(calendar, Refused):
        return Refused("valid-calendar-data", calendar.why)
    if (calendar.kinds, calendar.method, len(calendar.parts)) != (frozenset({"VFREEBUSY"}), "REQUEST", 1):
        return Refused("valid-scheduling-message", "it is no request with one VFREEBUSY")
    part = calendar.main
    start, end = (time_of(calendar, part, name, UTC_ZONE) for name in ("DTSTART", "DTEND"))
    attendees = {address_of(entry.value): entry for entry in part.lines("ATTENDEE")}
    if not calendar.uid or not attendees:
        return Refused("valid-scheduling-message", "there is no UID, or no ATTENDEE")
    if start is None or end is None or end <= start:
        return Refused("valid-scheduling-message", "DTSTART or DTEND is wrong")
    organizer = part.first("ORGANIZER")
    if organizer is None or organizer_of(part) not in me:
        return Refused("valid-organizer", "ORGANIZER is not the one who asks")
    if len(attendees) > MAX_ASKED:
        return Refused("max-attendees-per-instance", f"it asks about more than {MAX_ASKED} attendees")
    return BusyRequest(calendar.uid, start, end, organizer, attendees)


def answer(request: BusyRequest, attendee: Line, periods: Iterable[Period], stamp: int, product: str) -> bytes:
    """The answer for one attendee, made at `stamp` by the program `product`.

    Bound: linear in the periods.
    """
    made = published(periods, request.start, request.end, stamp)
    made.entries += [line("UID", request.uid), request.organizer, attendee]
    head = [line("VERSION", "2.0"), line("PRODID", product), line("METHOD", "REPLY")]
    return component("VCALENDAR", [*head, made]).octets()
