"""The lock of a queue's folder: the process that holds it works on the queue. The kernel releases it with the process, however
that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class QueueLocked(Exception):
    """Another process works on this folder."""


def lock(folder: Path) -> int:
    """Locks a queue's folder; the descriptor holds it. Raises QueueLocked, OSError."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise QueueLocked(str(folder)) from None
    return descriptor


def is_locked(folder: Path) -> bool:
    """Whether somebody works on this folder. Looking takes the lock for a moment."""
    try:
        os.close(lock(folder))
    except QueueLocked:
        return True
    return False
