"""Contacts: which may be stored, and what is found in cards of any version; covers: text"""

from __future__ import annotations

import pytest

from postern.items import contact
from postern.items.calendar_object import Refused
from postern.items.contact import Contact, check, render


def _read(*lines: str) -> Contact:
    found = contact.read("\r\n".join(["BEGIN:VCARD", *lines, "END:VCARD", ""]).encode())
    assert isinstance(found, Contact)
    return found


@pytest.mark.parametrize(
    ("lines", "precondition"),
    [
        (["VERSION:3.0", "UID:u", "FN:x"], ""),
        (["VERSION:4.0", "UID:u"], ""),
        (["VERSION:2.1", "UID:u", "FN:x"], "supported-address-data"),
        (["UID:u", "FN:x"], "supported-address-data"),
        (["VERSION:3.0", "FN:x"], "valid-address-data"),
        (["VERSION:3.0", "UID:" + "x" * 2000], "valid-address-data"),
        (["VERSION:3.0", "UID:u", "END:VCARD", "BEGIN:VCARD", "UID:u2"], "valid-address-data"),
    ],
)
def test_what_may_be_stored(lines: list[str], precondition: str) -> None:
    refused = check(_read(*lines))
    assert (refused.precondition if refused is not None else "") == precondition


def test_what_cannot_be_read() -> None:
    found = contact.read(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")
    assert isinstance(found, Refused) and found.precondition == "valid-address-data"
    found = contact.read(bytes(contact.MAX_OCTETS + 1))
    assert isinstance(found, Refused) and found.precondition == "max-resource-size"


def test_the_values_of_a_contact() -> None:
    found = render(
        _read(
            "VERSION:4.0",
            "UID:urn:uuid:1",
            "FN:Kim Min-ji",
            "N:Kim;Min-ji;;;",
            "EMAIL:second@x.test",
            "EMAIL;PREF=1:first@x.test",
            "item1.EMAIL:second@x.test",
            "TEL;VALUE=uri:tel:+82-2-123",
            "ORG:Firma\\, GmbH;Abteilung",
            "TITLE:Leiterin",
            "X-SOMETHING:stays",
        )
    )
    assert (found.uid, found.name, found.family, found.first) == ("urn:uuid:1", "Kim Min-ji", "Kim", "Min-ji")
    assert found.emails == ("first@x.test", "second@x.test")
    assert found.telephones == ("+82-2-123",)
    assert (found.organization, found.title, found.kind) == ("Firma, GmbH / Abteilung", "Leiterin", "individual")


def test_a_card_of_version_21_has_the_same_values() -> None:
    found = render(
        _read(
            "VERSION:2.1",
            "N;CHARSET=EUC-KR;ENCODING=QUOTED-PRINTABLE:=B1=E8;=B9=CE=C1=F6",
            "EMAIL;INTERNET:b@x.test",
            "EMAIL;PREF;INTERNET:a@x.test",
        )
    )
    assert (found.name, found.family, found.first) == ("민지 김", "김", "민지")
    assert found.emails == ("a@x.test", "b@x.test")


@pytest.mark.parametrize(
    "lines",
    [
        ["VERSION:4.0", "KIND:group", "MEMBER:urn:uuid:1", "MEMBER:mailto:a@x.test"],
        [
            "VERSION:3.0",
            "X-ADDRESSBOOKSERVER-KIND:group",
            "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1",
            "X-ADDRESSBOOKSERVER-MEMBER:mailto:a@x.test",
        ],
    ],
)
def test_lists(lines: list[str]) -> None:
    found = render(_read(*lines, "FN:team"))
    assert (found.kind, found.members) == ("group", ("urn:uuid:1", "mailto:a@x.test"))


def test_a_card_without_a_name_shows_something() -> None:
    assert render(_read("VERSION:3.0", "ORG:Firma")).name == "Firma"
    assert render(_read("VERSION:3.0", "EMAIL:a@x.test")).name == "a@x.test"
    assert render(_read("VERSION:3.0", "N:;;;;", "N:Kim;Jun")).name == "Jun Kim"
