"""The file layer below the queue: every call by which the queue changes a disk.

The queue makes no other. A test gives the queue another object of this shape: one that forgets what was not synced when it
"crashes", or that has no space left. All methods raise OSError (`commit` also sqlite3.Error).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

_VECTOR = 1024
"""IOV_MAX of Linux: buffers that one writev may take."""


class Files:
    """The real disk."""

    def create(self, path: Path) -> int:
        """Makes a new file to append to, mode 0600. Its name is safe only after `sync_folder`."""
        return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> None:
        """Appends all of these bytes, or raises with a part of them written."""
        for start in range(0, len(buffers), _VECTOR):
            vector = buffers[start : start + _VECTOR]
            written = os.writev(descriptor, vector)
            if written < sum(map(len, vector)):
                _write_rest(descriptor, b"".join(vector), written)

    def truncate(self, descriptor: int, length: int) -> None:
        os.ftruncate(descriptor, length)

    def sync(self, descriptor: int) -> None:
        """Returns once the octets written to this file survive a power cut."""
        os.fdatasync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Returns once the names made in this folder survive a power cut."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def commit(self, database: sqlite3.Connection) -> None:
        """Ends the transaction; with synchronous=FULL it survives a power cut once this returns."""
        database.execute("COMMIT")

    def free(self, folder: Path) -> int:
        """Bytes that we may still write on this folder's file system."""
        status = os.statvfs(folder)
        return status.f_bavail * status.f_frsize


def _write_rest(descriptor: int, data: bytes, start: int) -> None:
    view = memoryview(data)
    while start < len(view):
        start += os.write(descriptor, view[start:])
