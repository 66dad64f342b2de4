"""Answers to meetings: AcceptItem, TentativelyAcceptItem, DeclineItem, CancelCalendarItem and RemoveItem (MS-OXWSMTGS section
2.2.4).

An answer names an appointment of the calendar, or the message that brought a meeting. The copy in the calendar changes, and the
organizer is told, in one transaction. What was answered goes to the deleted items, and with a refusal the appointment, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

from postern.items import appointment, calendar_object, invitations, scheduling
from postern.items.answers import REPLIED, with_proposal
from postern.items.calendar_object import CalendarObject, Refused, organizer_of
from postern.items.copy_changes import Action
from postern.items.implicit_scheduling import SENT
from postern.items.organizing import Sending
from postern.items.rendered import attendee_of, sequence_of, status_of
from postern.items.series import Series
from postern.model.folders import FolderKind, Right, is_class
from postern.model.mailbox import MailboxError
from postern.model.resources import Resource
from postern.protocols import xml
from postern.protocols.content_lines import Component, escaped, line, with_parameters
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.ids import ItemId, change_key
from postern.protocols.ews.names import element, t
from postern.protocols.ews.times import read_local
from postern.protocols.ical.values import Kind, When, address_of, written
from postern.protocols.ical.zones import moment, written_utc
from postern.protocols.mime.text import html_text
from postern.services.ews import calendar_deleting, meeting_changes
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.appointments import exception_at, zone_of_days, zone_of_request
from postern.services.ews.calendar_times import GivenTime
from postern.services.ews.deleting import Deletion, Disposal, dispose
from postern.services.ews.editing import Disposition, How
from postern.services.ews.item_view import ItemView
from postern.services.ews.meeting_messages import invitation_of
from postern.services.ews.places import referred
from postern.services.scheduling import sending
from postern.services.scheduling.aside import aside, may_recur, read_calendar

MAX_COMMENT = 20_000
"""Characters of the words beside an answer that are sent."""
T = TypeVar("T")
_ALL = "SendToAllAndSaveCopy"


class Answer(NamedTuple):
    """An answer: its PARTSTAT, and the errors for what cannot be answered so."""

    status: str
    not_a_request: Code
    organizer: Code
    cancelled: Code


ANSWERS: Mapping[str, Answer] = {
    "AcceptItem": Answer(
        "ACCEPTED",
        Code.INVALID_ITEM_FOR_OPERATION_ACCEPT_ITEM,
        Code.CALENDAR_IS_ORGANIZER_FOR_ACCEPT,
        Code.CALENDAR_IS_CANCELLED_FOR_ACCEPT,
    ),
    "TentativelyAcceptItem": Answer(
        "TENTATIVE",
        Code.INVALID_ITEM_FOR_OPERATION_TENTATIVE,
        Code.CALENDAR_IS_ORGANIZER_FOR_TENTATIVE,
        Code.CALENDAR_IS_CANCELLED_FOR_TENTATIVE,
    ),
    "DeclineItem": Answer(
        "DECLINED",
        Code.INVALID_ITEM_FOR_OPERATION_DECLINE_ITEM,
        Code.CALENDAR_IS_ORGANIZER_FOR_DECLINE,
        Code.CALENDAR_IS_CANCELLED_FOR_DECLINE,
    ),
}


@dataclass(slots=True)
class _Meeting:
    """The meeting that is answered: the copy as it becomes, what it takes the place of (None: it is new), its folder, and its
    content. `key` is the occurrence that is meant, `message` the view of the message that brought it."""

    mailbox: Mailbox
    copy: CalendarObject
    resource: Resource | None
    folder: int
    octets: bytes
    key: int | None = None
    message: ItemView | None = None

    async def aside(self, work: Callable[[], T]) -> T:
        """Does work on the copy."""
        return await aside(self.octets, work, is_long=may_recur(self.octets))


async def answer(call: Call, response: xml.Element, how: How) -> str:
    """Accepts or declines a meeting. Raises EwsError, MailboxError."""
    said = ANSWERS[response.local]
    now = int(time.time())
    meeting = await _meeting(call, response, said)
    mailbox, copy = meeting.mailbox, meeting.copy
    me = mailbox.recipient.folded_addresses
    if organizer_of(copy.main) in me:
        raise EwsError(said.organizer)
    if not organizer_of(copy.main):
        raise EwsError(said.not_a_request)
    part = await meeting.aside(partial(_part, call, meeting))
    if status_of(part or copy.main) == "CANCELLED":
        raise EwsError(said.cancelled)
    parts = [part] if part is not None else copy.parts
    address = mailbox.recipient.primary
    for each in parts:
        address = _note(each, me, mailbox.recipient.primary, said.status, now)
    comment = _comment(response)
    letters: list[bytes] = []
    if how.disposition in (Disposition.SEND_ONLY, Disposition.SEND_AND_SAVE_COPY):
        work = partial(_message, call, response, meeting, address, parts, said.status, now, comment)
        octets = await meeting.aside(work)
        message = Sending((organizer_of(copy.main),), "REPLY", octets)
        statuses = {message.addresses[0]: SENT}
        primary = mailbox.recipient.primary
        letters = await meeting.aside(partial(sending.letters_of, primary, [message], statuses, now, comment))
    stored = await _keep(call, meeting, said.status, now, letters, how.disposition is not Disposition.SEND_ONLY)
    if meeting.message is not None:
        # The answer is given: whoever may not take the message away, or comes too late for it, has answered all the same.
        with suppress(EwsError, MailboxError):
            await dispose(mailbox, [meeting.message.stored.id], Disposal.TRASH)
    return stored


async def _keep(call: Call, meeting: _Meeting, status: str, now: int, letters: list[bytes], is_kept: bool) -> str:
    """Stores the copy, or removes what was declined, and sends the letters. Returns the m:Items of the answer."""
    mailbox, copy, resource = meeting.mailbox, meeting.copy, meeting.resource
    if status != "DECLINED":
        number = await meeting_changes.store_answer(
            call, mailbox, resource, meeting.folder, copy, now, letters, is_kept
        )
        return await _told(mailbox, number)
    if resource is None:
        await sending.send_alone(await meeting_changes.sender_of(call, mailbox, letters, is_kept), letters)
        return "<m:Items/>"
    if meeting.key is not None:
        zone = zone_of_days(call, copy)
        await meeting.aside(partial(calendar_deleting.without_occurrence, copy, meeting.key, zone, call.steps))
        number = await meeting_changes.store_answer(
            call, mailbox, resource, meeting.folder, copy, now, letters, is_kept
        )
        return await _told(mailbox, number)
    await mailbox.demand_delete([resource.id])
    store = mailbox.server.items
    copies = list((await store.copy_items(mailbox.id, [resource.id], await mailbox.trash())).values())
    try:
        sender = await meeting_changes.sender_of(call, mailbox, letters, is_kept)
        await sending.carry_out(sender, letters, resource.folder, resource.name, None, resource.tag)
    except Exception:
        await store.delete(mailbox.id, copies)
        raise
    return "<m:Items/>"


async def _told(mailbox: Mailbox, number: int) -> str:
    (item,) = await mailbox.server.items.get(mailbox.id, [number])
    item_id = element("t:ItemId", Id=str(ItemId(mailbox.id, number)), ChangeKey=change_key(item.change))
    return f"<m:Items><t:CalendarItem>{item_id}</t:CalendarItem></m:Items>"


async def _view(call: Call, response: xml.Element) -> ItemView:
    """The item that a response refers to, with its content; an occurrence where it refers to one."""
    view, ref = await referred(call, response)
    view.start = ref.id.start
    await aside(view.content or b"", partial(invitation_of, view))
    return view


async def _meeting(call: Call, response: xml.Element, said: Answer) -> _Meeting:
    view = await _view(call, response)
    mailbox = view.mailbox
    invitation = invitation_of(view)
    if invitation is None:
        octets = view.content or b""
        read = await read_calendar(octets)
        if isinstance(read, Refused) or read.kind != "VEVENT":
            raise EwsError(said.not_a_request)
        resource = await meeting_changes.resource_of(mailbox, view.stored.id)
        return _Meeting(mailbox, read, resource, view.node.id, octets, view.start)
    if invitation.method == "CANCEL":
        raise EwsError(said.cancelled)
    if invitation.method != "REQUEST" or invitation.kind != "VEVENT":
        raise EwsError(said.not_a_request)
    copy = await copy_of(mailbox, invitation.uid)
    octets = (copy.content or b"") if copy is not None else view.content or b""
    stored = await read_calendar(octets) if copy is not None else None
    if isinstance(stored, Refused):
        raise EwsError(Code.CORRUPT_DATA)
    if stored is not None and sequence_of(stored.main) > sequence_of(invitation.main):
        raise EwsError(Code.CALENDAR_MEETING_REQUEST_IS_OUT_OF_DATE)
    me = mailbox.recipient.folded_addresses
    applied = await aside(octets, partial(scheduling.apply, stored, invitation, me), is_long=may_recur(octets))
    if applied.action is Action.STORE:
        octets = applied.octets
        stored = await aside(octets, partial(_checked, octets))
    if stored is None:
        raise EwsError(said.not_a_request)
    home = await mailbox.of_kind(FolderKind.CALENDAR)
    mailbox.demand(home, Right.CREATE | Right.EDIT_ANY | Right.EDIT_OWNED)
    folder = copy.folder if copy is not None else home.id
    return _Meeting(mailbox, stored, copy, folder, octets, message=view)


def _checked(octets: bytes) -> CalendarObject:
    """A copy as it was made of an invitation. Raises EwsError ErrorCorruptData."""
    made = calendar_object.read(octets)
    if isinstance(made, Refused) or calendar_object.check(made) is not None:
        raise EwsError(Code.CORRUPT_DATA)
    return made


async def copy_of(mailbox: Mailbox, uid: str) -> Resource | None:
    """The appointment with this UID in a calendar of the mailbox, with its content; the calendar of the mailbox goes before other
    ones. None: there is none."""
    nodes = await mailbox.nodes()
    calendars = {node.id: node for node in nodes.values() if node.is_calendar}
    copies = [each for each in await mailbox.store.with_uids(mailbox.id, None, [uid]) if each.folder in calendars]
    if not uid or not copies:
        return None
    best = min(copies, key=lambda each: (calendars[each.folder].kind is not FolderKind.CALENDAR, each.id))
    for whole in await mailbox.store.with_ids(mailbox.id, [best.id], True):
        return whole
    return None


def _part(call: Call, meeting: _Meeting) -> Component | None:
    """The component of the occurrence that is answered, which becomes an exception; None: the whole is."""
    if meeting.key is None:
        return None
    copy = meeting.copy
    series = Series(copy, zone_of_days(call, copy))
    part = exception_at(copy, series, meeting.key, call.steps)
    known = series.exceptions.get(meeting.key)
    if known is not None:
        return known.component
    part = part.copy()
    copy.root.entries.append(part)
    copy.parts.append(part)
    return part


def _note(part: Component, me: frozenset[str], primary: str, status: str, now: int) -> str:
    """Notes an answer in a component, and returns the address that answers. Somebody who is not invited by an address of his own
    answers by the primary one."""
    mine = attendee_of(part, me)
    if mine is None:
        mine = line("ATTENDEE", f"mailto:{primary}", [("ROLE", ["REQ-PARTICIPANT"])])
        inner = [entry for entry in part.entries if isinstance(entry, Component)]
        part.entries = [*part.lines(), mine, *inner]
    made = with_parameters(mine, {"PARTSTAT": status, "RSVP": "", REPLIED: written_utc(now)})
    part.change(lambda entry: made if entry is mine else entry, "ATTENDEE")
    intended = part.value("X-MICROSOFT-CDO-INTENDEDSTATUS").strip().upper()
    shown = "TENTATIVE" if status == "TENTATIVE" else intended if intended in ("FREE", "BUSY", "OOF") else ""
    busy = part.value("X-MICROSOFT-CDO-BUSYSTATUS").strip().upper()
    if shown or busy == "TENTATIVE":
        part.replace("X-MICROSOFT-CDO-BUSYSTATUS", line("X-MICROSOFT-CDO-BUSYSTATUS", shown) if shown else None)
    return address_of(mine.value)


def _comment(response: xml.Element) -> str:
    """The words beside an answer, as text."""
    body = response.find(t("Body")) or response.find(t("NewBodyContent"))
    if body is None:
        return ""
    text = html_text(body.text) if body.attributes.get("BodyType") == "HTML" else body.text
    return text[:MAX_COMMENT].strip()


def _message(
    call: Call,
    response: xml.Element,
    meeting: _Meeting,
    address: str,
    parts: list[Component],
    status: str,
    now: int,
    comment: str,
) -> bytes:
    """The REPLY to the organizer, or the COUNTER where another time is proposed (MS-OXWSMTGS section 2.2.4.17)."""
    proposed = [response.find(t(name)) for name in ("ProposedStart", "ProposedEnd")]
    copy = meeting.copy
    if proposed[0] is None or proposed[1] is None or status == "ACCEPTED":
        octets = invitations.reply(copy, address, status, now, parts)
        read = calendar_object.read(octets)
        if not comment or isinstance(read, Refused):
            return octets
        for each in read.parts:
            each.replace("COMMENT", line("COMMENT", escaped(comment)))
        return read.root.octets()
    if copy.main.value("X-MICROSOFT-DISALLOW-COUNTER").strip().upper() == "TRUE":
        raise EwsError(Code.INVALID_OPERATION, "The organizer takes no proposals of another time.")
    zone = zone_of_request(call)
    start, end = (GivenTime(*read_local(each.text)).utc(zone) for each in proposed if each is not None)
    if end < start:
        raise EwsError(Code.CALENDAR_END_DATE_IS_EARLIER_THAN_START_DATE)
    times = [When(moment(each), Kind.UTC) for each in (start, end)]
    part = parts[0]
    octets = invitations.counter(copy, address, part, times[0], times[1], now, comment)
    noted = with_proposal(part, address, "/".join(map(written, times)))
    part.entries = noted.entries
    return octets


async def cancel(call: Call, response: xml.Element, how: How) -> str:
    """Cancels a meeting of the owner, or one occurrence of it, and tells all (CancelCalendarItemType). Raises EwsError,
    MailboxError."""
    view = await _view(call, response)
    mailbox, now = view.mailbox, int(time.time())
    old = await read_calendar(view.content or b"")
    if isinstance(old, Refused) or invitation_of(view) is not None or not organizer_of(old.main):
        raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_CANCEL_ITEM)
    if organizer_of(old.main) not in mailbox.recipient.folded_addresses:
        raise EwsError(Code.CALENDAR_IS_NOT_ORGANIZER)
    comment = _comment(response)
    if comment:
        for part in old.parts:
            part.replace("COMMENT", line("COMMENT", escaped(comment)))
    deletion = Deletion(Disposal.TRASH, _ALL)
    if view.start is not None:
        await calendar_deleting.take_out(call, mailbox, view.stored, view.content or b"", old, view.start, now, _ALL)
    else:
        await calendar_deleting.remove(call, mailbox, view.stored, old, now, deletion)
    return "<m:Items/>"


async def remove(call: Call, response: xml.Element, how: How) -> str:
    """Removes the appointment of a cancellation, without an answer (RemoveItemType). Raises EwsError:
    ErrorCalendarMeetingRequestIsOutOfDate for a cancellation that is older than the appointment; MailboxError."""
    view = await _view(call, response)
    mailbox = view.mailbox
    invitation = invitation_of(view)
    if invitation is None:
        if not is_class(view.stored.item_class, appointment.ITEM_CLASS):
            raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_REMOVE_ITEM)
        await dispose(mailbox, [view.stored.id], Disposal.TRASH)
        return "<m:Items/>"
    if invitation.method != "CANCEL":
        raise EwsError(Code.INVALID_ITEM_FOR_OPERATION_REMOVE_ITEM)
    copy = await copy_of(mailbox, invitation.uid)
    if copy is not None and invitation.master is not None:
        stored = calendar_object.read(copy.content or b"")
        if isinstance(stored, CalendarObject) and sequence_of(stored.main) > sequence_of(invitation.main):
            # The meeting was set up again after it was cancelled (RFC 5546 section 2.1.5).
            raise EwsError(Code.CALENDAR_MEETING_REQUEST_IS_OUT_OF_DATE)
        await dispose(mailbox, [copy.id], Disposal.TRASH)
    await dispose(mailbox, [view.stored.id], Disposal.TRASH)
    return "<m:Items/>"


MEETING_ANSWERS = {**dict.fromkeys(ANSWERS, answer), "CancelCalendarItem": cancel, "RemoveItem": remove}
"""The response objects of meetings by their elements."""
