"""Worst cases of what reads free/busy: events, digits, suggestions, working hours and zones."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from functools import partial

from postern.items import availability, suggestions, working_hours
from postern.items.properties import Type
from postern.items.property_values import encoded
from postern.model.availability import BusyEvent, WhenBusy
from postern.model.item_store import Busy
from postern.protocols import xml
from postern.protocols.dcerpc.interfaces import availability as interface
from postern.protocols.ews import availability as requests
from postern.protocols.ews import foreign_availability
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import MESSAGES, SOAP, TYPES
from postern.protocols.ical.bias_zones import BiasZone
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import UTC_ZONE
from postern.services.mailbox import working_hours as kept_hours
from tests.bounds.cases_items import _exceptions, _on
from tests.bounds.growth import Cases, Work


def _kept(size: int) -> bytes:
    """A value that is small when it is packed."""
    return encoded(Type.BINARY, zlib.compress(json.dumps({"xml": "A" * size}).encode()))


_HOURS = working_hours.written(working_hours.DEFAULT)


def _events(size: int) -> list[BusyEvent]:
    return [BusyEvent(number, number * 2 + 1, Busy(number % 4)) for number in range(size // 64)]


def _suggestions(size: int) -> Work:
    members = [[BusyEvent(number, number + 90_000, Busy.BUSY)] for number in range(min(size, 1 << 17) // 256)]
    wish = suggestions.Wish(worst=suggestions.Quality.POOR, most_by_day=48)
    span = (0, 7 * 86_400, UTC_ZONE, working_hours.DEFAULT, wish, 0)
    return partial(suggestions.suggestions, [suggestions.Attendee(members)], *span)


def _told(size: int) -> Work:
    answers = [WhenBusy(interface.Told.TIME, (BusyEvent(0, 1, Busy.BUSY),), "x")] * (size // 64)
    return partial(interface.read_told, *interface._write_told(answers))


def _request(size: int) -> Work:
    spaces = f'xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"'
    mailbox = "<t:MailboxData><t:Email><t:Address>a@b</t:Address></t:Email></t:MailboxData>"
    array = f"<m:MailboxDataArray>{mailbox * (size // len(mailbox))}</m:MailboxDataArray>"
    bounds = xml.Bounds(octets=1 << 30, elements=1 << 30)
    element = xml.read(f"<t:x {spaces}>{array}<t:FreeBusyViewOptions/></t:x>".encode(), bounds)

    def work() -> None:
        with suppress(EwsError):
            requests.read_request(element, UTC_ZONE)

    return work


def _zone(size: int) -> Work:
    element = xml.read(f'<t:x xmlns:t="{TYPES}"><t:Bias>{"1" * min(size, 1 << 19)}</t:Bias></t:x>'.encode())

    def work() -> None:
        with suppress(EwsError):
            requests.read_zone(element)

    return work


def _answer(size: int) -> Work:
    times = "<t:StartTime>2026-03-02T00:00:00</t:StartTime><t:EndTime>2026-03-03T00:00:00</t:EndTime>"
    event = f"<t:CalendarEvent>{times}</t:CalendarEvent>"
    spaces = f'xmlns:s="{SOAP}" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"'
    message = "<m:ResponseMessage><m:ResponseCode>NoError</m:ResponseCode></m:ResponseMessage>"
    events = f"<t:CalendarEventArray>{event * (size // len(event))}</t:CalendarEventArray>"
    response = f"<m:FreeBusyResponse>{message}<m:FreeBusyView>{events}</m:FreeBusyView></m:FreeBusyResponse>"
    array = f"<m:FreeBusyResponseArray>{response}</m:FreeBusyResponseArray>"
    whole = f"<m:GetUserAvailabilityResponse>{array}</m:GetUserAvailabilityResponse>"
    octets = f"<s:Envelope {spaces}><s:Body>{whole}</s:Body></s:Envelope>".encode()
    return partial(foreign_availability.read_answer, octets, 0)


CASES: Cases = {
    "protocols.ews.foreign_availability.read_answer": _answer,
    "protocols.ews.availability.read_request": _request,
    "protocols.ews.availability.read_zone": _zone,
    "items.availability.events_of": _on(
        _exceptions,
        lambda found: availability.events_of(found, 0, 1 << 40, UTC_ZONE, Budget(), ("a@b",), 1 << 20),
    ),
    "items.availability.merged_digits": _on(_events, lambda events: availability.merged_digits(events, 0, 86_400, 60)),
    "items.suggestions.suggestions": _suggestions,
    "items.working_hours.read": lambda size: partial(
        working_hours.read, _HOURS.replace("Monday", "Monday " * (size // 7))
    ),
    "services.mailbox.working_hours.text_in": lambda size: partial(kept_hours.text_in, {1: _kept(size)}, 1),
    "items.working_hours.days_of": lambda size: partial(working_hours.days_of, "Monday " * (size // 7)),
    "protocols.ical.bias_zones.BiasZone.of_numbers": lambda size: partial(
        BiasZone.of_numbers, (0, *(0, 1, 1, 0, 0, 0) * 2)
    ),
    "protocols.dcerpc.interfaces.availability.read_told": _told,
}
