"""Letters of RFC 4314 and bits of MS-OXCPERM."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.folders import Right
from postern.model.items import KEYWORD_BASE, MAX_KEYWORDS, Flag
from postern.protocols.imap.acl import (
    ALL_LETTERS,
    EVERY_FLAG,
    RECOGNIZED,
    RIGHTS,
    VIRTUAL,
    changed,
    is_known_to_exist,
    letters_of,
    optional_rights,
    recognized,
    settable,
)

EVERY = Right(0x1FFB)
READER = Right.VISIBLE | Right.READ_ANY
EDITOR = READER | Right.CREATE | Right.EDIT_ANY | Right.EDIT_OWNED | Right.DELETE_ANY | Right.DELETE_OWNED
BITS = st.builds(Right, st.integers(0, 0x1FFF).map(lambda bits: bits & 0x1FFB))
LETTERS = st.text("".join(sorted(RECOGNIZED)), max_size=15)


def test_the_letters_of_outlooks_roles() -> None:
    assert letters_of(Right(0)) == ""
    assert letters_of(READER) == "lr"
    assert letters_of(EDITOR) == "lriswted"
    assert letters_of(EVERY) == ALL_LETTERS
    # Of one's own messages IMAP knows nothing.
    assert letters_of(READER | Right.CREATE | Right.EDIT_OWNED | Right.DELETE_OWNED) == "lri"
    assert letters_of(Right.FREE_BUSY_DETAILED | Right.CONTACT) == ""


def test_setacl_replaces_adds_and_takes() -> None:
    assert changed(Right(0), "", "lr") == (READER, "")
    assert changed(READER, "+", "i") == (READER | Right.CREATE, "")
    assert changed(EDITOR, "-", "wsted") == (READER | Right.CREATE, "")
    assert changed(EVERY, "", "") == (Right.CONTACT | Right.FREE_BUSY_SIMPLE | Right.FREE_BUSY_DETAILED, "")
    assert changed(Right(0), "", "lriswte").rights == EDITOR


def test_rfc_2086s_rights_stand_for_their_members() -> None:
    """RFC 4314 section 2.1.1."""
    assert changed(Right(0), "+", "d") == (Right.DELETE_ANY | Right.DELETE_OWNED, "")
    assert changed(Right(0), "+", "c") == (Right.CREATE_SUBFOLDER, "")
    assert changed(EVERY, "-", "d").rights & Right.DELETE_ANY == 0


def test_a_part_of_a_tied_set_grants_nothing_and_takes_all() -> None:
    """RFC 4314 section 2: conservative in granting."""
    assert changed(READER, "+", "s") == (READER, "s")
    assert changed(READER, "", "lrwxt") == (READER, "wxt")
    assert changed(READER, "+", "p") == (READER, "p")
    assert changed(EDITOR, "-", "s").rights & (Right.EDIT_ANY | Right.EDIT_OWNED) == 0


@given(BITS)
def test_what_is_granted_is_shown(rights: Right) -> None:
    letters = letters_of(rights)
    granted, left_out = changed(Right(0), "", letters)
    assert not left_out and letters_of(granted) == letters
    assert len(set(letters)) == len(letters)


@given(BITS, st.sampled_from(["", "+", "-"]), LETTERS)
def test_no_letter_is_granted_unasked(rights: Right, sign: str, letters: str) -> None:
    after = changed(rights, sign, letters)
    named = {member for letter in letters for member in VIRTUAL.get(letter, letter)} | {"c", "d"}
    gained = set(letters_of(after.rights)) - set(letters_of(rights))
    assert gained <= (set() if sign == "-" else named)
    if sign != "+":
        kept = set(letters_of(after.rights)) - set("cd")
        assert not kept & set(letters) if sign == "-" else kept <= named
    assert changed(after.rights, sign, letters).rights == after.rights


def test_the_flags_that_may_be_set() -> None:
    """RFC 4314 section 4."""
    keyword = 1 << KEYWORD_BASE + MAX_KEYWORDS - 1
    assert settable(EVERY) == EVERY_FLAG and EVERY_FLAG & keyword
    assert settable(READER) == 0
    assert settable(READER | Right.DELETE_ANY) == Flag.DELETED
    edits = settable(READER | Right.EDIT_ANY)
    assert edits & keyword and edits & Flag.SEEN and not edits & Flag.DELETED


def test_the_lists_are_those_of_the_table() -> None:
    optional = optional_rights()
    assert "".join(optional) == ALL_LETTERS and set(ALL_LETTERS) == RECOGNIZED - {"p"}
    # 2.1.1: the members of "d" and of "c" are tied to no other right, so that these stand alone
    assert {"te", "k"} <= set(optional)
    assert all(not a.needed & b.needed for a in RIGHTS for b in RIGHTS if a is not b)


@pytest.mark.parametrize(
    ("rights", "known"),
    [(Right(0), False), (Right.VISIBLE, True), (Right.CREATE, True), (Right.EDIT_ANY, False), (Right.OWNER, True)],
)
def test_who_may_know_that_a_folder_exists(rights: Right, known: bool) -> None:
    assert is_known_to_exist(rights) is known


def test_unknown_and_large_letters_are_not_recognized() -> None:
    assert recognized("") and recognized("lrswipkxteacd")
    assert not recognized("q") and not recognized("L") and not recognized("1")
