"""What a process works on at this moment, so that its death or its hanging can be laid at the message that caused it.

A process marks a message before it computes on the message's octets, and takes the mark off behind it. The mark lies in a small
mapped file: it survives the process (kill -9, running out of memory, a stack overflow) without a sync, and only a power cut may
lose it. Whoever finds a mark without its process counts it against the message, and so does whoever sees an exception. After
LIMIT counts the message is given up: its owner (the queue, an outbox, a mailbox server) sets it aside, so that those behind it
go on. Waiting for a disk or a peer is never marked, for what ends a process then has nothing to do with the message.

A process has one table, as it has one log (`configure`). Without `configure` marks go nowhere and counts stay in memory.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import mmap
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from postern.telemetry.log import Event, log

LIMIT = 2
"""Attempts that may fail badly; then the message is given up."""
TIME = 60.0
"""Seconds that one piece of computing on a message may take; the process is then treated as one that hangs."""
KEPT = 86_400.0
"""Seconds after which a count is forgotten: another version, or another machine, may do better."""
LOOK = 0.1
"""Seconds that may pass until what another process counted is known, where nothing was before."""
TICK = 20_000_000
"""Nanoseconds: more than two ticks of the clock by which a file system that counts nanoseconds dates changes."""
MAX_STRUCK = 10_000
MAX_KEY = 250
MAX_WHY = 2000
_SLOTS = 64
"""Pieces of work that are marked at once: the loop's and those in threads. What finds none free is not marked."""
_SLOT = 256
_STRUCK = "struck"
_now = time.monotonic


@dataclass(frozen=True, slots=True)
class Struck:
    """How often handling `key` failed badly, and how it did the last time (`at`: epoch seconds). `fatal`: once at least it ended
    its process or hung it, so that nothing of it is to be tried again without need."""

    key: str
    count: int
    why: str
    at: float
    fatal: bool = False


class Attempts:
    """The table of one process: `file` has its marks, `folder` the counts of all processes of this host."""

    def __init__(self, file: Path | None = None, folder: Path | None = None) -> None:
        self._folder = folder
        self._map: mmap.mmap | None = _mapped(file) if file is not None else None
        self._free = list(range(_SLOTS))
        self._begun: list[tuple[str, float] | None] = [None] * _SLOTS
        self._known: dict[str, Struck] = {}
        self._seen = (-1, 0)
        self._look_again = 0.0

    def begin(self, key: str) -> int:
        """Marks work on `key`; the number is for `end`, -1 if there was no place."""
        try:
            slot = self._free.pop()
        except IndexError:
            return -1
        self._begun[slot] = (key, _now())
        if self._map is not None:
            octets = key.encode("utf-8", "replace")[:MAX_KEY]
            at = slot * _SLOT
            self._map[at + 1 : at + 1 + len(octets)] = octets
            self._map[at] = len(octets)
        return slot

    def end(self, slot: int) -> None:
        if slot < 0:
            return
        if self._map is not None:
            self._map[slot * _SLOT] = 0
        self._begun[slot] = None
        self._free.append(slot)

    def overdue(self, now: float) -> str | None:
        """What has been worked on for longer than TIME (`now`: monotonic seconds), if anything."""
        for work in self._begun:
            if work is not None and now - work[1] > TIME:
                return work[0]
        return None

    def given_up(self, key: str, limit: int = LIMIT) -> Struck | None:
        """The count of a message that must not be tried again; None if it may be."""
        struck = self._counts().get(key)
        return struck if struck is not None and struck.count >= limit else None

    def strike(self, key: str, why: str, fatal: bool = False) -> Struck:
        """Counts a bad end of an attempt at `key`, and says how many there were."""
        self._look_again = 0.0
        before = self._counts().get(key) or Struck(key, 0, "", 0.0)
        struck = Struck(key, before.count + 1, why[:MAX_WHY], time.time(), fatal or before.fatal)
        log(Event.ATTEMPT_BROKE, subject=key, count=struck.count, words=struck.why[:500])
        self._known[key] = struck
        if self._folder is not None:
            with contextlib.suppress(OSError):
                _write(self._folder / _STRUCK / _name(key), json.dumps(asdict(struck)))
        return struck

    def forget(self, key: str) -> None:
        """It may be tried afresh."""
        self._known.pop(key, None)
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / _STRUCK / _name(key)).unlink(missing_ok=True)

    def _counts(self) -> dict[str, Struck]:
        """The counts of all processes: the folder is read anew when it has changed. Where nothing counts against anything, which
        is always, it is looked at now and then."""
        if self._folder is None:
            return self._known
        now = _now()
        if now < self._look_again:
            return self._known
        try:
            changed = os.stat(self._folder / _STRUCK).st_mtime_ns
        except OSError:
            return self._known
        before, looked = self._seen
        # A change in the same tick of the file system's clock as the last look would not show.
        if changed != before or looked - changed < TICK:
            self._seen = (changed, time.time_ns())
            self._known = {one.key: one for one in read(self._folder)}
        self._look_again = now if self._known else now + LOOK
        return self._known


class attempt:
    """Marks work on a message for as long as the block runs. No more than computing on its octets belongs into it."""

    __slots__ = ("_key", "_slot")

    def __init__(self, key: str) -> None:
        self._key = key

    def __enter__(self) -> None:
        self._slot = _table.begin(self._key)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool | None:
        _table.end(self._slot)
        return None


class counted(attempt):
    """The same; and what the block raises counts against the message. A generator in its place would cost as much again."""

    __slots__ = ()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool | None:
        _table.end(self._slot)
        if isinstance(error, Exception):
            strike(self._key, error)
        return None


def given_up(key: str, limit: int = LIMIT) -> Struck | None:
    """See `Attempts.given_up`."""
    return _table.given_up(key, limit)


def strike(key: str, error: BaseException) -> Struck:
    """Counts an exception that handling `key` raised."""
    return _table.strike(key, f"{type(error).__name__}: {error}")


def forget(key: str) -> None:
    _table.forget(key)


def overdue(now: float) -> str | None:
    return _table.overdue(now)


_table = Attempts()


def configure(process: str, folder: Path) -> None:
    """Begins this process's table below `folder`. Marks that a former process of this name left are counted. Raises OSError."""
    global _table
    (folder / _STRUCK).mkdir(mode=0o700, exist_ok=True)
    blame(process, folder, "the process ended while it worked on this")
    _table = Attempts(folder / process, folder)


def blame(process: str, folder: Path, why: str) -> list[str]:
    """Counts what a process that is no more has marked, in its supervisor's words; its marks are then gone."""
    file = folder / process
    try:
        marks = file.read_bytes()[: _SLOTS * _SLOT]
        file.unlink()
    except OSError:
        return []
    slots = (marks[at : at + _SLOT] for at in range(0, len(marks), _SLOT))
    keys = [slot[1 : 1 + slot[0]].decode("utf-8", "replace") for slot in slots if slot[0]]
    table = Attempts(None, folder)
    for key in keys:
        table.strike(key, why, fatal=True)
    return keys


def read(folder: Path) -> Iterator[Struck]:
    """All counts of this host that still stand; what is older than KEPT, or cannot be read, is removed or passed over.

    Bound: at most 10,000 files, which only this program writes.
    """
    with contextlib.suppress(OSError):
        names = [name for name in os.listdir(folder / _STRUCK) if name.endswith(".json")]
        for name in names[:MAX_STRUCK]:
            file = folder / _STRUCK / name
            with contextlib.suppress(OSError, ValueError, TypeError):
                struck = Struck(**json.loads(file.read_text(encoding="utf-8")))
                if time.time() - struck.at > KEPT:
                    file.unlink()
                else:
                    yield struck


def pardon(folder: Path, keys: Iterable[str]) -> None:
    """These may be tried afresh: an administrator says so."""
    table = Attempts(None, folder)
    for key in keys:
        table.forget(key)


def _mapped(file: Path) -> mmap.mmap:
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        # Written, not stretched: a hole that a full disk cannot fill later would end the process by SIGBUS.
        if os.write(handle, bytes(_SLOTS * _SLOT)) < _SLOTS * _SLOT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        return mmap.mmap(handle, _SLOTS * _SLOT)
    finally:
        os.close(handle)


def _name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32] + ".json"


def _write(file: Path, text: str) -> None:
    """Appears whole or not at all; the folder's time tells the others."""
    temporary = file.with_suffix(f".{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as out:
        out.write(text)
    temporary.replace(file)
