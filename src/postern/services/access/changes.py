"""One wait for changes on a mailbox server for all sessions of a process (IMAP IDLE), instead of one each.

Sessions watch a mailbox from a change number on; when the server says that it moved, each watcher is called once. Waiting calls
are never broken off: a mailbox that is newly watched gets a call of its own, and mailboxes come to share one as calls return.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

from postern.model.mailbox import Changes, MailboxError

WAIT = 25.0
"""Seconds a waiting call lasts at most: an idle process asks this often."""
GATHER = 0.02
"""Seconds that new watchers are gathered before a call is made for them."""
RETRY = 2.0
"""Seconds until a server that did not answer is asked again."""


class Watch:
    """One session's interest in one mailbox. `close` ends it; `changed` is called on the loop, once a change."""

    __slots__ = ("_changes", "changed", "mailbox")

    def __init__(self, changes: MailboxChanges, mailbox: UUID, changed: Callable[[], None]) -> None:
        self._changes = changes
        self.mailbox = mailbox
        self.changed = changed

    def close(self) -> None:
        self._changes.forget(self)


class MailboxChanges:
    """Waits for changes of all watched mailboxes. `close` ends the waits when the process stops."""

    def __init__(self, mailboxes: Changes) -> None:
        self._mailboxes = mailboxes
        self._watches: dict[UUID, set[Watch]] = {}
        self._known: dict[UUID, int] = {}
        self._covered: set[UUID] = set()
        self._waits: set[asyncio.Task[None]] = set()
        self._gathering: asyncio.TimerHandle | None = None

    def watch(self, mailbox: UUID, change: int, changed: Callable[[], None]) -> Watch:
        """Calls `changed` when the mailbox's change number goes beyond `change` (MailboxInfo.change), and after
        each later change."""
        watch = Watch(self, mailbox, changed)
        latest = self._known.setdefault(mailbox, change)
        self._watches.setdefault(mailbox, set()).add(watch)
        if change < latest:  # others know of a later one already
            asyncio.get_running_loop().call_soon(self._tell, watch)
        self._gather()
        return watch

    def forget(self, watch: Watch) -> None:
        watches = self._watches.get(watch.mailbox)
        if watches is None:
            return
        watches.discard(watch)
        if not watches:
            del self._watches[watch.mailbox]
            self._known.pop(watch.mailbox, None)

    async def close(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
        self._watches.clear()
        waits = list(self._waits)
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    def _tell(self, watch: Watch) -> None:
        if watch in self._watches.get(watch.mailbox, ()):
            watch.changed()

    def _gather(self, delay: float = GATHER) -> None:
        if self._gathering is None and self._watches.keys() - self._covered:
            self._gathering = asyncio.get_running_loop().call_later(delay, self._begin)

    def _begin(self) -> None:
        self._gathering = None
        wanted = self._watches.keys() - self._covered
        if wanted:
            self._covered |= wanted
            task = asyncio.get_running_loop().create_task(self._wait({m: self._known[m] for m in wanted}))
            self._waits.add(task)
            task.add_done_callback(self._waits.discard)

    async def _wait(self, wanted: dict[UUID, int]) -> None:
        delay = GATHER
        moved: dict[UUID, int] = {}
        try:
            moved = await self._mailboxes.wait(wanted, WAIT)
        except MailboxError:
            delay = RETRY
        finally:
            self._covered -= wanted.keys()
        for mailbox, change in moved.items():
            if change > self._known.get(mailbox, change):
                self._known[mailbox] = change
                for watch in list(self._watches.get(mailbox, ())):
                    watch.changed()
        self._gather(delay)
