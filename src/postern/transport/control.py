"""An administrator's work on queued mail: look, try again, hold, drop.

Looking reads the queue's file. Changing goes through whoever holds the queue's lock: while a worker runs, as a request file in
the queue's `control` folder, which the worker's dispatcher polls and answers; while none runs, the command takes the lock and
changes the file itself. A request that nobody answers is taken back, so that it is not obeyed hours later.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from postern.telemetry.tracking import Tracker, TrackingRecord, TrackingStep
from postern.transport.damage import is_aside
from postern.transport.dispatcher import Dispatcher
from postern.transport.envelopes import FILE, is_made, load, queue_id
from postern.transport.lock import QueueLocked, is_locked, lock
from postern.transport.queued import NEVER, QueuedMessage, State

FOLDER = "control"
STALE = 30.0
"""Seconds after which a request is too old to be obeyed."""


class Verb(StrEnum):
    RETRY = "retry"
    HOLD = "hold"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """A request about the messages in `queue_ids`, or all whose last hop is `hop` ("kind:destination" or a destination alone);
    neither means all messages. RETRY lets go of held and of poisonous messages only when they are named. With `poison` the
    request changes only recipients that are set aside, of the messages named, or of all."""

    verb: Verb
    queue_ids: tuple[str, ...] = ()
    hop: str = ""
    poison: bool = False

    def __contains__(self, message: QueuedMessage) -> bool:
        if self.poison and not any(r.state is State.POISON for r in message.recipients):
            return False
        if self.queue_ids:
            return message.queue_id in self.queue_ids
        return not self.hop or any(_is_hop(r.hop, self.hop) for r in message.recipients)


_BECOMES = {Verb.RETRY: State.PENDING, Verb.HOLD: State.HELD, Verb.DROP: State.FAILED}
"""The new state of a recipient that is set aside, by verb."""


class NoAnswer(Exception):
    """The worker that holds the queue did not answer in time."""


@dataclass(frozen=True, slots=True)
class _Hit:
    number: int
    message_id: str
    sender: str


def folders(root: Path) -> list[Path]:
    """The queues below a state folder's `queue`, without those that are damaged."""
    return sorted(path.parent for path in root.glob(f"*/{FILE}") if not is_aside(path.parent))


def listed(folder: Path) -> Iterator[QueuedMessage]:
    """Every message of a queue, oldest first, as its file knows it. Raises sqlite3.Error."""
    with _reading(folder) as database:
        if not is_made(database):
            return
        (name,) = database.execute("SELECT name FROM identity").fetchone()
        for (number,) in database.execute("SELECT id FROM messages ORDER BY id").fetchall():
            message = load(database, name, number)
            if message is not None:
                yield message


def waiting(folder: Path) -> tuple[int, float]:
    """Returns the number of a queue's messages, and when the oldest came (epoch seconds; 0 where there is none). Raises
    sqlite3.Error."""
    with _reading(folder) as database:
        if not is_made(database):
            return 0, 0.0
        (messages,) = database.execute("SELECT count(*) FROM messages").fetchone()
        oldest = database.execute("SELECT received FROM messages ORDER BY id LIMIT 1").fetchone()
    return messages, oldest[0] if oldest is not None else 0.0


def has_mail(folder: Path) -> bool:
    """Whether there is a message in this queue. Raises sqlite3.Error."""
    with _reading(folder) as database:
        return is_made(database) and database.execute("SELECT 1 FROM messages LIMIT 1").fetchone() is not None


def ask(folder: Path, request: ControlRequest, timeout: float = 5.0) -> int:
    """Has a request obeyed. Returns how many messages it met. Raises NoAnswer, OSError, sqlite3.Error."""
    deadline = time.monotonic() + timeout
    token = secrets.token_hex(8)
    control = folder / FOLDER
    file, answer = control / f"{token}.request", control / f"{token}.answer"
    try:
        while True:
            with contextlib.suppress(QueueLocked):
                return _change_alone(folder, request)
            if not file.exists() and not answer.exists():
                control.mkdir(mode=0o700, exist_ok=True)
                _write(file, asdict(request))
            while time.monotonic() < deadline:
                if answer.exists():
                    return int(json.loads(answer.read_text())["count"])
                if not is_locked(folder):
                    break
                time.sleep(0.05)
            else:
                raise NoAnswer(f"the worker of queue {folder.name} does not answer")
    finally:
        file.unlink(missing_ok=True)
        answer.unlink(missing_ok=True)


class Control:
    """The worker's end: obeys the requests for one queue. An instance is the dispatcher's `poll`."""

    def __init__(self, folder: Path, tracker: Tracker) -> None:
        self._control = folder / FOLDER
        self._tracker = tracker

    async def __call__(self, dispatcher: Dispatcher) -> None:
        try:
            names = [name for name in os.listdir(self._control) if name.endswith(".request")]
        except FileNotFoundError:
            return
        for name in names:
            file = self._control / name
            with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
                fresh = time.time() - file.stat().st_mtime < STALE
                text = file.read_text()
                file.unlink()
                values = json.loads(text)
                if fresh:
                    count = await self._obey(dispatcher, _request(values))
                    _write(file.with_suffix(".answer"), {"count": count})

    async def _obey(self, dispatcher: Dispatcher, request: ControlRequest) -> int:
        queue = dispatcher.queue
        active = [message for message in queue.active.values() if message in request]
        for message in active:
            if request.poison or request.verb is Verb.RETRY:
                for recipient in message.recipients:
                    if recipient.state is State.POISON and (request.poison or request.queue_ids):
                        recipient.state = _BECOMES[request.verb]
                        recipient.due = 0.0
            else:
                message.hold = request.verb is Verb.HOLD
                message.drop = message.drop or request.verb is Verb.DROP
        hits = await queue.change_waiting(lambda database: _edit(database, request))
        if request.verb is Verb.DROP and not request.poison:
            for hit in hits:
                self._tracker.record(
                    TrackingRecord(
                        TrackingStep.FAIL,
                        hit.message_id,
                        queue_id(queue.name, hit.number),
                        sender=hit.sender,
                        outcome="dropped by an administrator",
                    )
                )
        if request.verb is Verb.RETRY:
            dispatcher.retry_now()
        return len(active) + len(hits)


def _change_alone(folder: Path, request: ControlRequest) -> int:
    """Changes a queue that nobody holds, under its lock. Bodies of dropped messages go at the next start."""
    descriptor = lock(folder)
    try:
        with contextlib.closing(sqlite3.connect(folder / FILE, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous=FULL")
            if not is_made(database):
                return 0
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE messages SET due = 0 WHERE due IS NULL")
            hits = _edit(database, request)
            database.execute("COMMIT")
            return len(hits)
    finally:
        os.close(descriptor)


def _edit(database: sqlite3.Connection, request: ControlRequest) -> list[_Hit]:
    """Changes what waits in the file, within the caller's transaction."""
    hits = list(_find(database, request))
    numbers = [(hit.number,) for hit in hits]
    if request.poison:
        hits = _edit_poison(database, request.verb, hits)
    elif request.verb is Verb.DROP:
        database.executemany("DELETE FROM recipients WHERE message = ?", numbers)
        database.executemany("DELETE FROM messages WHERE id = ?", numbers)
    elif request.verb is Verb.HOLD:
        database.executemany(
            "UPDATE recipients SET state = ? WHERE message = ? AND state = ?",
            [(State.HELD, hit.number, State.PENDING) for hit in hits],
        )
        # A sender who is to hear that the message failed hears it all the same.
        database.executemany(
            "UPDATE messages SET due = coalesce((SELECT min(due) FROM recipients WHERE message = ?1 AND state = ?2), ?3)"
            " WHERE id = ?1",
            [(hit.number, State.POISON, NEVER) for hit in hits],
        )
    else:
        if not request.queue_ids:
            hits = [hit for hit in hits if _has_pending(database, hit)]
        released = (State.HELD, State.POISON) if request.queue_ids else (State.PENDING, State.PENDING)
        database.executemany(
            "UPDATE recipients SET state = ?1, due = 0 WHERE message = ?2 AND state IN (?1, ?3, ?4)",
            [(State.PENDING, hit.number, *released) for hit in hits],
        )
        database.executemany(
            "UPDATE messages SET due = 0 WHERE id = ?1 AND EXISTS"
            " (SELECT 1 FROM recipients WHERE message = ?1 AND state = ?2)",
            [(hit.number, State.PENDING) for hit in hits],
        )
    return hits


def _edit_poison(database: sqlite3.Connection, verb: Verb, hits: list[_Hit]) -> list[_Hit]:
    """Changes only the recipients that are set aside. A message without others that wait is tried at once, and so ends."""
    change = "UPDATE recipients SET state = ?, due = 0 WHERE message = ? AND state = ?"
    met = [hit for hit in hits if database.execute(change, (_BECOMES[verb], hit.number, State.POISON)).rowcount]
    if verb is not Verb.HOLD:
        open_ = "SELECT 1 FROM recipients WHERE message = ?1 AND state IN (?2, ?3)"
        for hit in met:
            waits = database.execute(open_, (hit.number, State.PENDING, State.HELD)).fetchone()
            if verb is Verb.RETRY or waits is None:
                database.execute("UPDATE messages SET due = 0 WHERE id = ?", (hit.number,))
    return met


def _request(values: dict[str, Any]) -> ControlRequest:
    """Reads the request that `ask` wrote. Raises ValueError, KeyError, TypeError."""
    return ControlRequest(Verb(values["verb"]), tuple(values["queue_ids"]), str(values["hop"]), bool(values["poison"]))


def _find(database: sqlite3.Connection, request: ControlRequest) -> Iterator[_Hit]:
    (name,) = database.execute("SELECT name FROM identity").fetchone()
    rows = database.execute("SELECT id, message_id, sender FROM messages WHERE due IS NOT NULL ORDER BY id").fetchall()
    for row in rows:
        hit = _Hit(*row)
        if request.queue_ids:
            if queue_id(name, hit.number) in request.queue_ids:
                yield hit
        elif not request.hop or any(
            _is_hop(hop, request.hop)
            for (hop,) in database.execute("SELECT hop FROM recipients WHERE message = ?", (hit.number,))
        ):
            yield hit


def _has_pending(database: sqlite3.Connection, hit: _Hit) -> bool:
    query = "SELECT 1 FROM recipients WHERE message = ? AND state = ?"
    return database.execute(query, (hit.number, State.PENDING)).fetchone() is not None


def _is_hop(hop: str, wanted: str) -> bool:
    return hop == wanted or hop.partition(":")[2] == wanted


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(folder / FILE, isolation_level=None)) as database:
        database.execute("PRAGMA query_only=1")
        database.execute("PRAGMA busy_timeout=5000")
        database.execute("BEGIN")
        yield database


def _write(file: Path, values: dict[str, object]) -> None:
    """Writes a file that appears whole or not at all."""
    temporary = file.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as out:
        json.dump(values, out)
    temporary.replace(file)
