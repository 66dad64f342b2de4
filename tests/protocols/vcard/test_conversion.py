"""vCards of version 3 and 4 made from each other."""

from __future__ import annotations

import pytest

from postern.protocols.vcard.cards import Card, read_cards
from postern.protocols.vcard.conversion import converted


def _lines(version: str, to: str, *lines: str) -> list[str]:
    octets = "\r\n".join(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""]).encode()
    (card,), _ = read_cards(octets, lambda octets, charset: octets.decode(charset or "utf-8"))
    unfolded = converted(card, to).octets().decode().replace("\r\n ", "")
    return unfolded.split("\r\n")[1:-2]


FN3, FN4 = ("FN:x", "N:x;;;;"), ("FN:x",)

# What version 3 has, and version 4 makes of it.
BOTH_WAYS = [
    ("EMAIL;TYPE=work,pref:a@x.test", "EMAIL;TYPE=work;PREF=1:a@x.test"),
    ("TEL;TYPE=home,voice:1", "TEL;TYPE=home,voice:1"),
    ("PHOTO;ENCODING=b;TYPE=JPEG:AAAA", "PHOTO:data:image/jpeg;base64,AAAA"),
    ("BDAY:1985-04-12", "BDAY:19850412"),
    ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-12", "BDAY:--0412"),
    ("X-ANNIVERSARY:2009-08-08", "ANNIVERSARY:20090808"),
    ("GEO:37.386;-122.083", "GEO:geo:37.386,-122.083"),
    ("X-ADDRESSBOOKSERVER-KIND:group", "KIND:group"),
    ("X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:1", "MEMBER:urn:uuid:1"),
    ("item1.X-ABLABEL:y", "item1.X-ABLABEL:y"),
    ("X-UNKNOWN;X-P=1:z", "X-UNKNOWN;X-P=1:z"),
    ("NOTE:a\\, b", "NOTE:a\\, b"),
]


@pytest.mark.parametrize(("three", "four"), BOTH_WAYS)
def test_both_ways(three: str, four: str) -> None:
    assert _lines("3.0", "4.0", *FN3, three) == ["VERSION:4.0", *FN3, four]
    assert _lines("4.0", "3.0", *FN3, four) == ["VERSION:3.0", *FN3, three]


@pytest.mark.parametrize(
    ("three", "four"),
    [
        ("EMAIL;TYPE=INTERNET;TYPE=PREF:a@x.test", ["EMAIL;PREF=1:a@x.test"]),
        ("PROFILE:VCARD", []),
        ("UID:abc", ["UID;VALUE=text:abc"]),
        ("UID:urn:uuid:1", ["UID:urn:uuid:1"]),
        ("REV:2020-01-02T03:04:05Z", ["REV:20200102T030405Z"]),
        ("BDAY:around 1950", ["BDAY:around 1950"]),
        ("LABEL;TYPE=home:Street 1", ["X-LABEL;TYPE=home:Street 1"]),
        ("KEY;ENCODING=b:AAAA", ["KEY:data:application/octet-stream;base64,AAAA"]),
    ],
)
def test_to_version_4(three: str, four: list[str]) -> None:
    assert _lines("3.0", "4.0", *FN3, three) == ["VERSION:4.0", *FN3, *four]


@pytest.mark.parametrize(
    ("four", "three"),
    [
        ("TEL;VALUE=uri;TYPE=cell:tel:+82-2-123;ext=4", ["TEL;TYPE=cell:+82-2-123"]),
        ("CLIENTPIDMAP:1;urn:uuid:1", []),
        ("PHOTO:https://x.test/y.png", ["PHOTO;VALUE=uri:https://x.test/y.png"]),
        ("PHOTO:data:image/png;base64,!", ["PHOTO;VALUE=uri:data:image/png;base64,!"]),
        ('ADR;LABEL="Street 1^nSeoul":;;Street 1;Seoul;;;', ["ADR:;;Street 1;Seoul;;;", "LABEL:Street 1\\nSeoul"]),
        ("TITLE;ALTID=1;LANGUAGE=en:Boss", ["TITLE;LANGUAGE=en:Boss"]),
    ],
)
def test_to_version_3(four: str, three: list[str]) -> None:
    assert _lines("4.0", "3.0", *FN3, four) == ["VERSION:3.0", *FN3, *three]


def test_the_most_preferred_line_is_the_preferred_one() -> None:
    assert _lines("4.0", "3.0", *FN3, "EMAIL;PREF=50:a@x.test", "EMAIL;PREF=2:b@x.test")[3:] == [
        "EMAIL:a@x.test",
        "EMAIL;TYPE=pref:b@x.test",
    ]


def test_of_alternatives_the_first_stays() -> None:
    assert _lines("4.0", "3.0", *FN3, "TITLE;ALTID=1:Boss", "TITLE;ALTID=1:Chefin", "TITLE;ALTID=2:Aide")[3:] == [
        "TITLE:Boss",
        "TITLE:Aide",
    ]


def test_what_a_version_requires_is_made() -> None:
    assert _lines("4.0", "3.0", "FN:Kim Min-ji") == ["VERSION:3.0", "FN:Kim Min-ji", "N:Kim Min-ji;;;;"]
    assert _lines("3.0", "4.0", "N:Kim;Min-ji;;;") == ["VERSION:4.0", "N:Kim;Min-ji;;;", "FN:Min-ji Kim"]


def test_old_encodings_are_gone() -> None:
    assert _lines("2.1", "4.0", "FN;CHARSET=UTF-8;QUOTED-PRINTABLE:=EA=B9=80", "TEL;HOME;PREF:1") == [
        "VERSION:4.0",
        "FN:김",
        "TEL;TYPE=home;PREF=1:1",
    ]


def test_the_same_version_is_the_same_card() -> None:
    (card,), _ = read_cards(b"BEGIN:VCARD\nVERSION:3.0\nEND:VCARD\n", lambda octets, charset: "")
    assert isinstance(card, Card) and converted(card, "3.0") is card.root


def test_of_lines_that_are_preferred_alike_the_first_one_is() -> None:
    octets = b"BEGIN:VCARD\r\nVERSION:4.0\r\nFN:x\r\n" + b"EMAIL;PREF=1:a@x.test\r\n" * 4 + b"END:VCARD\r\n"
    (card,), _ = read_cards(octets, lambda octets, charset: octets.decode(charset or "utf-8"))
    card.root.entries.sort(key=id, reverse=True)  # no order of addresses in memory may count
    heads = [line.head for line in converted(card, "3.0").lines("EMAIL")]
    assert heads == [";TYPE=pref", "", "", ""]
