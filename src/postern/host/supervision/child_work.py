"""Does work that needs threads or an event loop in a process of its own, so that the supervisor can fork safely."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from postern.host import account

_LOOK_UP = 100
"""Milliseconds within which a signal is noticed."""


class ChildFailed(Exception):
    """The work failed; the text has the exception that it raised."""


def run_in_child(
    work: Callable[[], Coroutine[Any, Any, str]], seconds: float, given_up: Callable[[], bool] = lambda: False
) -> str:
    """Runs the coroutine in a forked child and returns its answer. The child is killed after `seconds`, or once
    `given_up` says so, and dies with us. Raises ChildFailed.
    """
    pid, reading = _fork(work)
    try:
        answer = _read(reading, time.monotonic() + seconds, given_up)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if answer is None:
        raise ChildFailed(f"did not end within {seconds:.0f} seconds")
    return _said(answer, status)


class Background:
    """Work in a child that nobody waits for; one at a time. The child is killed after `seconds`."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, str]], seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._until = 0.0
        self._reading = -1
        self.pid = 0
        """The child's process id; 0 while there is none."""

    def start(self) -> None:
        """Starts the work, unless it is going on."""
        if self.pid:
            return
        self.pid, self._reading = _fork(self._work)
        self._until = time.monotonic() + self._seconds

    def look(self) -> str | None:
        """Returns what the work said, once, when it has ended; None before. Raises ChildFailed."""
        if not self.pid:
            return None
        if time.monotonic() >= self._until:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        if not ended:
            return None
        with os.fdopen(self._reading, "rb") as pipe:
            answer = pipe.read()
        self.pid, self._reading = 0, -1
        return _said(answer, status)


def _fork(work: Callable[[], Coroutine[Any, Any, str]]) -> tuple[int, int]:
    """Begins the work in a child. Returns its process id, and the descriptor from which its answer is read."""
    parent = os.getpid()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _work(work, parent, writing)
    os.close(writing)
    return pid, reading


def _said(answer: bytes, status: int) -> str:
    """Returns what the work said, from all that its child wrote. Raises ChildFailed."""
    if answer[:1] != b"+":
        reason = answer[1:].decode(errors="replace") or f"ended with status {os.waitstatus_to_exitcode(status)}"
        raise ChildFailed(reason)
    return answer[1:].decode()


def _work(work: Callable[[], Coroutine[Any, Any, str]], parent: int, writing: int) -> None:
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)
        account.die_with(parent)
        gc.enable()
        answer = b"+" + asyncio.run(work()).encode()
    except Exception as error:
        if os.environ.get("POSTERN_DEBUG"):
            traceback.print_exc()
            sys.stderr.flush()
        answer = f"-{type(error).__name__}: {error}".encode()
    try:
        while answer:
            answer = answer[os.write(writing, answer) :]
    finally:
        os._exit(0)


def _read(handle: int, deadline: float, given_up: Callable[[], bool]) -> bytes | None:
    data = b""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    while time.monotonic() < deadline and not given_up():
        if not poll.poll(_LOOK_UP):
            continue
        piece = os.read(handle, 65536)
        if not piece:
            return data
        data += piece
    return None
