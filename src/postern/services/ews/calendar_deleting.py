"""Deletes appointments and single occurrences, and tells those whom they concern (MS-OXWSMTGS section 3.1.4.3)."""

from __future__ import annotations

import time
from functools import partial

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.series import Series
from postern.model.item_store import StoredItem
from postern.protocols.content_lines import Line, line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import when_of, written
from postern.protocols.ical.zones import Zone, written_utc
from postern.services.ews import meeting_changes
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.appointments import exception_at, stamp_after, zone_of_days
from postern.services.ews.deleting import Deletion, Disposal, dispose
from postern.services.ews.places import ItemRef
from postern.services.scheduling.aside import aside, may_recur, read_calendar

MAX_EXCLUDED = 10_000
"""Occurrences that are taken out of one series."""


async def delete(call: Call, mailbox: Mailbox, item: StoredItem, ref: ItemRef, deletion: Deletion) -> None:
    """Deletes an appointment, or the occurrence that the reference names. Raises EwsError: ErrorAccessDenied, ErrorItemNotFound,
    ErrorCalendarOccurrenceIsDeletedFromRecurrence; MailboxError."""
    now = int(time.time())
    if ref.id.start is None and deletion.cancellations in ("", meeting_changes.NOBODY):
        await dispose(mailbox, [item.id], deletion.disposal)
        return
    stored = (await mailbox.store.get(mailbox.id, [item.id], True))[0].content or b""
    read = await read_calendar(stored)
    if isinstance(read, Refused):
        await dispose(mailbox, [item.id], deletion.disposal)
    elif ref.id.start is not None:
        await take_out(call, mailbox, item, stored, read, ref.id.start, now, deletion.cancellations)
    else:
        await remove(call, mailbox, item, read, now, deletion)


async def remove(
    call: Call, mailbox: Mailbox, item: StoredItem, read: CalendarObject, now: int, deletion: Deletion
) -> None:
    """Deletes a whole appointment, and tells the others. What is sent and what leaves the calendar is one transaction; the copy
    among the deleted items is made before it."""
    await mailbox.demand_delete([item.id])
    resource = await meeting_changes.resource_of(mailbox, item.id)
    copies: list[int] = []
    if deletion.disposal is Disposal.TRASH:
        trash = await mailbox.trash()
        if trash != item.folder:
            copies = list((await mailbox.server.items.copy_items(mailbox.id, [item.id], trash)).values())
    try:
        await meeting_changes.remove(call, mailbox, resource, read, now, deletion.cancellations)
    except Exception:
        await mailbox.server.items.delete(mailbox.id, copies)
        raise


async def take_out(
    call: Call, mailbox: Mailbox, item: StoredItem, stored: bytes, old: CalendarObject, key: int, now: int, mode: str
) -> None:
    """Takes one occurrence out of a series, and tells the others as `mode` says. Raises EwsError, MailboxError."""
    await mailbox.demand_edit([item.id])
    stamp = stamp_after(old, now)
    new = await aside(stored, partial(_without, call, stored, key, stamp), is_long=may_recur(stored))
    await meeting_changes.store(call, mailbox, item, stored, old, new, stamp, mode or meeting_changes.NOBODY)


def _without(call: Call, stored: bytes, key: int, stamp: int) -> CalendarObject:
    """A series without one occurrence, changed at this time."""
    calendar = calendar_object.read(stored)
    assert isinstance(calendar, CalendarObject)
    without_occurrence(calendar, key, zone_of_days(call, calendar), call.steps)
    calendar.main.replace("DTSTAMP", line("DTSTAMP", written_utc(stamp)))
    return calendar


def without_occurrence(calendar: CalendarObject, key: int, floating: Zone, steps: Budget) -> None:
    """Takes an occurrence out of a series: its exception, and its date by EXDATE. Raises EwsError where it has
    none such."""
    series = Series(calendar, floating)
    part = exception_at(calendar, series, key, steps)
    master = calendar.master
    named = part.first("RECURRENCE-ID")
    when = when_of(named)
    if master is None or named is None or when is None:
        raise EwsError(Code.ITEM_NOT_FOUND)
    if sum(1 for _ in master.lines("EXDATE")) >= MAX_EXCLUDED:
        raise EwsError(Code.CALENDAR_OUT_OF_RANGE)
    base = series.masters[0]
    excluded = base.when(base.local(when))
    model = master.first("DTSTART")
    added = line("EXDATE", written(excluded), model.parameters if model is not None else [])
    there = [entry for entry in master.entries if isinstance(entry, Line)]
    inner = [entry for entry in master.entries if not isinstance(entry, Line)]
    master.entries = [*there, added, *inner]
    made = series.exceptions.get(key)
    if made is not None:
        calendar.root.entries = [entry for entry in calendar.root.entries if entry is not made.component]
        calendar.parts = [each for each in calendar.parts if each is not made.component]
