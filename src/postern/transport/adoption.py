"""Assigns queue folders to workers: each opens its own, and takes over, until they are empty, those whose workers are gone.

A folder must be found without owner in two rounds before it is adopted, so that a worker that is only being restarted finds its
own queue free. One whose file is damaged is set aside (`damage`), and its worker goes on with what was rescued of it. A worker
that notices the damage while it runs ends: its supervisor starts another, which finds the reason in the folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from postern.telemetry.log import Event, log
from postern.telemetry.rounds import rounds
from postern.transport import control, damage
from postern.transport.dispatcher import Dispatcher
from postern.transport.lock import QueueLocked, is_locked
from postern.transport.queue import Queue

ROUND = 10.0
"""Seconds between rounds."""
LOOKS, LOOK = 10, 0.02
"""Times that a lock is asked for, and seconds between them: others take it for a moment to see whether it is free."""


def open_own(root: Path, worker: int) -> Queue:
    """Opens a worker's queue below the state folder's `queue`. If another worker has just adopted it, opens a fresh one beside
    it. Raises OSError, sqlite3.Error."""
    for number in range(1000):
        folder = root / (f"{worker}" if number == 0 else f"{worker}.{number}")
        for _ in range(LOOKS):
            try:
                queue = Queue(folder)
                queue.when_damaged = _end_this_process
                return queue
            except QueueLocked:
                time.sleep(LOOK)
            except (OSError, sqlite3.Error) as error:
                if not damage.is_damage(error) and not damage.is_unreadable(folder, error):
                    raise
                damage.set_aside(folder, error)
    raise OSError(f"{root}: every queue of worker {worker} is locked")


def _look_at(queue: Queue) -> None:
    """Looks at a queue's file through a new connection, which notices damage. The open one caches pages and may not notice it
    for long; messages taken meanwhile would be lost with the process."""
    try:
        control.has_mail(queue.folder)
    except (OSError, sqlite3.Error) as error:
        if damage.is_damage(error):
            queue.damaged(error)


def _end_this_process() -> None:
    """Ends this process as its supervisor would: doors are closed, and work under way ends."""
    os.kill(os.getpid(), signal.SIGTERM)


class Adopter:
    """Adopts below `root`. `make` gives a dispatcher for an adopted queue, not yet started; `own` is the worker's own queue."""

    def __init__(
        self, root: Path, make: Callable[[Queue], Dispatcher], interval: float = ROUND, own: Queue | None = None
    ) -> None:
        self._root = root
        self._own = [own] if own is not None else []
        self._make = make
        self._interval = interval
        self._orphans: set[Path] = set()
        self._adopted: list[Dispatcher] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(rounds(self._interval, self.round, "adoption"))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while self._adopted:
            await self._release(self._adopted[0])

    async def round(self) -> None:
        """Gives back queues that are finished or damaged, and adopts those that had no owner in the last round either."""
        for queue in (*self._own, *(d.queue for d in self._adopted)):
            _look_at(queue)
        for dispatcher in [d for d in self._adopted if d.idle or d.queue.damage is not None]:
            await self._release(dispatcher)
        orphans = set()
        for folder in control.folders(self._root):
            try:
                if is_locked(folder):
                    continue
                damage.check(folder)
                if control.has_mail(folder):
                    orphans.add(folder)
                    if folder in self._orphans:
                        await self._adopt(folder)
            except QueueLocked:
                pass
            except (OSError, sqlite3.Error) as error:
                # A queue that cannot be read does not keep the others from being adopted.
                with contextlib.suppress(OSError):
                    if damage.is_damage(error) or damage.is_unreadable(folder, error):
                        damage.set_aside(folder, error)
                        continue
                log(Event.CONVERSATION_FAILED, conversation=f"adoption of {folder.name}", error=repr(error))
        self._orphans = orphans

    async def _adopt(self, folder: Path) -> None:
        queue = Queue(folder)
        log(Event.QUEUE_ADOPTED, queue=folder.name)
        dispatcher = self._make(queue)
        await dispatcher.start()
        self._adopted.append(dispatcher)

    async def _release(self, dispatcher: Dispatcher) -> None:
        self._adopted.remove(dispatcher)
        await dispatcher.stop()
        await dispatcher.queue.close()
