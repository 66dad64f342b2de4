"""The plan of a parallel run names groups that there are."""

from __future__ import annotations

from pathlib import Path

from tests.support.needs import LONGEST, group

ROOT = Path(__file__).parents[2]


def test_the_longest_groups_are_groups() -> None:
    files = [str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_*.py")]
    assert set(LONGEST) <= set(map(group, files))
