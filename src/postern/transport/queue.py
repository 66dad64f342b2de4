"""The queue: takes messages so that a power cut loses none, and remembers what became of each recipient.

This is the event loop's side: futures, and the messages in memory. The committer's thread writes; 250 is said after body and
envelope are synced. The dispatcher decides where a message goes. Each worker of a role owns one folder, locked as long as it
lives; another worker opens the folder of a dead one the same way (`adoption`).
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from postern.model.mail import Accepted, Content, Envelope, IntakeError, Origin
from postern.telemetry.metrics import Metric, observe
from postern.transport.batch import Arrival
from postern.transport.committer import Committer
from postern.transport.damage import is_damage
from postern.transport.files import Files
from postern.transport.queued import NEVER, Change, QueuedMessage

T = TypeVar("T")

MINIMUM_FREE = 104_857_600
"""Bytes that must stay free on the queue's disk; a message that would take them is refused (back pressure)."""
ACTIVE_MESSAGES = 20_000
"""Messages in memory; further ones wait in the file."""
RETRY_TAKE = 1.0
KEPT_BODIES = 67_108_864
"""Bytes of bodies in memory."""
LINGER = 0.002
"""Seconds that an arrival waits at most for as many others as came lately: a commit costs more than taking a message."""


class Queue:
    """The queue of one worker, a model.mail.Intake. All methods but the constructor are for the loop's thread.

    `clock` gives epoch seconds. The constructor recovers the folder's messages; it raises QueueLocked, OSError, sqlite3.Error.
    """

    def __init__(
        self,
        folder: Path,
        files: Files | None = None,
        minimum_free: int = MINIMUM_FREE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder = folder
        self.clock = clock
        self._committer = Committer(folder, files or Files(), minimum_free, clock)
        self.name = self._committer.name
        self.next_due = self._committer.next_due()
        """The time at which the next message that waits in the file is due (epoch seconds); NEVER if none waits."""
        self.active: dict[int, QueuedMessage] = {}
        """Messages in memory, by number."""
        self._lowest = NEVER
        """The earliest due time recorded since the file was last asked."""
        self._kept = 0
        self._gathered: list[Arrival] = []
        """Arrivals that the committer does not have yet."""
        self._in_hand = 0
        """The number of arrivals that the committer has."""
        self._company = 1
        """The number of senders that lately waited for an answer at the same time."""
        self._lingering: asyncio.TimerHandle | None = None
        self.damage: Exception | None = None
        """The reason why the file cannot be used any more, once it is known; None before."""
        self.when_damaged: Callable[[], None] = lambda: None
        """Called once, after `damage` is set and this process has noted its knowledge of messages for their rescue."""
        self._listener: Callable[[Sequence[QueuedMessage]], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, listener: Callable[[Sequence[QueuedMessage]], None] | None = None) -> None:
        """Begins to take. `listener` is called on the loop's thread with messages just committed, which from then on are in
        memory until they are recorded as done or as due later; and without any when `next_due` comes nearer. Without a
        listener, messages wait in the file."""
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._committer.start(self._loop, self)

    async def accept(self, envelope: Envelope, content: Content, origin: Origin) -> Accepted:
        """Returns once body and envelope are synced. Raises IntakeError: then nothing was taken."""
        loop = self._loop
        if loop is None:
            raise IntakeError("the queue is not open")
        if self.damage is not None:
            raise IntakeError("the queue is damaged")
        observe(Metric.MESSAGE_OCTETS, content.size, origin.path)
        future: asyncio.Future[Accepted] = loop.create_future()
        self._gathered.append(Arrival(envelope, content, origin, future))
        if not self._in_hand:
            self._offer()
        return await future

    def record(self, changes: list[Change]) -> None:
        """Writes what became of messages, soon and in batches. A message whose change is lost in a crash is carried again."""
        for change in changes:
            if change.done or change.due is not None:
                self._forget(change.message)
                if change.due is not None:
                    self.lower(change.due)
        self._committer.put(changes)

    async def take_due(self, limit: int) -> list[QueuedMessage]:
        """Brings messages that are due into memory, longest waiting first, and sets `next_due`. Raises sqlite3.Error, OSError."""
        room = min(limit, ACTIVE_MESSAGES - len(self.active))
        if room <= 0:
            return []
        messages = await self._ask(lambda: self._committer.take(room))
        for message in messages:
            self.active[message.id] = message
        return messages

    async def change_waiting(self, edit: Callable[[sqlite3.Connection], T]) -> T:
        """Runs an administrator's transaction on the messages that wait in the file. Raises sqlite3.Error."""
        return await self._ask(lambda: self._committer.edit_waiting(edit))

    async def settled(self) -> None:
        """Returns once everything recorded before is written (or is being tried again)."""
        await self._call(lambda: None)

    async def close(self) -> None:
        """Commits all work, then lets go of the folder."""
        loop = asyncio.get_running_loop()
        self._loop = None
        self._hand_over()
        await loop.run_in_executor(None, self._committer.close)

    def _offer(self) -> None:
        """Gives the committer the gathered arrivals, or waits a little if more are likely: a lone sender never waits."""
        if len(self._gathered) >= self._company:
            self._hand_over()
        elif self._lingering is None and self._loop is not None:
            self._lingering = self._loop.call_later(LINGER, self._hand_over)

    def _hand_over(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        arrivals, self._gathered = self._gathered, []
        self._in_hand += len(arrivals)
        self._company = len(arrivals)
        for arrival in arrivals:
            self._committer.put(arrival)

    def _back(self, count: int) -> None:
        """Counts arrivals that have their answer. Their senders may soon send again, and the next batch waits for them too."""
        self._in_hand -= count
        if self._gathered and not self._in_hand:
            if count == self._company:
                # The whole batch was answered at once: all of its senders may come back, besides those who already wait.
                self._company += len(self._gathered)
            else:
                self._company = max(self._company, len(self._gathered))
            self._offer()

    async def _ask(self, work: Callable[[], tuple[T, float]]) -> T:
        """Runs work that also tells the file's `next_due`. Messages recorded meanwhile may be due before that."""
        self._lowest = NEVER
        try:
            result, next_due = await self._call(work)
        except Exception as error:
            self.next_due = self.clock() + RETRY_TAKE
            if is_damage(error):
                self.damaged(error)
            raise
        self.next_due = min(self._lowest, next_due)
        return result

    async def _call(self, work: Callable[[], T]) -> T:
        """Runs `work` on the committer's thread, after the changes that were recorded before."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                loop.call_soon_threadsafe(_set_exception, future, error)
            else:
                loop.call_soon_threadsafe(_set_result, future, result)

        self._committer.put(run)
        return await future

    def _forget(self, message: QueuedMessage) -> None:
        if self.active.pop(message.id, None) is not None and isinstance(message.content.chunks, tuple):
            self._kept -= message.content.size

    # committer.Loop

    def room(self) -> tuple[int, int]:
        messages = ACTIVE_MESSAGES - len(self.active) if self._listener is not None else 0
        return messages, KEPT_BODIES - self._kept

    def committed(self, arrivals: Sequence[Arrival]) -> None:
        fresh = []
        for arrival in arrivals:
            message = arrival.message
            assert message is not None
            if arrival.due is None:
                self.active[message.id] = message
                if isinstance(message.content.chunks, tuple):
                    self._kept += message.content.size
                fresh.append(message)
            else:
                self.lower(arrival.due)
            _set_result(arrival.future, Accepted(message.queue_id, message.message_id))
        if self._listener is not None:
            self._listener(fresh)
        self._back(len(arrivals))

    def lower(self, due: float) -> None:
        self._lowest = min(self._lowest, due)
        if due < self.next_due:
            self.next_due = due
            if self._listener is not None:
                self._listener(())  # it sleeps until what was the next due time before

    def damaged(self, error: Exception) -> None:
        if self.damage is None and self._loop is not None:
            self.damage = error
            self._giving_up = self._loop.create_task(self._give_up(error))

    async def _give_up(self, error: Exception) -> None:
        with contextlib.suppress(OSError):  # then only the file itself can be rescued
            await self._call(lambda: self._committer.give_up(error))
        # The committer takes nothing any more, and what it took until then is among the active messages by now.
        with contextlib.suppress(OSError):
            await self._call(lambda: self._committer.note_active(list(self.active.values())))
        self.when_damaged()

    def refused(self, futures: Sequence[asyncio.Future[Accepted]], text: str) -> None:
        for future in futures:
            _set_exception(future, IntakeError(text))
        self._back(len(futures))


def _set_result(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def _set_exception(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
