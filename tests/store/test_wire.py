"""Binary formats and UID ranges, without a server.

covers: ranges
"""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from postern.store import wire
from postern.store.ranges import MAX_UID, merged


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1)))
def test_integers(values: list[int]) -> None:
    assert [wire.to_int8(element) for element in wire.to_array(wire.int8s(values))] == values
    packed = b"".join(struct.pack(">q", value) for value in values)
    assert list(wire.words64(packed)) == values
    assert list(wire.words32(packed)) == [value & MAX_UID for value in values]


@given(st.lists(st.one_of(st.none(), st.binary(max_size=20))))
def test_octets(values: list[bytes | None]) -> None:
    assert wire.to_array(wire.byteas(values)) == [value or b"" for value in values]


@given(st.lists(st.binary(max_size=20)))
def test_slices(values: list[bytes]) -> None:
    lengths = b"".join(struct.pack(">q", len(value)) for value in values)
    assert wire.slices(b"".join(values), lengths) == values


def test_text_that_postgresql_cannot_hold() -> None:
    assert wire.text("a\0b\ud800") == b"ab?"


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8))
def test_ranges_are_the_same_set_sorted_and_apart(ranges: list[tuple[int, int]]) -> None:
    lows, highs = merged(ranges)
    expected = {uid for a, b in ranges for uid in range(max(1, min(a, b)), max(a, b) + 1)}
    assert {uid for low, high in zip(lows, highs, strict=True) for uid in range(low, high + 1)} == expected
    assert all(high + 1 < low for high, low in zip(highs, lows[1:], strict=False))
