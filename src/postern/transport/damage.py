"""Queues whose SQLite file is damaged: moved aside whole, with the reason beside them, so that everything else starts.

What lies in such a folder is left as it is. The bodies are in its segments and can be read without the file; whose they were
is in what `sqlite3 queue.sqlite .recover` still finds.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from postern.telemetry.log import Event, log

REASON = "damaged.txt"
_MARK = ".damaged-"
_PRIMARY = 0xFF
"""An extended result code has its primary one in the low octet."""


def is_damage(error: Exception) -> bool:
    """The file is no database, or a broken one. A full disk, a lock or another version of the format is something else."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & _PRIMARY in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(folder: Path, error: Exception) -> Path:
    """Moves the queue in `folder` aside, and says so. Raises OSError."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    names = (f"{folder.name}{_MARK}{stamp}{f'.{number}' if number else ''}" for number in range(1000))
    aside = next(path for path in map(folder.with_name, names) if not path.exists())
    folder.rename(aside)
    with contextlib.suppress(OSError):
        (aside / REASON).write_text(f"{error}\n", encoding="utf-8")
    log(Event.QUEUE_DAMAGED, queue=folder.name, file=str(aside / "queue.sqlite"), reason=str(error))
    return aside


def is_aside(folder: Path) -> bool:
    return _MARK in folder.name


def found(root: Path) -> Iterator[tuple[Path, str]]:
    """What was set aside below a state folder's `queue`, with the reasons."""
    for folder in sorted(root.glob(f"*{_MARK}*")):
        try:
            reason = (folder / REASON).read_text(encoding="utf-8", errors="replace")[:500].strip()
        except OSError:
            reason = "unknown"
        yield folder, reason
