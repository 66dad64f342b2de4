"""Work in steps that wait for each other: what can run at the same time does, and the first failure ends it all.

Knows nothing of the lab.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """`needs` are names of steps that must have ended before."""

    name: str
    work: Callable[[], None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """`seconds` is None when the step begins."""

    step: str
    seconds: float | None


def run(steps: Sequence[Step], tell: Callable[[Progress], None], give_up: Callable[[], None] = lambda: None) -> None:
    """Raises what the first failing step raised, once none runs any more; `give_up` is called before that waiting, to
    shorten it. `tell` is called from this thread only. Raises ValueError for steps that wait for each other."""
    waiting = {step.name: step for step in steps}
    ended: set[str] = set()
    with ThreadPoolExecutor(max_workers=max(1, len(steps)), thread_name_prefix="step") as pool:
        running: dict[Future[float], str] = {}
        try:
            while waiting or running:
                for step in [one for one in waiting.values() if ended.issuperset(one.needs)]:
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
