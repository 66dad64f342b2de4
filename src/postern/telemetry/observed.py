"""Counts the connections that were really made: path, peer, mechanism, cipher, count, first and last seen.

Counts are in memory, and are written every few seconds: one JSON-lines file a process in the state folder's `observed`. A process
that starts again goes on with the counts of its file. `read` sums the files, for the verifier and `postern paths observed`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postern.model.security import Seal
from postern.telemetry.metrics import METRICS, Metric

MAX_KEYS = 10_000
KEPT = 30 * 86_400.0
"""Seconds for which an observation is kept after it was last seen."""
MAX_FILE = 16_777_216
"""Octets that are read of one file; MAX_KEYS rows of ordinary length take a tenth."""

_Key = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Observation:
    path: str
    peer: str
    mechanism: str
    seal: str
    cipher: str
    count: int
    first_seen: float
    last_seen: float


class Observed:
    """The counts of one process. `seen` costs a dictionary update; beyond MAX_KEYS peers are counted together as "others".

    The counts that the file has from before a restart go on. A file that cannot be read is begun anew.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._counts: dict[_Key, tuple[int, float, float]] = dict(_rows(file)) if file is not None else {}
        self._dirty = False

    def seen(self, path: str, peer: str, mechanism: str, seal: Seal | None, now: float) -> None:
        protocol = seal.protocol if seal else "none"
        METRICS.count(Metric.PATH_USES, path, mechanism, protocol)
        key = (path, peer, mechanism, protocol, seal.cipher if seal else "")
        if key not in self._counts and len(self._counts) >= MAX_KEYS:
            key = (path, "others", *key[2:])
        count, first, last = self._counts.get(key, (0, now, now))
        self._counts[key] = (count + 1, first, max(last, now))
        self._dirty = True

    def flush(self) -> None:
        """Writes the file anew if anything changed, without observations older than KEPT. Raises OSError."""
        if self._file is None or not self._dirty:
            return
        self._dirty = False
        since = max((last for _, _, last in self._counts.values()), default=0.0) - KEPT
        self._counts = {key: value for key, value in self._counts.items() if value[2] >= since}
        temporary = self._file.with_suffix(".new")
        with open(temporary, "w", encoding="utf-8") as out:
            for key, value in self._counts.items():
                out.write(json.dumps([*key, *value]) + "\n")
        os.replace(temporary, self._file)


def read(folder: Path, since: float = 0.0) -> list[Observation]:
    """Returns the observations that were last seen at `since` (epoch seconds) or later, summed over all processes."""
    total: dict[_Key, tuple[int, float, float]] = {}
    for file in sorted(folder.glob("*.jsonl")):
        for key, (count, first, last) in _rows(file):
            if last >= since:
                former = total.get(key, (0, first, last))
                total[key] = (former[0] + count, min(former[1], first), max(former[2], last))
    return [Observation(*key, *value) for key, value in sorted(total.items())]


def _rows(file: Path) -> Iterator[tuple[_Key, tuple[int, float, float]]]:
    """Yields the rows of one file, from 2 * MAX_KEYS lines at most. A damaged line is left out; a missing file has no rows."""
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            lines = opened.read(MAX_FILE).splitlines()
    except OSError:
        return
    for line in lines[: MAX_KEYS * 2]:
        row = _row(line)
        if row is not None:
            yield row


def _row(line: str) -> tuple[_Key, tuple[int, float, float]] | None:
    try:
        path, peer, mechanism, seal, cipher, count, *times = json.loads(line)
        # A file of an earlier version has no first time.
        first, last = float(times[0]), float(times[-1])
        return (str(path), str(peer), str(mechanism), str(seal), str(cipher)), (int(count), first, last)
    except (ValueError, TypeError, IndexError, RecursionError):
        return None
