"""The committer: the one thread that writes a queue's files.

It collects everything that waits, writes all bodies to a segment, syncs it, commits all envelopes and outcomes in one SQLite
transaction, and only then tells the loop's thread. Nothing else writes there, so there are no locks but the folder's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Protocol, TypeVar

from postern.model.mail import Accepted
from postern.protocols.mime.header import first_value, lines_end
from postern.telemetry.log import Event, log
from postern.transport import damage, rescue
from postern.transport.batch import Arrival, Batch
from postern.transport.envelopes import Envelopes, queue_id
from postern.transport.files import Files
from postern.transport.lock import lock
from postern.transport.queued import NEVER, Change, Location, QueuedMessage, State, initial_recipients
from postern.transport.segments import DamagedBody, Segments

T = TypeVar("T")

LINGER = 0.02
"""Seconds for which outcomes wait for others: nobody waits for them, and a sync serves many."""
KEPT_BODY = 262_144
"""Bytes of a body up to which it may stay in memory, within the bound of them all (`queue.KEPT_BODIES`)."""
RETRY_SAVE = 1.0
"""Seconds after which outcomes that could not be written are written again."""
_MAX_MESSAGE_ID = 998


class Loop(Protocol):
    """The queue, as the committer sees it. `room` is read on the committer's thread; the others are called on the loop's."""

    def room(self) -> tuple[int, int]:
        """Messages, and bytes of bodies, that memory still has place for."""
        ...

    def committed(self, arrivals: Sequence[Arrival]) -> None: ...

    def lower(self, due: float) -> None:
        """Something in the file is due at `due`."""
        ...

    def refused(self, futures: Sequence[asyncio.Future[Accepted]], text: str) -> None: ...

    def damaged(self, error: Exception) -> None:
        """The file cannot be read or written, and that will not pass."""
        ...


class Committer:
    """Opens and recovers a folder in the constructor (QueueLocked, OSError, sqlite3.Error). `put` gives it work: an Arrival, a
    list of Changes, or a function to run between two batches."""

    def __init__(self, folder: Path, files: Files, minimum_free: int, clock: Callable[[], float]) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock
        self._files = files
        self._minimum_free = minimum_free
        self._lock = lock(folder)
        try:
            damage.check(folder)
            self._envelopes = Envelopes(folder, files)
            files.sync_folder(folder)
            files.sync_folder(folder.parent)
            self._segments = Segments(folder, files, self._envelopes.live())
        except BaseException:
            os.close(self._lock)
            raise
        self.name = self._envelopes.name
        self.next_due = self._envelopes.next_due
        self._number = self._envelopes.generation << 32
        self._works: SimpleQueue[Arrival | list[Change] | Callable[[], None] | None] = SimpleQueue()
        self.put = self._works.put
        self._body_room = 0
        self._damaged = False
        """The file takes nothing any more: changes are noted beside it."""
        self._unsaved: list[Change] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: Loop | None = None
        self._thread = threading.Thread(target=self._run, name=f"committer {folder.name}", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop, queue: Loop) -> None:
        self._loop = loop
        self._queue = queue
        self._thread.start()

    def close(self) -> None:
        """Commits the work put so far, then lets go of the folder."""
        if self._thread.is_alive():
            self._works.put(None)
            self._thread.join()
        self._segments.close()
        self._envelopes.close()
        os.close(self._lock)

    # Called by work that runs on this thread

    def take(self, limit: int) -> tuple[list[QueuedMessage], float]:
        """Takes messages that are due, with whole bodies. A message whose body cannot be read is held, and those of its segment
        are taken all the same."""
        messages, damaged = [], []
        reasons: dict[int, list[str]] = {}
        for number in self._envelopes.due(self._clock(), limit):
            message = self._envelopes.load(number)
            assert message is not None
            try:
                self._segments.verify(number, message.location)
            except DamagedBody as error:
                damaged.append(_held(message, str(error)))
                reasons.setdefault(message.location.segment, []).append(str(error))
                continue
            message.content = self._segments.content(message.location)
            messages.append(message)
        self._envelopes.begin()
        try:
            self._envelopes.take(message.id for message in messages)
            self._envelopes.change(damaged)
            self._envelopes.commit()
        except BaseException:
            self._envelopes.rollback()
            raise
        for segment, descriptions in reasons.items():
            file = str(self._segments.path(segment))
            log(Event.SEGMENT_DAMAGED, file=file, messages=len(descriptions), reason=descriptions[0])
        return messages, self._envelopes.next_due()

    def edit_waiting(self, edit: Callable[[sqlite3.Connection], T]) -> tuple[T, float]:
        """Runs one transaction on the messages that wait in the file. Returns its result and the new `next_due`."""
        before = self._envelopes.live()
        self._envelopes.begin()
        try:
            result = edit(self._envelopes.database)
            self._envelopes.commit()
        except BaseException:
            self._envelopes.rollback()
            raise
        after = self._envelopes.live()
        for segment, count in before.items():
            for _ in range(count - after.get(segment, 0)):
                self._segments.release(Location(segment, 0, 0))
        return result, self._envelopes.next_due()

    def give_up(self, error: Exception) -> None:
        """Gives up the damaged file: from now on nothing is taken, and changes are noted beside it. Raises OSError."""
        if not self._damaged:
            self._damaged = True
            if self._queue is not None:
                self._tell(self._queue.damaged, error)
            damage.mark(self._folder, error)

    def note_active(self, active: Sequence[QueuedMessage]) -> None:
        """Notes the messages that are in memory, for the rescue of a damaged file. Raises OSError."""
        rescue.note(self._folder, active, ())

    # The committer's thread

    def _run(self) -> None:
        while True:
            batch = self._collect()
            try:
                self._commit(batch)
            except Exception as error:
                # A defect must not end the thread: everybody would wait for ever.
                log(Event.CONVERSATION_FAILED, conversation="committer", error=repr(error), exc_info=error)
                self._refuse(batch.arrivals, "internal error")
            for call in batch.calls:
                call()
            if batch.stop:
                return

    def _collect(self) -> Batch:
        batch = Batch()
        try:
            batch.add(self._works.get(timeout=RETRY_SAVE if self._unsaved else None))
        except Empty:
            return batch
        self._drain(batch)
        deadline = time.monotonic() + LINGER
        while not (batch.arrivals or batch.calls or batch.full):
            try:
                batch.add(self._works.get(timeout=max(0.0, deadline - time.monotonic())))
            except Empty:
                break
            self._drain(batch)
        return batch

    def _drain(self, batch: Batch) -> None:
        while not batch.full:
            try:
                batch.add(self._works.get_nowait())
            except Empty:
                return

    def _commit(self, batch: Batch) -> None:
        changes = self._unsaved + batch.changes
        if self._damaged:
            self._refuse(batch.arrivals, "the queue is damaged")
            self._note(changes)
            return
        if batch.arrivals and self._pressed(batch.size):
            self._refuse(batch.arrivals, "not enough free space")
            batch.arrivals = []
        try:
            if batch.arrivals:
                self._write_bodies(batch.arrivals)
            if batch.arrivals or changes:
                self._write_envelopes(batch.arrivals, changes)
        except (OSError, ValueError, sqlite3.Error, DamagedBody) as error:
            self._unsaved = changes
            if damage.is_damage(error):
                self.give_up(error)
                self._note(changes)
            if _is_full(error):
                self._envelopes.make_room()
            if isinstance(error, ValueError) and len(batch.arrivals) > 1:
                # One of the contents is not as long as it says: the others must not suffer for it.
                for arrival in batch.arrivals:
                    self._commit(Batch([arrival], size=arrival.content.size))
            else:
                self._refuse(batch.arrivals, str(error))
            return
        if self._unsaved and self._queue is not None:
            # The file may have been asked for its next due time while it did not know of these.
            self._tell(self._queue.lower, min(change.due or NEVER for change in self._unsaved))
        self._unsaved = []
        for arrival in batch.arrivals:
            assert arrival.message is not None
            self._segments.keep(arrival.message.location)
        if batch.arrivals:
            assert self._queue is not None
            self._tell(self._queue.committed, batch.arrivals)
        self._reclaim([change.message.location for change in changes if change.done])

    def _note(self, changes: list[Change]) -> None:
        self._unsaved = changes
        rescue.note(self._folder, (), changes)
        self._unsaved = []

    def _reclaim(self, done: list[Location]) -> None:
        """Deletes the segments of messages that are done, once they hold nothing else. A file that cannot be deleted now goes at
        the next start."""
        for location in done:
            with contextlib.suppress(OSError):
                self._segments.release(location)
        if done:
            with contextlib.suppress(sqlite3.Error):
                self._move_sparse()

    def _pressed(self, size: int) -> bool:
        try:
            return self._files.free(self._folder) < self._minimum_free + size
        except OSError:
            return True

    def _write_bodies(self, arrivals: list[Arrival]) -> None:
        first = self._number + 1
        self._number += len(arrivals)
        try:
            locations = self._segments.add((number, arrival.content) for number, arrival in enumerate(arrivals, first))
            self._segments.sync()
        except BaseException:
            self._segments.undo()
            raise
        assert self._queue is not None
        now = self._clock()
        room, self._body_room = self._queue.room()
        for number, arrival, location in zip(range(first, self._number + 1), arrivals, locations, strict=True):
            arrival.message = self._new_message(number, arrival, location, now)
            arrival.due = None if room > 0 else now
            room -= 1

    def _new_message(self, number: int, arrival: Arrival, location: Location, now: float) -> QueuedMessage:
        content = arrival.content
        chunks = content.chunks
        message_id = _find_message_id(chunks[0]) if len(chunks) else ""
        if content.size > min(KEPT_BODY, self._body_room) or not isinstance(chunks, tuple):
            content = self._segments.content(location)
        else:
            self._body_room -= content.size
        return QueuedMessage(
            number,
            queue_id(self.name, number),
            message_id,
            arrival.envelope,
            arrival.origin,
            now,
            location,
            content,
            initial_recipients(arrival.envelope),
        )

    def _write_envelopes(self, arrivals: list[Arrival], changes: list[Change]) -> None:
        envelopes = self._envelopes
        try:
            envelopes.begin()
            if arrivals:
                envelopes.add((a.message, a.due) for a in arrivals if a.message is not None)
            if changes:
                envelopes.change(changes)
        except BaseException:
            envelopes.rollback()
            if arrivals:
                self._segments.undo()
            raise
        self._commit_envelopes(with_bodies=bool(arrivals))

    def _commit_envelopes(self, with_bodies: bool) -> None:
        try:
            self._envelopes.commit()
        except BaseException as error:
            self._envelopes.rollback()
            if with_bodies and _is_full(error):
                self._segments.undo()
            elif with_bodies:
                self._segments.abandon()
            raise

    def _move_sparse(self) -> None:
        """Frees segments that a few waiting messages keep: their bodies are written again to the current one."""
        for segment, count in self._segments.sparse():
            with contextlib.suppress(OSError, DamagedBody):
                self._move(segment, count)

    def _move(self, segment: int, count: int) -> None:
        waiting = self._envelopes.waiting_in(segment)
        size = sum(at.size for _, at in waiting)
        if len(waiting) != count or size * 4 > self._segments.path(segment).stat().st_size or self._pressed(size):
            return
        for number, at in waiting:
            # A damaged body stays where it is: in a new place its checksum would be right.
            self._segments.verify(number, at)
        try:
            places = self._segments.add((n, self._segments.content(at)) for n, at in waiting)
            self._segments.sync()
        except BaseException:
            self._segments.undo()
            raise
        self._envelopes.begin()
        self._envelopes.move([(n, at) for (n, _), at in zip(waiting, places, strict=True)])
        self._commit_envelopes(with_bodies=True)
        for (_, old), new in zip(waiting, places, strict=True):
            self._segments.keep(new)
            self._segments.release(old)

    def _refuse(self, arrivals: Sequence[Arrival], text: str) -> None:
        if arrivals and self._queue is not None:
            self._tell(self._queue.refused, [arrival.future for arrival in arrivals], text)

    def _tell(self, tell: Callable[..., None], *arguments: Any) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(tell, *arguments)


def _held(message: QueuedMessage, why: str) -> Change:
    """The change that holds a message. One whose body has changed since it was taken is never sent: it waits for a person."""
    for recipient in message.recipients:
        if recipient.state is State.PENDING:
            recipient.state, recipient.status, recipient.error = State.HELD, "4.3.0", why
    return Change(message, due=NEVER, recipients=message.recipients)


def _is_full(error: BaseException) -> bool:
    """Whether the disk was full, so that the commit record was not written; after any other error nobody knows."""
    if isinstance(error, sqlite3.Error):
        return error.sqlite_errorcode == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno == errno.ENOSPC


def _find_message_id(chunk: bytes) -> str:
    end = lines_end(chunk)
    value = first_value(chunk[:end] if end >= 0 else chunk, b"message-id")
    return value.split(maxsplit=1)[0][:_MAX_MESSAGE_ID].decode("utf-8", "replace") if value else ""
