"""vCards of three versions, read by the same questions."""

from __future__ import annotations

import pytest

from postern.protocols.vcard.cards import Card, encoding_of, read_cards, types_of


def _decode(octets: bytes, charset: str) -> str:
    return octets.decode(charset or "utf-8")


def _card(*lines: str | bytes) -> Card:
    octets = b"\r\n".join([line.encode() if isinstance(line, str) else line for line in lines])
    cards, defects = read_cards(b"BEGIN:VCARD\r\n" + octets + b"\r\nEND:VCARD\r\n", _decode)
    assert not defects
    return cards[0]


def test_korean_names_of_version_21() -> None:
    card = _card(
        "VERSION:2.1",
        "N;CHARSET=EUC-KR;ENCODING=QUOTED-PRINTABLE:=B1=E8;=B9=CE=C1=F6",
        "FN;CHARSET=UTF-8;QUOTED-PRINTABLE:=EA=B9=80=EB=AF=BC=\r\n=EC=A7=80",
        b"ORG;CHARSET=EUC-KR:\xc8\xb8\xbb\xe7;",
    )
    assert card.version == "2.1"
    assert card.fields(card.lines("N")[0]) == ["김", "민지"]
    assert card.text("FN") == "김민지"
    assert card.fields(card.lines("ORG")[0]) == ["회사", ""]


@pytest.mark.parametrize(
    ("line", "types"),
    [
        ("TEL;HOME;VOICE:1", ["home", "voice"]),
        ("TEL;TYPE=HOME,VOICE:1", ["home", "voice"]),
        ('TEL;TYPE="home,voice":1', ["home", "voice"]),
        ("TEL;TYPE=home;TYPE=voice;TYPE=home:1", ["home", "voice"]),
        ("TEL;PREF=1;TYPE=cell:1", ["pref", "cell"]),
        ("TEL;PREF;QUOTED-PRINTABLE;CELL:1", ["pref", "cell"]),
    ],
)
def test_types(line: str, types: list[str]) -> None:
    assert types_of(_card(line).lines("TEL")[0]) == types


@pytest.mark.parametrize(
    ("line", "encoding"),
    [
        ("A;ENCODING=b:x", "BASE64"),
        ("A;BASE64:x", "BASE64"),
        ("A;ENCODING=quoted-printable:x", "QUOTED-PRINTABLE"),
        ("A;QUOTED-PRINTABLE:x", "QUOTED-PRINTABLE"),
        ("A;ENCODING=8BIT:x", ""),
        ("A;TYPE=x:y", ""),
    ],
)
def test_encodings(line: str, encoding: str) -> None:
    assert encoding_of(_card(line).lines("A")[0]) == encoding


def test_groups_and_cards_within_cards() -> None:
    card = _card(
        "VERSION:3.0", "item1.TEL:1", "item1.X-ABLABEL:x", "BEGIN:VCARD", "FN:agent", "END:VCARD", "FN:principal"
    )
    assert card.lines("TEL")[0].group == "item1" and card.text("FN") == "principal"


def test_several_cards() -> None:
    cards, _ = read_cards(b"BEGIN:VCARD\r\nFN:a\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:b\r\nEND:VCARD\r\n", _decode)
    assert [card.text("FN") for card in cards] == ["a", "b"]
