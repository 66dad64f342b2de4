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
from dataclasses import dataclass
from pathlib import Path

Work = Callable[[], object]
Builder = Callable[[int], Work]
Cases = Mapping[str, Builder]

SIZES = (1 << 18, 1 << 20, 1 << 22)
"""Octets of the larger of two inputs; the smaller has a quarter. The first at which a reader takes long enough to be timed."""
LAST = 1 << 24
"""Where a doubt at the largest of `SIZES` is settled: both inputs are then larger than the caches that a core has to itself."""
MOST = 6.0
"""Four times the octets; a half more is allowed for caches and allocation."""
SQUARE = 12.0
"""Whoever takes the square of the octets takes 16 times as long."""
QUICK = 0.003
"""Seconds: what takes less even for 4 MB is as good as constant, and too short to be measured."""
QUICK_AT_LAST = 0.1
"""Seconds: what takes less for 16 MB does little but copy, and is measured with the memory that other processes leave to it. Were
it the square, a body of 36 MB would take half a second."""
ROUNDS = 3
"""In which the smaller input is measured at least: a slow moment of the machine then hides nothing."""
MOST_ROUNDS = 8


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
    """Seconds of this thread's processor time for one run."""
    work = build(size)
    enabled = gc.isenabled()
    gc.disable()
    try:
        before = time.thread_time()
        work()
        return time.thread_time() - before
    finally:
        if enabled:
            gc.enable()


@dataclass(frozen=True, slots=True)
class Growth:
    """The least seconds that were seen for `size` octets and for a quarter of them, and how much more that is."""

    size: int
    small: float
    large: float

    @property
    def ratio(self) -> float:
        quick = QUICK_AT_LAST if self.size >= LAST else QUICK
        return self.large / max(self.small, quick / MOST)

    def __str__(self) -> str:
        return (
            f"{self.small * 1000:.1f} ms for {self.size >> 12} KB, {self.large * 1000:.1f} ms for {self.size >> 10} KB"
        )


def growth(build: Builder, costs: Callable[[Builder, int], float] = cost) -> Growth:
    """Measures at the first size that takes long enough. What grows a little too fast there may only have outgrown a cache of the
    processor: then the next size says whether it goes on like that."""
    for size in (*SIZES, LAST):
        large = costs(build, size)
        if large >= QUICK:
            seen = _growth_at(size, large, build, costs)
            if not MOST < seen.ratio < SQUARE:
                break
        elif size >= SIZES[-1]:
            seen = Growth(size, QUICK / MOST, large)
            break
    return seen


def _growth_at(size: int, large: float, build: Builder, costs: Callable[[Builder, int], float]) -> Growth:
    """Keeps the least of each size: whatever disturbs a run makes it longer, and one long run of the smaller input must not hide
    what the larger one takes. The larger one is run again only where the ratio is too large, as that can make it less alone.
    More rounds are made only where they decide: what grows a little too fast is decided at the next size."""
    seen = Growth(size, float("inf"), large)
    for done in range(1, MOST_ROUNDS + 1):
        seen = Growth(size, min(seen.small, costs(build, size // 4), costs(build, size // 4)), seen.large)
        if seen.ratio > MOST:
            seen = Growth(size, seen.small, min(seen.large, costs(build, size)))
        if done >= ROUNDS and (seen.ratio <= MOST or (size < LAST and seen.ratio < SQUARE)):
            break
    return seen


def finished(coroutine: Coroutine[object, object, object]) -> object:
    """Runs what never really waits, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waited")


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]
