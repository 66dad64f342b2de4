"""Counted things, and what a mistyped word may have meant."""

from __future__ import annotations

import pytest

from postern.model.words import counted, meant, nearest


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (1000, "1000 messages")]
)
def test_a_noun_follows_its_number(count: int, said: str) -> None:
    assert counted(count, "message") == said


def test_a_plural_of_its_own() -> None:
    assert (counted(1, "entry", "entries"), counted(2, "entry", "entries")) == ("1 entry", "2 entries")


def test_the_nearest_known_word_is_offered_or_all() -> None:
    known = ("user", "group", "imap4")
    assert meant("usr", known) == meant("USR", known) == '; did you mean "user"?'
    assert meant("imap", known) == '; did you mean "imap4"?'
    assert meant("x" * 1_000_000, known) == ""
    assert nearest("zzz", known) == "; one of: user, group, imap4"
