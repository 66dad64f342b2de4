"""What a program can check of docs/style.md: how docstrings and sentences of pages begin, and names that say nothing.

Offenders, by folder:

    .venv/bin/python -m tests.docs.test_style
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "postern"
FOLDERS = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())
PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md")] + sorted((ROOT / "docs").rglob("*.md"))
EXAMPLES = ROOT / "docs" / "style.md"
"""The page that quotes what is not to be written."""

BEGINNINGS = re.compile(r"(?:Who|Whose|Whom|Whoever|Of)\b")
"""They begin a relative clause or a genitive, whose subject is the name above."""
CLAUSES = re.compile(r"(?:What|Where|How|When|Why)\b[^.]*\.")
"""A clause in place of a sentence: "What one page holds."."""
GENITIVE = re.compile(r"(?:\bis|\bare|\bwas|\bwere|`) (?:\w+ ){0,2}(?:`[\w.]+`|[a-z]+)'s(?: affair)?[.;,:](?:\s|$)")
"""A possessive as predicate: "connections are `rpc_client`'s"."""
ITEM = re.compile(r"\s*+(?:[-*]|\d++\.) ")
"""The beginning of an item in a list."""
FILLERS = frozenset({"one", "found", "words", "given"})


class Offence(NamedTuple):
    where: str
    what: str


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring, and of the strings below assignments that document them."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text


def names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of each local, parameter and loop variable."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def offences(text: str, where: str) -> Iterator[Offence]:
    """What a module has against the style."""
    tree = ast.parse(text)
    for line, docstring in docstrings(tree):
        first = docstring.strip().split("\n\n")[0]
        if BEGINNINGS.match(first) or CLAUSES.match(first):
            yield Offence(f"{where}:{line}", f"begins with {first.split()[0]}: {first[:60]}")
        if possessive := GENITIVE.search(docstring):
            yield Offence(f"{where}:{line}", f"a possessive instead of a verb: {possessive[0].strip()}")
    for line, name in names(tree):
        if name in FILLERS:
            yield Offence(f"{where}:{line}", f"the name {name} says nothing")


def of_folder(folder: str) -> list[Offence]:
    files = sorted((SOURCE / folder).rglob("*.py"))
    return [each for file in files for each in offences(file.read_text("utf-8"), str(file.relative_to(SOURCE)))]


def paragraphs(page: str) -> Iterator[str]:
    """The paragraphs of a page's prose, and each item of a list: no code, no tables, no headings."""
    lines: list[str] = []
    fenced = False
    for line in [*page.splitlines(), ""]:
        fence = line.lstrip().startswith("```")
        fenced ^= fence
        is_prose = not fenced and not fence and line.strip() and not line.startswith(("    ", "|", "#"))
        if not is_prose or ITEM.match(line):
            yield " ".join(" ".join(lines).split())
            lines = []
        if is_prose:
            lines.append(line)


def sentences(page: str) -> Iterator[str]:
    """The sentences of a page's prose."""
    for paragraph in paragraphs(page):
        item = ITEM.match(paragraph)
        plain = paragraph[item.end() if item else 0 :].replace("**", "")
        yield from filter(None, re.split(r"(?<=[.?!]) (?=[A-Z`])", plain))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_written_as_the_style_says(folder: str) -> None:
    wrong = of_folder(folder)
    assert not wrong, "\n".join(f"{each.where}: {each.what}" for each in wrong)


@pytest.mark.parametrize("page", [page for page in PAGES if page != EXAMPLES], ids=lambda page: page.name)
def test_a_page_is_written_as_the_style_says(page: Path) -> None:
    wrong = [s for s in sentences(page.read_text("utf-8")) if BEGINNINGS.match(s) or GENITIVE.search(s)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('"""Whose a ticket is."""', 1),
        ('"""What one page holds."""', 1),
        ('"""Finds whose a ticket is."""', 0),
        ('MAX = 1\n"""Of one page."""', 1),
        ('def f(found):\n    """Connections are `rpc_client`\'s."""\n    return [one for one in found]', 3),
        ('def f(entries):\n    """Returns the server\'s name."""\n    return [entry.words for entry in entries]', 0),
    ],
)
def test_the_check_itself(text: str, count: int) -> None:
    assert len(list(offences(text, "m.py"))) == count


def test_how_sentences_of_a_page_are_read() -> None:
    page = "# Of a heading\n\nOne sentence. Who asks?\n\n    Of code.\n\n| Of | a table |\n\n- **Of** an item: it."
    assert [s for s in sentences(page) if BEGINNINGS.match(s)] == ["Who asks?", "Of an item: it."]


if __name__ == "__main__":
    for directory in FOLDERS:
        all_of = of_folder(directory)
        beginning = sum(each.what.startswith("begins") for each in all_of)
        possessive = sum(each.what.startswith("a possessive") for each in all_of)
        print(f"{directory}: {len(all_of)} ({beginning} beginnings, {possessive} possessives)")
        for each in all_of:
            print(f"  {each.where}: {each.what}")
