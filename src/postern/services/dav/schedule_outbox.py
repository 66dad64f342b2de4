"""POST to the schedule outbox: asks when others are busy (RFC 6638 section 5)."""

from __future__ import annotations

import time
from http import HTTPStatus

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject, Refused, organizer_of
from postern.items.free_busy import Period, merged, published
from postern.items.task import time_of
from postern.model.directory import DirectoryUnavailable, Recipient
from postern.model.domains import fold
from postern.model.mailbox import MailboxError
from postern.model.sharing import FREE_BUSY
from postern.protocols import xml
from postern.protocols.content_lines import Line, component, line
from postern.protocols.dav.names import CALDAV, DECLARATIONS, caldav, element
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import address_of
from postern.protocols.ical.zones import UTC_ZONE
from postern.services.access.sharing import MailboxRights
from postern.services.dav import busy, contents, folders
from postern.services.dav.calendar_query import PRODUCT, zone_of
from postern.services.dav.folders import Kind
from postern.services.dav.mailbox import OwnMailbox, unavailable
from postern.services.dav.octets import aside
from postern.services.dav.places import Space
from postern.services.dav.request import Answer, Refusal, Request, document

MAX_OCTETS = 1_048_576
MAX_ASKED = 100
"""Attendees that one request asks about."""
STEPS = 200_000
"""Steps that the rules of one attendee's series may take: less than a second."""
_SUCCESS, _NOBODY, _NOT_ALLOWED, _AWAY = (
    "2.0;Success",
    "3.7;Invalid calendar user",
    "3.8;No authority",
    "5.1;Service unavailable",
)
_TRANSPARENCY, _TRANSPARENT = caldav("schedule-calendar-transp"), caldav("transparent")


async def post(box: OwnMailbox, request: Request) -> Answer:
    """Answers for each attendee of a VFREEBUSY request. Raises Refusal: 403 with a precondition of section 5."""
    if request.content_type.media not in ("", "text/calendar"):
        raise Refusal(HTTPStatus.FORBIDDEN, element(caldav("supported-calendar-data")))
    octets = await request.body(MAX_OCTETS, element(caldav("max-resource-size")))
    calendar = await aside(octets, lambda: calendar_object.read(octets))
    if isinstance(calendar, Refused):
        raise contents.refusal(Refused("valid-calendar-data", calendar.why), CALDAV)
    start, end = _span(calendar)
    part = calendar.main
    if organizer_of(part) not in box.calendar_addresses:
        raise contents.refusal(Refused("valid-organizer", "ORGANIZER is the owner of the outbox"), CALDAV)
    attendees = {address_of(entry.value): entry for entry in part.lines("ATTENDEE")}
    if len(attendees) > MAX_ASKED:
        raise Refusal(HTTPStatus.FORBIDDEN, element(caldav("max-attendees-per-instance")))
    responses = []
    for address, entry in attendees.items():
        status, periods = await _asked(box, fold(address), start, end)
        data = _answer(calendar, entry, periods, start, end) if periods is not None else b""
        responses.append(_response(entry.value.strip(), status, data))
    return document(HTTPStatus.OK, f"<C:schedule-response{DECLARATIONS}>{''.join(responses)}</C:schedule-response>")


def _span(calendar: CalendarObject) -> tuple[int, int]:
    """The time that a request asks about. Raises Refusal 403 for what is no request for it (RFC 5546 section 3.3.2)."""
    why = ""
    start = end = None
    if (calendar.kind, calendar.method, len(calendar.parts)) != ("VFREEBUSY", "REQUEST", 1) or len(calendar.kinds) > 1:
        why = "it is no request with one VFREEBUSY"
    else:
        start, end = (time_of(calendar, calendar.main, name, UTC_ZONE) for name in ("DTSTART", "DTEND"))
        if not calendar.uid or calendar.main.first("ATTENDEE") is None:
            why = "there is no UID, or no ATTENDEE"
    if why or start is None or end is None or end <= start:
        raise contents.refusal(Refused("valid-scheduling-message", why or "DTSTART or DTEND is wrong"), CALDAV)
    return start, end


async def _asked(box: OwnMailbox, address: str, start: int, end: int) -> tuple[str, list[Period] | None]:
    """The status of an attendee, and when he is busy, as far as the caller may know."""
    try:
        recipient = await box.access.directory.recipient(address)
        server = box.access.server(recipient.database) if recipient is not None and recipient.database else None
        if recipient is None or server is None:
            return _NOBODY, None
        rights = await _rights(box, recipient)
        other = OwnMailbox(server, recipient, box.access, 0)
        try:
            periods = await _periods(other, rights, start, end)
        except MailboxError as error:
            if error.code != "NONEXISTENT":
                raise
            periods = []  # nobody has opened the mailbox yet
    except DirectoryUnavailable:
        raise unavailable() from None
    except MailboxError:
        return _AWAY, None
    return (_NOT_ALLOWED, None) if periods is None else (_SUCCESS, periods)


async def _rights(box: OwnMailbox, owner: Recipient) -> MailboxRights:
    if box.access.sharing is not None:
        return await box.access.sharing.rights(box.id, owner)
    return MailboxRights(owner.guid, (box.id,), {}, is_full=box.id == owner.guid)


async def _periods(other: OwnMailbox, rights: MailboxRights, start: int, end: int) -> list[Period] | None:
    """The times at which somebody is busy by those calendars that count for it and that the caller may know about; None where
    there is none of these."""
    known = [
        calendar
        for calendar in await folders.collections(other, Space.CALENDARS)
        if calendar.kind is Kind.CALENDAR and rights.in_folder(calendar.id, calendar.node.kind) & FREE_BUSY
    ]
    budget = Budget(STEPS)
    periods: list[Period] = []
    for calendar in known:
        if not _is_transparent(calendar.dead.get(_TRANSPARENCY, "")):
            floating = await zone_of(other, calendar)
            periods += await busy.periods_of(other, calendar, start, end, floating, budget)
    return merged(periods) if known else None


def _is_transparent(markup: str) -> bool:
    return bool(markup) and any(child.name == _TRANSPARENT for child in xml.read(markup.encode()).elements)


def _answer(request: CalendarObject, attendee: Line, periods: list[Period], start: int, end: int) -> bytes:
    made = published(periods, start, end, int(time.time()))
    organizer = request.main.first("ORGANIZER")
    assert organizer is not None
    made.entries += [line("UID", request.main.value("UID")), organizer, attendee]
    head = [line("VERSION", "2.0"), line("PRODID", PRODUCT), line("METHOD", "REPLY")]
    return component("VCALENDAR", [*head, made]).octets()


def _response(address: str, status: str, data: bytes) -> str:
    inner = element(caldav("recipient"), f"<D:href>{xml.text(address)}</D:href>")
    inner += element(caldav("request-status"), status)
    if data:
        inner += element(caldav("calendar-data"), xml.text(data.decode("utf-8", "replace")))
    return element(caldav("response"), inner)
