"""The rights that entries of a folder give to somebody."""

from __future__ import annotations

from uuid import UUID

import pytest

from postern.model.folders import ANONYMOUS, EVERYBODY, Right, granted, is_class

ANN, BOB, TEAM, STAFF = (UUID(int=number) for number in range(1, 5))
READ, CREATE, SHOW, NONE = Right.READ_ANY, Right.CREATE, Right.FREE_BUSY_SIMPLE, Right(0)
ENTRIES = {BOB: NONE, TEAM: READ, STAFF: CREATE, EVERYBODY: SHOW, ANONYMOUS: Right.VISIBLE}


@pytest.mark.parametrize(
    ("grantees", "rights"),
    [
        ([ANN], SHOW),
        ([BOB], NONE),
        ([BOB, TEAM], NONE),
        ([ANN, TEAM], READ),
        ([ANN, TEAM, STAFF], READ | CREATE),
        ([], Right.VISIBLE),
    ],
)
def test_ones_own_entry_comes_first_then_the_groups_then_everybodys(grantees: list[UUID], rights: Right) -> None:
    assert granted(ENTRIES, grantees) == rights


def test_without_an_entry_there_is_no_right() -> None:
    assert granted({}, [ANN, TEAM]) == granted({}, []) == NONE


@pytest.mark.parametrize(
    ("its_class", "bases", "answer"),
    [
        ("IPM.Note", ("IPM.Note",), True),
        ("ipm.note.Mine", ("IPM.Note",), True),
        ("IPM.Notebook", ("IPM.Note",), False),
        ("IPM", ("IPM.Note",), False),
        ("IPF.Contact.Company", ("IPF.Note", "IPF.Contact"), True),
        ("IPM.Note", (), False),
    ],
)
def test_a_class_is_below_another_by_whole_names_in_any_case(
    its_class: str, bases: tuple[str, ...], answer: bool
) -> None:
    assert is_class(its_class, *bases) is answer
