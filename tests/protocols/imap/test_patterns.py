"""LIST patterns, held against a plain regular expression, and their cost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.imap.patterns import canonical, matches


@pytest.mark.parametrize(
    ("reference", "pattern", "name", "expected"),
    [
        ("", "*", "a/b", True),
        ("", "%", "a/b", False),
        ("", "%", "a", True),
        ("", "%/b", "a/b", True),
        ("", "a*", "a/b/c", True),
        ("a/", "%", "a/b", True),
        ("", "inbox", "INBOX", True),
        ("", "inb%", "INBOX", True),
        ("", "inbox/x", "INBOX/x", True),
        ("", "*b", "a/ab", True),
        ("", "b", "B", False),
        ("", "%%x*%", "ax/y", True),
    ],
)
def test_wildcards(reference: str, pattern: str, name: str, expected: bool) -> None:
    whole = canonical(reference, pattern)
    assert whole is not None
    assert matches(whole, name) is expected


@given(st.text("ab/%*", max_size=8), st.text("ab/", max_size=10))
def test_like_a_regular_expression(pattern: str, name: str) -> None:
    expression = "".join(".*" if c == "*" else "[^/]*" if c == "%" else re.escape(c) for c in pattern)
    whole = canonical("", pattern)
    assert whole is not None
    assert matches(whole, name) is bool(re.fullmatch(expression, name))


def test_a_costly_pattern_is_not_served() -> None:
    assert canonical("", "*a" * 21) is None
    assert canonical("", "a" * 256) is None
    whole = canonical("", "*a" * 20)
    assert whole is not None
    assert not matches(whole, "a" * 1000 + "b")  # a backtracking matcher would not come back
