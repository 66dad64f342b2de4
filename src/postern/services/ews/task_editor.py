"""Tasks that a request makes or changes: VTODO objects, which CalDAV shows, too."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from postern.items import calendar_object, task, task_progress
from postern.items.calendar_object import CalendarObject, Refused
from postern.items.calendar_properties import CalendarContent
from postern.items.stored import values_of
from postern.items.task_properties import TASK_PROPERTIES, set_reminder_time
from postern.model.edits import NOTHING_BESIDE
from postern.model.item_store import RenderedItem, StoredItem
from postern.model.mailbox import MailboxError
from postern.model.resources import NewResource
from postern.protocols.content_lines import Component, component, line
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.regenerations import TaskRecurrence
from postern.protocols.ical.values import Kind, When, when_line
from postern.protocols.ical.zones import written_utc
from postern.services.access.guarded import MAKER_TAG
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.deleting import Deletion, dispose
from postern.services.ews.editing import How, Saved, bag_of
from postern.services.ews.fields.mapped import MapSource
from postern.services.ews.item_view import ItemView
from postern.services.ews.map_editor import MapEditor
from postern.services.ews.places import ItemRef, Place
from postern.services.scheduling.aside import aside, may_recur, read_calendar


def task_of(view: ItemView) -> CalendarContent:
    """The task of an item, which is read once; an empty one for content that is none."""
    content: CalendarContent | None = view.parsed.get(task_of)
    if content is None:
        read = calendar_object.read(view.content or b"")
        calendar = read if isinstance(read, CalendarObject) else _new_task("", 0)
        content = view.parsed[task_of] = CalendarContent(calendar)
    return content


def _new_task(uid: str, now: int) -> CalendarObject:
    lines = [line("UID", uid), line("DTSTAMP", written_utc(now)), line("CREATED", written_utc(now))]
    head = [line("VERSION", "2.0"), line("PRODID", "-//Postern//Exchange Web Services//EN")]
    calendar = calendar_object.read(component("VCALENDAR", [*head, component("VTODO", lines)]).octets())
    assert isinstance(calendar, CalendarObject)
    return calendar


TASKS = MapSource(TASK_PROPERTIES, task_of)
_STATUS = TASKS.property("PidLidTaskStatus")
_PERCENT = TASKS.property("PidLidPercentComplete")
_DATE = TASKS.property("PidLidTaskDateCompleted")
_START, _DUE = TASKS.property("PidLidTaskStartDate"), TASKS.property("PidLidTaskDueDate")
_REMINDER = TASKS.property("PidLidReminderTime")
NOT_STARTED, IN_PROGRESS, COMPLETED = 0, 1, 2


class TaskEditor(MapEditor):
    """A task."""

    map = TASK_PROPERTIES
    folder_class = "IPF.Task"
    misplaced = Code.CANNOT_CREATE_TASK_IN_NON_TASK_FOLDER

    def __init__(self, call: Call, place: Place, view: ItemView | None) -> None:
        super().__init__(call, place, view, task.ITEM_CLASS)
        self._now = int(time.time())
        if view is None:
            calendar: CalendarObject | Refused = _new_task(str(uuid4()), self._now)
        else:
            calendar = calendar_object.read(view.content or b"")
        if isinstance(calendar, Refused):
            raise EwsError(Code.CORRUPT_DATA)
        self.item = CalendarContent(calendar)
        self._was_complete = self.value(_STATUS) == COMPLETED

    @property
    def component(self) -> Component:
        part: Component = self.item.part
        return part

    @property
    def name_end(self) -> str:
        return ".ics"

    def set_recurrence(self, recurrence: TaskRecurrence | None) -> None:
        """Gives the task a recurrence, which begins on its first day, or takes it out."""
        part = self.item.part
        task_progress.set_rule(part, None)
        if recurrence is not None:
            (rule, first), regenerates = recurrence
            task_progress.set_rule(part, rule, regenerates)
            day = When(datetime.combine(first, datetime.min.time()), Kind.DATE)
            if part.first("DTSTART") is None or task_progress.start_of(part) != day:
                part.replace("DTSTART", when_line("DTSTART", day))

    def apply(self) -> None:
        self._follow_progress()
        start, due = self.value(_START), self.value(_DUE)
        if isinstance(start, int) and isinstance(due, int) and due < start:
            self.put(*((_DUE, start) if _START in self._values else (_START, due)))
        reminder = self._values.pop(_REMINDER, None)
        super().apply()
        if isinstance(reminder, int):
            set_reminder_time(self.item, reminder)

    def _follow_progress(self) -> None:
        """Status, percentage and date of completion follow each other (MS-OXWSTASK section 2.2.4.3)."""
        status, percent, date = (self._values.get(each) for each in (_STATUS, _PERCENT, _DATE))
        if date is not None or status == COMPLETED or (status is None and percent is not None and percent == 1.0):
            self.put(_STATUS, COMPLETED)
            self.put(_PERCENT, 1.0)
            if date is None:
                self.put(_DATE, self.value(_DATE) or self._now)
        elif _STATUS in self._values:
            self.put(_DATE, None)
            if status in (None, NOT_STARTED) or percent == 1.0:
                self.put(_PERCENT, 0.0 if status in (None, NOT_STARTED) else None)
        elif isinstance(percent, float) and self.value(_STATUS) in (COMPLETED, NOT_STARTED):
            self.put(_STATUS, IN_PROGRESS if percent else NOT_STARTED)
            self.put(_DATE, None)

    def content(self) -> bytes:
        self.apply()
        calendar = self.item.calendar
        octets = calendar.root.octets()
        if len(octets) > calendar_object.MAX_OCTETS:
            raise EwsError(Code.MESSAGE_SIZE_EXCEEDED)
        if calendar_object.check(calendar) is not None:
            raise EwsError(Code.INVALID_VALUE_FOR_PROPERTY)
        return bytes(octets)

    async def rendered(self) -> RenderedItem | None:
        self.apply()
        return await asyncio.to_thread(values_of, self.item.calendar, self._now)

    async def update(self, how: How, known: int | None) -> Saved:
        """Stores the changed task. An occurrence that is done becomes a task of its own, and the series goes on."""
        self.apply()
        calendar = self.item.calendar
        if not self._was_complete and self.value(_STATUS) == COMPLETED and task_progress.rule_of(self.item.part):
            done = task_progress.completed_copy(calendar)
            if task_progress.advance(calendar, datetime.fromtimestamp(self._now, UTC).replace(tzinfo=None)):
                # Where the machine fails between the two, what was done is there twice, and not lost.
                left = await self._leave(done)
                try:
                    return await super().update(how, known)
                except (EwsError, MailboxError):
                    await self.place.mailbox.server.items.delete(self.place.mailbox.id, left)
                    raise
        return await super().update(how, known)

    async def _leave(self, octets: bytes) -> list[int]:
        """Stores the occurrence that is done, with what the bag of the series has, and with what the request puts there."""
        calendar = await read_calendar(octets)
        assert isinstance(calendar, CalendarObject)
        mailbox = self.place.mailbox
        values = await aside(octets, partial(values_of, calendar, self._now), is_long=may_recur(octets))
        resource = NewResource(octets, self.item_class, values, f"{uuid4()}.ics")
        bag = dict(self.view.bag) if self.view is not None else {}
        # Who made the series has not made what is left of it.
        bag.pop(MAKER_TAG, None)
        for tag, held in (await bag_of(mailbox, self.bag)).items():
            if held is not None:
                bag[tag] = held
            else:
                bag.pop(tag, None)
        return await mailbox.store.add_with(mailbox.id, self.place.node.id, [resource], bag)


def _advanced(octets: bytes) -> tuple[bytes, RenderedItem] | None:
    """A series of tasks without its current occurrence, and its values; None: nothing comes after it."""
    calendar = calendar_object.read(octets)
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    if isinstance(calendar, Refused) or not calendar.parts or not task_progress.advance(calendar, now):
        return None
    return calendar.root.octets(), values_of(calendar, int(time.time()))


async def delete_task(call: Call, mailbox: Mailbox, stored: StoredItem, ref: ItemRef, deletion: Deletion) -> None:
    """Deletes a task, or only its current occurrence where the request says so: then a series goes on."""
    if ref.id.start is not None:
        raise EwsError(Code.CANNOT_DELETE_TASK_OCCURRENCE)
    if deletion.tasks == "SpecifiedOccurrenceOnly":
        for item in await mailbox.store.get(mailbox.id, [stored.id], True):
            octets = item.content or b""
            advanced = await aside(octets, partial(_advanced, octets), is_long=may_recur(octets))
            if advanced is not None:
                # The series stays and is changed: that takes the right to edit it, as it does over CalDAV.
                await mailbox.store.edit(mailbox.id, stored.id, NOTHING_BESIDE, *advanced, unchanged_since=item.change)
                return
    await dispose(mailbox, [stored.id], deletion.disposal)
