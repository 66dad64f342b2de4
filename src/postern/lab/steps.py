"""Runs steps that wait for each other. Steps that need not wait run at the same time, and the first failure ends the whole work.

Knows nothing of the lab. `cause` finds, in a program's output, the reason of its failure.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LabStep:
    """A step. `needs` are the names of steps that must end before it begins."""

    name: str
    work: Callable[[], None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """The beginning or the end of a step. `seconds` is how long it took, or None when it begins."""

    step: str
    seconds: float | None


def run(steps: Sequence[LabStep], tell: Callable[[Progress], None], give_up: Callable[[], None] = lambda: None) -> None:
    """Runs all steps. If one fails, this calls `give_up`, waits until none runs any more, and raises the first failure; `give_up`
    makes that waiting short. `tell` is called from this thread only. Raises ValueError for steps that wait in a circle."""
    waiting = {step.name: step for step in steps}
    ended: set[str] = set()
    with ThreadPoolExecutor(max_workers=max(1, len(steps)), thread_name_prefix="step") as pool:
        running: dict[Future[float], str] = {}
        try:
            while waiting or running:
                for step in [step for step in waiting.values() if ended.issuperset(step.needs)]:
                    del waiting[step.name]
                    tell(Progress(step.name, None))
                    running[pool.submit(_timed, step.work)] = step.name
                if not running:
                    raise ValueError(f"these steps wait for what never comes: {', '.join(waiting)}")
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    name = running.pop(future)
                    tell(Progress(name, future.result()))
                    ended.add(name)
        except BaseException:
            give_up()
            raise


def _timed(work: Callable[[], None]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


_CAUSES = 8
_LAST = 12
_NAMES_A_CAUSE = re.compile(
    "error|fail|cannot|can't|could not|unable|no such|not found|denied|refused|missing", re.IGNORECASE
)


def cause(output: str) -> str:
    """The lines of a failed program's output that may name the cause, and the last ones. A traceback, or messages about cleaning
    up, often follow the cause, so that the last lines alone do not have it.

    Bound: linear in what was said; at most 20 lines and one more.
    """
    lines = output.strip().splitlines()
    before, last = lines[:-_LAST], lines[-_LAST:]
    named = [line for line in before if _NAMES_A_CAUSE.search(line) and not line.startswith('  File "')][:_CAUSES]
    left_out = ["…"] if len(named) < len(before) else []
    return "\n".join([*named, *left_out, *last])
