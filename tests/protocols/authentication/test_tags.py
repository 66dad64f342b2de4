"""Tag lists of RFC 6376 section 3.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.authentication.tags import parse_tags, squeezed


def test_tags() -> None:
    assert parse_tags(" v = 1 ;\r\n\ta=rsa-sha256;b=ab\r\n cd;x=;") == {
        "v": "1",
        "a": "rsa-sha256",
        "b": "ab\r\n cd",
        "x": "",
    }
    assert parse_tags("") == {}
    assert squeezed("a b\r\n\tc") == "abc"


@pytest.mark.parametrize("text", ["v", "v=1;v=2", "=1", "1=2", ";;v=1", "v=1;=", "\u00fc=1", "a=1;" * 200])
def test_no_tag_list(text: str) -> None:
    assert parse_tags(text) is None


@given(st.text(max_size=300))
def test_whatever_comes_nothing_raises(text: str) -> None:
    parse_tags(text)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,5}", fullmatch=True), st.from_regex(r"[!-:<-~]{0,9}", fullmatch=True)
    )
)
def test_what_is_written_is_read(tags: dict[str, str]) -> None:
    assert parse_tags("; ".join(f"{name}={value}" for name, value in tags.items())) == tags
