"""Calendar objects for tests, written from their lines."""

from __future__ import annotations

from postern.items import calendar_object
from postern.items.calendar_object import CalendarObject


def octets(*lines: str) -> bytes:
    """A VCALENDAR around these lines."""
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:test", *lines, "END:VCALENDAR", ""]).encode()


def event(*lines: str, uid: str = "u1") -> list[str]:
    """The lines of a VEVENT."""
    return ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines, "END:VEVENT"]


def todo(*lines: str, uid: str = "u1") -> list[str]:
    return ["BEGIN:VTODO", f"UID:{uid}", "DTSTAMP:20260101T000000Z", *lines, "END:VTODO"]


def read(*lines: str) -> CalendarObject:
    """The object of these lines; it must be readable."""
    found = calendar_object.read(octets(*lines))
    assert isinstance(found, CalendarObject), found
    return found
