"""Cards as they are asked for."""

from __future__ import annotations

from postern.items import contact
from postern.items.calendar_object import Refused
from postern.items.card_data import retrieve
from postern.items.contact import Contact

OCTETS = b"BEGIN:VCARD\nVERSION:3.0\nUID:u\nFN:x\nN:x;;;;\nitem1.EMAIL;TYPE=pref:a@\n x.test\nEND:VCARD\n"


def _card() -> Contact:
    found = contact.read(OCTETS)
    assert isinstance(found, Contact)
    return found


def test_the_stored_octets_are_the_answer() -> None:
    assert retrieve(_card()) == OCTETS and retrieve(_card(), "3.0") == OCTETS


def test_properties_are_picked() -> None:
    assert retrieve(_card(), pick=[("EMAIL", False), ("FN", True)]) == (
        b"BEGIN:VCARD\nVERSION:3.0\nFN:\r\nitem1.EMAIL;TYPE=pref:a@\n x.test\nEND:VCARD\n"
    )


def test_versions() -> None:
    octets = retrieve(_card(), "4.0", [("EMAIL", False)])
    assert octets == b"BEGIN:VCARD\nVERSION:4.0\r\nitem1.EMAIL;PREF=1:a@x.test\r\nEND:VCARD\n"
    refused = retrieve(_card(), "5.0")
    assert isinstance(refused, Refused) and refused.precondition == "supported-address-data-conversion"
