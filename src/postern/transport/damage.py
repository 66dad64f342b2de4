"""Sets aside queues whose SQLite file is damaged, or closed to the account that serves, with the reason beside them, so that
everything else starts. A new queue in their place has the messages that can be rescued (`rescue`).

A folder that is set aside is left as it is. A worker that notices the damage while it runs writes the reason and what it knows
into its queue's folder and ends; whoever opens the queue next (its successor, mostly) finds the reason and sets it aside.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from postern.telemetry.log import Event, log
from postern.transport.rescue import rescue

REASON = "damaged.txt"
_MARK = ".damaged-"
_PRIMARY = 0xFF
"""An extended result code has its primary one in the low octet."""
_SHORT_READ = 522
"""SQLITE_IOERR_SHORT_READ: the file ends where a page should be."""


class MarkedDamaged(sqlite3.DatabaseError):
    """A worker found this queue's file damaged; the text is the reason that it wrote down."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def is_damage(error: BaseException) -> bool:
    """Whether the file is no database, or a broken one. A full disk, a lock or another version of the format is something
    else."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code == _SHORT_READ or code & _PRIMARY in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_unreadable(folder: Path, error: BaseException) -> bool:
    """Whether the queue cannot be opened because a file of it is closed to this account (root looked at it, or put it back)."""
    if not isinstance(error, OSError | sqlite3.Error):
        return False
    try:
        return any(
            not os.access(file, os.R_OK | os.W_OK, effective_ids=True) for file in folder.iterdir() if file.is_file()
        )
    except OSError as trouble:
        return isinstance(trouble, PermissionError)


def mark(folder: Path, error: BaseException) -> None:
    """Marks the open queue in `folder` as damaged, so that it is not opened again. Raises OSError."""
    (folder / REASON).write_text(f"{error}\n", encoding="utf-8")


def check(folder: Path) -> None:
    """Raises MarkedDamaged for a queue that a worker marked."""
    with contextlib.suppress(OSError):
        raise MarkedDamaged(_reason(folder))


def set_aside(folder: Path, error: Exception) -> Path | None:
    """Moves the queue in `folder` aside, begins a new one with what can be rescued, and says so; None if another process has
    just done it. Raises OSError."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    names = (f"{folder.name}{_MARK}{stamp}{f'.{number}' if number else ''}" for number in range(1000))
    aside = next(path for path in map(folder.with_name, names) if not path.exists())
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return None
    with contextlib.suppress(OSError):
        (aside / REASON).write_text(f"{error}\n", encoding="utf-8")
    rescued = 0
    try:
        rescued = rescue(aside, folder)
    except (OSError, sqlite3.Error) as trouble:
        log(Event.CONVERSATION_FAILED, conversation=f"rescue of queue {folder.name}", error=repr(trouble))
    file = str(aside / "queue.sqlite")
    log(Event.QUEUE_DAMAGED, queue=folder.name, file=file, reason=str(error), rescued=rescued)
    return aside


def is_aside(folder: Path) -> bool:
    return _MARK in folder.name


def found(root: Path) -> Iterator[tuple[Path, str]]:
    """Yields the folders that were set aside below a state folder's `queue`, with the reasons."""
    for folder in sorted(root.glob(f"*{_MARK}*")):
        try:
            reason = _reason(folder)
        except OSError:
            reason = "unknown"
        yield folder, reason


def _reason(folder: Path) -> str:
    """Reads the reason that stands in a folder. Raises OSError."""
    return (folder / REASON).read_text(encoding="utf-8", errors="replace")[:500].strip()
