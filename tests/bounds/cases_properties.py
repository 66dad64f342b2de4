"""Worst cases of what reads MAPI's properties out of appointments, contacts and notes: the layer items."""

from __future__ import annotations

from functools import partial

from postern.items import appointment_properties, contact_properties, note_properties, property_values
from postern.items.calendar_properties import CalendarContent
from postern.items.properties import Type
from tests.bounds.cases_items import _calendar, _card, _on
from tests.bounds.growth import Cases, Work

_APPOINTMENTS = appointment_properties.APPOINTMENT_PROPERTIES
_CONTACTS = contact_properties.CONTACT_PROPERTIES
_NOTES = note_properties.NOTE_PROPERTIES
_attended = partial(_calendar, pattern=b"ATTENDEE;CN=a;RSVP=TRUE:mailto:a\r\nCATEGORIES:a,b\r\n")
_reachable = partial(_card, pattern=b"TEL;TYPE=work,fax:1\r\nEMAIL;PREF=1:a@b.test\r\nADR;TYPE=x:;;a\r\n")


def _note(size: int) -> note_properties.NoteContent:
    return note_properties.NoteContent(b"Keywords: " + b"a," * (size // 4) + b"\r\n\r\n" + b"\xff" * (size // 2))


def _read_note(size: int) -> Work:
    note = _note(size)
    return lambda: _NOTES.read(note)


def _write_note(size: int) -> Work:
    note = _note(size)
    values = {each.property: "x" for each in _NOTES if each.place in ("Subject", "text/plain")}
    return lambda: _NOTES.write(note, values)


CASES: Cases = {
    "items.properties.PropertyMap.read: appointments": _on(
        _attended, lambda found: _APPOINTMENTS.read(CalendarContent(found, frozenset({"b"})))
    ),
    "items.properties.PropertyMap.read: contacts": _on(_reachable, _CONTACTS.read),
    "items.properties.PropertyMap.read: notes": _read_note,
    "items.properties.PropertyMap.write: contacts": _on(
        _reachable, lambda found: _CONTACTS.write(found, dict.fromkeys(each.property for each in _CONTACTS))
    ),
    "items.properties.PropertyMap.write: notes": _write_note,
    "items.property_values.decoded": lambda size: partial(
        property_values.decoded, Type.STRINGS, b"\1\0\0\0" + b"a\0\0\0" * (size // 4)
    ),
    "items.appointment_properties.uid_of_global_id": lambda size: partial(
        appointment_properties.uid_of_global_id,
        bytes.fromhex("040000008200e00074c5b7101a82e008") + bytes(24) + b"x" * size,
    ),
}
