"""Elements with definite lengths, short and long, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.directory.ad.changes import DirSyncAnswer, DirSyncRequest
from postern.protocols.ber import OCTETS, SEQUENCE, BerError, element, elements, next_element, take


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300))))
def test_what_was_written_is_read(items: list[tuple[int, bytes]]) -> None:
    assert list(elements(b"".join(element(tag, content) for tag, content in items))) == items


@given(st.binary(max_size=40))
def test_any_octets_are_elements_or_an_error(data: bytes) -> None:
    try:
        assert sum(len(content) + 2 for _, content in elements(data)) <= len(data)
    except BerError:
        pass


def test_a_long_length_need_not_be_the_shortest() -> None:
    """As Windows writes them."""
    assert next_element(b"\x04\x84\x00\x00\x00\x02abc", 0) == (OCTETS, b"ab", 8)


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x05abc", b"\x30\x80\x00\x00", b"\x30\x85\x00\x00\x00\x00\x00"])
def test_what_is_cut_off_or_indefinite_is_an_error(data: bytes) -> None:
    with pytest.raises(BerError):
        next_element(data, 0)
    with pytest.raises(BerError):
        take(data, 0, SEQUENCE)


def test_the_control_of_dirsync() -> None:
    """MS-ADTS 3.1.1.3.4.1.3."""
    value = DirSyncRequest(b"cookie", flags=1, max_bytes=1_048_576).encodeControlValue()
    assert value.hex() == "3010" + "020101" + "0203100000" + "0406" + b"cookie".hex()
    for more, flag in ((True, "01"), (False, "00")):
        answer = DirSyncAnswer()
        answer.decodeControlValue(bytes.fromhex("308400000010" + f"0201{flag}" + "0203100000" + "0406") + b"cookie")
        assert (answer.more, answer.cookie) == (more, b"cookie")
    for octets in (b"\x30\x03\x02\x01", b"", None):
        broken = DirSyncAnswer()
        broken.decodeControlValue(octets)
        assert (broken.more, broken.cookie) == (False, b"")
