"""Conditions of requests: the table of RFC 9110 section 13, and what protects a resource where a condition cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.http.conditions import MAX_TAGS, Tags, Validators, condition, parse_tags, range_applies
from postern.protocols.http.dates import http_date

THEN, NOW, LATER = 1_000_000_000, 1_000_000_100, 1_000_000_200
CURRENT = Validators(b'"a"', NOW + 0.5)
WEAK = Validators(b'W/"a"', NOW)
BARE = Validators()


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        (b"*", Tags((), True)),
        (b'"a"', Tags((b'"a"',))),
        (b'W/"a", "b,c" ,,\t""', Tags((b'W/"a"', b'"b,c"', b'""'))),
        (b'"\xc3\xa9"', Tags((b'"\xc3\xa9"',))),
        (b"", None),
        (b",", None),
        (b"a", None),
        (b'w/"a"', None),
        (b'"a" "b"', None),
        (b'"a", *', None),
        (b'"a', None),
        (b'"a b"', None),
        (b", ".join([b'"a"'] * MAX_TAGS), Tags((b'"a"',) * MAX_TAGS)),
        (b", ".join([b'"a"'] * (MAX_TAGS + 1)), None),
    ],
)
def test_tags(value: bytes, tags: Tags | None) -> None:
    assert parse_tags(value) == tags


@pytest.mark.parametrize(
    ("ours", "theirs", "strongly", "weakly"),
    [
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'W/"1"', False, True),
        (b'"1"', b'"1"', True, True),
    ],
)
def test_comparison(ours: bytes, theirs: bytes, strongly: bool, weakly: bool) -> None:
    tags = Tags((theirs,))
    assert (tags.has(ours, weakly=False), tags.has(ours, weakly=True)) == (strongly, weakly)
    assert not tags.has(None, weakly=True)


def date(seconds: int) -> bytes:
    return http_date(seconds)


@pytest.mark.parametrize(
    ("method", "fields", "current", "status"),
    [
        ("GET", {}, CURRENT, None),
        # If-Match
        ("PUT", {b"if-match": b'"a"'}, CURRENT, None),
        ("PUT", {b"if-match": b'"b", "a"'}, CURRENT, None),
        ("PUT", {b"if-match": b'"b"'}, CURRENT, 412),
        ("PUT", {b"if-match": b'W/"a"'}, CURRENT, 412),
        ("PUT", {b"if-match": b'"a"'}, WEAK, 412),
        ("PUT", {b"if-match": b"*"}, CURRENT, None),
        ("PUT", {b"if-match": b"*"}, BARE, None),
        ("PUT", {b"if-match": b"*"}, None, 412),
        ("PUT", {b"if-match": b'"a"'}, None, 412),
        ("PUT", {b"if-match": b'"a"'}, BARE, 412),
        ("DELETE", {b"if-match": b"a"}, CURRENT, 412),
        # If-Unmodified-Since
        ("PUT", {b"if-unmodified-since": date(NOW)}, CURRENT, None),
        ("PUT", {b"if-unmodified-since": date(THEN)}, CURRENT, 412),
        ("PUT", {b"if-unmodified-since": date(THEN)}, BARE, None),
        ("PUT", {b"if-unmodified-since": b"never"}, CURRENT, None),
        ("PUT", {b"if-unmodified-since": date(THEN), b"if-match": b'"a"'}, CURRENT, None),
        # If-None-Match
        ("GET", {b"if-none-match": b'"a"'}, CURRENT, 304),
        ("HEAD", {b"if-none-match": b'W/"a"'}, CURRENT, 304),
        ("GET", {b"if-none-match": b'"b"'}, CURRENT, None),
        ("GET", {b"if-none-match": b"*"}, CURRENT, 304),
        ("GET", {b"if-none-match": b"*"}, None, None),
        ("GET", {b"if-none-match": b"a"}, CURRENT, None),
        ("PUT", {b"if-none-match": b"*"}, CURRENT, 412),
        ("PUT", {b"if-none-match": b"*"}, None, None),
        ("PUT", {b"if-none-match": b'"a"'}, CURRENT, 412),
        ("PUT", {b"if-none-match": b"a"}, None, 412),
        # If-Modified-Since
        ("GET", {b"if-modified-since": date(NOW)}, CURRENT, 304),
        ("GET", {b"if-modified-since": date(LATER)}, CURRENT, 304),
        ("GET", {b"if-modified-since": date(THEN)}, CURRENT, None),
        ("GET", {b"if-modified-since": date(LATER)}, BARE, None),
        ("GET", {b"if-modified-since": date(LATER)}, None, None),
        ("GET", {b"if-modified-since": b"1"}, CURRENT, None),
        ("PUT", {b"if-modified-since": date(LATER)}, CURRENT, None),
        ("GET", {b"if-modified-since": date(LATER), b"if-none-match": b'"b"'}, CURRENT, None),
        # The order
        ("GET", {b"if-match": b'"b"', b"if-none-match": b'"a"'}, CURRENT, 412),
        ("GET", {b"if-match": b'"a"', b"if-none-match": b'"a"'}, CURRENT, 304),
    ],
)
def test_conditions(method: str, fields: dict[bytes, bytes], current: Validators | None, status: int | None) -> None:
    assert condition(method, list(fields.items()), current) == status


def test_a_list_may_come_in_several_fields() -> None:
    assert condition("PUT", [(b"if-match", b'"b"'), (b"if-match", b'"a"')], CURRENT) is None


@pytest.mark.parametrize(
    ("value", "current", "applies"),
    [
        (None, CURRENT, True),
        (b'"a"', CURRENT, True),
        (b'"b"', CURRENT, False),
        (b'W/"a"', WEAK, False),
        (date(NOW), CURRENT, True),
        (date(LATER), CURRENT, False),
        (date(NOW), BARE, False),
        (b"a", CURRENT, False),
    ],
)
def test_if_range(value: bytes | None, current: Validators, applies: bool) -> None:
    assert range_applies([(b"if-range", value)] if value is not None else [], current) is applies


@given(st.binary(max_size=100) | st.text('"W/*, a').map(str.encode))
def test_nothing_raises(value: bytes) -> None:
    parse_tags(value)
    range_applies([(b"if-range", value)], CURRENT)
