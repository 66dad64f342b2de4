"""Modified UTF-7: RFC 3501's examples, round trip, and refusal of what is no mailbox name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.imap import modified_utf7

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("INBOX", b"INBOX"),
        ("R&D", b"R&-D"),
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 section 5.1.3
        ("받은 편지함", b"&vBvHQA- &07jJwNVo-"),
        ("☺!", b"&Jjo-!"),
        ("😀", b"&2D3eAA-"),
        ("a\tb", b"a&AAk-b"),
    ],
)
def test_names_as_the_rfc_writes_them(name: str, wire: bytes) -> None:
    assert modified_utf7.encode(name) == wire
    assert modified_utf7.decode(wire) == name


@given(NAMES)
def test_round_trip(name: str) -> None:
    wire = modified_utf7.encode(name)
    assert wire.isascii() and all(32 <= byte < 127 for byte in wire)
    assert modified_utf7.decode(wire) == name


@pytest.mark.parametrize("wire", [b"&Jjo", b"a&b", b"caf\xc3\xa9", b"&Jj-", b"&2D0-"])
def test_what_is_no_name_is_refused(wire: bytes) -> None:
    with pytest.raises(ValueError):
        modified_utf7.decode(wire)


@given(st.binary(max_size=60))
def test_garbage_raises_nothing_but_value_error(data: bytes) -> None:
    try:
        modified_utf7.decode(data)
    except ValueError:
        pass
