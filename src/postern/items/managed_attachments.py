"""Managed attachments of calendar objects (RFC 8607): which ones an object names, and how it changes with them.

A server keeps the octets of a managed attachment and knows it by an id. The ATTACH lines of an object name its URI, and its id in
the parameter MANAGED-ID.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from postern.items.calendar_object import CalendarObject, Refused
from postern.items.occurrence import key_of, occurrence_part
from postern.items.series import Series
from postern.protocols.content_lines import Component, Line, line
from postern.protocols.ical.expansion import Budget

MAX_MANAGED = 100
"""Managed attachments of one object."""
MAX_OCCURRENCES = 100
"""Occurrences that one request names."""
MAX_MADE = 100_000
"""Lines of the exceptions that one request makes: each repeats those of the series."""
_ID = re.compile(r"[0-9a-f]{32}")
_NO_RID = Refused("valid-rid", "the object does not have this occurrence")
_NO_ID = Refused("valid-managed-id", "no attachment has this id")
_KEY = "managed-id:"


class Named(NamedTuple):
    """A managed attachment as an object names it."""

    id: str
    uri: str


def managed(calendar: CalendarObject) -> list[Named]:
    """The managed attachments that an object names, once each. An ATTACH that has lost its MANAGED-ID is known by its URI.

    Bound: linear in the object.
    """
    named: dict[Named, None] = {}
    for part in calendar.parts:
        for entry in part.lines("ATTACH"):
            id_ = id_of(entry)
            if id_:
                named[Named(id_, entry.value.strip())] = None
    return list(named)


def id_of(entry: Line) -> str:
    """The id of a managed attachment; "" for another."""
    said = entry.parameter("MANAGED-ID").strip()
    if _ID.fullmatch(said):
        return said
    name = entry.value.rpartition("/")[2]
    return name[:32] if not said and name[32:33] == "-" and _ID.fullmatch(name[:32]) else ""


def keys_of(calendar: CalendarObject) -> tuple[str, ...]:
    """The texts by which the store finds the objects that name an attachment (`RenderedItem.addresses`): key_of_id of each."""
    return tuple(dict.fromkeys(key_of_id(each.id) for each in managed(calendar)[:MAX_MANAGED]))


def key_of_id(id_: str) -> str:
    return _KEY + id_


def attach_line(named: Named, media: str, filename: str, size: int) -> Line:
    """The ATTACH of a managed attachment (RFC 8607 section 4)."""
    parameters = [
        ("MANAGED-ID", [named.id]),
        ("FMTTYPE", [media]),
        ("FILENAME", [filename]),
        ("SIZE", [str(size)]),
    ]
    return line("ATTACH", named.uri, parameters)


def sizes_of(calendar: CalendarObject, sizes: Mapping[str, int]) -> dict[str, int]:
    """The octets that these attachments, of which `sizes` has those of each, would take in an object that has them in itself."""
    total: dict[str, int] = {}
    for part in calendar.parts:
        for entry in part.lines("ATTACH"):
            if (id_ := id_of(entry)) in sizes:
                total[id_] = total.get(id_, 0) + sizes[id_] * 4 // 3 + len(entry.raw)
    return total


def enclose(calendar: CalendarObject, contents: Mapping[str, bytes]) -> None:
    """Puts these attachments into an object itself, in the place of their URIs.

    Bound: linear in the object and what is put into it.
    """
    for part in calendar.parts:
        part.change(lambda entry: _enclosed(entry, contents.get(id_of(entry))), "ATTACH")


def _enclosed(entry: Line, octets: bytes | None) -> Line:
    if octets is None:
        return entry
    kept = [(name, values) for name, values in entry.parameters if name in ("FMTTYPE", "FILENAME")]
    inline = [*kept, ("ENCODING", ["BASE64"]), ("VALUE", ["BINARY"])]
    return line("ATTACH", b64encode(octets).decode(), inline)


def add(calendar: CalendarObject, entry: Line, occurrences: Sequence[str] = ()) -> Refused | None:
    """Adds an attachment to all components of an object, or to those of `occurrences`: "M" for the series, or a RECURRENCE-ID.

    Bound: linear in the object; MAX_OCCURRENCES occurrences, MAX_MADE lines of exceptions, and a budget of steps of rules.
    """
    return _change(calendar, occurrences, lambda part: _insert(part, entry))


def update(calendar: CalendarObject, id_: str, entry: Line) -> Refused | None:
    """Puts an attachment in the place of another, wherever the object names it.

    Bound: linear in the object.
    """
    changed = [part.change(lambda old: entry if id_of(old) == id_ else old, "ATTACH") for part in calendar.parts]
    return None if any(changed) else _NO_ID


def remove(calendar: CalendarObject, id_: str, occurrences: Sequence[str] = ()) -> Refused | None:
    """Removes an attachment from all components of an object, or from those of `occurrences`, as in `add`.

    Bound: linear in the object; MAX_OCCURRENCES occurrences, MAX_MADE lines of exceptions, and a budget of steps of rules.
    """
    if id_ not in [each.id for each in managed(calendar)]:
        return _NO_ID
    return _change(calendar, occurrences, lambda part: _take_out(part, id_))


def _change(
    calendar: CalendarObject, occurrences: Sequence[str], change: Callable[[Component], None]
) -> Refused | None:
    if not occurrences:
        for part in calendar.parts:
            change(part)
        return None
    if len(occurrences) > MAX_OCCURRENCES:
        return Refused("valid-rid", f"more than {MAX_OCCURRENCES} occurrences")
    known = _Occurrences(calendar)
    # Exceptions are made of the series as it was before it is changed itself.
    for name in sorted(dict.fromkeys(occurrences), key=lambda each: each.upper() == "M"):
        named = calendar.master if name.upper() == "M" else known.part(name)
        if named is None:
            return _NO_RID
        change(named)
    return None


class _Occurrences:
    """The occurrences of an object as components."""

    def __init__(self, calendar: CalendarObject) -> None:
        self._calendar = calendar
        self._parts = {
            key_of(calendar, part): part for part in calendar.parts if part.first("RECURRENCE-ID") is not None
        }
        self._series: Series | None = None
        self._budget = Budget()
        self._room = MAX_MADE

    def part(self, name: str) -> Component | None:
        """The component of an occurrence; an exception is made of the series where there is none yet."""
        calendar, master = self._calendar, self._calendar.master
        start = calendar.main.first("DTSTART" if master is not None else "RECURRENCE-ID")
        if start is None:
            return None
        zone = [] if name.upper().endswith("Z") or "T" not in name.upper() else start.parameters
        asked = Component(calendar.kind, [line("RECURRENCE-ID", name, zone)])
        key = key_of(calendar, asked)
        if key is None or key in self._parts or master is None:
            return None if key is None else self._parts.get(key)
        self._room -= len(master.entries)
        self._series = self._series or Series(calendar)
        if self._room < 0 or not self._series.masters or not self._series.masters[0].recurs:
            return None
        made = occurrence_part(self._series, calendar, asked, self._budget)
        if made is not None:
            self._parts[key] = made
            calendar.root.entries.insert(calendar.root.entries.index(calendar.parts[-1]) + 1, made)
            calendar.parts.append(made)
        return made


def _insert(part: Component, entry: Line) -> None:
    """Puts a line behind the lines of a component, before what is in it."""
    last = max((place for place, each in enumerate(part.entries, 1) if type(each) is Line), default=0)
    part.entries.insert(last, entry)


def _take_out(part: Component, id_: str) -> None:
    part.entries = [
        each for each in part.entries if type(each) is not Line or each.name != "ATTACH" or id_of(each) != id_
    ]
