"""The rules of ARCHITECTURE.md that neither import-linter nor ruff can hold."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "postern"
MODULES = sorted(SOURCE.rglob("*.py"))
FORBIDDEN_NAMES = {"common", "utils", "util", "core", "base", "helper", "helpers", "manager", "misc"}
OPENING_CALLS = {
    "create_server",
    "create_connection",
    "create_unix_server",
    "create_unix_connection",
    "create_datagram_endpoint",
    "open_connection",
    "open_unix_connection",
    "start_server",
    "start_unix_server",
}
MAX_LINES = 400
ROLE_LINES = 80
MIRRORED = [
    *(
        "protocols",
        "paths",
        "transport",
        "store",
        "trust",
        "services",
        "verify",
        "host",
        "net",
        "telemetry",
        "directory",
    ),
    "cli",
    "items",
    "lab",
]
"""`model` is values and interfaces, `roles` wiring: whole organizations exercise them (tests/journeys, tests/clients). What
`model` computes, `domains` does, and has tests of its own."""
TESTS = [path for folder in [*MIRRORED, "model"] for path in sorted((ROOT / "tests" / folder).rglob("test_*.py"))]


def _name(module: Path) -> str:
    return str(module.relative_to(SOURCE))


def test_no_module_stands_at_the_root() -> None:
    assert [m.name for m in SOURCE.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_module_says_what_it_is_and_stays_small(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring opens the module"
    assert module.stem not in FORBIDDEN_NAMES
    limit = ROLE_LINES if module.parent.name == "roles" else MAX_LINES
    assert len(text.splitlines()) <= limit, f"over {limit} lines: does its name still say what is in it?"


@pytest.mark.parametrize("module", [m for m in MODULES if m.parent.name == "roles"], ids=_name)
def test_roles_wire_and_do_not_loop(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.While)], "loops live in services"
    calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert calls.isdisjoint({"sleep", "create_task"}), "what goes on in the background is a service's"


def test_a_runtime_is_made_by_its_two_constructors_alone() -> None:
    assert not [module for module in MODULES if re.search(r"\bRuntime\(", module.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("module", [m for m in MODULES if m.parent.name != "net"], ids=_name)
def test_only_net_opens_connections(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    calls = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not calls & OPENING_CALLS, "only `net` opens sockets: dial or open a door for a row (`net/door.py`)"


@pytest.mark.parametrize("layer", MIRRORED)
def test_tests_mirror_the_source(layer: str) -> None:
    """Each module has its test file in the folder of the same name, or a test file says that it covers it."""
    covered = _all_covered()
    modules = {module for module in (SOURCE / layer).rglob("*.py") if module.stem != "__init__"}
    assert not sorted(map(_name, modules - covered)), "no test file mirrors these"


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.relative_to(ROOT / "tests")))
def test_what_is_said_to_be_covered_exists(file: Path) -> None:
    assert not [_name(module) for module in _claims(file) if not module.exists()]


@functools.cache
def _all_covered() -> frozenset[Path]:
    return frozenset(module for file in TESTS for module in _covered(file))


def _covered(file: Path) -> list[Path]:
    folder = SOURCE / file.parent.relative_to(ROOT / "tests")
    return [folder / (file.stem.removeprefix("test_") + ".py"), *_claims(file)]


@functools.cache
def _claims(file: Path) -> list[Path]:
    """A test file may say what it covers besides its own module, in a line of its docstring: `covers: module, layer.module`."""
    folder = SOURCE / file.parent.relative_to(ROOT / "tests")
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    names = [name for words in re.findall(r"covers: (.*)", docstring) for name in re.findall(r"\w+(?:\.\w+)*", words)]
    return [(SOURCE if "." in name else folder) / (name.replace(".", "/") + ".py") for name in names]
