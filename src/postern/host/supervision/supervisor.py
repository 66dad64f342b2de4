"""The supervisor forks the role processes of this host, waits until their doors are open, restarts what dies, and stops all.

It has one thread and no event loop, so that a fork copies nothing that is in use. Every module that a role needs is imported
before the fork, and its memory shared. `worker` runs inside a child; `engines` runs PostgreSQL and slapd.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from postern.host.engines.health import Asked, Health
from postern.host.supervision import processes
from postern.host.supervision.worker import DUMP, PULSE, READY, STOP_GRACE, Start, become_worker, stack_file
from postern.model.organization import HostService, Organization, Server, StateFolder
from postern.roles.runtime import Part, Runtime
from postern.telemetry import attempts, snapshots
from postern.telemetry.log import Event, log

READY_WITHIN = 30.0
"""Seconds a worker has to open its doors."""
FIRST_BACK_OFF = 0.1
LAST_BACK_OFF = 30.0
CALM = 60.0
"""Seconds after which the back-off of a living worker starts anew."""
WATCH_EVERY = 3.0
SILENCE = 20.0
"""Seconds without a word from a worker (`worker.PULSE`) after which it counts as hanging."""
GAP = 5.0
"""Seconds by which a turn of the supervisor, which takes WATCH_EVERY at most, may be late. If it is later, the supervisor itself
was stopped or busy, and no worker's silence counts."""
DUMPED_WITHIN = 0.5
"""Seconds that a hanging worker has to write where it stands."""
MAX_STACK = 4000
REFRESH_EVERY = 6 * 3600.0


class StartError(Exception):
    """A worker could not start; the text is its error."""


class Engine(Asked, Protocol):
    """A server program that roles need: PostgreSQL, slapd."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass(slots=True)
class Child:
    """One worker slot. `pid` is 0 while no process runs in it; `again` is when the next one is started (monotonic seconds)."""

    part: Part
    worker: int
    pid: int = 0
    pipe: int = -1
    said: bytes = b""
    ready: bool = False
    started: float = 0.0
    heard: float = 0.0
    """The time of its last word, in monotonic seconds."""
    blame: str = ""
    """The reason for which it was killed, for the records of the messages that it worked on."""
    again: float = 0.0
    back_off: float = FIRST_BACK_OFF
    told: bool = False
    """It was told to end."""

    @property
    def name(self) -> str:
        return f"{self.part.value}.{self.worker}"


@dataclass(slots=True)
class Plan:
    """The plan of a supervisor: `starts` has the starter of each part of this host, `workers` the number of processes of a role.

    `watch` is called every WATCH_EVERY seconds with the name and pid of each child, to look at the kernel's sockets.
    `refresh` is called every REFRESH_EVERY seconds, and at SIGHUP, to look after the certificate.
    """

    organization: Organization
    server: Server
    state: StateFolder
    starts: Mapping[Part, Start]
    workers: int
    engines: Sequence[Engine] = ()
    watch: Callable[[Mapping[int, str]], None] = field(default=lambda children: None)
    refresh: Callable[[], None] = field(default=lambda: None)

    def count(self, part: Part) -> int:
        """The number of processes of a part."""
        return 1 if isinstance(part, HostService) else self.workers


class Supervisor:
    """The one supervisor of a state folder. Call `start`, then `serve` until a signal, then `stop`, also after any failure."""

    def __init__(self, plan: Plan, lock: processes.Lock) -> None:
        self.plan = plan
        self.lock = lock
        self.children = [Child(part, worker) for part in plan.starts for worker in range(plan.count(part))]
        self._engine_again = dict.fromkeys((engine.name for engine in plan.engines), 0.0)
        self._health = Health(plan.engines)
        self.stopping = False
        self._refresh_now = False
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._listen()

    def start(self) -> None:
        """Forks every worker and returns once all doors are open. Raises StartError with the first failure.

        The engines run already, for their data is made ready before anything is forked. The host's own services start before
        the roles, which ask them.
        """
        snapshots.forget(self.plan.state.metrics)
        gc.collect()
        gc.freeze()
        services = [child for child in self.children if isinstance(child.part, HostService)]
        for children in (services, [child for child in self.children if child not in services]):
            for child in children:
                self._fork(child)
            self._await(children)

    def _await(self, children: Sequence[Child]) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not self.stopping and not all(child.ready for child in children):
            self._wait(deadline)
            for child in children:
                if child.pid and not child.ready and (status := processes.ended(child.pid)) is not None:
                    self._hear(child)
                    self._gone(child)
                    raise StartError(f"{child.name}: {_words(child, status)}")
            if time.monotonic() >= deadline:
                late = ", ".join(child.name for child in children if not child.ready)
                raise StartError(f"{late}: not ready within {READY_WITHIN:.0f} seconds: see {self.plan.state.logs}")

    def serve(self) -> None:
        """Restarts what dies and watches, until SIGTERM or SIGINT comes. SIGHUP asks for `refresh` now."""
        turned = watch_at = time.monotonic()
        refresh_at = watch_at + REFRESH_EVERY
        self._excuse(turned)
        while not self.stopping:
            now = time.monotonic()
            if now >= watch_at:
                self._watch()
                self._health.turn(now)
                watch_at = time.monotonic() + WATCH_EVERY
            if now >= refresh_at or self._refresh_now:
                self._refresh_now = False
                refresh_at = now + REFRESH_EVERY
                self.plan.refresh()
            waiting = [child.again for child in self.children if not child.pid]
            self._wait(min([watch_at, *waiting]))
            turned, before = time.monotonic(), turned
            if turned > before + WATCH_EVERY + GAP:
                self._excuse(turned)
            self._tend()
            self._strike_down_the_silent()

    def stop(self) -> None:
        """Ends the roles first, then the engines in reverse order, within five seconds."""
        self.stopping = True
        living = [child for child in self.children if child.pid]
        for how, grace in ((signal.SIGTERM, STOP_GRACE + 0.3), (signal.SIGKILL, 1.0)):
            for child in living:
                child.told = True
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, how)
            deadline = time.monotonic() + grace
            while living and time.monotonic() < deadline:
                for child in list(living):
                    if (status := processes.ended(child.pid)) is not None:
                        self._lay_blame(child, status)
                        self._gone(child)
                        living.remove(child)
                if living:
                    self._wait(min(deadline, time.monotonic() + 0.05))
        for child in living:
            attempts.excuse(child.name, self.plan.state.attempts)
        self._health.close()
        for engine in reversed(self.plan.engines):
            engine.stop()
            processes.forget_child(self.plan.state, engine.name)

    def processes(self) -> dict[int, str]:
        """Our children by pid: workers and engines."""
        names = {child.pid: child.name for child in self.children if child.pid}
        for engine in self.plan.engines:
            if engine.pid is not None:
                names[engine.pid] = engine.name
        return names

    def _watch(self) -> None:
        """Calls `plan.watch`. A defect in it must not end the supervisor."""
        self._tell_health()
        try:
            self.plan.watch(self.processes())
        except Exception as error:
            log(Event.WATCH_FAILED, error=repr(error), exc_info=error)

    def _tell_health(self) -> None:
        """Tells the metrics service, if there is one, which parts of this host are up. A full disk is no error."""
        if not self.plan.organization.metrics:
            return
        parts = {child.name: child.ready and not child.blame for child in self.children}
        parts |= {engine.name: engine.pid is not None for engine in self.plan.engines}
        with contextlib.suppress(OSError):
            snapshots.write_health(self.plan.state.metrics, parts)

    # Signals and waiting

    def _listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup(1)
            signal.signal(signal.SIGHUP, self._asked)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)

    def _asked(self, number: int, frame: object) -> None:
        """Handles SIGHUP, from a closed terminal or somebody who wants certificates checked. Neither is a reason to stop mail."""
        self._refresh_now = True

    def _told(self, number: int, frame: object) -> None:
        self.stopping = True

    def _wait(self, until: float) -> None:
        """Sleeps until a signal, a word of a child, or the time `until`, and reads what children wrote."""
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        by_pipe = {child.pipe: child for child in self.children if child.pipe >= 0}
        for pipe in by_pipe:
            poll.register(pipe, select.POLLIN)
        for handle, _ in poll.poll(max(0.0, until - time.monotonic()) * 1000):
            if handle == self._wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(handle, 4096)
            else:
                self._hear(by_pipe[handle])

    def _hear(self, child: Child) -> None:
        if child.pipe < 0:
            return
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(child.pipe, 4096)
            if not data:
                os.close(child.pipe)
                child.pipe = -1
        if data:
            child.heard = time.monotonic()
        child.said = (child.said + data.replace(PULSE, b""))[:4096]
        child.ready = child.ready or child.said.startswith(READY)

    # Children

    def _fork(self, child: Child) -> None:
        runtime = self._runtime(child)
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        parent = os.getpid()
        # A signal before the child has its own handlers would run ours in the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._in_child(child, runtime, parent, writing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(writing)
        child.pid, child.pipe, child.said, child.ready, child.blame, child.told = pid, reading, b"", False, "", False
        child.started = child.heard = time.monotonic()
        processes.remember_child(self.plan.state, child.name, pid)

    def _in_child(self, child: Child, runtime: Runtime, parent: int, writing: int) -> NoReturn:
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self.lock.forget()
        for handle in (self._wake_read, self._wake_write, *(c.pipe for c in self.children if c.pipe >= 0)):
            os.close(handle)
        become_worker(child.name, runtime, self.plan.starts[child.part], parent, writing)

    def _runtime(self, child: Child) -> Runtime:
        plan, workers = self.plan, self.plan.count(child.part)
        return Runtime.of_worker(plan.organization, plan.server, plan.state, child.name, child.worker, workers)

    def _tend(self) -> None:
        """Reaps the children that have ended, and starts those that are due again."""
        now = time.monotonic()
        for child in self.children:
            if child.pid and not child.ready and now > child.started + READY_WITHIN:
                os.kill(child.pid, signal.SIGKILL)
            if child.pid and (status := processes.ended(child.pid)) is not None:
                self._hear(child)
                if child.ready and now > child.started + CALM:
                    child.back_off = FIRST_BACK_OFF
                log(Event.DIED, child=child.name, pid=child.pid, words=_words(child, status), again_in=child.back_off)
                self._lay_blame(child, status)
                self._gone(child)
                child.again = now + child.back_off
                child.back_off = min(child.back_off * 2, LAST_BACK_OFF)
            if not child.pid and now >= child.again and not self.stopping:
                self._fork(child)
        for engine in self.plan.engines:
            if engine.pid is None and now >= self._engine_again[engine.name] and not self.stopping:
                self._engine_again[engine.name] = now + 1.0
                log(Event.DIED, child=engine.name)
                self._restart(engine)

    def _lay_blame(self, child: Child, status: int) -> None:
        """Counts a worker's death against the messages that it worked on. If we told it to end, the messages are excused,
        unless it died by a signal of its own (a segmentation fault)."""
        by_itself = os.WIFSIGNALED(status) and os.WTERMSIG(status) not in (signal.SIGTERM, signal.SIGKILL)
        if child.told and not child.blame and not by_itself:
            attempts.excuse(child.name, self.plan.state.attempts)
        else:
            attempts.blame(child.name, self.plan.state.attempts, child.blame or _words(child, status))

    def _excuse(self, now: float) -> None:
        """Forgives everybody's silence so far, for the supervisor could not listen: it or the whole machine was stopped."""
        for child in self.children:
            child.heard = now
        self._health.excuse(now)

    def _strike_down_the_silent(self) -> None:
        """Asks workers that hang where they stand, and kills them; `_tend` starts others."""
        now = time.monotonic()
        silent = [c for c in self.children if c.pid and c.ready and not c.blame and now > c.heard + SILENCE]
        if not silent:
            return
        for child in silent:
            with contextlib.suppress(OSError):
                os.truncate(stack_file(self.plan.state, child.name), 0)
            # SIGCONT, for a worker that was stopped writes nothing.
            for number in (DUMP, signal.SIGCONT):
                os.kill(child.pid, number)
        time.sleep(DUMPED_WITHIN)
        for child in silent:
            stack = _tail(stack_file(self.plan.state, child.name))
            child.blame = f"the worker did not answer for {now - child.heard:.0f} seconds; it stood in: {stack}"
            log(Event.UNRESPONSIVE, child=child.name, pid=child.pid, seconds=round(now - child.heard, 1), stack=stack)
            os.kill(child.pid, signal.SIGKILL)

    def _restart(self, engine: Engine) -> None:
        """Starts an engine again. If that fails, the next turn tries again; the roles answer 4xx meanwhile."""
        try:
            engine.start()
        except Exception as error:
            log(Event.DIED, child=engine.name, words=str(error))
            return
        if engine.pid is not None:
            processes.remember_child(self.plan.state, engine.name, engine.pid)

    def _gone(self, child: Child) -> None:
        if child.pipe >= 0:
            os.close(child.pipe)
        child.pid, child.pipe, child.ready = 0, -1, False
        snapshots.forget(self.plan.state.metrics, child.name)
        self._tell_health()
        processes.forget_child(self.plan.state, child.name)


_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def _tail(file: Path) -> str:
    """The start of the stacks that a hanging worker wrote, at most MAX_STACK octets; the innermost call stands first."""
    try:
        return file.read_bytes()[:MAX_STACK].decode(errors="replace").strip()
    except OSError:
        return ""


def _words(child: Child, status: int) -> str:
    text = child.said.removeprefix(READY).decode(errors="replace").strip()
    return text or processes.how_it_ended(status)
