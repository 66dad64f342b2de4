"""The copy of a meeting while a message changes it: its components by occurrence, and what comes out in the end."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from postern.items.calendar_object import CalendarObject
from postern.items.occurrence import is_future, occurrence_part, series_key
from postern.items.rendered import sequence_of
from postern.items.series import Series
from postern.items.task import time_of
from postern.protocols.content_lines import Component, Line, line
from postern.protocols.ical.expansion import Budget
from postern.protocols.ical.zones import UTC_ZONE

MAX_GROWTH = 100_000
"""Lines that a message may add to a copy by making exceptions of a series, which repeat its attendees."""
STEPS = 300_000
"""Steps that the rules of a copy may take for one message: less than a second. Each of 1,000 occurrences of a series with a COUNT
may be the 150th."""
MAX_RANGES = 5
"""Components of a message that say something of this and all future occurrences: for each, all exceptions are looked at."""


class Action(Enum):
    """The things that may be to do after a message."""

    NOTHING = "nothing"
    STORE = "store"
    TELL = "tell"
    """The owner decides: the refusal of a proposal that the copy does not know."""
    SEND = "send"
    """An attendee asks for the object anew (REFRESH)."""
    REFRESH = "refresh"
    """The message belongs to an object that is not there: the organizer is to be asked for it."""


class Applied(NamedTuple):
    """The result of a message: what to do, the new octets where something is to be stored, and why nothing is."""

    action: Action
    octets: bytes = b""
    why: str = ""


def version_of(calendar: CalendarObject, part: Component) -> tuple[int, int]:
    """The version of a component: SEQUENCE, then DTSTAMP (RFC 5546 section 2.1.5)."""
    return sequence_of(part), time_of(calendar, part, "DTSTAMP", UTC_ZONE) or 0


def public(part: Component) -> Component:
    """The component without the parameters by which client and server speak about sending it (RFC 6638 section 7)."""
    entries: list[Line | Component] = []
    for entry in part.entries:
        if isinstance(entry, Line) and "SCHEDULE-" in entry.head.upper():
            kept = [(name, values) for name, values in entry.parameters if not name.startswith("SCHEDULE-")]
            entry = line(entry.name, entry.value, kept, entry.group)
        entries.append(entry)
    return replace(part, entries=entries)


def with_lines(part: Component, lines: Iterable[Line]) -> Component:
    """The component with further lines, behind its own and before what is in it."""
    return replace(part, entries=[*part.lines(), *lines, *part.components()])


class Copy:
    """The parts of a stored object by occurrence, as they are changed."""

    def __init__(self, stored: CalendarObject) -> None:
        self.stored = stored
        self.series = Series(stored)
        self.parts = {self.key(stored, part): part for part in stored.parts}
        self.is_changed = False
        self.futures = sorted(key for key, part in self.parts.items() if key is not None and is_future(part))
        self.ranges = MAX_RANGES
        self.room = MAX_GROWTH
        self.budget = Budget(STEPS)

    def key(self, calendar: CalendarObject, part: Component) -> int | None:
        """The number of the occurrence that a component names; None: it is the series."""
        return series_key(self.series, calendar, part)

    def set(self, key: int | None, part: Component) -> None:
        was_future = key in self.parts and is_future(self.parts[key])
        self.parts[key] = part
        self.is_changed = True
        if key is not None and is_future(part) is not was_future:
            if was_future:
                self.futures.remove(key)
            else:
                insort(self.futures, key)

    def remove(self, key: int) -> None:
        if is_future(self.parts.pop(key)):
            self.futures.remove(key)
        self.is_changed = True

    def clear(self) -> None:
        self.parts.clear()
        self.futures.clear()

    def later(self, key: int) -> list[int]:
        """The occurrences after this one that have an exception; for MAX_RANGES parts of a message at most."""
        self.ranges -= 1
        return [each for each in self.parts if each is not None and each > key] if self.ranges >= 0 else []

    def place_of(self, key: int | None) -> int | None:
        """The place of the component that describes an occurrence: its exception, else the last change of this and all future
        occurrences before it, else the series."""
        if key is None or key in self.parts:
            return key
        place = bisect_left(self.futures, key)
        return self.futures[place - 1] if place else None

    def describing(self, key: int | None) -> Component | None:
        return self.parts.get(self.place_of(key))

    def version(self, key: int | None) -> tuple[int, int]:
        """The version that counts for an occurrence: that of the component that describes it."""
        part = self.describing(key)
        return (-1, 0) if part is None else version_of(self.stored, part)

    def newest(self) -> tuple[int, int]:
        """The version of the newest component."""
        return max(version_of(self.stored, part) for part in self.parts.values())

    def part_of(self, message: CalendarObject, part: Component, anew: bool = False) -> Component | None:
        """The exception for the occurrence of a message's part, made of the series where there is none yet, or `anew`."""
        key = self.key(message, part)
        if key in self.parts and (key is None or not anew):
            return self.parts[key]
        made = occurrence_part(self.series, message, part, self.budget)
        self.room -= 0 if made is None else len(made.entries)
        return made if self.room >= 0 else None

    def result(self, message: CalendarObject) -> Applied:
        if not self.is_changed:
            return Applied(Action.NOTHING, why="not newer")
        return Applied(Action.STORE, assembled(self.stored, message, list(self.parts.values())))


def assembled(stored: CalendarObject, message: CalendarObject, parts: list[Component]) -> bytes:
    """The calendar around other components, with the time zones of both."""
    entries: list[Line | Component] = [entry for entry in stored.root.lines() if entry.name != "METHOD"]
    zones = {zone.value("TZID"): zone for zone in message.root.components("VTIMEZONE")}
    zones |= {zone.value("TZID"): zone for zone in stored.root.components("VTIMEZONE")}
    others = [part for part in stored.root.components() if part.name not in ("VTIMEZONE", stored.kind)]
    return replace(stored.root, entries=[*entries, *zones.values(), *others, *parts]).octets()
