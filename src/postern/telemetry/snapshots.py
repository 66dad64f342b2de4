"""Writes what each process has counted to the state folder: one file a process in `metrics`, replaced every few seconds.

The metrics service reads them. A file is removed when its process ends, so the counters of the next one begin at zero, as
Prometheus expects of a process that was started again.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postern.telemetry.metrics import METRICS, Distribution, Key, Metric, Metrics

SUFFIX = ".json"
HEALTH = "health"
"""The supervisor's file, beside those of the processes."""
STALE = 30.0
"""Seconds after which a file no longer counts, since its process is gone or hangs."""
MAX_FILE = 4_194_304
"""Octets that are read of one file; 500 series of each metric take a quarter."""
DAMAGED = (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""Errors of reading a file that is missing or is not what a process writes."""
_PAGE = resource.getpagesize()


class SnapshotFile:
    """Writes what this process has counted. Without `file` nothing is written."""

    def __init__(self, file: Path | None, metrics: Metrics = METRICS) -> None:
        self._file = file
        self._metrics = metrics

    def flush(self) -> None:
        """Replaces the file. Raises OSError."""
        if self._file is None:
            return
        metrics = self._metrics
        metrics.put(Metric.CPU, sum(os.times()[:2]))
        metrics.put(Metric.MEMORY, float(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE)
        metrics.read_gauges()
        values = [[metric, labels, value] for (metric, labels), value in list(metrics.values.items())]
        distributions = [
            [metric, labels, distribution.counts, distribution.sum]
            for (metric, labels), distribution in list(metrics.distributions.items())
        ]
        _replace(self._file, {"time": time.time(), "values": values, "distributions": distributions})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The counts of one process ("hub.0") at its last flush."""

    process: str
    values: Mapping[Key, float]
    distributions: Mapping[Key, Distribution]


def read(folder: Path, now: float) -> Iterator[Snapshot]:
    """Yields the snapshots of all processes that are not STALE at `now` (epoch seconds). Damaged snapshots are passed over, and
    so are metrics that this version does not know."""
    for file in sorted(folder.glob("*" + SUFFIX)):
        if file.stem == HEALTH:
            continue
        try:
            content = _content(file, now)
            yield Snapshot(
                file.stem,
                {_key(name, labels): float(value) for name, labels, value in content["values"] if name in _BY_NAME},
                {
                    _key(name, labels): Distribution([int(count) for count in counts], float(total))
                    for name, labels, counts, total in content["distributions"]
                    if name in _BY_NAME and len(counts) == len(_BY_NAME[name].buckets) + 1
                },
            )
        except DAMAGED:
            continue


def forget(folder: Path, process: str = "*") -> None:
    """Removes the snapshot of a process that has ended; without a name, all snapshots."""
    for file in folder.glob(process + SUFFIX):
        with contextlib.suppress(OSError):
            file.unlink()


def write_health(folder: Path, parts: Mapping[str, bool]) -> None:
    """Notes for the supervisor which parts of this host are up. Raises OSError."""
    _replace(folder / (HEALTH + SUFFIX), {"time": time.time(), "parts": parts})


def read_health(folder: Path, now: float) -> dict[str, bool]:
    """Returns which parts of this host are up. Without a fresh file of the supervisor that is {"supervisor": False}."""
    try:
        parts = _content(folder / (HEALTH + SUFFIX), now)["parts"]
        return {str(name): bool(up) for name, up in parts.items()} or {"supervisor": False}
    except DAMAGED:
        return {"supervisor": False}


_BY_NAME = {metric.value: metric for metric in Metric}


def _key(name: str, labels: list[str]) -> Key:
    metric = _BY_NAME[name]
    if len(labels) != len(metric.labels):
        raise ValueError(f"{name} has other labels")
    texts = tuple(map(str, labels))
    # JSON can hold half a surrogate pair, which no page can. Raises UnicodeEncodeError, which is a ValueError.
    "".join(texts).encode()
    return metric, texts


def _content(file: Path, now: float) -> dict[str, Any]:
    with open(file, encoding="utf-8") as opened:
        content = json.loads(opened.read(MAX_FILE))
    if not isinstance(content, dict) or not now - STALE <= float(content["time"]) <= now + STALE:
        raise ValueError("stale")
    return content


def _replace(file: Path, content: object) -> None:
    temporary = file.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8") as out:
        json.dump(content, out)
    os.replace(temporary, file)
