"""Words the messages about mistakes in postern.toml: file and line, key, what is wrong, what would be right.

Turns pydantic's errors into our words and finds the lines of the keys. `contradictions` finds mistakes that no single value
shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel

from postern.host.schema import FileShape
from postern.model.words import LONGEST_QUOTED, nearest, quoted

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake. `key` is where pydantic locates it, for example ("server", 0, "roles", 1)."""

    key: Key
    text: str


def problem(detail: Any) -> Problem:
    """Puts one of pydantic's errors in our words: what is wrong; what would be right."""
    key, kind, value, context = tuple(detail["loc"]), detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        return Problem(key, str(context["error"]))
    if kind == "extra_forbidden":
        keys = _known_keys(key[:-1])
        return Problem(key, f"there is no such key{nearest(str(key[-1]), keys)}")
    if kind == "missing":
        return Problem(
            key, "is missing; " + (_MISSING.get(".".join(_names(key))) or _MISSING.get(str(key[-1]), "add it"))
        )
    if kind in ("enum", "literal_error"):
        choices = [word.strip(" '") for word in re.split(r",| or ", context["expected"])]
        return Problem(key, f"{quoted(str(value))} is not known{nearest(str(value), choices)}")
    return Problem(key, _SHORT[kind].format(value=_shown(value), **context) if kind in _SHORT else detail["msg"])


_SHORT = {
    "string_type": '{value} is no text; write it in quotes: "…"',
    "int_type": "{value} is no whole number; write it without quotes",
    "float_type": "{value} is no number; write it without quotes",
    "bool_type": "{value} is neither true nor false; write one of them, without quotes",
    "list_type": "{value} is no list; write it in brackets: […]",
    "model_type": "{value} is no table; write it as [table]",
    "greater_than_equal": "{value} is too small; {ge} is the least",
    "less_than_equal": "{value} is too large; {le} is the most",
    "too_short": "holds {actual_length}; {min_length} is the least",
    "too_long": "holds too many; {max_length} is the most",
    "string_too_short": "is empty; write at least one letter",
    "string_too_long": "is too long; {max_length} letters are the most",
}

_MISSING = {
    "organization": 'add [organization] with a line name = "…"',
    "active-directory.domain": 'add the domain\'s name in DNS, such as domain = "corp.example.test"',
    "domain": 'add [[domain]] with a line name = "example.test"',
    "server": "add [[server]] with name, fqdn, roles and addresses",
    "database.server": 'add the mailbox server that has it, such as server = "mbx1"',
    "name": 'add name = "…"',
    "fqdn": 'add the name in DNS, such as fqdn = "hub1.example.test"',
    "roles": 'add such as roles = ["hub", "mailbox", "client-access"]',
    "parties": 'add such as parties = ["active-directory"]',
    "addresses": 'add such as addresses = ["192.0.2.1"]',
}


def _names(key: Key) -> Iterator[str]:
    return (part for part in key if isinstance(part, str))


def _shown(value: object) -> str:
    if isinstance(value, str):
        return quoted(value)
    return (
        "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else str(value)[:LONGEST_QUOTED]
    )


def _known_keys(parents: Key) -> list[str]:
    """The keys of the table at `parents`."""
    shape: type[BaseModel] = FileShape
    for name in parents:
        if isinstance(name, str):
            field = shape.model_fields[name.replace("-", "_")]
            shape = next(_shapes_in(field.annotation))
    return [name.replace("_", "-") for name in shape.model_fields]


def _shapes_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _shapes_in(argument)


def format_problems(problems: Sequence[Problem], name: str, text: str) -> str:
    """A line for each problem, in their order. `name` is the file's name in messages, `text` its content."""
    lines = _lines(text)
    messages = []
    for each in problems:
        line = next((lines[each.key[:n]] for n in range(len(each.key), 0, -1) if each.key[:n] in lines), 0)
        key = ".".join(
            name if len(name) <= LONGEST_QUOTED else name[:LONGEST_QUOTED] + "…" for name in _names(each.key)
        )
        messages.append(f"{name}{f':{line}' if line else ''}: {key}: {each.text}")
    return "\n".join(messages)


_TRUTHS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
"""TOML's own words for those that other formats take, and for those in capitals."""


def unquoted(error: str, text: str) -> str:
    """The end of tomllib's sentence `error` about `text`, which shows the value in quotes; "" if missing quotes are not the
    cause."""
    if not error.startswith(("Invalid value", "Expected newline")):
        return ""
    lines = text.splitlines()
    at = re.search(r"\(at line (\d{1,9}), column \d{1,9}\)$", error)
    line = lines[int(at[1]) - 1] if at and 0 < int(at[1]) <= len(lines) else ""
    pair = re.match(r"\s*+([\w-]++)\s*+=\s*+([^\s\"'\[\]{}#=,][^\"'\[\]{}#=,]*+)(?:#|$)", line)
    if pair is not None:
        value = pair[2].strip()
        if truth := _TRUTHS.get(value.lower()):
            return f"; write true or false: {pair[1]} = {truth}"
        return f"; texts need quotes: {pair[1]} = {quoted(value)}"
    listed = re.match(r"\s*+([\w-]++)\s*+=\s*+\[", line)
    if listed is not None:
        return f'; texts need quotes, in lists too: {listed[1]} = ["…", "…"]'
    return ""


def _lines(text: str) -> dict[Key, int]:
    """The line of each table and key, for files written in the plain way (one key a line)."""
    lines: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*+\[\[\s*+([\w-]++)\s*+\]\]", line):
            index = sum(1 for key in lines if len(key) == 2 and key[0] == header[1] and isinstance(key[1], int))
            table = (header[1], index)
            lines[table] = number
        elif header := re.match(r"\s*+\[\s*+([\w-]++)\s*+\]", line):
            table = (header[1],)
            lines[table] = number
        elif key := re.match(r"\s*+([\w-]++)\s*+=", line):
            lines[(*table, key[1])] = number
    return lines
