"""HTTP dates: the three forms, and what is none."""

from __future__ import annotations

from email.utils import formatdate, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.http.dates import http_date, parse_http_date


@pytest.mark.parametrize(
    "value",
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b"Sun, 06 Nov 1994 08:49:37 GMT; length=5",
    ],
)
def test_the_forms_of_rfc_9110(value: bytes) -> None:
    assert parse_http_date(value) == 784_111_777


@pytest.mark.parametrize(
    "value", [b"", b"0", b"yesterday", b"Sun, 36 Nov 1994 08:49:37 GMT", b"Sun Foo  6 08:49:37 1994"]
)
def test_what_is_none(value: bytes) -> None:
    assert parse_http_date(value) is None


@given(st.integers(0, 253_402_300_799))
def test_dates_come_back(seconds: int) -> None:
    assert http_date(seconds) == formatdate(seconds, usegmt=True).encode()
    assert parse_http_date(http_date(seconds)) == seconds
    asctime = parsedate_to_datetime(http_date(seconds).decode()).strftime("%a %b %e %H:%M:%S %Y").encode()
    assert parse_http_date(asctime) == seconds or seconds < 0


@given(st.binary(max_size=100))
def test_nothing_raises(value: bytes) -> None:
    parse_http_date(value)
