"""The question to another organization when its people are busy, and its answer (MS-OXWAVLS section 3.1.4.1, as a client).

The question is in UTC. Of the answer only times and states are taken: the account that asks stands for everybody here, and what
it may know is not what each of them may know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from postern.model.availability import MAX_DAYS, MAX_EVENTS
from postern.model.item_store import Busy
from postern.protocols import xml
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import MESSAGES, SOAP, TYPES, m, t
from postern.protocols.ews.times import read_time
from postern.protocols.ews.versions import Version
from postern.protocols.ical.zones import moment

MINUTES = 15
"""Minutes of an interval of the merged string, which is taken where no events are told."""
MAX_OCTETS = 4 << 20
_BOUNDS = xml.Bounds(octets=MAX_OCTETS, depth=24, elements=200_000, attributes=50_000)
_STATES = {
    "Free": Busy.FREE,
    "Tentative": Busy.TENTATIVE,
    "Busy": Busy.BUSY,
    "OOF": Busy.OUT_OF_OFFICE,
    "WorkingElsewhere": Busy.ELSEWHERE,
}
TOO_MANY = "ErrorResultSetTooBig"
PROXIED = "<t:RequestTypeHeader><t:RequestType>CrossForest</t:RequestType></t:RequestTypeHeader>"
"""The header of a question that a server asks for its users: who is asked so asks no third organization."""


class ForeignEvent(NamedTuple):
    """A time in seconds since the epoch, and how somebody is then."""

    start: int
    end: int
    busy: Busy


class ForeignAnswer(NamedTuple):
    """The answer about one mailbox. `code` is the response code, "NoError" where it was told, and TOO_MANY with more than
    MAX_EVENTS events: what is cut off would be free time."""

    code: str
    events: tuple[ForeignEvent, ...] = ()


def question(addresses: Sequence[str], start: int, end: int) -> bytes:
    """The envelope of a question about these addresses."""
    change = "<t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>1</t:DayOrder><t:Month>1</t:Month>"
    zone = "".join(
        [f"<t:{name}>{change}<t:DayOfWeek>Sunday</t:DayOfWeek></t:{name}>" for name in ("StandardTime", "DaylightTime")]
    )
    mailboxes = "".join(
        [
            f"<t:MailboxData><t:Email><t:Address>{xml.text(address)}</t:Address></t:Email>"
            "<t:AttendeeType>Required</t:AttendeeType></t:MailboxData>"
            for address in addresses
        ]
    )
    span = "".join([f"<t:{name}>{_local(time)}</t:{name}>" for name, time in (("StartTime", start), ("EndTime", end))])
    return (
        f'{xml.DECLARATION}<s:Envelope xmlns:s="{SOAP}" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"><s:Header>'
        f'<t:RequestServerVersion Version="{Version.V2007_SP1.label}"/>{PROXIED}</s:Header><s:Body>'
        f"<m:GetUserAvailabilityRequest><t:TimeZone><t:Bias>0</t:Bias>{zone}</t:TimeZone>"
        f"<m:MailboxDataArray>{mailboxes}</m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow>{span}</t:TimeWindow>"
        f"<t:MergedFreeBusyIntervalInMinutes>{MINUTES}</t:MergedFreeBusyIntervalInMinutes>"
        "<t:RequestedView>FreeBusyMerged</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"
        "</s:Body></s:Envelope>"
    ).encode()


def _local(epoch: int) -> str:
    return moment(epoch).isoformat(timespec="seconds")


def read_answer(octets: bytes, start: int) -> list[ForeignAnswer] | None:
    """Reads the answers about all mailboxes of a question that began at `start`. None: it is no such answer.

    Bound: linear in the octets; at most MAX_OCTETS, and MAX_EVENTS events of each mailbox.
    """
    try:
        root = xml.read(octets, _BOUNDS)
    except xml.XmlError:
        return None
    array = root.find(f"{{{SOAP}}}Body", m("GetUserAvailabilityResponse"), m("FreeBusyResponseArray"))
    if array is None:
        return None
    return [_answer(response, start) for response in array.find_all(m("FreeBusyResponse"))]


def _answer(response: xml.Element, start: int) -> ForeignAnswer:
    code = response.text_of(m("ResponseMessage"), m("ResponseCode"))[:100]
    view = response.find(m("FreeBusyView"))
    if code != "NoError" or view is None:
        return ForeignAnswer(code if code != "NoError" else "")
    told = view.find(t("CalendarEventArray"))
    try:
        if told is not None:
            events = [_event(event) for event in told.find_all(t("CalendarEvent"))]
        else:
            events = _of_digits(view.text_of(t("MergedFreeBusy")), start)
    except EwsError:
        return ForeignAnswer("")
    busy = tuple([event for event in events if event.busy and event.start < event.end])
    return ForeignAnswer(code, busy) if len(busy) <= MAX_EVENTS else ForeignAnswer(TOO_MANY)


def _event(event: xml.Element) -> ForeignEvent:
    busy = _STATES.get(event.text_of(t("BusyType")), Busy.BUSY)
    return ForeignEvent(read_time(event.text_of(t("StartTime"))), read_time(event.text_of(t("EndTime"))), busy)


def _of_digits(digits: str, start: int) -> list[ForeignEvent]:
    """The events that a merged string stands for; neighbours that are alike are one."""
    events: list[ForeignEvent] = []
    for place, digit in enumerate(digits[: MAX_DAYS * 1440 // MINUTES + 1]):
        if digit not in "123":
            continue
        begin = start + 60 * MINUTES * place
        event = ForeignEvent(begin, begin + 60 * MINUTES, Busy(int(digit)))
        if events and events[-1].end == begin and events[-1].busy is event.busy:
            events[-1] = events[-1]._replace(end=event.end)
        else:
            events.append(event)
    return events
