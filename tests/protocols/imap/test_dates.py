"""Dates and date-times to numbers and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.imap import dates


def test_known_moments() -> None:
    assert dates.parse_day(b"1-Feb-1994") == 8797
    assert dates.parse_day(b"01-feb-1994") == 8797
    assert dates.parse_internal(b"17-Jul-1996 02:44:25 -0700") == 837596665
    assert dates.internal_date(837596665) == b'"17-Jul-1996 09:44:25 +0000"'
    assert dates.internal_date(0) == b'" 1-Jan-1970 00:00:00 +0000"'


@given(st.integers(0, 4_000_000_000))
def test_round_trip(seconds: int) -> None:
    assert dates.parse_internal(dates.internal_date(seconds)[1:-1]) == seconds


@pytest.mark.parametrize("text", [b"", b"31-Feb-2020", b"1-Xyz-2020", b"1-Feb-20", b"1-Feb-0000", b"-1-Feb-2020"])
def test_no_dates(text: bytes) -> None:
    assert dates.parse_day(text) is None
    assert dates.parse_internal(text + b" 00:00:00 +0000") is None


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_stored_number_has_a_form(seconds: int) -> None:
    assert dates.internal_date(seconds).startswith(b'"')
