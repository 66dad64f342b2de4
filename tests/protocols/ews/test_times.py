"""Times of XML Schema, with offsets and without."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.times import read_local, read_time, written


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_a_time_is_read_as_it_was_written(seconds: int) -> None:
    assert len(written(seconds)) == 20 and read_time(written(seconds)) == seconds


def test_an_offset_counts_and_a_local_time_is_in_the_zone_of_the_request() -> None:
    seoul = timezone(timedelta(hours=9))
    assert read_time("2026-11-30T09:00:00+09:00") == read_time("2026-11-30T00:00:00.5Z") == 1_795_996_800
    assert read_time(" 2026-11-30T09:00:00 ", seoul) == read_time("2026-11-30T00:00:00")
    assert read_local("2026-11-30T09:00:00")[1] is None and read_time("2026-11-30", seoul) % 86_400 == 15 * 3600
    assert written(1 << 62) == "9999-12-31T23:59:59Z" and written(-(1 << 62)) == "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+99:00", "٢٠٢٦-01-01", "9" * 41],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(EwsError):
        read_time(text)
