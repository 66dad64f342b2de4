"""Lines end with CRLF, whoever wrote them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.mime.line_ends import with_line_ends

CONTENT = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b": "])).map(b"".join)


def test_what_leaves() -> None:
    assert with_line_ends(b"A: b\n\nx\r\ny\rz") == b"A: b\r\n\r\nx\r\ny\r\nz"


@given(CONTENT)
def test_what_is_right_stays(content: bytes) -> None:
    left = with_line_ends(content)
    assert not {10, 13} & set(left.replace(b"\r\n", b""))
    assert with_line_ends(left) == left
