"""Passes change numbers of mailboxes between the processes that serve one database.

A process tells others of a change after its commit, together with other changes, over NOTIFY on a connection of its own: a
NOTIFY inside each transaction would make the commits wait for one another. A notice that is lost with a dying process costs a
listener no more than `_DOUBT` seconds, for waiters also look at the numbers themselves now and then.
"""

from __future__ import annotations

import asyncio
import time
from uuid import UUID

from postern.model.mailbox import MailboxError
from postern.store import wire
from postern.store.connection import Connection, Pool

_CHANNEL = "postern_changes"
_DOUBT = 30.0
_PAYLOAD = 180  # changes in one NOTIFY: its payload has 8000 bytes at most
_RETRY = 1.0
_GATHER = 0.01
"""Seconds for which changes are gathered: waiters of this process are woken at once, those of others that much later."""


class Notices:
    """The notices of one process. Call `changed` after each commit, and `wait` to watch mailboxes."""

    def __init__(self, conninfo: str, pool: Pool) -> None:
        self._conninfo = conninfo
        self._pool = pool
        self._known: dict[UUID, int] = {}
        """The newest numbers of mailboxes with waiters; right once a waiter has asked the database."""
        self._waiters: dict[UUID, set[asyncio.Event]] = {}
        self._untold: dict[UUID, int] = {}
        self._to_tell = asyncio.Event()
        self._listenings = 0
        """The number of times that listening began. What was told in between is unknown."""
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        ready = asyncio.Event()
        self._tasks = [asyncio.create_task(self._listen(ready)), asyncio.create_task(self._tell())]
        await ready.wait()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def changed(self, mailbox: UUID, change: int) -> None:
        """Tells the other processes, and the waiters of this one, of a change that this process committed."""
        self._heard(mailbox, change)
        if self._untold.get(mailbox, 0) < change:
            self._untold[mailbox] = change
            self._to_tell.set()

    async def wait(self, mailboxes: dict[UUID, int], timeout: float) -> dict[UUID, int]:
        """Does what Mailboxes.wait says."""
        deadline = time.monotonic() + timeout
        event = asyncio.Event()
        for mailbox in mailboxes:
            self._waiters.setdefault(mailbox, set()).add(event)
        try:
            while True:
                listening, looked = self._listenings, time.monotonic()
                await self._look(mailboxes)
                while listening == self._listenings and time.monotonic() < looked + _DOUBT:
                    news = {
                        mailbox: change
                        for mailbox, seen in mailboxes.items()
                        if (change := self._known.get(mailbox, 0)) > seen
                    }
                    if news:
                        return news
                    left = min(deadline, looked + _DOUBT) - time.monotonic()
                    if left <= 0:
                        break
                    event.clear()
                    try:
                        await asyncio.wait_for(event.wait(), left)
                    except TimeoutError:
                        pass
                if time.monotonic() >= deadline:
                    return {}
        finally:
            for mailbox in mailboxes:
                waiters = self._waiters[mailbox]
                waiters.discard(event)
                if not waiters:
                    del self._waiters[mailbox]
                    self._known.pop(mailbox, None)

    async def _look(self, mailboxes: dict[UUID, int]) -> None:
        rows = await self._pool.run(
            "SELECT guid, change FROM mailboxes WHERE guid = ANY ($1::uuid[])", [wire.uuids(mailboxes)]
        )
        for guid, change in rows:
            self._heard(UUID(bytes=guid), wire.to_int8(change))

    def _heard(self, mailbox: UUID, change: int) -> None:
        waiters = self._waiters.get(mailbox)
        if waiters is None:
            return  # nobody watches it; a new waiter asks the database first
        if self._known.get(mailbox, 0) < change:
            self._known[mailbox] = change
            for event in waiters:
                event.set()

    def _payload(self, payload: str) -> None:
        for entry in payload.split():
            guid, _, change = entry.partition(":")
            try:
                self._heard(UUID(guid), int(change))
            except ValueError:
                continue

    async def _listen(self, ready: asyncio.Event) -> None:
        while True:
            gone = asyncio.Event()
            connection: Connection | None = None
            try:
                connection = await Connection.open(self._conninfo, "postern-listen")
                connection.notified = self._payload
                connection.lost = gone.set
                await connection.run(f"LISTEN {_CHANNEL}", prepare=False)
                self._listenings += 1
                for event in {event for waiters in self._waiters.values() for event in waiters}:
                    event.set()
                ready.set()
                await gone.wait()
            except MailboxError:
                pass
            finally:
                if connection is not None:
                    connection.close()
                ready.set()
            await asyncio.sleep(_RETRY)

    async def _tell(self) -> None:
        connection: Connection | None = None
        try:
            while True:
                await self._to_tell.wait()
                await asyncio.sleep(_GATHER)
                self._to_tell.clear()
                told, self._untold = self._untold, {}
                entries = [f"{mailbox.hex}:{change}" for mailbox, change in told.items()]
                payloads = [" ".join(entries[start : start + _PAYLOAD]) for start in range(0, len(entries), _PAYLOAD)]
                try:
                    if connection is None or connection.broken:
                        connection = await Connection.open(self._conninfo, "postern-notify")
                        # The change is in the database already: nothing is lost with its notice.
                        await connection.run("SET synchronous_commit = off", prepare=False)
                    await connection.run(
                        "SELECT pg_notify($1::text, p) FROM unnest($2::text[]) AS p",
                        [wire.text(_CHANNEL), wire.texts(payloads)],
                    )
                except MailboxError:
                    await asyncio.sleep(_RETRY)
        finally:
            if connection is not None:
                connection.close()
