"""What reviewers should not have to look for: exceptions from the rules without a reason, and work left for later."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("src", "tests", "bench", "scripts") for path in (ROOT / folder).rglob("*.py"))
_EXCEPTION = re.compile(r"#\s*(?:noqa|type: ignore)(?:: ?[A-Z]+\d+(?:, ?[A-Z]+\d+)*|\[[\w, -]+\])?(.*)$")
_LATER = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def _comments(text: str) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def faults(text: str) -> list[str]:
    found = []
    for line, comment in _comments(text):
        match = _EXCEPTION.search(comment)
        if match is not None and not re.search(r"\w{2}", match[1]):
            found.append(f"{line}: an exception without its reason: {comment}")
        if _LATER.search(comment):
            found.append(f"{line}: {comment}")
    return found


def test_exceptions_have_reasons_and_nothing_is_left_for_later() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{fault}" for file in FILES for fault in faults(file.read_text(encoding="utf-8"))
    ]
    assert not found


def test_a_test_that_may_be_skipped_says_why() -> None:
    for file in (ROOT / "tests").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        for call in re.findall(r"mark\.(?:skipif|xfail)\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)", text):
            assert "reason=" in call, f"{file}: {call}"
        assert not re.search(r"pytest\.(?:skip\(\)|mark\.(?:skip|xfail)\b(?!if))(?!\()", text), file


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("x = 1  # noqa: S603\n", 1),
        ("x = 1  # noqa: S603, S607\n", 1),
        ("x = 1  # noqa: S603 (found by us)\n", 0),
        ("x = 1  # type: ignore[misc]\n", 1),
        ("x = 1  # type: ignore[misc]  # not in the stubs\n", 0),
        ("x = 1  # TODO: more\n", 1),
        ("x = '# noqa'  # fine\n", 0),
    ],
)
def test_the_check_itself(text: str, count: int) -> None:
    assert len(faults(text)) == count


PROSE = sorted(
    file
    for pattern in ("*.md", "docs/**/*.md", "src/**/*.toml", "src/**/*.sql", "scripts/*")
    for file in ROOT.glob(pattern)
    if file.is_file() and file.suffix != ".pyc"
)


def test_quotes_are_plain_and_commands_stand_in_backticks() -> None:
    quoted = [file for file in (*FILES, *PROSE) if re.search("[\\u00ab\\u00bb]", file.read_text(encoding="utf-8"))]
    assert not quoted
