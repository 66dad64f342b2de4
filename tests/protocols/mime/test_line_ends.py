"""Lines end with CRLF, whoever wrote them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.mime.line_ends import with_line_ends, without_bare_feeds

CONTENT = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b": "])).map(b"".join)


def test_what_is_kept() -> None:
    assert without_bare_feeds(b"A: b\n\nx\r\ny\rz\n") == b"A: b\r\n\r\nx\r\ny\rz\r\n"
    binary = b"Content-Transfer-Encoding: BINARY\r\n\r\na\nb"
    assert without_bare_feeds(binary) == binary
    assert without_bare_feeds(b"X: y\n\nContent-Transfer-Encoding: 8bit\n") == (
        b"X: y\r\n\r\nContent-Transfer-Encoding: 8bit\r\n"
    )


def test_what_leaves() -> None:
    assert with_line_ends(b"A: b\n\nx\r\ny\rz") == b"A: b\r\n\r\nx\r\ny\r\nz"


@given(CONTENT)
def test_no_bare_feed_is_left_and_what_is_right_stays(content: bytes) -> None:
    kept, left = without_bare_feeds(content), with_line_ends(content)
    assert b"\n" not in kept.replace(b"\r\n", b"")
    assert not {10, 13} & set(left.replace(b"\r\n", b""))
    assert without_bare_feeds(kept) == kept and with_line_ends(left) == left
