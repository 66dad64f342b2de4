"""Collects the metrics of a host: the snapshots of all processes, the queues on disk, and the supervisor's list of the parts that
are up.
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
"""The label `process` of values that the metrics service itself sees."""
FRESH = 1.0
"""Seconds for which an answer is given again, so that many questions at once cost no more than one."""


class HostMetrics:
    """Collects the metrics of the host that has this state folder. `version` is the version of Postern."""

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
    """The length of each queue below `root` and the age of its oldest message. A queue that cannot be read now is left out."""
    values: dict[tuple[Metric, tuple[str, ...]], float] = {}
    for folder in control.folders(root):
        try:
            messages, oldest = control.waiting(folder)
        except (OSError, sqlite3.Error):
            continue
        values[Metric.QUEUE_MESSAGES, (folder.name,)] = messages
        values[Metric.QUEUE_OLDEST, (folder.name,)] = max(0.0, now - oldest) if messages else 0.0
    return values
