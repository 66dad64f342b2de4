"""Rescues a damaged queue: messages whose rows can be read go on, in a new file and under their old names.

SQLite finds a row by different ways (both ends of the tables, the index of what waits), so that one broken page costs only the
rows in it. The worker that noticed the damage left notes beside the file: messages in its memory, and what became of recipients
since. Bodies are judged when they are taken (`segments`); their segments are linked, so that the damaged queue stays whole for a
person to look at. A message keeps its queue id, by which a mailbox that has it already drops it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from postern.transport.envelopes import FILE, Envelopes, message_row, recipient_row
from postern.transport.files import Files
from postern.transport.queued import Change, QueuedMessage
from postern.transport.segments import path_of

NOTES = "notes.jsonl"
_NEW = "rescued"
_NUMBERS = (
    "SELECT id FROM messages ORDER BY id",
    "SELECT id FROM messages ORDER BY id DESC",
    "SELECT message FROM recipients ORDER BY message",
    "SELECT message FROM recipients ORDER BY message DESC",
    "SELECT id FROM messages INDEXED BY waiting WHERE due IS NOT NULL ORDER BY due",
    "SELECT id FROM messages INDEXED BY waiting WHERE due IS NOT NULL ORDER BY due DESC",
)
_SEGMENT, _DUE = 6, 9
"""Columns of a message's row."""

Row = tuple[Any, ...]


def note(folder: Path, messages: Sequence[QueuedMessage], changes: Sequence[Change]) -> None:
    """Writes notes beside a file that takes nothing any more: its worker's messages and changes, in their order. Raises
    OSError."""
    handle = os.open(folder / NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as out:
        for message in messages:
            rows = [recipient_row(message.id, recipient) for recipient in message.recipients]
            out.write(json.dumps([message.id, message_row(message, 0.0), rows]) + "\n")
        for change in changes:
            rows = [recipient_row(change.message.id, recipient) for recipient in change.recipients]
            out.write(json.dumps([change.message.id, None, None if change.done else rows, change.due]) + "\n")
        out.flush()
        os.fsync(handle)


def rescue(aside: Path, folder: Path) -> int:
    """Makes `folder` anew from the messages left in `aside`. Returns how many they are; without any it is not made. Raises
    OSError, sqlite3.Error."""
    new = aside / _NEW
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    identity, messages, recipients = _read(aside, new)
    _apply(aside / NOTES, messages, recipients)
    rescued = _write(new, identity, messages, recipients) if messages else 0
    if not rescued:
        shutil.rmtree(new)
        return 0
    for number in {row[_SEGMENT] for row in messages.values()}:
        with contextlib.suppress(OSError):  # it is gone: its messages will be held
            os.link(path_of(aside, number), path_of(new, number))
    new.rename(folder)
    return rescued


def _read(aside: Path, new: Path) -> tuple[Row | None, dict[int, Row], dict[int, dict[int, Row]]]:
    """Reads name and generation, rows of messages, and rows of their recipients. Works on a copy: SQLite changes a file that it
    opens."""
    copy = new / "copy.sqlite"
    for suffix in ("", "-wal"):
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(aside / f"{FILE}{suffix}", f"{copy}{suffix}")
    messages: dict[int, Row] = {}
    recipients: dict[int, dict[int, Row]] = {}
    with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as database:
        identity = next(_rows(database, "SELECT name, generation FROM identity"), None)
        for number in {row[0] for query in _NUMBERS for row in _rows(database, query)}:
            row = next(_rows(database, "SELECT * FROM messages WHERE id = ?", number), None)
            if row is not None:
                messages[number] = row
                rows = _rows(database, "SELECT * FROM recipients WHERE message = ?", number)
                recipients[number] = {recipient[1]: recipient for recipient in rows}
    for file in new.glob(f"{copy.name}*"):
        file.unlink()
    return identity, messages, recipients


def _rows(database: sqlite3.Connection, query: str, *values: object) -> Iterator[Row]:
    """The rows in front of the first that cannot be read."""
    with contextlib.suppress(sqlite3.Error):
        yield from database.execute(query, values)


def _apply(notes: Path, messages: dict[int, Row], recipients: dict[int, dict[int, Row]]) -> None:
    """Applies the notes, which are newer than the file, to its rows. A torn last line is passed over."""
    try:
        lines = notes.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, LookupError, RecursionError):
            number, message, rows, *due = json.loads(line)
            if message is not None:
                messages[number] = tuple(message)
            if rows is None:
                messages.pop(number, None)
            elif number in messages:
                recipients.setdefault(number, {}).update((row[1], tuple(row)) for row in rows)
                if due and due[0] is not None:
                    messages[number] = (*messages[number][:_DUE], due[0])


def _write(new: Path, identity: Row | None, messages: dict[int, Row], recipients: dict[int, dict[int, Row]]) -> int:
    """Writes a queue's file with these rows and the old queue's name, so that queue ids stay. Returns the number of messages."""
    envelopes = Envelopes(new, Files())
    run, rescued = envelopes.database.execute, 0
    try:
        envelopes.begin()
        generation = max(number >> 32 for number in messages)
        if identity is not None:
            run("UPDATE identity SET name = ?, generation = ?", (identity[0], max(generation, identity[1])))
            envelopes.name = identity[0]
        else:
            run("UPDATE identity SET generation = ?", (generation,))
        for number, row in messages.items():
            run("SAVEPOINT one")
            try:
                envelopes.insert([row], list(recipients.get(number, {}).values()))
                whole = bool(recipients.get(number)) and envelopes.load(number) is not None
            except (sqlite3.Error, ValueError, TypeError, OverflowError):
                whole = False  # a row that holds nonsense: it is lost, the others are not
            run("RELEASE one" if whole else "ROLLBACK TO one")
            rescued += whole
        run("UPDATE messages SET due = 0 WHERE due IS NULL")
        envelopes.commit()
    finally:
        envelopes.close()
    return rescued
