"""What the metrics service knows of its host: the snapshots of all processes, the queues on disk, and the supervisor's word on
which parts are up.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from postern.model.organization import StateFolder
from postern.services.metrics.exposition import exposition
from postern.telemetry.metrics import Metric
from postern.telemetry.snapshots import Snapshot, read, read_health
from postern.transport import control

NAME = "host"
"""What stands in the place of a process where the service sees it from outside."""
FRESH = 1.0
"""Seconds for which an answer is given again: many who ask at once cost no more than one."""


class HostMetrics:
    """`state` is the host's; `version` is Postern's."""

    def __init__(self, state: StateFolder, version: str) -> None:
        self._state = state
        self._version = version
        self._text = b""
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    async def text(self) -> bytes:
        """All metrics in Prometheus' text format, at most FRESH seconds old."""
        async with self._lock:
            now = time.monotonic()
            if not self._text or now >= self._read_at + FRESH:
                self._text = await asyncio.to_thread(self._gather)
                self._read_at = now
            return self._text

    def health(self) -> Mapping[str, bool]:
        """Which parts of this host are up."""
        return read_health(self._state.metrics, time.time())

    def _gather(self) -> bytes:
        now = time.time()
        values: dict[tuple[Metric, tuple[str, ...]], float] = {(Metric.BUILD, (self._version,)): 1.0}
        values |= {(Metric.UP, (name,)): float(up) for name, up in self.health().items()}
        values |= queues(self._state.queue, now)
        return exposition(read(self._state.metrics, now), Snapshot(NAME, values, {}))


def queues(root: Path, now: float) -> dict[tuple[Metric, tuple[str, ...]], float]:
    """Length of each queue below `root` and age of its oldest message; nothing of one whose file cannot be read now."""
    values: dict[tuple[Metric, tuple[str, ...]], float] = {}
    for folder in control.folders(root):
        try:
            messages, oldest = control.waiting(folder)
        except (OSError, sqlite3.Error):
            continue
        values[Metric.QUEUE_MESSAGES, (folder.name,)] = messages
        values[Metric.QUEUE_OLDEST, (folder.name,)] = max(0.0, now - oldest) if messages else 0.0
    return values
