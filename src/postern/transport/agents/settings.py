"""Settings of agents: a frozen dataclass per agent, whose fields say what they mean and what they may be.

Values come as JSON (the agents' file) or as words (the command line), and are checked the same way; ValueError tells what is
wrong and what would be right.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar, get_type_hints

S = TypeVar("S")

MAX_ITEMS = 100_000
"""Items of one list."""

_WORDS = {"yes": True, "no": False, "true": True, "false": False, "on": True, "off": False}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def setting(
    default: Any, says: str, check: Callable[[str], str] | None = None, low: float = 0, high: float = 1e9
) -> Any:
    """A field: `says` describes it, `check` returns a list's item as it is kept (ValueError for a bad one), `low` and `high`
    bound a number."""
    return dataclasses.field(default=default, metadata={"says": says, "check": check, "low": low, "high": high})


@dataclasses.dataclass(frozen=True, slots=True)
class Described:
    name: str
    """The name as people write it, with hyphens."""
    default: Any
    says: str
    is_list: bool


def described(kind: type[Any]) -> tuple[Described, ...]:
    return tuple(
        Described(_written(field.name), field.default, field.metadata["says"], isinstance(field.default, tuple))
        for field in dataclasses.fields(kind)
    )


def load(kind: type[S], values: Mapping[str, Any]) -> S:
    """Returns the settings, with defaults for those that `values` leaves out. Raises ValueError."""
    fields = {_written(field.name): field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # any dataclass
    hints = get_type_hints(kind)
    arguments = {}
    for name, value in values.items():
        if name not in fields:
            raise ValueError(f"there is no setting '{name}'; there are {', '.join(fields) or 'none'}")
        field = fields[name]
        arguments[field.name] = _checked(name, field, hints[field.name], value)
    return kind(**arguments)


def dump(settings: Any) -> dict[str, Any]:
    """Returns the settings that differ from the defaults, as JSON."""
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value != field.default:
            changed[_written(field.name)] = list(value) if isinstance(value, tuple) else value
    return changed


def from_words(kind: type[Any], name: str, text: str) -> Any:
    """Reads one setting's value from a command line; commas separate the items of a list. Raises ValueError."""
    for field in dataclasses.fields(kind):
        if _written(field.name) == name:
            if isinstance(field.default, tuple):
                return [word for word in (part.strip() for part in text.split(",")) if word]
            if isinstance(field.default, bool):
                if text.lower() not in _WORDS:
                    raise ValueError(f"{name}: '{text}' is neither yes nor no")
                return _WORDS[text.lower()]
            if isinstance(field.default, int | float):
                return _number(name, text)
            return text
    names = ", ".join(_written(field.name) for field in dataclasses.fields(kind))
    raise ValueError(f"there is no setting '{name}'; there are {names or 'none'}")


def _checked(name: str, field: dataclasses.Field[Any], hint: Any, value: Any) -> Any:
    meta, default = field.metadata, field.default
    if isinstance(default, tuple):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{name}: is a list of texts")
        if len(value) > MAX_ITEMS:
            raise ValueError(f"{name}: has more than {MAX_ITEMS} items")
        check = meta["check"] or str
        return tuple(dict.fromkeys(check(item) for item in value))
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name}: is yes or no")
        return value
    if isinstance(default, StrEnum):
        choices = [choice.value for choice in hint]
        if value not in choices:
            raise ValueError(f"{name}: '{value}' is none of {', '.join(choices)}")
        return hint(value)
    if isinstance(default, int | float):
        if isinstance(value, bool) or not isinstance(value, int | float) or not meta["low"] <= value <= meta["high"]:
            raise ValueError(f"{name}: is a number from {meta['low']:g} to {meta['high']:g}")
        return type(default)(value)
    if not isinstance(value, str) or len(value) > 1000 or not value.isprintable():
        raise ValueError(f"{name}: is a short text")
    return (meta["check"] or str)(value)


def _number(name: str, text: str) -> float:
    """ "5", "2.5", and for times "10m", "12h", "7d"."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhd]?)", text.strip().lower())
    if match is None:
        raise ValueError(f"{name}: '{text}' is no number (for times also 10m, 12h, 7d)")
    return float(match[1]) * _SECONDS.get(match[2], 1)


def _written(name: str) -> str:
    return name.replace("_", "-")
