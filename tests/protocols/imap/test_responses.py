"""Pieces of answers, read back by the tokens of commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.items import Flag
from postern.protocols.imap import responses
from postern.protocols.imap.cursor import Cursor


def _literals(data: bytes) -> tuple[bytes, list[bytes]]:
    head, line, rest = data.partition(b"\r\n")
    return (head + line, [rest]) if head.startswith(b"{") and line else (data, [])


@given(st.binary(max_size=2000))
def test_strings_are_read_back(data: bytes) -> None:
    text, literals = _literals(responses.string(data))
    assert Cursor(text, literals).string() == data


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60), st.booleans())
def test_mailbox_names_are_read_back(name: str, utf8: bool) -> None:
    import unicodedata

    name = unicodedata.normalize("NFC", name)
    cursor = Cursor(responses.mailbox(name, utf8), [], utf8)
    assert cursor.mailbox() == ("INBOX" + name[5:] if name[:5].upper() == "INBOX" and name[5:6] in ("", "/") else name)


@given(st.sets(st.integers(1, 300)))
def test_number_sets(numbers: set[int]) -> None:
    text = responses.number_set(sorted(numbers))
    if not numbers:
        assert text == b""
        return
    found = [n for low, high in Cursor(text, []).ranges() for n in range(low, high + 1)]
    assert found == sorted(numbers)
    assert text.count(b",") + 1 == sum(n - 1 not in numbers for n in numbers)


def test_flag_names() -> None:
    word = Flag.SEEN | Flag.DELETED | 1 << 9 | 1 << 40
    assert responses.flag_names(word, ("$Junk", "$Forwarded")) == [b"\\Deleted", b"\\Seen", b"$Forwarded"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("bob@example.test", b"bob@example.test"),
        ("a b", b'"a b"'),
        ("", b'""'),
        ("nil", b'"nil"'),
        ('a"b', b'"a\\"b"'),
        ("박@x", b"{5}\r\n\xeb\xb0\x95@x"),
        ("a{3}", b'"a{3}"'),
    ],
)
def test_a_name_is_bare_where_it_can_be(text: str, sent: bytes) -> None:
    assert responses.astring(text) == sent
