"""Calendar objects (RFC 4791 section 4.1): one appointment, task or journal entry with its exceptions, in one iCalendar document.

`read` takes what can be read, and says what is wrong with it; `check` says whether a calendar may store it. The octets that were
given are what is stored; nothing here writes them anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from postern.items.text import readable
from postern.items.zones import find_zone
from postern.protocols import content_lines
from postern.protocols.content_lines import Component, Defect
from postern.protocols.ical.rule import read_rule
from postern.protocols.ical.values import address_of, when_of
from postern.protocols.ical.zones import Zones

KINDS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")
MAX_OCTETS = 16 << 20
"""Octets of a calendar object. A series with 10,000 exceptions has about 5 MB."""
MAX_PARTS = 20_000
"""Components of one object: a master and its exceptions, or what an imported calendar holds."""
MAX_UID = 1_000
"""Octets of a UID. RFC 7986 section 5.3 asks for less than 255; some programs write more."""
MAX_RULES = 16
"""RRULE and EXRULE lines of one component that are read. RFC 5545 wants one at most."""


class Refused(NamedTuple):
    """The reason why an object cannot be read or stored. `precondition` is the element of RFC 4791 section
    5.3.2.1 or RFC 6352 section 6.3.2.1 without its namespace, for example "valid-calendar-data"."""

    precondition: str
    why: str


@dataclass(slots=True, eq=False)
class CalendarObject:
    """A calendar object that was read. `kind` is "VEVENT", "VTODO", "VJOURNAL" or "VFREEBUSY", "" if it has none of these;
    `parts` are its components of that kind; the first has the `uid`."""

    root: Component
    kind: str
    uid: str
    parts: list[Component]
    zones: Zones
    defects: list[Defect]
    method: str = ""
    kinds: frozenset[str] = field(default_factory=frozenset)

    @property
    def master(self) -> Component | None:
        """The first component that is no exception."""
        return next((part for part in self.parts if part.first("RECURRENCE-ID") is None), None)

    @property
    def is_single(self) -> bool:
        """Whether all of it stands in `root`, and none in another calendar of the same document."""
        entries = set(map(id, self.root.entries))
        return all(id(part) in entries for part in self.parts)

    @property
    def main(self) -> Component:
        """The master; of an object that has exceptions only, the first of them."""
        return self.master or self.parts[0]


def read(octets: bytes) -> CalendarObject | Refused:
    """Reads an iCalendar document with at least one component. Several calendars in one document are read as one.

    Bound: linear in the octets; at most MAX_OCTETS, and MAX_PARTS components.
    """
    if len(octets) > MAX_OCTETS:
        return Refused("max-resource-size", "the object is too large")
    document = content_lines.read(octets)
    if not document.whole:
        return Refused("valid-calendar-data", "the object has too many lines or levels")
    calendars = [root for root in document.roots if root.name == "VCALENDAR"]
    if not calendars:
        return Refused("valid-calendar-data", "there is no VCALENDAR")
    return _from_components(calendars, document.defects)


def _from_components(calendars: list[Component], defects: list[Defect]) -> CalendarObject | Refused:
    """The object of calendars that are read already."""
    root = calendars[0]
    parts: list[Component] = []
    timezones: dict[str, Component] = {}
    for calendar in calendars:
        for part in calendar.components():
            if part.name in KINDS:
                parts.append(part)
            elif part.name == "VTIMEZONE":
                timezones.setdefault(part.value("TZID"), part)
    if len(parts) > MAX_PARTS:
        return Refused("max-instances", f"the object has more than {MAX_PARTS} components")
    if not parts:
        return Refused("valid-calendar-object-resource", "there is no component besides time zones")
    kinds = frozenset(part.name for part in parts)
    kind = parts[0].name
    uid = uid_of(parts[0])
    method = root.value("METHOD").strip().upper()
    mine = [part for part in parts if part.name == kind]
    return CalendarObject(root, kind, uid, mine, Zones(timezones, find_zone), defects, method, kinds)


def uid_of(part: Component) -> str:
    """The component's UID as text that a database takes; "" if it has none."""
    return readable(part.value("UID")).strip()


def check(calendar: CalendarObject) -> Refused | None:
    """Says why a calendar must not store the object (RFC 4791 section 4.1); None: it may. Defects that can be read are no reason.

    Bound: linear in the object.
    """
    if calendar.method:
        return Refused("valid-calendar-object-resource", "METHOD is for messages, and not for what is stored")
    if len(calendar.kinds) > 1:
        return Refused("valid-calendar-object-resource", "components of more than one kind")
    if not calendar.uid:
        return Refused("valid-calendar-object-resource", "there is no UID")
    if len(calendar.uid.encode("utf-8", "replace")) > MAX_UID:
        return Refused("valid-calendar-object-resource", f"the UID has more than {MAX_UID} octets")
    if any(uid_of(part) != calendar.uid for part in calendar.parts):
        return Refused("valid-calendar-object-resource", "components with different UIDs")
    if sum(part.first("RECURRENCE-ID") is None for part in calendar.parts) > 1:
        return Refused("valid-calendar-object-resource", "more than one component without RECURRENCE-ID")
    for part in calendar.parts:
        problem = _unreadable(part)
        if problem:
            return Refused("valid-calendar-data", problem)
    return None


def _unreadable(part: Component) -> str:
    """The first line without which the component has no place in time; "" if all can be read."""
    if part.name == "VEVENT" and part.first("DTSTART") is None:
        return "an event without DTSTART"
    for entry in part.lines("DTSTART", "RECURRENCE-ID", "DUE"):
        if when_of(entry) is None:
            return f"{entry.name} is no date or time"
    for count, entry in enumerate(part.lines("RRULE", "EXRULE")):
        if count >= MAX_RULES:
            return f"more than {MAX_RULES} recurrence rules"
        if read_rule(entry.value) is None:
            return f"{entry.name} is no recurrence rule"
    return ""


def organizer_of(part: Component) -> str:
    """The organizer's address in lower case, without "mailto:"; "" if there is none."""
    return address_of(readable(part.value("ORGANIZER")))
