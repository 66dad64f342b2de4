"""What a test needs of its machine: markers that come from fixtures, and that are held against the servers which a test starts.

A fixture that starts a server says so by `needs`, and each test that uses it, directly or through others, has the marker. A test
that starts a server itself carries the marker itself; without it, the test fails. So `-m "not postgres"` runs without PostgreSQL.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import pytest

MARKERS = ("postgres", "slapd", "samba", "lab")
_PROGRAMS = {
    "initdb": "postgres",
    "pg_ctl": "postgres",
    "postgres": "postgres",
    "samba": "samba",
    "slapadd": "slapd",
    "slapd": "slapd",
}
# `postern run` starts the engines of an organization; `postern lab up` starts everything.
_COMMANDS: dict[str, set[str]] = {"run": {"postgres", "slapd"}, "lab": {"lab"}}

Made = TypeVar("Made", bound=Callable[..., Any])


class _Declared(Protocol):
    needed: tuple[str, ...]
    together: str


def needs(*markers: str, together: str = "") -> Callable[[Made], Made]:
    """Declares what a fixture needs; stands below `pytest.fixture`. Tests of fixtures with the same `together` run in one process
    of a parallel run, as what they share takes long to start."""
    assert set(markers) <= set(MARKERS)

    def declare(made: Made) -> Made:
        cast(_Declared, made).needed = markers
        cast(_Declared, made).together = together
        return made

    return declare


def mark(item: pytest.Item) -> None:
    """Gives a test the markers of its fixtures."""
    for definitions in item._fixtureinfo.name2fixturedefs.values():  # type: ignore[attr-defined]  # pytest tells it nowhere else
        for definition in definitions:
            for marker in getattr(definition.func, "needed", ()):
                item.add_marker(marker)
            together = getattr(definition.func, "together", "")
            assert together in ("", group(item.nodeid)), f"{item.nodeid}: tests of {together} name what they share"


# How a file is known whose tests use what is shared. Labs without servers, as tests/lab/test_build.py has them, are made and
# ended in seconds.
_SHARED = {"lab": "with_servers", "samba": "samba_domain|Prepared"}
# Each of these takes more than two minutes.
LONGEST = ("lab", "tests/journeys/test_nothing_lost.py", "samba", "clients")


@functools.cache
def _group(file: str) -> str:
    if file.startswith("tests/clients/"):
        return "clients"
    text = (Path(__file__).parents[2] / file).read_text(encoding="utf-8")
    for name, word in _SHARED.items():
        if re.search(rf"\b({word})\b", text):
            return name
    return file


def group(nodeid: str) -> str:
    """What one process runs in a parallel run: a file, or the files that share servers which take long to start."""
    return _group(nodeid.partition("::")[0])


def first_the_longest(items: list[pytest.Item]) -> None:
    """Sorts the groups of a parallel run so that no long one begins when the others are at their end."""
    order = (*LONGEST, "slow", "lab", "samba", "postgres", "slapd")

    def rank(item: pytest.Item) -> int:
        names = {group(item.nodeid), *(marker.name for marker in item.iter_markers())}
        return next((at for at, name in enumerate(order) if name in names), len(order))

    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(group(item.nodeid), []).append(item)
    items[:] = [item for each in sorted(groups.values(), key=lambda one: min(map(rank, one))) for item in each]


def started_by(words: Sequence[str]) -> set[str]:
    """The markers that a test needs which starts this command. It may stand behind another (`nsenter`, `setpriv`)."""
    names = [os.path.basename(word) for word in words]
    found = {_PROGRAMS[name] for name in names if name in _PROGRAMS}
    for program, command in itertools.pairwise(names):
        if program == "postern":
            found |= _COMMANDS.get(command, set())
    return found


class Watch:
    """Notes what is started in this process, by its children's first words. One at a time."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._start = subprocess.Popen.__init__

    def begin(self) -> None:
        start, seen = self._start, self.seen

        def watched(self: Any, args: Any, *more: Any, **named: Any) -> None:
            words = [args] if isinstance(args, str | bytes | os.PathLike) else list(args)
            seen.update(started_by([os.fsdecode(word) for word in words]))
            start(self, args, *more, **named)

        subprocess.Popen.__init__ = watched  # type: ignore[method-assign]  # to see what is started

    def end(self) -> None:
        subprocess.Popen.__init__ = self._start  # type: ignore[method-assign]  # as it was


def undeclared(item: pytest.Item, seen: set[str]) -> set[str]:
    """What a test started and has no marker for. The lab has everything."""
    has = {name for name in MARKERS if item.get_closest_marker(name)}
    return set() if "lab" in has else seen - has
