"""Ranges of octets, and the field of a part that answers one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.http.ranges import MAX_RANGES, ByteRange, content_range, parse_range


@pytest.mark.parametrize(
    ("value", "ranges"),
    [
        (b"bytes=0-499", [(0, 500)]),
        (b"Bytes=500-999", [(500, 1000)]),
        (b"bytes=9500-", [(9500, 10_000)]),
        (b"bytes=-500", [(9500, 10_000)]),
        (b"bytes=-20000", [(0, 10_000)]),
        (b"bytes=9999-20000", [(9999, 10_000)]),
        (b"bytes= 0-0 , ,-1", [(0, 1), (9999, 10_000)]),
        (b"bytes=5-6,10000-", [(5, 7)]),
        (b"bytes=10000-", []),
        (b"bytes=-0", []),
        (b"bytes=2-1", None),
        (b"bytes=", None),
        (b"bytes=-", None),
        (b"bytes=a-b", None),
        (b"bytes=1", None),
        (b"bytes=1-2-3", None),
        (b"lines=1-2", None),
        (b"bytes 1-2", None),
        (b"bytes=" + b"1" * 19 + b"-", None),
        (b"bytes=0-,0-", None),
        (b"bytes=" + b"0-0," * MAX_RANGES, [(0, 1)] * MAX_RANGES),
        (b"bytes=" + b"0-0," * (MAX_RANGES + 1), None),
    ],
)
def test_ranges(value: bytes, ranges: list[tuple[int, int]] | None) -> None:
    expected = None if ranges is None else tuple(ByteRange(start, end) for start, end in ranges)
    assert parse_range(value, 10_000) == expected


def test_nothing_of_nothing() -> None:
    assert parse_range(b"bytes=0-", 0) == () and parse_range(b"bytes=-1", 0) == ()


@given(st.text("0123456789-, =bytes").map(str.encode) | st.binary(), st.integers(0, 1000))
def test_what_is_given_lies_within(value: bytes, size: int) -> None:
    for text in (value, b"bytes=" + value):
        ranges = parse_range(text, size) or ()
        assert all(0 <= part.start < part.end <= size for part in ranges)
        assert len(ranges) <= 1 or sum(part.length for part in ranges) <= size


def test_a_part_says_where_it_lies() -> None:
    assert content_range(ByteRange(1, 3), 10) == b"bytes 1-2/10" and content_range(None, 10) == b"bytes */10"
