"""What a test needs of its machine: markers that come from fixtures, and that are held against the servers which a test starts.

A fixture that starts a server says so by `needs`, and each test that uses it, directly or through others, has the marker. A test
that starts a server itself carries the marker itself; without it, the test fails. So `-m "not postgres"` runs without PostgreSQL.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
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
    """Gives a test the markers of its fixtures, and its group for a parallel run: its module, or those it shares servers with."""
    group = item.nodeid.partition("::")[0]
    for definitions in item._fixtureinfo.name2fixturedefs.values():  # type: ignore[attr-defined]  # pytest tells it nowhere else
        for definition in definitions:
            for marker in getattr(definition.func, "needed", ()):
                item.add_marker(marker)
            group = getattr(definition.func, "together", "") or group
    item.add_marker(pytest.mark.xdist_group(group))


def first_the_longest(items: list[pytest.Item]) -> None:
    """Sorts the groups of a parallel run so that no long one begins when the others are at their end."""

    def rank(item: pytest.Item) -> int:
        order = ("lab", "samba", "slow", "postgres", "slapd")
        return next((at for at, name in enumerate(order) if item.get_closest_marker(name)), len(order))

    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        name = item.get_closest_marker("xdist_group")
        assert name is not None
        groups.setdefault(name.args[0], []).append(item)
    items[:] = [item for group in sorted(groups.values(), key=lambda one: min(map(rank, one))) for item in group]


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

        subprocess.Popen.__init__ = watched  # type: ignore[method-assign]  # watched while a test runs

    def end(self) -> None:
        subprocess.Popen.__init__ = self._start  # type: ignore[method-assign]  # watched while a test runs


def undeclared(item: pytest.Item, seen: set[str]) -> set[str]:
    """What a test started and has no marker for. The lab has everything."""
    has = {name for name in MARKERS if item.get_closest_marker(name)}
    return set() if "lab" in has else seen - has


def watched(item: pytest.Item, watch: Watch) -> Iterator[None]:
    """A step of a test (set-up, call), which fails if it started what the test has no marker for."""
    watch.seen.clear()
    yield
    if missing := undeclared(item, watch.seen):
        pytest.fail(
            f"this test starts {', '.join(sorted(missing))}: mark it so (tests/support/needs.py)", pytrace=False
        )
