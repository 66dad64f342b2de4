"""Looks time zones up in the time zone database, by IANA's name in any case."""

from __future__ import annotations

from datetime import tzinfo
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

MAX_NAME = 64
"""Characters of a zone's name; the longest known one has half as many."""


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """The names of the database, by the name in lower case."""
    text = resources.files("tzdata").joinpath("zones").read_text(encoding="ascii")
    return {name.lower(): name for name in text.split()}


def canonical_name(name: str) -> str:
    """The name as the database has it; "" if there is no such zone."""
    return _names().get(name.lower(), "") if len(name) <= MAX_NAME else ""


def find_zone(name: str) -> tzinfo | None:
    """The zone of this name. Only names of the database's list are looked up, so that no name leads to another file."""
    canonical = canonical_name(name)
    return ZoneInfo(canonical) if canonical else None
