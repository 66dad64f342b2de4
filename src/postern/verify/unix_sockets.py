"""Checks which accounts may open a unix socket. Its folder keeps others out; its own mode is a second lock.

Reads the file system. `reachable` tries to connect as another account, which only root can.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterable
from pathlib import Path as FilePath

from postern.verify.report import RowReport
from postern.verify.subject import Subject

NOBODY = 65534


def check_socket(file: FilePath, subject: Subject, report: RowReport, own_mode: bool = True) -> None:
    """Checks that the folder is closed to other accounts and the socket belongs to ours. `own_mode`: the socket's mode is closed,
    too."""
    folder, socket_file = file.parent.stat(), file.stat()
    mode = stat.S_IMODE(folder.st_mode)
    report.check(f"the folder of {file.name} is closed to other accounts", not mode & 0o077, f"its mode is {mode:o}")
    report.check(
        f"the folder of {file.name} is our own account's", folder.st_uid == os.geteuid(), f"uid {folder.st_uid}"
    )
    report.check(f"{file.name} is our own account's", socket_file.st_uid == os.geteuid(), f"uid {socket_file.st_uid}")
    if own_mode:
        mode = stat.S_IMODE(socket_file.st_mode)
        report.check(f"{file.name} is closed to other accounts", not mode & 0o077, f"its mode is {mode:o}")
    if subject.reached is not None:
        open_to_others = file in subject.reached
        report.check(f"another account cannot connect to {file.name}", not open_to_others, "it was connected")


def under(folder: FilePath) -> list[FilePath]:
    """The sockets in a folder and below it."""
    return sorted(path for path in folder.rglob("*") if path.is_socket())


def reachable(files: Iterable[FilePath]) -> frozenset[FilePath] | None:
    """Those of the files that a process of the account "nobody" can connect to; None if we are not root or cannot become it."""
    if os.geteuid() != 0:
        return None
    sockets = list(files)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _try_all(sockets, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        replies = answers.read()
    os.waitpid(pid, 0)
    if len(replies) != len(sockets):
        return None
    return frozenset(file for file, answer in zip(sockets, replies, strict=True) if answer == ord("y"))


def _try_all(files: list[FilePath], writing: int) -> None:
    """Tries all files in the child process. Never returns."""
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        for file in files:
            os.write(writing, b"y" if _connects(file) else b"n")
    finally:
        os._exit(0)


def _connects(file: FilePath) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as end:
        end.settimeout(2.0)
        end.connect(str(file))
        return True
    return False
