"""The rules of ARCHITECTURE.md that neither import-linter nor ruff can hold."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from postern.model.organization import Role

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
ROLES = {role.value.replace("-", "_") for role in Role}


def _name(module: Path) -> str:
    return str(module.relative_to(SOURCE))


def test_no_module_stands_at_the_root() -> None:
    assert [m.name for m in SOURCE.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_a_module_says_what_it_is_and_stays_small(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no docstring opens the module"
    assert module.stem not in FORBIDDEN_NAMES
    limit = ROLE_LINES if module.parent.name == "roles" and module.stem in ROLES else MAX_LINES
    assert len(text.splitlines()) <= limit, f"over {limit} lines: does its name still say what is in it?"


@pytest.mark.parametrize("module", [m for m in MODULES if m.parent.name != "net"], ids=_name)
def test_only_net_opens_connections(module: Path) -> None:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    calls = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not calls & OPENING_CALLS


@pytest.mark.parametrize(
    "layer", ["protocols", "paths", "transport", "store", "trust", "services", "verify", "host", "net"]
)
def test_tests_mirror_the_source(layer: str) -> None:
    """Each module has its test file, or is exercised by the one named after its folder's subject."""
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / layer).rglob("test_*.py")}
    missing = [
        _name(module)
        for module in (SOURCE / layer).rglob("*.py")
        if module.stem != "__init__" and not _covered(module, tests, layer)
    ]
    assert not missing, "no test file mirrors these"


def _covered(module: Path, tests: set[str], layer: str) -> bool:
    if module.stem in tests:
        return True
    # A test file may say which modules it covers besides its own, in a line «covers: a, b».
    return any(
        module.stem in line.partition("covers:")[2].replace(",", " ").replace(".", " ").split()
        for path in (ROOT / "tests" / layer).rglob("test_*.py")
        for line in path.read_text(encoding="utf-8").splitlines()[:12]
        if "covers:" in line
    )
