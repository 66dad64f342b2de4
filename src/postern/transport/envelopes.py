"""Envelopes: one SQLite file a queue, `queue.sqlite`, in WAL mode with synchronous=FULL.

`messages.due` NULL means: in memory with the process that holds the queue's lock. So a message that is accepted and delivered at
once never touches the index of what waits; after a crash all such messages are due at once. Used by the committer's thread, and
read-only by `postern queue`. Every method may raise sqlite3.Error.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from postern.model.mail import BodyType, Content, Envelope, EnvelopeRecipient, Origin
from postern.transport.files import Files
from postern.transport.queued import NEVER, Change, Location, QueuedMessage, QueuedRecipient, State

FILE = "queue.sqlite"
_VERSION = 1
_SCHEMA = """
CREATE TABLE identity (name TEXT NOT NULL, generation INTEGER NOT NULL);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    sender TEXT NOT NULL,
    parameters TEXT,
    origin TEXT NOT NULL,
    received REAL NOT NULL,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    size INTEGER NOT NULL,
    due REAL
);
CREATE INDEX waiting ON messages (due) WHERE due IS NOT NULL;
CREATE TABLE recipients (
    message INTEGER NOT NULL,
    number INTEGER NOT NULL,
    address TEXT NOT NULL,
    notify TEXT NOT NULL,
    original TEXT NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due REAL NOT NULL,
    hop TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT NOT NULL,
    expanded INTEGER NOT NULL,
    warned INTEGER NOT NULL,
    PRIMARY KEY (message, number)
) WITHOUT ROWID;
"""
_INSERT = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UPSERT = "INSERT OR REPLACE INTO recipients VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_CHECKPOINT_PAGES = 4000


class Envelopes:
    """The open file. `name` and `generation` make queue ids that are never given twice, also after a restart."""

    def __init__(self, folder: Path, files: Files) -> None:
        self._files = files
        # SQLite gives its other files the mode of this one.
        os.close(os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.database = sqlite3.connect(
            folder / FILE, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            self.name, self.generation = self._opened()
        except BaseException:
            self.database.close()
            raise

    def _opened(self) -> tuple[str, int]:
        run = self.database.execute
        run("PRAGMA journal_mode=WAL")
        run("PRAGMA synchronous=FULL")
        run("PRAGMA busy_timeout=5000")
        run(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        self.begin()
        if not is_made(self.database):
            for statement in _SCHEMA.split(";\n"):
                run(statement)
            run("INSERT INTO identity VALUES (?, 0)", (secrets.token_hex(4),))
            run(f"PRAGMA user_version={_VERSION}")
        run("UPDATE identity SET generation = generation + 1")
        run("UPDATE messages SET due = 0 WHERE due IS NULL")
        name, generation = run("SELECT name, generation FROM identity").fetchone()
        self.commit()
        return name, generation

    def begin(self) -> None:
        self.database.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self._files.commit(self.database)

    def rollback(self) -> None:
        if self.database.in_transaction:
            self.database.execute("ROLLBACK")

    def make_room(self) -> None:
        """Frees space on a full disk: moves the write-ahead log into the database, and truncates it."""
        with contextlib.suppress(sqlite3.Error):
            self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self.database.close()

    def live(self) -> dict[int, int]:
        """Messages by segment."""
        return dict(self.database.execute("SELECT segment, count(*) FROM messages GROUP BY segment"))

    def add(self, messages: Iterable[tuple[QueuedMessage, float | None]]) -> None:
        """New messages, each with its `due` (None: it stays in memory)."""
        rows: list[tuple[object, ...]] = []
        recipients: list[tuple[object, ...]] = []
        for message, due in messages:
            rows.append(message_row(message, due))
            recipients.extend(recipient_row(message.id, recipient) for recipient in message.recipients)
        self.insert(rows, recipients)

    def insert(self, messages: Sequence[tuple[object, ...]], recipients: Sequence[tuple[object, ...]]) -> None:
        """Whole rows of both tables."""
        self.database.executemany(_INSERT, messages)
        self.database.executemany(_UPSERT, recipients)

    def change(self, changes: Sequence[Change]) -> None:
        done = {change.message.id for change in changes if change.done}
        if done:
            numbers = [(number,) for number in done]
            self.database.executemany("DELETE FROM recipients WHERE message = ?", numbers)
            self.database.executemany("DELETE FROM messages WHERE id = ?", numbers)
        for change in changes:
            if change.message.id not in done:
                self.database.executemany(_UPSERT, [recipient_row(change.message.id, r) for r in change.recipients])
                if change.due is not None:
                    self.database.execute("UPDATE messages SET due = ? WHERE id = ?", (change.due, change.message.id))

    def move(self, locations: Iterable[tuple[int, Location]]) -> None:
        self.database.executemany(
            "UPDATE messages SET segment = ?, offset = ? WHERE id = ?",
            [(at.segment, at.offset, message) for message, at in locations],
        )

    def waiting_in(self, segment: int) -> list[tuple[int, Location]]:
        """Messages of this segment that are not in memory."""
        rows = self.database.execute(
            "SELECT id, segment, offset, size FROM messages WHERE segment = ? AND due IS NOT NULL", (segment,)
        )
        return [(row[0], Location(*row[1:])) for row in rows]

    def next_due(self) -> float:
        """The time at which the next message that waits is due; NEVER if there is none."""
        (due,) = self.database.execute("SELECT min(due) FROM messages WHERE due IS NOT NULL").fetchone()
        return NEVER if due is None else due

    def due(self, now: float, limit: int) -> list[int]:
        """Numbers of the messages that are due, longest waiting first."""
        rows = self.database.execute("SELECT id FROM messages WHERE due <= ? ORDER BY due, id LIMIT ?", (now, limit))
        return [row[0] for row in rows]

    def take(self, numbers: Iterable[int]) -> None:
        """Marks these messages as being in memory."""
        self.database.executemany("UPDATE messages SET due = NULL WHERE id = ?", [(n,) for n in numbers])

    def load(self, number: int) -> QueuedMessage | None:
        return load(self.database, self.name, number)


def is_made(database: sqlite3.Connection) -> bool:
    """Whether the tables are there; False after a crash in a queue's first moment. Raises sqlite3.DatabaseError for another
    version."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version not in (0, _VERSION):
        raise sqlite3.DatabaseError(f"the queue has format {version}; this Postern knows {_VERSION}")
    return bool(version)


class MalformedRow(sqlite3.DatabaseError):
    """A row holds values that were never written there: the file is damaged, though SQLite can read it."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def load(database: sqlite3.Connection, name: str, number: int) -> QueuedMessage | None:
    """A message as the file knows it, without its content. Raises sqlite3.Error."""
    try:
        return _load(database, name, number)
    except (ValueError, TypeError, AttributeError) as error:
        raise MalformedRow(f"message {number:x}: {error}") from error


def _load(database: sqlite3.Connection, name: str, number: int) -> QueuedMessage | None:
    row = database.execute(
        "SELECT message_id, sender, parameters, origin, received, segment, offset, size FROM messages WHERE id = ?",
        (number,),
    ).fetchone()
    if row is None:
        return None
    recipients = [
        QueuedRecipient(
            r[0], r[1], _notify(r[2]), r[3], _state(r[4]), r[5], r[6], r[7], r[8], r[9], bool(r[10]), bool(r[11])
        )
        for r in database.execute(
            "SELECT number, address, notify, original, state, attempts, due, hop, status, error, expanded, warned"
            " FROM recipients WHERE message = ? ORDER BY number",
            (number,),
        )
    ]
    message_id, sender, parameters, origin, received, *location = row
    body, smtputf8, envelope_id, ret = json.loads(parameters) if parameters else (BodyType.SEVEN_BIT, False, "", "")
    envelope = Envelope(
        sender,
        tuple(EnvelopeRecipient(r.address, r.notify, r.original) for r in recipients if not r.expanded),
        BodyType(body),
        smtputf8,
        envelope_id,
        ret,
    )
    return QueuedMessage(
        number,
        queue_id(name, number),
        message_id,
        envelope,
        Origin(*json.loads(origin)),
        received,
        Location(*location),
        Content((), 0),
        recipients,
    )


def queue_id(name: str, number: int) -> str:
    """The queue's own name and the message's number: unique among all queues and for all time."""
    return f"{name}-{number:x}"


def _parameters(envelope: Envelope) -> str | None:
    if envelope.body is BodyType.SEVEN_BIT and not (envelope.smtputf8 or envelope.envelope_id or envelope.ret):
        return None
    return json.dumps([envelope.body, envelope.smtputf8, envelope.envelope_id, envelope.ret])


# Thousands of messages come from the same few clients.
@lru_cache(maxsize=1024)
def _origin(origin: Origin) -> str:
    return json.dumps(
        [
            origin.path,
            origin.client,
            origin.helo,
            origin.identity,
            origin.mechanism,
            origin.protocol,
            origin.cipher,
        ]
    )


def _state(number: int) -> State:
    state = State(number)
    return State.PENDING if state is State.REPORTING else state


def _notify(text: str) -> frozenset[str]:
    return frozenset(text.split()) if text else frozenset()


def message_row(message: QueuedMessage, due: float | None) -> tuple[object, ...]:
    """The message's row of the table `messages`."""
    at = message.location
    return (
        message.id,
        message.message_id,
        message.envelope.sender,
        _parameters(message.envelope),
        _origin(message.origin),
        message.received,
        at.segment,
        at.offset,
        at.size,
        due,
    )


def recipient_row(message: int, r: QueuedRecipient) -> tuple[object, ...]:
    """The recipient's row of the table `recipients`."""
    return (
        message,
        r.number,
        r.address,
        " ".join(sorted(r.notify)) if r.notify else "",
        r.original,
        int(r.state),
        r.attempts,
        r.due,
        r.hop,
        r.status,
        r.error,
        r.expanded,
        r.warned,
    )
