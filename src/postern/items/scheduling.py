"""Applies iTIP messages (RFC 5546) to calendar objects: what an attendee's or an organizer's copy becomes by a message.

Everything is a function of the copy and the message. A message that comes twice changes nothing the second time, and older ones
change nothing after newer ones (section 2.1.5): by SEQUENCE, then DTSTAMP, for each occurrence and, in replies, for each
attendee. The caller has made sure that the message comes from whom it says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from postern.items.calendar_object import CalendarObject, organizer_of, uid_of
from postern.items.occurrence import key_of, occurrence_part
from postern.items.rendered import sequence_of
from postern.items.series import Series
from postern.items.task import time_of
from postern.protocols.content_lines import Component, Line, line
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.values import address_of
from postern.protocols.ical.zones import UTC_ZONE

MAX_PARTS = 1_000
"""Components of a message. Programs send a series with its exceptions, or an occurrence or two."""
MAX_GROWTH = 100_000
"""Lines that a message may add to a copy by making exceptions of a series, which repeat its attendees."""
STEPS = 300_000
"""Steps that the rules of a copy may take for one message: less than a second. Each of 1,000 occurrences of a series with a COUNT
may be the 150th."""
REPLIED = "X-POSTERN-REPLIED"
"""The parameter of ATTENDEE in an organizer's copy that has the DTSTAMP of the attendee's last reply. Others do not get it."""


class Action(Enum):
    """The things that may be to do after a message."""

    NOTHING = "nothing"
    STORE = "store"
    TELL = "tell"
    """The owner decides: a counter proposal, or its refusal."""
    SEND = "send"
    """An attendee asks for the object anew (REFRESH)."""
    REFRESH = "refresh"
    """The message belongs to an object that is not there: the organizer is to be asked for it."""


class Applied(NamedTuple):
    """The result of a message: what to do, the new octets where something is to be stored, and why nothing is."""

    action: Action
    octets: bytes = b""
    why: str = ""


def apply(stored: CalendarObject | None, message: CalendarObject, me: Collection[str]) -> Applied:
    """Applies a message to a copy (None: there is none with this UID). `me` are the owner's addresses in lower case.

    Bound: linear in copy and message, of at most MAX_PARTS components; it adds MAX_GROWTH lines beside those of the message, and
    takes STEPS steps of rules.
    """
    if len(message.parts) > MAX_PARTS:
        return Applied(Action.NOTHING, why="too many components")
    if stored is not None and (stored.kind, stored.uid) != (message.kind, message.uid):
        return Applied(Action.NOTHING, why="another object")
    if stored is not None and not _is_same_organizer(stored, message):
        return Applied(Action.NOTHING, why="another organizer")
    message = replace(message, parts=[part for part in message.parts if uid_of(part) == message.uid])
    handler = _HANDLERS.get(message.method)
    return handler(stored, message, me) if handler is not None else Applied(Action.NOTHING, why="no such method")


def _is_same_organizer(stored: CalendarObject, message: CalendarObject) -> bool:
    """Nobody takes over a meeting by knowing its UID. Replies need not name the organizer."""
    theirs, ours = organizer_of(message.main), organizer_of(stored.main)
    return not theirs or not ours or theirs == ours


def _version(calendar: CalendarObject, part: Component) -> tuple[int, int]:
    return sequence_of(part), time_of(calendar, part, "DTSTAMP", UTC_ZONE) or 0


class _Copy:
    """The parts of a stored object by occurrence, as they are changed."""

    def __init__(self, stored: CalendarObject) -> None:
        self.stored = stored
        self.parts = {key_of(stored, part): part for part in stored.parts}
        self.is_changed = False
        self.room = MAX_GROWTH
        self.budget = Budget(STEPS)
        self.series: Series | None = None

    def set(self, key: int | None, part: Component) -> None:
        self.parts[key] = part
        self.is_changed = True

    def version(self, key: int | None) -> tuple[int, int]:
        """The version that counts for an occurrence: that of its exception, else the series'."""
        part = self.parts.get(key) or self.parts.get(None)
        return (-1, 0) if part is None else _version(self.stored, part)

    def part_of(self, message: CalendarObject, part: Component) -> Component | None:
        """The exception for the occurrence of a message's part, made of the series where there is none yet."""
        key = key_of(message, part)
        if key in self.parts:
            return self.parts[key]
        self.series = self.series or Series(self.stored)
        made = occurrence_part(self.series, message, part, self.budget)
        self.room -= 0 if made is None else len(made.entries)
        return made if self.room >= 0 else None

    def result(self, message: CalendarObject) -> Applied:
        if not self.is_changed:
            return Applied(Action.NOTHING, why="not newer")
        return Applied(Action.STORE, _assembled(self.stored, message, list(self.parts.values())))


def _assembled(stored: CalendarObject, message: CalendarObject, parts: list[Component]) -> bytes:
    """The calendar around other components, with the time zones of both."""
    entries: list[Line | Component] = [entry for entry in stored.root.lines() if entry.name != "METHOD"]
    zones = {zone.value("TZID"): zone for zone in message.root.components("VTIMEZONE")}
    zones |= {zone.value("TZID"): zone for zone in stored.root.components("VTIMEZONE")}
    others = [part for part in stored.root.components() if part.name not in ("VTIMEZONE", stored.kind)]
    return replace(stored.root, entries=[*entries, *zones.values(), *others, *parts]).octets()


def _request(stored: CalendarObject | None, message: CalendarObject, me: Collection[str]) -> Applied:
    """A new object, or a newer version of one. A series that is moved loses the exceptions that the message does not have."""
    if stored is None:
        parts = {key_of(message, part): part for part in reversed(message.parts)}  # the first of an occurrence counts
        return Applied(Action.STORE, _assembled(message, message, list(reversed(parts.values()))))
    copy = _Copy(stored)
    if message.master is not None and _version(message, message.master) < copy.version(None):
        return Applied(Action.NOTHING, why="not newer")
    is_series_newer = False
    for part in sorted(message.parts, key=lambda part: part.first("RECURRENCE-ID") is not None):
        key = key_of(message, part)
        version: tuple[int, ...] = _version(message, part)
        known: tuple[int, ...] = copy.version(key)
        if key is not None and is_series_newer:
            # It comes with the series as that is now. A cancelled series has given its exceptions its own SEQUENCE.
            version, known = version[1:], known[1:]
        if version <= known and (key in copy.parts or key is None):
            continue
        old = copy.parts.get(key) or (copy.parts.get(None) if key is not None else None)
        if key is not None and old is not None and not is_series_newer and sequence_of(part) < sequence_of(old):
            continue
        if key is None:
            is_series_newer = True  # and the exceptions that come with it are those that it has now
            if version[0] > known[0]:
                copy.parts.clear()
        copy.set(key, _with_mine(part, old, me))
    return copy.result(message)


_MINE = frozenset({"CATEGORIES", "COLOR", "X-MICROSOFT-CDO-BUSYSTATUS", "TRANSP"})


def _with_mine(part: Component, old: Component | None, me: Collection[str]) -> Component:
    """A newer version with what the owner of the copy has set: alarms and categories; where the meeting was not moved, also the
    answer and how it shows in free/busy time."""
    made = part.copy()
    if old is None:
        return made
    made.entries = [entry for entry in made.entries if entry.name != "VALARM"] + list(old.components("VALARM"))
    moved = sequence_of(part) > sequence_of(old)
    for name in _MINE if not moved else ("CATEGORIES", "COLOR"):
        mine = old.first(name)
        if mine is not None:
            made.replace(name, mine)
    if not moved:
        answers = {address_of(entry.value): entry for entry in old.lines("ATTENDEE") if address_of(entry.value) in me}
        made.entries = [
            answers.get(address_of(entry.value), entry)
            if isinstance(entry, Line) and entry.name == "ATTENDEE"
            else entry
            for entry in made.entries
        ]
    return made


def _cancel(stored: CalendarObject | None, message: CalendarObject, me: Collection[str]) -> Applied:
    if stored is None:
        return Applied(Action.NOTHING, why="not there")
    copy = _Copy(stored)
    for part in message.parts:
        key = key_of(message, part)
        attendees = {address_of(entry.value) for entry in part.lines("ATTENDEE")}
        if attendees and me and attendees.isdisjoint(me):
            continue  # others are taken off the list, and the meeting takes place
        version = _version(message, part)
        if version <= copy.version(key) or version[0] < copy.version(None)[0]:
            continue
        if key is None:
            for each, old in list(copy.parts.items()):
                copy.set(each, _cancelled(old, part))
            continue
        old_part = copy.part_of(message, part)
        if old_part is not None:
            copy.set(key, _cancelled(old_part, part))
    return copy.result(message)


def _cancelled(old: Component, part: Component) -> Component:
    made = old.copy()
    made.replace("STATUS", line("STATUS", "CANCELLED"))
    for name in ("SEQUENCE", "DTSTAMP", "COMMENT"):
        newer = part.first(name)
        if newer is not None:
            made.replace(name, newer)
    return made


def _add(stored: CalendarObject | None, message: CalendarObject, me: Collection[str]) -> Applied:
    """Further occurrences of a series: each is an RDATE, and an exception that describes it (section 3.2.4)."""
    if stored is None or stored.master is None:
        return Applied(Action.REFRESH, why="an occurrence of what is not there")
    copy = _Copy(stored)
    dates: list[Line] = []
    for part in message.parts:
        start = part.first("DTSTART")
        if start is None or part.first("RECURRENCE-ID") is not None:
            continue
        made = part.copy()
        made.replace("RECURRENCE-ID", line("RECURRENCE-ID", start.value, start.parameters))
        key = key_of(message, made)
        if key in copy.parts or sequence_of(part) < copy.version(None)[0]:
            continue
        dates.append(line("RDATE", start.value, start.parameters))
        copy.set(key, made)
    if dates:
        series = copy.parts[None]
        rest = [entry for entry in series.entries if isinstance(entry, Component)]
        copy.set(None, replace(series, entries=[*series.lines(), *dates, *rest]))
    return copy.result(message)


def _reply(stored: CalendarObject | None, message: CalendarObject, me: Collection[str]) -> Applied:
    """An attendee's answer, into the organizer's copy."""
    if stored is None:
        return Applied(Action.NOTHING, why="not there")
    copy = _Copy(stored)
    for part in message.parts:
        answer = part.first("ATTENDEE")
        target = copy.part_of(message, part)
        if answer is None or target is None or sequence_of(part) < sequence_of(target):
            continue
        stamp = part.first("DTSTAMP")
        key = key_of(message, part)
        made = _answered(target, answer, "" if stamp is None else stamp.value, key not in copy.parts)
        if made is not None:
            copy.set(key, made)
    return copy.result(message)


def _answered(target: Component, answer: Line, stamp: str, is_new: bool) -> Component | None:
    """The component with an attendee's answer; None: an older one, or of somebody who was not invited. An exception that `is_new`
    has the series' answers, to which this one may have come together."""
    address = address_of(answer.value)
    delegators = {address_of(value) for value in answer.parameter_values("DELEGATED-FROM")}
    made = target.copy()
    is_invited = False
    for place, entry in enumerate(made.entries):
        if not isinstance(entry, Line) or entry.name != "ATTENDEE":
            continue
        listed = address_of(entry.value)
        if listed == address:
            last = entry.parameter(REPLIED)
            if last and (stamp < last or (stamp == last and not is_new)):
                return None
            answered = _with_answer(entry, answer, stamp)
            made.entries[place] = answered
            return None if sorted(answered.parameters) == sorted(entry.parameters) else made
        is_invited = is_invited or listed in delegators
    if not is_invited:
        return None
    end = max(place for place, entry in enumerate(made.entries) if entry.name == "ATTENDEE")
    made.entries.insert(end + 1, _with_answer(answer, answer, stamp))
    return made


def _with_answer(entry: Line, answer: Line, stamp: str) -> Line:
    """The organizer's line of an attendee with what the attendee says: PARTSTAT, and to whom it was delegated."""
    theirs = ("PARTSTAT", "DELEGATED-TO", "DELEGATED-FROM")
    kept = [(name, values) for name, values in entry.parameters if name not in (*theirs, "RSVP", REPLIED)]
    said = [(name, values) for name, values in answer.parameters if name in theirs and values]
    return line("ATTENDEE", entry.value, [*kept, *said, (REPLIED, [stamp])] if stamp else [*kept, *said])


def _tell(stored: CalendarObject | None, message: CalendarObject, me: Collection[str]) -> Applied:
    return Applied(Action.TELL) if stored is not None else Applied(Action.NOTHING, why="not there")


def _send(stored: CalendarObject | None, message: CalendarObject, me: Collection[str]) -> Applied:
    return Applied(Action.SEND) if stored is not None else Applied(Action.NOTHING, why="not there")


_HANDLERS: Mapping[str, Callable[[CalendarObject | None, CalendarObject, Collection[str]], Applied]] = {
    "PUBLISH": _request,
    "REQUEST": _request,
    "REPLY": _reply,
    "ADD": _add,
    "CANCEL": _cancel,
    "REFRESH": _send,
    "COUNTER": _tell,
    "DECLINECOUNTER": _tell,
}
