"""Queries of address books (RFC 6352 section 8.6); covers: filters"""

from __future__ import annotations

import pytest

from postern.items import contact
from postern.items.card_query import matches
from postern.items.contact import Contact
from postern.items.filters import CardFilter, Collation, MatchType, ParameterFilter, PropertyFilter, TextMatch

CARD = "\r\n".join(
    [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "UID:u",
        "FN:Kim Min-ji",
        "NICKNAME:Minnie\\, M",
        "EMAIL;TYPE=WORK:kim@x.test",
        "item1.EMAIL;TYPE=HOME:minji@y.test",
        "END:VCARD",
        "",
    ]
)


def _matches(*properties: PropertyFilter, all_of: bool = False) -> bool:
    found = contact.read(CARD.encode())
    assert isinstance(found, Contact)
    return matches(found, CardFilter(properties, all_of))


def _text(text: str, kind: MatchType = MatchType.CONTAINS, negate: bool = False) -> TextMatch:
    return TextMatch(text, Collation.UNICODE, negate, kind)


@pytest.mark.parametrize(
    ("name", "text", "kind", "expected"),
    [
        ("FN", "min-JI", MatchType.CONTAINS, True),
        ("FN", "kim", MatchType.STARTS, True),
        ("FN", "min", MatchType.STARTS, False),
        ("FN", "JI", MatchType.ENDS, True),
        ("FN", "kim min-ji", MatchType.EQUALS, True),
        ("FN", "kim", MatchType.EQUALS, False),
        ("NICKNAME", "minnie, m", MatchType.EQUALS, True),
        ("EMAIL", "y.test", MatchType.ENDS, True),
        ("TEL", "1", MatchType.CONTAINS, False),
    ],
)
def test_texts(name: str, text: str, kind: MatchType, expected: bool) -> None:
    assert _matches(PropertyFilter(name, texts=(_text(text, kind),))) is expected


def test_any_or_all() -> None:
    yes = PropertyFilter("FN", texts=(_text("kim"),))
    no = PropertyFilter("FN", texts=(_text("lee"),))
    assert _matches()
    assert _matches(yes, no) and not _matches(yes, no, all_of=True)
    assert _matches(PropertyFilter("FN", texts=(_text("kim"), _text("lee")), all_of=False))
    assert not _matches(PropertyFilter("FN", texts=(_text("kim"), _text("lee")), all_of=True))
    assert _matches(PropertyFilter("TEL", is_not_defined=True), PropertyFilter("FN"), all_of=True)


def test_parameters() -> None:
    home = ParameterFilter("TYPE", text=_text("home", MatchType.EQUALS))
    assert _matches(PropertyFilter("EMAIL", texts=(_text("minji"),), parameters=(home,)))
    assert not _matches(PropertyFilter("EMAIL", texts=(_text("kim@"),), parameters=(home,)))
    assert _matches(PropertyFilter("EMAIL", parameters=(ParameterFilter("PREF", is_not_defined=True),)))
    not_home = ParameterFilter("TYPE", text=_text("home", negate=True))
    assert _matches(PropertyFilter("EMAIL", texts=(_text("kim@"),), parameters=(not_home,)))
    assert not _matches(PropertyFilter("EMAIL", texts=(_text("minji"),), parameters=(not_home,)))
