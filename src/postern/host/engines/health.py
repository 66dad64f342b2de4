"""Checks that the engines (PostgreSQL, slapd) answer. It asks each over its unix socket again and again, and kills an engine that
stays silent; the supervisor then starts it again.

Nothing here waits: a question is sent at one turn of the supervisor, and the answer is read at the next.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from postern.host.supervision.processes import stat
from postern.net.local import LocalQuestion
from postern.telemetry.log import Event, log

SILENCE = 20.0
"""Seconds without an answer after which an engine counts as hanging."""
PATIENCE = 7.0
"""Seconds that an engine has to end once it was told; PostgreSQL itself kills its backends after five."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request for an engine's unix socket. `is_answered` tells whether the octets received so far are an answer."""

    door: Path
    request: bytes
    is_answered: Callable[[bytes], bool]


class Asked(Protocol):
    """An engine whose health is checked. `kill` makes it end, at once if `hard`, and does not wait for that."""

    name: str

    @property
    def pid(self) -> int | None: ...

    @property
    def question(self) -> Question: ...

    def kill(self, hard: bool) -> None: ...


class Health:
    """The health of all engines of a host, for the supervisor's one thread. Times are monotonic seconds."""

    def __init__(self, engines: Iterable[Asked]) -> None:
        self._all = [_One(engine) for engine in engines]

    def turn(self, now: float) -> None:
        """Reads the answers, asks again, and kills engines that were silent for too long."""
        for engine_health in self._all:
            with contextlib.suppress(OSError):
                engine_health.turn(now)

    def excuse(self, now: float) -> None:
        """Forgives all engines their silence so far, for the supervisor could not ask them."""
        for engine_health in self._all:
            engine_health.heard = now

    def close(self) -> None:
        for engine_health in self._all:
            engine_health.hang_up()


class _One:
    def __init__(self, engine: Asked) -> None:
        self._engine = engine
        self._pid: int | None = None
        self._asked: LocalQuestion | None = None
        self._told = 0.0
        self.heard = 0.0

    def turn(self, now: float) -> None:
        pid = self._engine.pid
        if pid is None or pid != self._pid:
            self.hang_up()
            self._pid, self.heard, self._told = pid, now, 0.0
        if pid is None:
            return
        if self._told:
            if now > self._told + PATIENCE:
                self._engine.kill(hard=True)
            return
        if self._listen() and not is_halted(pid):
            self.heard = now
        if now > self.heard + SILENCE:
            self.hang_up()
            self._told = now
            log(Event.ENGINE_UNRESPONSIVE, child=self._engine.name, pid=pid, seconds=round(now - self.heard, 1))
            self._engine.kill(hard=False)
        elif self._asked is None:
            self._asked = LocalQuestion(self._engine.question.door, self._engine.question.request)

    def _listen(self) -> bool:
        if self._asked is None:
            return False
        goes_on = self._asked.look()
        answered = self._engine.question.is_answered(self._asked.said)
        if answered or not goes_on:
            self.hang_up()
        return answered

    def hang_up(self) -> None:
        if self._asked is not None:
            self._asked.close()
        self._asked = None


def is_halted(pid: int) -> bool:
    """Whether this process or a child of it was stopped (SIGSTOP): PostgreSQL's backends hold locks that all others wait for."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return any(stat(number)[:1] == ["T"] for number in (pid, *map(int, children)))
