"""No regular expression of the source can be made to take the square of its input's length, or more."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.backtracking import faults

SOURCE = Path(__file__).parents[2] / "src" / "postern"
SEARCHING = {"search", "sub", "subn", "split", "findall", "finditer"}
MODES = SEARCHING | {"match", "fullmatch"}
Found = tuple[str, str | bytes, int, set[str]]


def _is_re(node: ast.Call) -> str:
    """The function of `re` that is called."""
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re":
        return function.attr
    return ""


def _constant(node: ast.expr) -> str | bytes | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return value if isinstance(value, str | bytes) else None


def patterns(file: Path) -> Iterator[Found]:
    """Every pattern of a module: where, what, its flags, and how it is used. One that is put together from others is taken from
    the imported module; one that is neither a constant of the module nor written out is told with an empty set of uses."""
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    name = ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts)
    named: dict[ast.Call, str] = {
        node.value: node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and isinstance(node.targets[0], ast.Name)
    }
    used: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in MODES:
            used.setdefault(node.value.id, set()).add(node.attr)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args or _is_re(node) not in MODES | {"compile"}:
            continue
        where, call, constant = f"{name}:{node.lineno}", _is_re(node), _constant(node.args[0])
        if constant is not None and len(node.args) + len(node.keywords) == 1 and call == "compile":
            yield where, constant, 0, used.get(named.get(node, ""), {"match"})
        elif constant is not None and call != "compile":
            yield where, constant, re.compile(constant).flags & ~re.UNICODE, {call}
        elif node in named and isinstance(compiled := _imported(name, named[node]), re.Pattern):
            yield where, compiled.pattern, compiled.flags & ~re.UNICODE, used.get(named[node], {"match"})
        else:
            yield where, ast.get_source_segment(text, node.args[0]) or "", 0, set()


def _imported(module: str, name: str) -> object:
    return getattr(importlib.import_module(module), name, None)


MADE_OF_ESCAPED_TEXT = {r'"[" + re.escape(delimiters) + "]"': "one character class"}
"""Patterns that are put together when they are needed, each with the reason why it is harmless."""


def test_no_pattern_of_the_source_gives_back_what_it_took() -> None:
    found = []
    count = 0
    for file in sorted(SOURCE.rglob("*.py")):
        if "re." not in file.read_text(encoding="utf-8"):
            continue
        for where, pattern, flags, uses in patterns(file):
            count += 1
            if not uses:
                found += [f"{where}: cannot be looked at: {pattern!r}"] if pattern not in MADE_OF_ESCAPED_TEXT else []
                continue
            found += [
                f"{where}: {fault}: {pattern!r}"
                for fault in faults(pattern, flags, uses == {"fullmatch"}, bool(uses & SEARCHING))
            ]
    assert not found, "\n".join(found)
    assert count > 100


@pytest.mark.parametrize(
    ("pattern", "searched", "bad"),
    [
        (r"(?:a+)+b", False, True),
        (r"(?:a|a)*b", False, True),
        (r"(?:aa?)*b", False, True),
        (r"\s*\s*x", False, True),
        (r"a*ab", False, True),
        (r".*x", False, True),
        (r"(a*)*", False, True),
        (r"<\s*([^<>]+?)\s*>", False, True),
        (r"\s*([a-z]+)\s*=\s*([^;]*?)\s*\Z", False, True),
        (r"(?:[^x]+|y)*x", False, True),
        (r"[a-z]+[0-9]+;", False, False),
        (r"(?:a++)*+b", False, False),
        (r'"(?:[^"\\]+|\\.)*"', False, True),
        (r'"(?:[^"\\]++|\\.)*"', False, False),
        (r"(?:a++)+b", False, False),
        (r"a*+ab", False, False),
        (r"(?>\s*)x", False, False),
        (r"a{0,9}ab", False, False),
        (r"a+b", True, True),
        (r"\s*\n", True, True),
        (r"(?:a|b)+c", True, True),
        (r'"(?:[^"\\]|\\.)*+"', True, True),
        (r"a+", True, False),
        (r"<[^<>]*>", True, False),
        (r"(?<![ \t])[ \t]++(?=\n)", True, False),
        (r"\s{2,}+", True, False),
        (r"\Aa+b", True, False),
    ],
)
def test_the_check_itself(pattern: str, searched: bool, bad: bool) -> None:
    assert bool(faults(pattern, 0, False, searched)) is bad


def test_the_patterns_that_stopped_workers_are_bad() -> None:
    """They read tags of DKIM and the author of a message."""
    assert faults(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*=\s*([^;]*?)\s*\Z", 0, False, False)
    assert faults(r'\s*(?:(?:"x"|[^"<>,]*)*<\s*([^<>]+?)\s*>|([^<>,:;\s]+))\s*(,|$)', 0, False, False)
