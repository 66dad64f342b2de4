"""Comments end where RFC 5322 section 3.2.2 says, and take nothing with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.mime.comments import comment_end, without_comments


@pytest.mark.parametrize(
    ("value", "end"),
    [
        (b"(a)b", 3),
        (b"(a(b)c)d", 7),
        (rb"(\))x", 4),
        (b'(")x', 3),
        (b"([)x", 3),
        (b"(a", -1),
        (b"((a)", -1),
        (b"(\\", -1),
    ],
)
def test_where_a_comment_ends(value: bytes, end: int) -> None:
    assert comment_end(value, 0) == end


@pytest.mark.parametrize(
    ("value", "all_gone", "words_kept"),
    [
        (b"a (b) c", b"a   c", b"a   c"),
        (b"a(1).pdf", b"a .pdf", b"a(1).pdf"),
        (b'"a (b)"', b'"a (b)"', b'"a (b)"'),
        (b'"a"(b)', b'"a" ', b'"a" '),
        (b"(a)b", b" b", b"(a)b"),
        (b"(a; b) c (", b"  c (", b"  c ("),
        (b"(" * 50_000, b"(" * 50_000, b"(" * 50_000),
    ],
)
def test_values_without_comments(value: bytes, all_gone: bytes, words_kept: bytes) -> None:
    assert without_comments(value) == all_gone
    assert without_comments(value, inside_words=False) == words_kept


@given(st.lists(st.sampled_from([b"a", b"(", b")", b"\\", b'"', b" ", b";"])).map(b"".join))
def test_nothing_is_made_up(value: bytes) -> None:
    assert len(without_comments(value)) <= len(value)
    assert without_comments(value.replace(b"(", b"")) == value.replace(b"(", b"")
