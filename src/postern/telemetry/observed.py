"""What was really used: path, peer, mechanism, cipher, count, last seen. Counted in memory, merged into files every few seconds.

One JSON-lines file a process in the state folder's `observed`; `read` sums them. The verifier and `postern paths observed` read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postern.model.security import Seal

MAX_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Observation:
    path: str
    peer: str
    mechanism: str
    seal: str
    cipher: str
    count: int
    last_seen: float


class Observed:
    """Counts per process. `seen` costs a dictionary update; beyond MAX_KEYS peers are counted together as "others"."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._counts: dict[tuple[str, str, str, str, str], tuple[int, float]] = {}
        self._dirty = False

    def seen(self, path: str, peer: str, mechanism: str, seal: Seal | None, now: float) -> None:
        key = (path, peer, mechanism, seal.protocol if seal else "none", seal.cipher if seal else "")
        if key not in self._counts and len(self._counts) >= MAX_KEYS:
            key = (path, "others", *key[2:])
        self._counts[key] = (self._counts.get(key, (0, 0.0))[0] + 1, now)
        self._dirty = True

    def flush(self) -> None:
        """Writes the file anew if anything changed. Raises OSError."""
        if self._file is None or not self._dirty:
            return
        self._dirty = False
        temporary = self._file.with_suffix(".new")
        with open(temporary, "w", encoding="utf-8") as out:
            for key, (count, last) in self._counts.items():
                out.write(json.dumps([*key, count, last]) + "\n")
        os.replace(temporary, self._file)


def read(folder: Path) -> list[Observation]:
    """All processes' observations, summed."""
    total: dict[tuple[str, str, str, str, str], tuple[int, float]] = {}
    for path, peer, mechanism, seal, cipher, count, last in _rows(folder):
        key = (path, peer, mechanism, seal, cipher)
        former = total.get(key, (0, 0.0))
        total[key] = (former[0] + count, max(former[1], last))
    return [Observation(*key, *value) for key, value in sorted(total.items())]


def _rows(folder: Path) -> Iterator[tuple[str, str, str, str, str, int, float]]:
    for file in sorted(folder.glob("*.jsonl")):
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
