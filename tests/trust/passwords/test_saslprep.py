"""RFC 4013's own examples, and what passwords of this world hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.trust.passwords.saslprep import saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),  # RFC 4013 section 3, the table
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("비밀번호", "비밀번호"),
        ("\u1107\u1175\u1106\u1175\u11af", "비밀"),  # as some keyboards compose it
        ("пароль 🔒", "пароль 🔒"),
        ("\u0627\u0644\u0633", "\u0627\u0644\u0633"),
    ],
)
def test_one_form(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text", ["\u0007", "a\nb", "\u0627\u0031", "\u0627a\u0627", "a\u0000", "\ue000", "\ufffd", "\u200e", "\ud800"]
)
def test_what_is_prohibited(text: str) -> None:
    with pytest.raises(ValueError, match=r"allowed|prohibits|mixed") as raised:
        saslprep(text)
    assert text not in str(raised.value)


@given(st.text())
def test_it_is_stable_and_raises_nothing_else(text: str) -> None:
    try:
        once = saslprep(text)
    except ValueError:
        return
    assert saslprep(once) == once


def test_text_longer_than_any_password_is_not_looked_at() -> None:
    assert saslprep("é" * 1024) == "é" * 1024
    with pytest.raises(ValueError, match="1024 characters"):
        saslprep("é" * 1025)
