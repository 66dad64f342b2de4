"""Marks the messages that a process works on at this moment, to find the one that made the process die or hang.

A process marks a message before it computes on the message's octets, and takes the mark off afterwards. The mark lies in a small
mapped file: it survives the process (kill -9, running out of memory, a stack overflow) without a sync, and only a power cut may
lose it. A mark whose process is gone counts against its message, and so does an exception. After LIMIT counts the message is
given up: its owner (the queue, an outbox, a mailbox server) sets it aside, so that the messages behind it go on. Waiting for a
disk, a peer or a thread is never marked, since a process that ends meanwhile does not end because of the message. `attempting`
is therefore called in the thread that computes.

A process has one table, as it has one log (`configure`). Without `configure` marks go nowhere and counts stay in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import mmap
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from postern.telemetry.log import Event, log

P = ParamSpec("P")
T = TypeVar("T")

LIMIT = 2
"""Attempts that may fail badly before the message is given up."""
TIME = 60.0
"""Seconds that one piece of computing on a message may take; the process is then treated as one that hangs."""
KEPT = 86_400.0
"""Seconds after which a count is forgotten, since another version or another machine may do better."""
LOOK = 0.1
"""Seconds between two looks for counts of other processes, while there are none."""
MAX_STRUCK = 10_000
"""Counts that a host keeps; the oldest go first."""
PRUNE_EVERY = 256
"""Counts that a process adds between two looks whether there are too many."""
MAX_FILE = 65_536
MAX_KEY = 250
MAX_WHY = 2000
_SLOTS = 64
"""Pieces of work that are marked at once, on the loop and in threads. Work that finds no slot free is not marked."""
_SLOT = 256
_STRUCK = "struck"
_now = time.monotonic


@dataclass(frozen=True, slots=True)
class Struck:
    """The count of attempts at `key` that failed badly. `why` and `at` (epoch seconds) are those of the last one. `fatal`: one at
    least ended its process or hung it, so that nothing of the message is tried again without need."""

    key: str
    count: int
    why: str
    at: float
    fatal: bool = False


class Attempts:
    """The table of one process. `file` has its marks, `folder` the counts of all processes of this host."""

    def __init__(self, file: Path | None = None, folder: Path | None = None) -> None:
        self._folder = folder
        self._map: mmap.mmap | None = _mapped(file) if file is not None else None
        self._free = list(range(_SLOTS))
        self._begun: list[tuple[str, float] | None] = [None] * _SLOTS
        self._known: dict[str, Struck] = {}
        """Counts that are in no file, since there is no folder or it takes no more."""
        self._any = False
        self._look_again = 0.0
        self._quiet_until = 0.0
        """Until this time (monotonic seconds) the process takes it that there are no counts."""
        self._until_pruned = PRUNE_EVERY

    def begin(self, key: str) -> int:
        """Marks work on `key`. Returns a number for `end`, -1 if no slot was free."""
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
        """Returns the key of a message that has been worked on for longer than TIME at `now` (monotonic seconds), if any."""
        for work in self._begun:
            if work is not None and now - work[1] > TIME:
                return work[0]
        return None

    def given_up(self, key: str, limit: int = LIMIT) -> Struck | None:
        """Returns the count of a message that must not be tried again; None if it may be."""
        if _now() < self._quiet_until:
            return None
        struck = self._count(key)
        return struck if struck is not None and struck.count >= limit else None

    def strike(self, key: str, why: str, fatal: bool = False) -> Struck:
        """Counts an attempt at `key` that failed badly. Returns the count."""
        self._look_again = self._quiet_until = 0.0
        before = self._count(key) or Struck(key, 0, "", 0.0)
        struck = Struck(key, before.count + 1, why[:MAX_WHY], time.time(), fatal or before.fatal)
        log(Event.ATTEMPT_BROKE, subject=key, count=struck.count, words=struck.why[:500])
        if not self._written(struck):
            self._known[key] = struck
            if len(self._known) > MAX_STRUCK:
                del self._known[next(iter(self._known))]
        self._look_again = self._quiet_until = 0.0
        return struck

    def forget(self, key: str) -> None:
        """Forgets the count of `key`, which may be tried afresh."""
        self._known.pop(key, None)
        if self._folder is not None:
            with contextlib.suppress(OSError):
                (self._folder / _STRUCK / _name(key)).unlink(missing_ok=True)

    def _written(self, struck: Struck) -> bool:
        if self._folder is None:
            return False
        self._until_pruned -= 1
        if self._until_pruned <= 0:
            self._until_pruned = PRUNE_EVERY
            _prune(self._folder)
        try:
            _write(self._folder / _STRUCK / _name(struck.key), json.dumps(asdict(struck)))
        except OSError:
            return False
        self._known.pop(struck.key, None)
        return True

    def _count(self, key: str) -> Struck | None:
        """Returns the count of this message, whichever process made it. Only the message's own file is read. While there are no
        counts at all, which is the usual case, only the folder is looked at, every LOOK seconds."""
        if self._folder is None:
            return self._known.get(key)
        now = _now()
        if now >= self._look_again:
            self._any = bool(self._known) or _has_entries(self._folder / _STRUCK)
            self._look_again = now + LOOK
            self._quiet_until = 0.0 if self._any else self._look_again
        if not self._any:
            return None
        return self._known.get(key) or _read(self._folder / _STRUCK / _name(key))


def attempting(key: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls `work`, and marks it for as long as it computes. For work in another thread, that thread calls this function."""
    table = _table
    slot = table.begin(key)
    try:
        return work(*args, **kwargs)
    finally:
        table.end(slot)


async def attempting_in_thread_if(
    in_thread: bool, key: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Does the same as `attempting`, with `in_thread` in a thread: for work that would hold up the loop's other tasks."""
    if in_thread:
        return await asyncio.to_thread(lambda: attempting(key, work, *args, **kwargs))
    return attempting(key, work, *args, **kwargs)


class attempt:
    """Marks work on a message for as long as the block runs. The block only computes on the message's octets, without an `await`;
    work in a thread needs `attempting`."""

    __slots__ = ("_key", "_slot")

    def __init__(self, key: str) -> None:
        self._key = key

    def __enter__(self) -> None:
        self._slot = _table.begin(self._key)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool | None:
        _table.end(self._slot)
        return None


class counted(attempt):
    """Marks work as `attempt` does; an exception of the block also counts against the message. A generator would cost twice as
    much."""

    __slots__ = ()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool | None:
        _table.end(self._slot)
        if isinstance(error, Exception):
            strike(self._key, error)
        return None


def given_up(key: str, limit: int = LIMIT) -> Struck | None:
    """Returns the count of a message that must not be tried again, as `Attempts.given_up` does."""
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
    _prune(folder)
    blame(process, folder, "the process ended while it worked on this")
    _table = Attempts(folder / process, folder)


def blame(process: str, folder: Path, why: str) -> list[str]:
    """Counts the marks of a process that is no more, and removes them. `why` is the supervisor's reason. Returns the keys."""
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


def excuse(process: str, folder: Path) -> None:
    """Removes the marks of a process that was ended in the ordinary way. They count against no message."""
    with contextlib.suppress(OSError):
        (folder / process).unlink()


def read(folder: Path) -> Iterator[Struck]:
    """Yields all counts of this host that still stand. Those older than KEPT are removed; unreadable ones are passed over.

    Bound: the 10,000 youngest files, which only this program writes, 64 KB of each.
    """
    _prune(folder)
    with contextlib.suppress(OSError):
        for name in [name for name in os.listdir(folder / _STRUCK) if name.endswith(".json")][:MAX_STRUCK]:
            if (struck := _read(folder / _STRUCK / name)) is not None:
                yield struck


def _read(file: Path) -> Struck | None:
    """Reads one count; None if there is none that still stands."""
    try:
        with open(file, "rb") as opened:
            struck = Struck(**json.loads(opened.read(MAX_FILE)))
        if time.time() - struck.at <= KEPT:
            return struck
        file.unlink()
    except (OSError, ValueError, TypeError):
        pass
    return None


def _has_entries(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _prune(folder: Path) -> None:
    """Removes counts that are too old, and the oldest of the rest where they are too many."""
    dated: list[tuple[float, str]] = []
    with contextlib.suppress(OSError), os.scandir(folder / _STRUCK) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                dated.append((entry.stat(follow_symlinks=False).st_mtime, entry.path))
    dated.sort()
    old = time.time() - KEPT
    surplus = len(dated) - MAX_STRUCK
    for number, (at, path) in enumerate(dated):
        if number >= surplus and at >= old:
            break
        with contextlib.suppress(OSError):
            os.unlink(path)


def pardon(folder: Path, keys: Iterable[str]) -> None:
    """Forgets the counts of `keys`, for an administrator who wants them tried afresh."""
    table = Attempts(None, folder)
    for key in keys:
        table.forget(key)


def _mapped(file: Path) -> mmap.mmap:
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        # Written in full: a hole that a full disk cannot fill later would end the process by SIGBUS.
        if os.write(handle, bytes(_SLOTS * _SLOT)) < _SLOTS * _SLOT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        return mmap.mmap(handle, _SLOTS * _SLOT)
    finally:
        os.close(handle)


def _name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32] + ".json"


def _write(file: Path, text: str) -> None:
    """Writes a file that appears whole or not at all."""
    temporary = file.with_suffix(f".{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as out:
        out.write(text)
    temporary.replace(file)
