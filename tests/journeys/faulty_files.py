"""A file layer below the queue that knows what a power cut would leave.

It writes to the real folder, and beside that keeps, for each file, what was synced. `image()` is the folder after a power cut at
this moment: unsynced bytes gone (or torn: a part of them there, or their length without their content), names not synced gone,
removals not synced undone. For SQLite, whose files the queue does not write itself, what is synced is what was there when COMMIT
returned. It can also run out of space.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from postern.transport.envelopes import FILE
from postern.transport.files import Files

DATABASE = (FILE, FILE + "-wal")


class FaultyFiles(Files):
    """`on_step` is called before and after every change of the disk, with the name of the call; it may raise."""

    def __init__(self, folder: Path, on_step: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self.on_step = on_step or (lambda name: None)
        self.space: int | None = None
        """Bytes that may still be written to bodies; None: as many as the disk has."""
        self.commit_error: Exception | None = None
        self._guard = threading.RLock()
        self._names: dict[int, str] = {}
        self._synced = {path.name: path.read_bytes() for path in folder.glob("*.segment")}
        self._named = set(self._synced)
        self._removed: dict[str, bytes] = {}
        self._database: dict[str, bytes] = {}
        self._remember_database()

    def image(self, tear: float | None = None, zeros: bool = False, removals: bool = False) -> dict[str, bytes]:
        """File contents after a power cut now. `tear` is the share of unsynced bytes that reached the disk all the same; with
        `zeros` the file has grown by them, but holds zeros. With `removals`, removed files
        are gone, though nobody synced that."""
        with self._guard:
            files = dict(self._database)
            for name in self._named | (set() if removals else self._removed.keys()):
                synced = self._removed.get(name, self._synced.get(name, b""))
                if tear is not None and name not in self._removed:
                    rest = (self.folder / name).read_bytes()[len(synced) :]
                    rest = rest[: int(len(rest) * tear)]
                    synced += bytes(len(rest)) if zeros else rest
                files[name] = synced
            return files

    def create(self, path: Path) -> int:
        self.on_step("create")
        with self._guard:
            descriptor = super().create(path)
            self._names[descriptor] = path.name
            self._synced[path.name] = b""
        self.on_step("created")
        return descriptor

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> None:
        self.on_step("write")
        with self._guard:
            data = b"".join(buffers)
            fits = len(data) if self.space is None else min(len(data), self.space)
            super().write(descriptor, [data[:fits]])
            if self.space is not None:
                self.space -= fits
            if fits < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.on_step("written")

    def truncate(self, descriptor: int, length: int) -> None:
        self.on_step("truncate")
        with self._guard:
            name = self._names[descriptor]
            before = (self.folder / name).stat().st_size
            super().truncate(descriptor, length)
            self._synced[name] = self._synced[name][:length]
            if self.space is not None:
                self.space += before - length
        self.on_step("truncated")

    def sync(self, descriptor: int) -> None:
        self.on_step("sync")
        with self._guard:
            name = self._names[descriptor]
            self._synced[name] = (self.folder / name).read_bytes()
        self.on_step("synced")

    def sync_folder(self, folder: Path) -> None:
        self.on_step("sync_folder")
        with self._guard:
            if folder == self.folder:
                self._named = {path.name for path in folder.glob("*.segment")}
                self._removed.clear()
                self._remember_database()
        self.on_step("folder_synced")

    def remove(self, path: Path) -> None:
        self.on_step("remove")
        with self._guard:
            self._removed[path.name] = self._synced.get(path.name, b"")
            self._named.discard(path.name)
            super().remove(path)
        self.on_step("removed")

    def commit(self, database: sqlite3.Connection) -> None:
        self.on_step("commit")
        with self._guard:
            if self.commit_error is not None:
                raise self.commit_error
            super().commit(database)
            self._remember_database()
        self.on_step("committed")

    def free(self, folder: Path) -> int:
        return super().free(folder) if self.space is None else self.space

    def _remember_database(self) -> None:
        self._database = {name: (self.folder / name).read_bytes() for name in DATABASE if (self.folder / name).exists()}


def lay_out(image: dict[str, bytes], folder: Path) -> None:
    """Makes a folder of an image."""
    folder.mkdir(parents=True)
    for name, data in image.items():
        (folder / name).write_bytes(data)
