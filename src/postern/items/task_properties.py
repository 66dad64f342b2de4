"""The properties of tasks and their places in iCalendar's VTODO (MS-OXOTASK section 2.2.2)."""

from __future__ import annotations

from postern.items.calendar_properties import CalendarContent, Entry, common, recurs
from postern.items.properties import COMMON, TASK, Mapped, Property, PropertyMap, Type, Value, in_bag, named
from postern.items.rendered import status_of
from postern.items.task_progress import REGENERATION
from postern.protocols.content_lines import line
from postern.protocols.ical.values import Kind, When, read_span, when_line, when_of
from postern.protocols.ical.zones import moment, seconds, written_utc

_STATES = {"NEEDS-ACTION": 0, "IN-PROCESS": 1, "COMPLETED": 2}
_COMPLETE = 2
_FINER = "X-POSTERN-TASKSTATUS"
"""The line that tells apart what STATUS has no words for: a task that waits for others (3), and one that is deferred (4)."""


def _status(content: CalendarContent) -> Value | None:
    finer = content.part.value(_FINER).strip()
    if status_of(content.part) == "NEEDS-ACTION" and finer in ("3", "4"):
        return int(finer)
    return _STATES.get(status_of(content.part), 0)


def _set_status(content: CalendarContent, value: Value | None) -> None:
    terms = [word for word, state in _STATES.items() if state == value]
    is_finer = value in (3, 4)
    content.part.replace(_FINER, line(_FINER, str(value)) if is_finer else None)
    status = terms[0] if terms else "NEEDS-ACTION"
    content.part.replace("STATUS", line("STATUS", status) if terms or is_finer else None)


def _set_complete(content: CalendarContent, value: Value | None) -> None:
    if value is True:
        _set_status(content, _COMPLETE)
    elif _status(content) == _COMPLETE:
        _set_status(content, 0)


def _percent(content: CalendarContent) -> Value | None:
    digits = content.part.value("PERCENT-COMPLETE").strip()
    return min(int(digits[:4]), 100) / 100 if digits.isascii() and digits.isdigit() else None


def _set_percent(content: CalendarContent, value: Value | None) -> None:
    number = round(100 * value) if isinstance(value, (int, float)) and 0 <= value <= 1 else None
    name = "PERCENT-COMPLETE"
    content.part.replace(name, line(name, str(number)) if number is not None else None)


def _day(canonical: str, lid: int, name: str) -> Entry:
    """A day without a zone, which MAPI has as its midnight in UTC."""

    def read(content: CalendarContent) -> Value | None:
        when = when_of(content.part.first(name))
        return None if when is None else seconds(when.local.replace(hour=0, minute=0, second=0))

    def write(content: CalendarContent, value: Value | None) -> None:
        if not isinstance(value, int):
            content.part.replace(name, None)
        elif name == "COMPLETED":  # which is always a time in UTC (RFC 5545 section 3.8.2.1)
            content.part.replace(name, line(name, written_utc(value)))
        else:
            content.part.replace(name, when_line(name, When(moment(value), Kind.DATE)))

    return Mapped(named(canonical, TASK, lid, Type.TIME), name, read, write)


def _reminder(content: CalendarContent) -> Value | None:
    """The time of the reminder: its own, or so long before the task is due."""
    alarm = next(content.part.components("VALARM"), None)
    trigger = alarm.first("TRIGGER") if alarm is not None else None
    when = when_of(trigger)
    if when is not None:
        return content.utc(when)
    span, due = read_span(trigger.value) if trigger is not None else None, when_of(content.part.first("DUE"))
    return None if span is None or due is None else content.utc(due) + span.days * 86_400 + span.seconds


def set_reminder_time(content: CalendarContent, time: int) -> None:
    """Gives the reminder of a task a time of its own. It says something only where there is a reminder."""
    alarm = next(content.part.components("VALARM"), None)
    if alarm is not None:
        alarm.replace("TRIGGER", line("TRIGGER", written_utc(time), [("VALUE", ["DATE-TIME"])]))


def _number(canonical: str, lid: int) -> Property:
    return named(canonical, TASK, lid, Type.INTEGER32)


_OWN: list[Entry] = [
    Mapped(_number("PidLidTaskStatus", 0x8101), "STATUS", _status, _set_status),
    Mapped(
        named("PidLidTaskComplete", TASK, 0x811C, Type.BOOLEAN),
        "STATUS",
        lambda it: _status(it) == _COMPLETE,
        _set_complete,
    ),
    Mapped(named("PidLidPercentComplete", TASK, 0x8102, Type.FLOATING64), "PERCENT-COMPLETE", _percent, _set_percent),
    _day("PidLidTaskStartDate", 0x8104, "DTSTART"),
    _day("PidLidTaskDueDate", 0x8105, "DUE"),
    _day("PidLidTaskDateCompleted", 0x810F, "COMPLETED"),
    Mapped(
        named("PidLidTaskFRecurring", TASK, 0x8126, Type.BOOLEAN),
        "RRULE",
        lambda it: recurs(it) or it.part.first(REGENERATION) is not None,
    ),
    Mapped(named("PidLidReminderTime", COMMON, 0x8502, Type.TIME), "VALARM", _reminder),
]
_KEPT: list[Entry] = in_bag(
    named("PidLidTeamTask", TASK, 0x8103, Type.BOOLEAN),
    named("PidLidTaskResetReminder", TASK, 0x8107, Type.BOOLEAN),
    named("PidLidTaskAccepted", TASK, 0x8108, Type.BOOLEAN),
    _number("PidLidTaskActualEffort", 0x8110),
    _number("PidLidTaskEstimatedEffort", 0x8111),
    _number("PidLidTaskVersion", 0x8112),
    _number("PidLidTaskState", 0x8113),
    named("PidLidTaskLastUpdate", TASK, 0x8115, Type.TIME),
    named("PidLidTaskAssigner", TASK, 0x8121),
    named("PidLidTaskOwner", TASK, 0x811F),
    _number("PidLidTaskHistory", 0x811A),
    named("PidLidTaskLastUser", TASK, 0x8122),
    _number("PidLidTaskOrdinal", 0x8123),
    named("PidLidTaskRole", TASK, 0x8127),
    _number("PidLidTaskOwnership", 0x8129),
    _number("PidLidTaskAcceptanceState", 0x812A),
    named("PidLidCommonStart", COMMON, 0x8516, Type.TIME),
    named("PidLidCommonEnd", COMMON, 0x8517, Type.TIME),
)
TASK_PROPERTIES: PropertyMap[CalendarContent] = PropertyMap([*common("DUE"), *_OWN, *_KEPT])
"""The map of IPM.Task."""
