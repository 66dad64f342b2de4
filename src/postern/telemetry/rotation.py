"""Log files that stay bounded: a file that has reached its size becomes file.1, file.1 becomes file.2, and the oldest goes.

Each process has its own files, so nothing is locked. `log` decides what is logged, and in which form.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SIZE = 16 * 1024 * 1024
"""Octets of one file."""
KEPT = 3
"""Older files beside the one that is written."""


class RotatingFile:
    """The part of a text file that a logger needs. Each `write` is one write(2) of whole lines, so a crash tears none."""

    def __init__(self, file: Path, size: int = SIZE, kept: int = KEPT) -> None:
        """Opens the file. Raises OSError."""
        self._file = file
        self._size = size
        self._kept = kept
        self._open()

    def write(self, text: str) -> int:
        """Appends whole lines. Raises OSError; the lines are then lost."""
        data = text.encode(errors="backslashreplace")
        if self._written and self._written + len(data) > self._size:
            rotate(self._file, 0, self._kept)
            former = self._out
            self._open()
            former.close()
        self._written += self._out.write(data) or 0
        return len(text)

    def flush(self) -> None:
        """Does nothing: there is no buffer, which a fork could write twice."""

    def _open(self) -> None:
        self._out = open(self._file, "ab", buffering=0, opener=_owners_only)  # noqa: SIM115 (as long as the process lives)
        self._written = os.fstat(self._out.fileno()).st_size


def rotate(file: Path, size: int = SIZE, kept: int = KEPT) -> None:
    """Renames a file of more than `size` octets to file.1. Where that fails the file grows on: a log never stops its writer."""
    with contextlib.suppress(OSError):
        if file.stat().st_size > size:
            for number in range(kept, 0, -1):
                former = file.with_name(f"{file.name}.{number - 1}") if number > 1 else file
                with contextlib.suppress(FileNotFoundError):
                    former.replace(file.with_name(f"{file.name}.{number}"))


def _owners_only(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW, 0o600)
