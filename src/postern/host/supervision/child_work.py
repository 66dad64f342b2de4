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
    parent = os.getpid()
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _work(work, parent, writing)
    os.close(writing)
    try:
        answer = _read(reading, time.monotonic() + seconds, given_up)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if answer is None:
        raise ChildFailed(f"did not end within {seconds:.0f} seconds")
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
