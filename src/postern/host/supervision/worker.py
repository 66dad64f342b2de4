"""A role process from the inside: forked from the supervisor, it becomes one worker of one role and ends when told.

`roles` has the work that it does; `supervisor` decides when it starts, ends and starts again.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

import uvloop

from postern.host import account
from postern.model.organization import StateFolder
from postern.roles.runtime import Running, Runtime
from postern.telemetry import attempts
from postern.telemetry.log import Event, configure, log
from postern.telemetry.metrics import METRICS
from postern.telemetry.rotation import rotate
from postern.telemetry.rounds import rounds

Start = Callable[[Runtime], Awaitable[Running]]
"""The type of a role module's `start`."""

READY = b"ready\n"
PULSE = b"\0"
"""The octet that a worker's event loop writes every PULSE_EVERY seconds, as a sign that it does not hang."""
PULSE_EVERY = 5.0
DUMP = signal.SIGUSR2
"""The signal at which a worker writes the stacks of its threads into its stack file, whatever it is doing."""
STOP_GRACE = 2.0
"""Seconds that a role has to close its doors."""

_TRACKING_EVERY = 1.0
_OBSERVED_EVERY = 3.0
_METRICS_EVERY = 5.0


def become_worker(name: str, runtime: Runtime, start: Start, parent: int, report: int) -> NoReturn:
    """Runs in the forked child and never returns. It writes READY, or the error, to the pipe `report`."""
    status = 1
    try:
        _detach(name, runtime, parent)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(name, runtime, start, report))
        status = 0
    except Exception as error:
        traceback.print_exc()
        with contextlib.suppress(OSError):
            os.write(report, f"{type(error).__name__}: {error}".encode()[:4000])
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _detach(name: str, runtime: Runtime, parent: int) -> None:
    """Replaces what the fork inherited: signals, terminal, standard files, the frozen collector."""
    # Ctrl-C reaches the terminal's whole process group; only the supervisor must get it, and decides what follows.
    os.setpgid(0, 0)
    account.die_with(parent, signal.SIGKILL)
    error_file = runtime.state.logs / f"{name}.err"
    rotate(error_file)
    try:
        errors = os.open(error_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    except OSError:
        errors = os.dup(2)  # a missing log must not stop mail
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (errors, 1), (errors, 2)):
        os.dup2(source, target)
    os.close(errors)
    os.close(nothing)
    faulthandler.enable()
    _stack_at_a_signal(runtime.state, name)
    gc.enable()
    METRICS.clear()
    configure(name, runtime.state.logs / f"{name}.jsonl")
    # On a full disk a worker still works; but if a message brings it down, nothing tells which.
    with contextlib.suppress(OSError):
        attempts.configure(name, runtime.state.attempts)


def stack_file(state: StateFolder, name: str) -> Path:
    """The file with the stacks that a worker wrote when it was asked last."""
    return state.logs / f"{name}.stack"


def _stack_at_a_signal(state: StateFolder, name: str) -> None:
    """Registers faulthandler's own handler for DUMP, which needs neither the event loop nor the interpreter's lock."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        faulthandler.register(DUMP, os.open(stack_file(state, name), flags, 0o600), all_threads=True, chain=False)


async def _serve(name: str, runtime: Runtime, start: Start, report: int) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    for other in (signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(other, lambda: None)
    running = await start(runtime)
    log(Event.STARTED, role=name, pid=os.getpid())
    os.write(report, READY)
    flushing = (
        loop.create_task(_every(PULSE_EVERY, lambda: _pulse(report), "sign of life")),
        loop.create_task(_every(_TRACKING_EVERY, runtime.tracker.flush, "message tracking")),
        loop.create_task(_every(_OBSERVED_EVERY, runtime.observed.flush, "observed connections")),
        loop.create_task(_every(_METRICS_EVERY, runtime.metrics.flush, "metrics")),
    )
    await told.wait()
    for task in flushing:
        task.cancel()
    try:
        await asyncio.wait_for(running.stop(), STOP_GRACE)
    finally:
        runtime.tracker.flush()
        runtime.observed.flush()
    log(Event.STOPPED, role=name, pid=os.getpid())


def _pulse(report: int) -> None:
    """Tells the supervisor that this worker answers. It is silent if a thread has worked on one message for too long, for such a
    worker hangs too, though its event loop runs."""
    if attempts.overdue(time.monotonic()) is None:
        os.write(report, PULSE)


async def _every(seconds: float, act: Callable[[], None], name: str) -> None:
    """Calls `act` every so many seconds. A full disk must not end a role: `act` tries to write again at the next call."""

    async def acting() -> None:
        act()

    await rounds(seconds, acting, name, expected=(OSError,))
