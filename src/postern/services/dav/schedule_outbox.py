"""POST to the schedule outbox: asks when others are busy (RFC 6638 section 5)."""

from __future__ import annotations

import time
from functools import partial
from http import HTTPStatus

from postern.items.busy_request import answer, read_request
from postern.items.calendar_object import Refused
from postern.items.free_busy import Period, merged
from postern.model.directory import DirectoryUnavailable
from postern.model.domains import fold
from postern.model.mailbox import MailboxError
from postern.model.sharing import FREE_BUSY
from postern.protocols import xml
from postern.protocols.dav.names import CALDAV, DECLARATIONS, caldav, element
from postern.protocols.ical.expansion import Budget
from postern.services.access.sharing import MailboxRights
from postern.services.dav import busy, contents, folders
from postern.services.dav.calendar_query import PRODUCT, zone_of
from postern.services.dav.folders import Kind
from postern.services.dav.mailbox import OwnMailbox, unavailable, whole_mailbox
from postern.services.dav.places import Space
from postern.services.dav.request import Answer, Refusal, Request, document
from postern.services.scheduling.aside import aside

MAX_OCTETS = 1_048_576
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
    asked = await aside(octets, lambda: read_request(octets, box.calendar_addresses))
    if isinstance(asked, Refused):
        raise contents.refusal(asked, CALDAV)
    responses = []
    for address, entry in asked.attendees.items():
        status, periods = await _asked(box, fold(address), asked.start, asked.end)
        data = b""
        if periods is not None:
            work = partial(answer, asked, entry, periods, int(time.time()), PRODUCT)
            data = await aside(b"", work, len(periods) > busy.MANY)
        responses.append(_response(entry.value.strip(), status, data))
    return document(HTTPStatus.OK, f"<C:schedule-response{DECLARATIONS}>{''.join(responses)}</C:schedule-response>")


async def _asked(box: OwnMailbox, address: str, start: int, end: int) -> tuple[str, list[Period] | None]:
    """The status of an attendee, and when he is busy, as far as the caller may know."""
    try:
        other = await whole_mailbox(box.access, address)
        if other is None:
            return _NOBODY, None
        rights = await box.access.sharing.rights(box.id, other.recipient)
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
    return await aside(b"", partial(merged, periods), len(periods) > busy.MANY) if known else None


def _is_transparent(markup: str) -> bool:
    return bool(markup) and any(child.name == _TRANSPARENT for child in xml.read(markup.encode()).elements)


def _response(address: str, status: str, data: bytes) -> str:
    inner = element(caldav("recipient"), f"<D:href>{xml.text(address)}</D:href>")
    inner += element(caldav("request-status"), status)
    if data:
        inner += element(caldav("calendar-data"), xml.text(data.decode("utf-8", "replace")))
    return element(caldav("response"), inner)
