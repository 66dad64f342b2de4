"""Messages with a meeting in them, which are items of kinds of their own: requests, answers and cancellations (MS-OXWSMTGS
section 2.2.4).

They are mail (IPM.Note) in the store, for IMAP shows them as such. BODYSTRUCTURE says whether a message may bring a meeting, and
only then its content is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import uuid4

from postern.items import calendar_object, invitations, mail_content
from postern.items.calendar_object import CalendarObject, Refused, organizer_of
from postern.items.imip import Letter, invitation_in, mail
from postern.items.mail_content import Attached
from postern.items.occurrence import key_of
from postern.items.organizing import is_moved
from postern.items.rendered import answer_of, sequence_of
from postern.items.series import Series
from postern.items.text import text_of
from postern.model.folders import is_class
from postern.model.items import MESSAGE
from postern.protocols.content_lines import line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ical.values import address_of
from postern.services.ews.appointments import exception_at, zone_of_days
from postern.services.ews.item_view import ItemView, Need, load_pages
from postern.services.scheduling.aside import read_calendar

_CALENDAR = re.compile(rb'"(?:text" "calendar|text" "x-vcalendar|application" "ics)"', re.IGNORECASE)
_ALONE = b'("text" "calendar"'
MAX_ADDRESSED = 1_000
"""Attendees to whom a reply to all goes."""
REQUEST, RESPONSE, CANCELLATION = "MeetingRequest", "MeetingResponse", "MeetingCancellation"
ELEMENTS = frozenset({REQUEST, RESPONSE, CANCELLATION})
_BY_METHOD = {"REQUEST": REQUEST, "REPLY": RESPONSE, "COUNTER": RESPONSE, "CANCEL": CANCELLATION}
ANSWERS = {
    "ACCEPTED": "Accept",
    "DECLINED": "Decline",
    "TENTATIVE": "Tentative",
    "NEEDS-ACTION": "NoResponseReceived",
    "DELEGATED": "NoResponseReceived",
}
"""ResponseTypeType by PARTSTAT."""
_ENDS = {"ACCEPTED": "Pos", "DECLINED": "Neg", "TENTATIVE": "Tent"}


ASSOCIATED = "associated"
"""The place of an Associated in `ItemView.parsed`."""


class Associated(NamedTuple):
    """The appointment in the calendar that a message is about: its id and change key, SEQUENCE, the owner's answer as
    ResponseTypeType, the time at which it came into the calendar, in seconds, and what it says. All are empty where there is
    none."""

    id: str = ""
    change_key: str = ""
    sequence: int = -1
    answer: str = ""
    created: int = 0
    calendar: CalendarObject | None = None

    def was_there(self, received: int) -> bool:
        """Whether it was in the calendar before a message came, in seconds. The attendant makes it after the first one."""
        return self.calendar is not None and self.created < received

    def has_times_of(self, message: CalendarObject) -> bool:
        """Whether it has all components of a message, with the same times and rules."""
        if self.calendar is None:
            return False
        known = {key_of(self.calendar, part): part for part in self.calendar.parts}
        own = ((known.get(key_of(message, part)), part) for part in message.parts)
        return all(mine is not None and not is_moved(mine, part) for mine, part in own)


def may_bring_meeting(structure: bytes) -> bool:
    """Whether it is worth reading a message to look for a meeting."""
    return _CALENDAR.search(structure) is not None


def invitation_of(view: ItemView) -> CalendarObject | None:
    """The meeting that a message brings; None: it brings none, or is no message. It is read once, and needs the content."""
    if not is_class(view.stored.item_class, MESSAGE):
        return None
    if invitation_of not in view.parsed:
        view.parsed[invitation_of] = invitation_in(view.content or b"")
    invitation: CalendarObject | None = view.parsed[invitation_of]
    return invitation


def element_of(view: ItemView) -> str:
    """The element of a message with its content: "MeetingRequest" and its like; "" for other mail."""
    invitation = invitation_of(view)
    if invitation is None or invitation.kind != "VEVENT":
        return ""
    return _BY_METHOD.get(invitation.method, "")


def is_meeting_alone(view: ItemView) -> bool:
    """Whether a message is a meeting from its first octet to its last: then nothing is attached to it. Another calendar that is a
    whole message is attached to it, for nothing else shows it (MS-OXCICAL section 2.1.1)."""
    is_calendar = view.structure.startswith(_ALONE)
    return is_calendar and view.content is not None and bool(element_of(view))


def class_of(view: ItemView) -> str:
    """The class under which a message with a meeting is told (MS-OXOCAL section 2.2.4): "IPM.Schedule.Meeting.Request"."""
    name = element_of(view)
    if name == REQUEST:
        return "IPM.Schedule.Meeting.Request"
    if name == CANCELLATION:
        return "IPM.Schedule.Meeting.Canceled"
    invitation = invitation_of(view)
    attendee = invitation.main.first("ATTENDEE") if invitation is not None else None
    answer = attendee.parameter("PARTSTAT").strip().upper() if attendee is not None else ""
    return f"IPM.Schedule.Meeting.Resp.{_ENDS.get(answer, 'Tent')}"


async def associate(views: Sequence[ItemView]) -> None:
    """Finds the appointments of messages of one mailbox, for the properties that tell of them."""
    by_uid: dict[str, list[ItemView]] = {}
    for view in views:
        invitation = invitation_of(view)
        if invitation is not None and invitation.uid:
            by_uid.setdefault(invitation.uid, []).append(view)
    if not by_uid:
        return
    mailbox = views[0].mailbox
    nodes = await mailbox.nodes()
    copies = [
        each
        for each in await mailbox.store.with_uids(mailbox.id, None, list(by_uid))
        if each.folder in nodes and nodes[each.folder].is_calendar
    ]
    uids = {each.id: each.uid for each in copies}
    async for page in load_pages(views[0].call, mailbox, list(uids), Need.CONTENT):
        for copy in page:
            read = await read_calendar(copy.content or b"")
            if not isinstance(read, CalendarObject):
                continue
            answer = ANSWERS.get(answer_of(read.main, mailbox.recipient.folded_addresses), "")
            created = copy.stored.created
            there = Associated(str(copy.id), copy.change_key, sequence_of(read.main), answer, created, read)
            for view in by_uid.get(uids[copy.stored.id], ()):
                view.parsed.setdefault(ASSOCIATED, there)


def as_mail(view: ItemView) -> bytes:
    """An appointment, or the occurrence of a series that the view is of, as the mail that would invite to it, to be answered or
    forwarded. Raises EwsError: ErrorInvalidReferenceItem for what cannot be read; as `appointments.exception_at`."""
    calendar = calendar_object.read(view.content or b"")
    if isinstance(calendar, Refused) or calendar.kind != "VEVENT":
        raise EwsError(Code.INVALID_REFERENCE_ITEM)
    if view.start is not None:
        series = Series(calendar, zone_of_days(view.call, calendar))
        calendar = replace(calendar, parts=[exception_at(calendar, series, view.start, view.call.steps).copy()])
    owner = view.mailbox.recipient.primary
    organizer = organizer_of(calendar.main) or owner
    for part in calendar.parts:
        if part.first("ORGANIZER") is None:
            part.replace("ORGANIZER", line("ORGANIZER", f"mailto:{organizer}"))
    message = calendar_object.read(invitations.request(calendar, view.stored.created))
    assert isinstance(message, CalendarObject)
    invited = [address_of(entry.value) for entry in calendar.main.lines("ATTENDEE")][:MAX_ADDRESSED]
    people = [address for address in dict.fromkeys(invited) if address != organizer] or [owner]
    subject, name = text_of(calendar.main.value("SUMMARY")), uuid4().hex
    octets = mail(Letter(organizer, people, subject, name, view.stored.created), message)
    # It is no mail that anybody has, and nothing refers to it.
    return octets.replace(f"Message-ID: <{name}>\r\n".encode(), b"", 1)


def invitation_file(view: ItemView) -> Attached | None:
    """The meeting of a message as a file that goes along when it is forwarded; None: it brings none."""
    invitation = invitation_of(view)
    if invitation is None:
        return None
    return mail_content.file(invitation.root.octets(), "meeting.ics", "text/calendar")
