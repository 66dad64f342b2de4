"""Reminders: what is due of an item's alarms at a time, and when the next is; reminders by mail (RFC 5545 section 3.6.6).

Clients show alarms by themselves. The store keeps the time of each item's next one, which only this layer computes.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import NamedTuple

from postern.items.alarms import Alarm, alarms, next_alarm
from postern.items.calendar_object import CalendarObject
from postern.items.imip import Letter, described, plain_mail
from postern.items.occurrence import occurrence_at
from postern.items.rendered import answer_of, status_of
from postern.items.series import Series
from postern.items.text import text_of
from postern.protocols.content_lines import Component
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import address_of

STEPS = 20_000
"""Steps for the next alarm of an object: about 20 ms."""
FEW = 16
"""Alarms of one minute of which the first that asks for a mail is taken."""
TOGETHER = 60
"""Seconds within which the alarms of an item are one reminder. So no rule of seconds makes more than one a minute."""
PARTS_A_SECOND = 10
"""Components and alarms of an item that add a second to TOGETHER. Each reminder reads them all: so none takes much of the time,
whoever invited with thousands of them."""
LATE = 3_600
"""Seconds after which nobody is reminded any more: the server was away, and the next reminder counts."""
_OVER = frozenset({"CANCELLED", "COMPLETED"})
MAX_TEXT = 20_000
"""Characters of the text of an alarm that a mail repeats."""


class Due(NamedTuple):
    """The work at a reminder: a mail to the owner, if there is one, and the time of the next reminder."""

    mail: bytes | None
    next: int | None


def next_reminder(calendar: CalendarObject, after: int) -> int | None:
    """The time of the first alarm from `after` on; None: there is none.

    Bound: STEPS steps, of rules and of times that are looked at.
    """
    alarm = next_alarm(calendar, after - 1, budget=Budget(STEPS))
    return None if alarm is None else alarm.time


def due(calendar: CalendarObject, at: int, now: int, me: Collection[str], letter: Letter) -> Due:
    """Says what is to do at the reminder for the time `at`, of an owner with the addresses `me`. `letter` is the frame of a mail
    to the owner. An alarm asks for a mail by ACTION:EMAIL; it goes to the owner, whoever else is named.

    Bound: as `next_reminder`, and linear in the object.
    """
    pause = TOGETHER + sum(1 + _alarms_of(part) for part in calendar.parts) // PARTS_A_SECOND
    following = next_reminder(calendar, max(at + pause, now - LATE))
    if at < now - LATE:
        return Due(None, following)
    for alarm in islice(alarms(calendar, at, at + pause, budget=Budget(STEPS)), FEW):
        if _is_mailed(alarm, calendar, me):
            return Due(_mail(alarm, calendar, letter), following)
    return Due(None, following)


def _alarms_of(part: Component) -> int:
    return sum(1 for _ in part.components("VALARM"))


def _is_mailed(alarm: Alarm, calendar: CalendarObject, me: Collection[str]) -> bool:
    part = _part(alarm, calendar)
    if alarm.component.value("ACTION").strip().upper() != "EMAIL" or status_of(part) in _OVER:
        return False
    named = {address_of(line.value) for line in alarm.component.lines("ATTENDEE")}
    return answer_of(part, me) != "DECLINED" and (not named or not named.isdisjoint(me))


def _part(alarm: Alarm, calendar: CalendarObject) -> Component:
    return alarm.occurrence.component if alarm.occurrence is not None else calendar.main


def _mail(alarm: Alarm, calendar: CalendarObject, letter: Letter) -> bytes:
    part = _part(alarm, calendar)
    occurrence = alarm.occurrence
    if occurrence is not None and occurrence.recurrence is not None:
        part = occurrence_at(Series(calendar), calendar, occurrence.recurrence, Budget(STEPS)) or part
    subject = text_of(alarm.component.value("SUMMARY")) or text_of(part.value("SUMMARY"))
    text = text_of(alarm.component.value("DESCRIPTION"))[:MAX_TEXT]
    about = described(calendar, part)
    return plain_mail(letter._replace(subject=subject), f"{text}\n\n{about}" if text else about)
