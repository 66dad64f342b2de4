"""Command lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.smtp.lines import BadLine, LineReader
from tests.protocols.smtp.cuts import cut


def lines(data: bytes, cuts: list[int], limit: int = 20) -> list[bytes | BadLine]:
    reader, buffer, found = LineReader(limit), bytearray(), []
    for chunk in cut(data, cuts):
        buffer += chunk
        while (line := reader.take(buffer)) is not None:
            found.append(line)
        assert len(buffer) < limit
    return found


@given(st.lists(st.integers(0, 200)))
def test_what_a_line_may_be(cuts: list[int]) -> None:
    data = b"one\r\n" + b"x" * 18 + b"\r\n" + b"y" * 19 + b"\r\n" + b"a\nb\rc\r\n" + b"\n" + b"\r\n" + b"\r\r\n"
    assert lines(data, cuts) == [
        b"one",
        b"x" * 18,
        BadLine.TOO_LONG,
        BadLine.BARE,
        BadLine.BARE,
        BadLine.BARE,
        b"",
        BadLine.BARE,
    ]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_cuts_change_nothing(data: bytes, cuts: list[int]) -> None:
    assert lines(data, cuts) == lines(data, [])
