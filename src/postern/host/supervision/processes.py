"""Knows which processes are ours: a note for each child, the children that outlived a crash, and the lock that one supervisor
holds.

Reads /proc. A pid alone proves nothing, for pids are used again. So a note holds the start time too, and a process with another
start time is left alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postern.host.small_files import read_small
from postern.host.state import LOCK, processes
from postern.model.organization import StateFolder

MAX_NOTE = 100
"""The most octets of a child's note."""


class Held(Exception):
    """Another supervisor runs on this state folder; the text says which."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A child that was noted. `started` is field 22 of /proc/PID/stat: clock ticks after the host's start (proc(5))."""

    name: str
    pid: int
    started: int


class Lock:
    """The lock that one supervisor at a time holds. The kernel releases it, however the supervisor ends."""

    def __init__(self, state: StateFolder) -> None:
        self._handle = os.open(state.root / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._handle, 200, 0).decode(errors="replace").strip()
            os.close(self._handle)
            raise Held(
                f"{state.root} is held by {holder or 'another process'}: stop that one, or choose another --state"
            ) from None
        os.ftruncate(self._handle, 0)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        os.pwrite(self._handle, f"the `postern run` of process {os.getpid()}, since {now}\n".encode(), 0)

    def forget(self) -> None:
        """Closes the lock in a forked child, so that only the parent holds it and it is released when the parent ends."""
        os.close(self._handle)

    def release(self) -> None:
        os.ftruncate(self._handle, 0)
        os.close(self._handle)


def running(state: StateFolder) -> bool:
    """Whether a supervisor holds this state folder now."""
    try:
        handle = os.open(state.root / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def start_time(pid: int) -> int | None:
    """The start time of this process (see Noted.started); None if there is none, or if it has ended and waits to be reaped."""
    fields = stat(pid)
    return None if not fields or fields[0] in "ZX" else int(fields[19])


def stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat (proc(5)) from the state on; [] if there is no such process. The name before them is left
    out, for it may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def remember_child(state: StateFolder, name: str, pid: int) -> None:
    """Notes a child. A full disk is no error: the note only finds processes that PR_SET_PDEATHSIG should have ended."""
    with contextlib.suppress(OSError):
        (processes(state) / name).write_text(f"{pid} {start_time(pid) or 0}\n")


def forget_child(state: StateFolder, name: str) -> None:
    """Deletes the note of a child that has ended."""
    with contextlib.suppress(OSError):
        (processes(state) / name).unlink(missing_ok=True)


def live_children(state: StateFolder) -> Iterator[Noted]:
    """The noted children that still live. Only processes of the folder's owner count: root ends the processes that the notes
    name, but another account writes the notes."""
    owner = os.stat(state.root).st_uid
    for file in sorted(processes(state).iterdir()):
        with contextlib.suppress(ValueError, OSError):
            pid, started = (int(word) for word in read_small(file, MAX_NOTE).split())
            if pid > 1 and start_time(pid) == started and _account_of(pid) == owner:
                yield Noted(file.name, pid, started)


def _account_of(pid: int) -> int | None:
    """The real user id of a process (proc(5)). The owner of its folder in /proc does not tell it: that is root if the process
    may not be inspected."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as lines:
        return next((int(line.split()[1]) for line in lines if line.startswith("Uid:")), None)


def end_orphans(state: StateFolder, patience: float = 3.0) -> list[Noted]:
    """Ends children that outlived their supervisor, by force after `patience` seconds, and returns them.

    Only the holder of the Lock may call it: while another supervisor lives, its children are no orphans.
    """
    orphans = list(live_children(state))
    for how, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 2.0)):
        for orphan in orphans:
            if start_time(orphan.pid) == orphan.started:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan.pid, how)
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline and any(start_time(o.pid) == o.started for o in orphans):
            time.sleep(0.02)
    for file in processes(state).iterdir():
        file.unlink()
    return orphans


def ended(pid: int) -> int | None:
    """Reaps a child of ours that has ended, and returns its wait status; None while it lives."""
    try:
        ended_pid, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return status if ended_pid else None


def how_it_ended(status: int) -> str:
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.waitstatus_to_exitcode(status)}"
