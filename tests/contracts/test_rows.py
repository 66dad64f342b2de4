"""Rows that the code names are rows of the table, and what is known about a row stands on it."""

from __future__ import annotations

import ast
from pathlib import Path

from postern.paths.row import Party
from postern.paths.table import TABLE
from postern.roles.web_parts import PARTS

SOURCE = Path(__file__).parents[2] / "src" / "postern"
TABLES = {"transport", "mailbox", "client_access", "unified_messaging", "ours", "surroundings"}
MODULES = sorted(SOURCE.rglob("*.py"))


def test_rows_are_looked_up_by_names_that_exist() -> None:
    """`rows["imap4"]`, whatever `rows` is an attribute of: a mistyped name would be a KeyError of a role that few tests start."""
    names = []
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                table = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
                if table in ("rows", "TABLE") and isinstance(node.slice.value, str):
                    names.append(node.slice.value)
    assert len(names) > 20, "rows are looked up in another way now: look there"
    assert set(names) <= set(TABLE)


def test_nothing_that_decides_by_rows_knows_one_by_its_name() -> None:
    """In `paths` a row's name is its line's alone: what a decision asks of a row is a field of it."""
    named = {
        (module.stem, operand.value)
        for module in MODULES
        if module.parent.name == "paths" and module.stem not in TABLES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        for operand in (node.left, *node.comparators)
        if isinstance(operand, ast.Constant) and operand.value in TABLE
    }
    # Its answers belong to no connection, so that its rule has both ports; rules know rows by name (`counter`).
    assert named == {("firewall", "dhcp")}


def test_every_built_row_of_the_web_has_routes() -> None:
    """A row that is built and has no routes would be answered 404 by a door that says it serves it."""
    callees = {Party.CLIENT_ACCESS, Party.ANY_SERVER}
    built = {
        row.id
        for row in TABLE.values()
        if row.callee in callees and {80, 443} & {port.number for port in row.ports} and not row.waits
    }
    # An authority asks any server on port 80; where there is a web, it answers.
    assert set(PARTS) == built | {"acme-challenge"}
