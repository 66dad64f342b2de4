"""Names of the well-known folders in the languages that we have."""

from __future__ import annotations

import pytest

from postern.model import folder_names as module
from postern.model.folder_names import FORMER_NAMES, folder_names
from postern.model.folders import FOLDER_CLASSES, FolderKind


@pytest.mark.parametrize(
    ("language", "calendar"),
    [
        ("ko", "일정"),
        ("ko-KR", "일정"),
        ("PT_br", "Calendário"),
        ("en-GB", "Calendar"),
        ("tlh", "Calendar"),
        ("", "Calendar"),
    ],
)
def test_a_language_may_have_a_region(language: str, calendar: str) -> None:
    names = folder_names(language)
    assert names[FolderKind.CALENDAR] == calendar and names.keys() == FOLDER_CLASSES.keys()


def test_no_language_has_a_name_twice() -> None:
    for language, names in module._NAMES.items():
        assert len(set(names)) == len(FOLDER_CLASSES), language
        assert set(names) <= set(FORMER_NAMES)
