"""The tag of a meeting that stays while only answers change (Schedule-Tag, RFC 6638 section 3.2.10)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from hashlib import sha256

from postern.items.answers import REPLIED
from postern.items.calendar_object import CalendarObject
from postern.items.organizing import Role, role_of
from postern.protocols.content_lines import Component, Line, octets_of
from postern.protocols.ical.values import address_of

_NOT_TAGGED = frozenset({"DTSTAMP", "LAST-MODIFIED", "CREATED"})
_OF_ANSWERS = frozenset({"PARTSTAT", "RSVP", REPLIED})
_DIGITS = 32


def schedule_tag(calendar: CalendarObject, me: Collection[str]) -> str:
    """The tag of an object in the calendar of somebody with these addresses, without quotes; "" for what is no meeting of his. It
    is a digest of what the object says without answers, and without the order of lines and parameters, so that whoever stores the
    object need not keep the tag.

    Bound: as a sort of the object's lines.
    """
    if role_of(calendar, me) is Role.NONE:
        return ""
    digest = sha256()
    for part in calendar.parts:
        for text in sorted(_said(part)):
            digest.update(octets_of(text) + b"\n")
        digest.update(b"\n")
    return digest.hexdigest()[:_DIGITS]


def _said(component: Component, within: str = "") -> Iterator[str]:
    """The lines of a component, and of those in it, in a form that is always the same."""
    for entry in component.entries:
        if isinstance(entry, Component):
            yield from _said(entry, f"{within}{entry.name} ")
        elif entry.name not in _NOT_TAGGED:
            yield f"{within}{entry.name}{_parameters(entry)}:{_value(entry)}"


def _parameters(entry: Line) -> str:
    if not entry.head:
        return ""
    kept = (each for each in entry.parameters if each[0] not in _OF_ANSWERS and not each[0].startswith("SCHEDULE-"))
    return "".join(sorted(f";{name}={','.join(values)}" for name, values in kept))


def _value(entry: Line) -> str:
    return address_of(entry.value) if entry.name in ("ATTENDEE", "ORGANIZER") else entry.value
