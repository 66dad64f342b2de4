"""Stores appointments, and sends what follows from it where they are meetings (MS-OXWSMTGS section 3.1.4).

`items.implicit_scheduling` says which messages a change makes, and `services.scheduling` stores the object and submits them in
one transaction, as for DAV. A request says to whom they go (CalendarItemCreateOrDeleteOperationType and
CalendarItemUpdateOperationType, MS-OXWSMTGS section 2.2.5).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

from postern.items.calendar_object import CalendarObject, Refused
from postern.items.implicit_scheduling import Intended, intended, write_statuses
from postern.items.organizing import Role, Sending
from postern.items.stored import class_of, values_of
from postern.model.edits import NOTHING_BESIDE, Beside
from postern.model.folders import FolderKind, Right
from postern.model.item_store import StoredItem
from postern.model.mailbox import MailboxError
from postern.model.resources import ABSENT, NewResource, Resource, content_tag
from postern.protocols.content_lines import Line, with_parameters
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.appointments import event_in
from postern.services.ews.editing import How, Saved, new_bag
from postern.services.scheduling import sending
from postern.services.scheduling.aside import aside, may_recur

if TYPE_CHECKING:
    from postern.services.ews.calendar_editor import CalendarEditor

CREATING = ("SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy")
UPDATING = (*CREATING, "SendOnlyToChanged", "SendToChangedAndSaveCopy")
NOBODY = "SendToNone"
_NOT_KEPT = frozenset({"SendOnlyToAll", "SendOnlyToChanged"})
"""Modes in which no copy of a letter is kept in Sent Items."""
_TO_ALL = frozenset({"SendOnlyToAll", "SendToAllAndSaveCopy"})


def _check_mode(mode: str, modes: tuple[str, ...], missing: Code) -> None:
    if not mode:
        raise EwsError(missing)
    if mode not in modes:
        raise EwsError(Code.SCHEMA_VALIDATION)


async def create(editor: CalendarEditor, how: How) -> Saved:
    """Stores a new appointment. Raises EwsError: ErrorSendMeetingInvitationsRequired,
    ErrorCannotCreateCalendarItemInNonCalendarFolder, ErrorCreateItemAccessDenied; MailboxError."""
    _check_mode(how.meetings, CREATING, Code.SEND_MEETING_INVITATIONS_REQUIRED)
    mailbox, folder = editor.place.mailbox, editor.place.node
    await mailbox.nodes()
    mailbox.demand(folder, Right.CREATE, Code.CREATE_ITEM_ACCESS_DENIED)
    if not folder.is_calendar and folder.kind is not FolderKind.DELETED:
        raise EwsError(Code.CANNOT_CREATE_CALENDAR_ITEM_IN_NON_CALENDAR_FOLDER)
    octets = await asyncio.to_thread(editor.content)
    name = f"{uuid4()}{editor.name_end}"
    bag = await new_bag(mailbox, editor.bag)
    beside = Beside(None, bag)
    put = await _sent(editor.call, mailbox, None, editor.calendar, editor.now, how.meetings, folder.id, name, beside)
    if put is None:
        resource = NewResource(octets, editor.item_class, await editor.rendered(), name)
        (put,) = await mailbox.store.add_with(mailbox.id, folder.id, [resource], bag, folder.is_calendar)
    return await editor.saved(put)


async def update(editor: CalendarEditor, how: How, known: int | None) -> Saved:
    """Stores a changed appointment. Raises EwsError: ErrorSendMeetingInvitationsOrCancellationsRequired,
    ErrorIrresolvableConflict, ErrorAccessDenied, ErrorCalendarIsNotOrganizer; MailboxError."""
    _check_mode(how.meetings, UPDATING, Code.SEND_MEETING_INVITATIONS_OR_CANCELLATIONS_REQUIRED)
    mailbox, view = editor.place.mailbox, editor.view
    assert view is not None
    if known is not None and view.stored.change > known:
        raise EwsError(Code.IRRESOLVABLE_CONFLICT)
    await mailbox.demand_edit([view.stored.id])
    before = view.content or b""
    octets = await aside(before, editor.content, is_long=may_recur(before))
    old = await aside(before, lambda: event_in(before))
    beside = await editor.beside()
    if octets != before:
        await store(editor.call, mailbox, view.stored, before, old, editor.calendar, editor.now, how.meetings, beside)
    else:
        await mailbox.store.edit(mailbox.id, view.stored.id, beside, unchanged_since=view.stored.change)
    return await editor.saved(view.stored.id)


async def store(
    call: Call,
    mailbox: Mailbox,
    item: StoredItem,
    before: bytes,
    old: CalendarObject,
    new: CalendarObject,
    now: int,
    mode: str,
    beside: Beside = NOTHING_BESIDE,
) -> None:
    """Stores an appointment in the place of what it was, and tells the others as `mode` says. Raises EwsError, MailboxError."""
    resource = await resource_of(mailbox, item.id)
    tag = content_tag(before)
    put = await _sent(call, mailbox, old, new, now, mode, item.folder, resource.name, beside, tag, item.change)
    if put is None:
        content = await asyncio.to_thread(_stored, mailbox, new, now, beside)
        octets, values = content.octets, content.rendered
        await mailbox.store.edit(mailbox.id, item.id, beside, octets, values, item.item_class, item.change)


def _stored(
    mailbox: Mailbox, new: CalendarObject, now: int, beside: Beside, since: int | None = None
) -> sending.Stored:
    values = values_of(new, now, mailbox.recipient.folded_addresses)
    return sending.Stored(new.root.octets(), class_of(new), values, beside, since)


async def resource_of(mailbox: Mailbox, item: int) -> Resource:
    """The named item of an appointment. Raises EwsError ErrorItemNotFound."""
    for resource in await mailbox.store.with_ids(mailbox.id, [item]):
        return resource
    raise EwsError(Code.ITEM_NOT_FOUND)


async def _sent(
    call: Call,
    mailbox: Mailbox,
    old: CalendarObject | None,
    new: CalendarObject,
    now: int,
    mode: str,
    folder: int,
    name: str,
    beside: Beside,
    tag: bytes | None = None,
    since: int | None = None,
) -> int | None:
    """Stores a meeting and sends its messages; None: it is none, or nobody is told. What it takes the place of has the content
    `tag`, and has not changed after `since`. Raises EwsError, MailboxError."""
    outcome = await judged(mailbox, old, new, now, mode)
    if outcome.role is Role.NONE or mode == NOBODY:
        return None
    statuses, letters = await _letters(call, mailbox, outcome.sendings, now)

    def stored() -> sending.Stored:
        write_statuses(new, outcome.role, statuses)
        return _stored(mailbox, new, now, beside, since)

    content = await asyncio.to_thread(stored)
    expected = ABSENT if tag is None else tag
    sender = await sender_of(call, mailbox, letters, mode not in _NOT_KEPT)
    # A calendar has each UID once (RFC 4791 section 4.1).
    put = await sending.carry_out(sender, letters, folder, name, content, expected, unique=tag is None)
    return put.id if put is not None else None


async def judged(
    mailbox: Mailbox, old: CalendarObject | None, new: CalendarObject | None, now: int, mode: str
) -> Intended:
    """The meaning of a change; with `mode` "SendOnlyToAll" and its like even those are told who see nothing new. Raises EwsError
    where the owner of the calendar must not change this."""
    me = mailbox.recipient.folded_addresses

    def outcome_of() -> Intended | Refused:
        if new is not None and old is not None and mode in _TO_ALL:
            for part in new.parts:
                part.change(_forced, "ATTENDEE")
        return intended(old, new, me, now)

    outcome = await asyncio.to_thread(outcome_of)
    if isinstance(outcome, Refused):
        raise EwsError(Code.CALENDAR_IS_NOT_ORGANIZER, f"The meeting cannot be changed so: {outcome.why}.")
    return outcome


def _forced(entry: Line) -> Line:
    return with_parameters(entry, {"SCHEDULE-FORCE-SEND": "REQUEST"})


async def _letters(
    call: Call, mailbox: Mailbox, sendings: list[Sending], now: int
) -> tuple[dict[str, str], list[bytes]]:
    """The status of each address, and the mails. Raises DirectoryUnavailable."""
    statuses = await sending.statuses_of(call.access.directory, call.access.domains(), sendings)
    address = mailbox.recipient.primary
    octets = b"".join([each.octets for each in sendings])
    return statuses, await aside(octets, lambda: sending.letters_of(address, sendings, statuses, now))


async def sender_of(call: Call, mailbox: Mailbox, letters: list[bytes], is_kept: bool = True) -> sending.Sender:
    """The owner of a calendar, in whose name its letters go. Raises EwsError ErrorSendAsDenied where the caller is somebody else
    who may not send on behalf of the owner."""
    if letters and mailbox.id != call.identity.guid:
        guid = call.identity.guid
        if guid is None or not await call.access.sharing.may_send_on_behalf(guid, mailbox.recipient):
            raise EwsError(Code.SEND_AS_DENIED)
    address = mailbox.recipient.primary
    directory, domains = call.access.directory, call.access.domains
    return sending.Sender(mailbox.id, address, mailbox.store, mailbox.server.items, directory, domains, is_kept)


async def remove(call: Call, mailbox: Mailbox, resource: Resource, old: CalendarObject, now: int, mode: str) -> None:
    """Removes an appointment for good, and tells the others as `mode` says. Raises EwsError, MailboxError."""
    outcome = await judged(mailbox, old, None, now, mode)
    sendings = outcome.sendings if mode != NOBODY else []
    _, letters = await _letters(call, mailbox, sendings, now)
    if not letters:
        await mailbox.store.delete(mailbox.id, [resource.id])
        return
    sender = await sender_of(call, mailbox, letters, mode not in _NOT_KEPT)
    await sending.carry_out(sender, letters, resource.folder, resource.name, None, resource.tag)


async def store_answer(
    call: Call,
    mailbox: Mailbox,
    resource: Resource | None,
    folder: int,
    new: CalendarObject,
    now: int,
    letters: list[bytes],
    is_kept: bool,
) -> int:
    """Stores an attendee's copy as it has become, with the letters that say so to the organizer; returns its id. `resource` is
    what it takes the place of. Raises EwsError, MailboxError."""
    content = await asyncio.to_thread(_stored, mailbox, new, now, NOTHING_BESIDE)
    sender = await sender_of(call, mailbox, letters, is_kept)
    name = resource.name if resource is not None else f"{uuid4()}.ics"
    expected = resource.tag if resource is not None else ABSENT
    put = await sending.carry_out(sender, letters, folder, name, content, expected, unique=resource is None)
    if put is None:
        raise MailboxError("MODIFIED", "The copy has gone meanwhile")
    return put.id
