"""ARCHITECTURE.md names files and, on the way of a mail, functions; each of them exists, and each layer has its line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def test_every_named_file_exists() -> None:
    named = set(re.findall(r"`([a-z_]+/[a-z0-9_./]+)`", TEXT)) | set(
        re.findall(r"`((?:src|tests|docs)/[\w./]+)`", TEXT)
    )
    missing = [
        name for name in sorted(named) if not (ROOT / name).exists() and not (ROOT / "src/postern" / name).exists()
    ]
    assert not missing


def test_every_layer_has_its_line() -> None:
    layers = {path.name for path in (ROOT / "src/postern").iterdir() if (path / "__init__.py").exists()}
    described = set(re.findall(r"^\| `(\w+)/`", TEXT, re.MULTILINE))
    assert layers == described


_STEP = re.compile(r"`([a-z0-9_/]+\.(?:py|sql))`((?:,? (?:and )?`[\w.]+`)+)")
"""A file, and behind it the functions of it that the text is about."""


def steps() -> list[tuple[str, str]]:
    way = " ".join(TEXT.partition("## One mail")[2].partition("## Where")[0].split())
    return [
        (file, name)
        for file, names in _STEP.findall(way)
        for name in re.findall(r"`([\w.]+)`", names)
        if "/" not in name
    ]


def defined(tree: ast.AST, outer: str = "") -> Iterator[str]:
    """Classes, functions, methods and names that a module assigns."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield outer + name
                yield from defined(node, f"{outer}{name}.")
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield outer + name


@pytest.mark.parametrize(("file", "name"), sorted(set(steps())))
def test_each_function_on_the_way_of_a_mail_exists(file: str, name: str) -> None:
    text = (ROOT / "src/postern" / file).read_text(encoding="utf-8")
    if file.endswith(".sql"):
        assert f"CREATE FUNCTION {name}(" in text
    else:
        assert name in set(defined(ast.parse(text)))


def test_the_way_of_a_mail_has_its_functions() -> None:
    assert len(set(steps())) > 40
