"""Counted things, and what a mistyped word may have meant."""

from __future__ import annotations

import pytest

from postern.model.words import counted, first_of, meant, nearest


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (1000, "1000 messages")]
)
def test_a_noun_follows_its_number(count: int, said: str) -> None:
    assert counted(count, "message") == said


def test_a_plural_of_its_own() -> None:
    assert (counted(1, "entry", "entries"), counted(2, "entry", "entries")) == ("1 entry", "2 entries")


def test_of_many_names_the_first_are_shown_and_the_others_counted() -> None:
    names = ["alice", "bob", "carol"]
    assert [first_of(names, most) for most in (1, 2, 3)] == [
        "alice and 2 more",
        "alice, bob and 1 more",
        "alice, bob, carol",
    ]
    assert first_of([], 1) == ""


def test_the_nearest_known_word_is_offered_or_all() -> None:
    known = ("user", "group", "imap4")
    assert meant("usr", known) == meant("USR", known) == '; did you mean "user"?'
    assert meant("imap", known) == '; did you mean "imap4"?'
    assert meant("x" * 1_000_000, known) == ""
    assert nearest("zzz", known) == "; one of: user, group, imap4"
