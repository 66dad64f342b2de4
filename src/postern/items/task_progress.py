"""Recurring tasks: one that is done goes on to its next occurrence, and leaves behind a task that is completed (MS-OXOTASK
section 2.2.2.2).

A regenerating task comes again so long after it was done. iCalendar has no word for that, so that it is in a line of ours which
has the form of a RRULE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from uuid import uuid4

from postern.items.calendar_object import CalendarObject
from postern.items.series import Series
from postern.protocols.content_lines import Component, line
from postern.protocols.ical.expansion import Budget, expand
from postern.protocols.ical.rule import Frequency, Rule, read_rule, written_rule
from postern.protocols.ical.values import When, when_line, when_of, written

REGENERATION = "X-POSTERN-REGENERATION"
_STEPS = 2_000
_DONE = ("STATUS", "COMPLETED", "PERCENT-COMPLETE", "X-POSTERN-TASKSTATUS")
_AGAIN = ("RRULE", "RDATE", "EXDATE", "EXRULE", REGENERATION)


def rule_of(part: Component) -> tuple[Rule, bool] | None:
    """The rule of a task, and whether it regenerates; None: it comes once, or its rule cannot be read."""
    for name in (REGENERATION, "RRULE"):
        entry = part.first(name)
        rule = read_rule(entry.value) if entry is not None else None
        if rule is not None:
            return rule, name == REGENERATION
    return None


def set_rule(part: Component, rule: Rule | None, regenerates: bool = False) -> None:
    """Gives a task a rule, or takes it out."""
    for name in _AGAIN:
        part.replace(name, None)
    if rule is not None:
        name = REGENERATION if regenerates else "RRULE"
        part.replace(name, line(name, written_rule(rule)))


def start_of(part: Component) -> When | None:
    """The day on which a task begins: DTSTART, else DUE."""
    return when_of(part.first("DTSTART")) or when_of(part.first("DUE"))


def completed_copy(calendar: CalendarObject) -> bytes:
    """The task as it stands, as one that comes once and has a UID of its own."""
    copy = calendar.root.copy()
    for part in copy.components("VTODO"):
        part.replace("UID", line("UID", str(uuid4())))
        set_rule(part, None)
    return copy.octets()


def advance(calendar: CalendarObject, done: datetime) -> bool:
    """Makes of a recurring task its next occurrence, which is to be done; `done` is when this one was. A reminder with a time of
    its own moves with it. False: it was the last.

    Bound: linear in the object, and 2,000 steps of its rule.
    """
    part = calendar.main
    ruled, start = rule_of(part), start_of(part)
    if ruled is None or start is None:
        return False
    rule, regenerates = ruled
    if rule.count is not None and rule.count <= 1:
        return False
    passed = 1
    if regenerates:
        following = _after(done, rule)
    else:
        masters = Series(calendar).masters
        excludes = masters[0].excludes if masters else _nothing
        following, passed = _next(rule, start, excludes)
    if following is None or (rule.until is not None and following.date() > rule.until.local.date()):
        return False
    shift = following - start.local
    for name in ("DTSTART", "DUE"):
        when = when_of(part.first(name))
        if when is not None:
            part.replace(name, when_line(name, when._replace(local=when.local + shift)))
    for alarm in part.components("VALARM"):
        when = when_of(alarm.first("TRIGGER"))
        if when is not None:
            later = when._replace(local=when.local + shift)
            alarm.replace("TRIGGER", line("TRIGGER", written(later), [("VALUE", ["DATE-TIME"])]))
    if rule.count is not None:
        name = REGENERATION if regenerates else "RRULE"
        part.replace(name, line(name, written_rule(replace(rule, count=rule.count - passed))))
    for name in _DONE:
        part.replace(name, None)
    return True


def _nothing(when: When) -> bool:
    return False


def _next(rule: Rule, start: When, excludes: Callable[[When], bool]) -> tuple[datetime | None, int]:
    """The first time of a rule behind its start that is not taken out of the series, and the place that it has behind the start:
    what is taken out counts (RFC 5545 section 3.8.5.1)."""
    begin = start.local
    times = expand(replace(rule, count=None), begin, Budget(_STEPS), after=begin + timedelta(seconds=1))
    most = None if rule.count is None else rule.count - 1
    for place, time in enumerate(islice(times, most), 1):
        if not excludes(start._replace(local=time)):
            return time, place
    return None, 0


def _after(done: datetime, rule: Rule) -> datetime | None:
    """The midnight that lies so long behind the day on which a task was done."""
    day = done.replace(hour=0, minute=0, second=0, microsecond=0)
    try:
        if rule.frequency in (Frequency.DAILY, Frequency.WEEKLY):
            return day + timedelta(days=rule.interval * (7 if rule.frequency is Frequency.WEEKLY else 1))
        months = rule.interval * (12 if rule.frequency is Frequency.YEARLY else 1)
        year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
        first = day.replace(year=year, month=month + 1, day=1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        return first.replace(day=min(day.day, last.day))
    except (ValueError, OverflowError):
        return None
