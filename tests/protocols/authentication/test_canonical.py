"""Canonical bodies do not care how they are cut, hold back nothing without bounds, and are what RFC 6376 section 3.4 says."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.authentication.canonical import CanonicalBody, Canonicalization, canonical_field

SIMPLE, RELAXED = Canonicalization.SIMPLE, Canonicalization.RELAXED
PARTS = st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"\r", b"\n", b"word", b"  \r\n"]), max_size=30).map(
    b"".join
)


def canonical(how: Canonicalization, pieces: list[bytes]) -> bytes:
    out: list[bytes] = []
    body = CanonicalBody(how, out.append)
    for piece in pieces:
        body.add(piece)
    body.finish()
    return b"".join(out)


@pytest.mark.parametrize(
    ("how", "body", "result"),
    [
        (RELAXED, b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (SIMPLE, b" C \r\nD \t E\r\n\r\n\r\n", b" C \r\nD \t E\r\n"),
        (SIMPLE, b"", b"\r\n"),
        (RELAXED, b"", b""),
        (SIMPLE, b"\r\n\r\n", b"\r\n"),
        (RELAXED, b" \t\r\n\r\n", b""),
        (SIMPLE, b"x", b"x\r\n"),
        (RELAXED, b"x  ", b"x\r\n"),
        (RELAXED, b"x\r\n\r\ny\r\n", b"x\r\n\r\ny\r\n"),
        (SIMPLE, b"x\n\r\n", b"x\n\r\n"),
    ],
)
def test_bodies(how: Canonicalization, body: bytes, result: bytes) -> None:
    assert canonical(how, [body]) == result


@given(st.sampled_from(Canonicalization), PARTS, st.lists(st.integers(0, 60), max_size=6))
def test_cutting_changes_nothing(how: Canonicalization, body: bytes, cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(at)]
    assert canonical(how, pieces) == canonical(how, [body])


def test_a_million_empty_lines_are_a_number() -> None:
    size = 0

    def sink(data: bytes) -> None:
        nonlocal size
        assert len(data) <= 8192
        size += len(data)

    body = CanonicalBody(SIMPLE, sink)
    for _ in range(100):
        body.add(b"\r\n" * 10_000)
    assert not size
    body.add(b"x")
    body.finish()
    assert size == 2_000_003


def test_fields() -> None:
    """RFC 6376 section 3.4.5."""
    assert canonical_field(b"A: X\r\n", RELAXED) == b"a:X\r\n"
    assert canonical_field(b"B : Y\t\r\n\tZ  \r\n", RELAXED) == b"b:Y Z\r\n"
    assert canonical_field(b"B : Y\t\r\n\tZ  \r\n", SIMPLE) == b"B : Y\t\r\n\tZ  \r\n"
