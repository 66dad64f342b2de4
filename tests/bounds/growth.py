"""How much more processor time a reader takes for four times the octets of its worst case.

A module `cases_NAME.py` beside this one has `CASES`: the reader's dotted name below `postern`, with a colon and some words where
a reader has several worst cases, and a builder that makes the work on an input of a given size. Cases name modules rather than
functions, so that what is measured is looked up when it is built.
"""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

Work = Callable[[], object]
Builder = Callable[[int], Work]
Cases = Mapping[str, Builder]

SMALL, LARGE = 1 << 16, 1 << 18
MOST = 6.0
"""Four times the octets; a half more is allowed for caches and allocation."""
QUICK = 0.003
"""Seconds: what takes less for 256 KB is as good as constant, and too short to be measured."""
ROUNDS = 4


def cases() -> dict[str, Builder]:
    """All of them. Raises ValueError for one that stands twice."""
    found: dict[str, Builder] = {}
    for file in sorted(Path(__file__).parent.glob("cases_*.py")):
        mine: Cases = importlib.import_module(f"tests.bounds.{file.stem}").CASES
        if twice := found.keys() & mine.keys():
            raise ValueError(f"{file.stem}: {twice}")
        found.update(mine)
    return found


def reader_of(case: str) -> str:
    return case.partition(":")[0]


def cost(build: Builder, size: int) -> float:
    """Seconds of this thread's processor time, best of three."""
    best = float("inf")
    for _ in range(3):
        work = build(size)
        enabled = gc.isenabled()
        gc.disable()
        try:
            before = time.thread_time()
            work()
            best = min(best, time.thread_time() - before)
        finally:
            if enabled:
                gc.enable()
    return best


def growth(build: Builder) -> tuple[float, float, float]:
    """Both costs and their ratio: of several measurements the one with the least, for a busy machine can only make it larger."""
    least = (0.0, 0.0, float("inf"))
    for _ in range(ROUNDS):
        small, large = cost(build, SMALL), cost(build, LARGE)
        least = min(least, (small, large, large / max(small, QUICK / MOST)), key=lambda one: one[2])
        if least[2] <= MOST:
            break
    return least


def finished(coroutine: Coroutine[object, object, object]) -> object:
    """Runs what never really waits, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]
