"""Recurrences of tasks (MS-OXWSTASK section 2.2.4, TaskRecurrenceType): those of appointments, and regenerations, by which a task
comes again so long after it was done."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from postern.protocols import xml
from postern.protocols.ews.names import t
from postern.protocols.ews.recurrences import Recurrence, read_recurrence, recurrence_markup
from postern.protocols.ical.rule import Frequency, Rule

_FREQUENCIES = {
    "DailyRegeneration": Frequency.DAILY,
    "WeeklyRegeneration": Frequency.WEEKLY,
    "MonthlyRegeneration": Frequency.MONTHLY,
    "YearlyRegeneration": Frequency.YEARLY,
}
_NAMES = {frequency: name for name, frequency in _FREQUENCIES.items()}


class TaskRecurrence(NamedTuple):
    """A recurrence of a task. `regenerates`: the rule's interval counts from when the task was done."""

    recurrence: Recurrence
    regenerates: bool


def read_task_recurrence(recurrence: xml.Element) -> TaskRecurrence:
    """Reads a TaskRecurrenceType. Raises EwsError ErrorCalendarInvalidRecurrence and its like.

    Bound: linear in the element.
    """
    for part in recurrence.elements:
        frequency = _FREQUENCIES.get(part.local)
        if frequency is not None:
            # An interval is read in the same way from each.
            alike = xml.Element(t("DailyRecurrence"), {}, part.children)
            others = [each for each in recurrence.elements if each is not part]
            daily = read_recurrence(xml.Element(recurrence.name, {}, [alike, *others]))
            return TaskRecurrence(daily._replace(rule=replace(daily.rule, frequency=frequency)), True)
    return TaskRecurrence(read_recurrence(recurrence), False)


def task_recurrence_markup(rule: Rule, regenerates: bool, start: datetime) -> str:
    """The Recurrence of a task that begins at `start`; "" for a rule that no pattern says."""
    until = rule.until.local if rule.until is not None else None
    if not regenerates:
        return recurrence_markup(rule, start, until)
    daily = Rule(Frequency.DAILY, rule.interval, rule.count)
    name = _NAMES.get(rule.frequency, "DailyRegeneration")
    return recurrence_markup(daily, start, until).replace("t:DailyRecurrence", f"t:{name}")
