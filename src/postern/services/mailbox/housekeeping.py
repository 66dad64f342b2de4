"""Housekeeping of the mailbox role: it records the connection to the database (the row `postgresql`) and the size of the
database, disconnects mailboxes whose owner is gone, purges them when their time is over, and renders again what an older version
rendered.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Protocol

from postern.model.directory import DirectoryUnavailable, MailboxOwners
from postern.model.mailbox import MailboxError
from postern.store.disconnected import Find
from postern.store.transport import Transport
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, put
from postern.telemetry.observed import Observed
from postern.telemetry.rounds import rounds

EVERY = 300.0
"""Seconds between two rounds."""


class Housekept(Protocol):
    """A database of mailboxes that is kept in order (`store.database.MailboxDatabase`). Each method may raise MailboxError
    UNAVAILABLE."""

    async def transport(self) -> Transport:
        """The transport by which the database is reached."""
        ...

    async def octets(self) -> int:
        """Size of the database, in octets."""
        ...

    async def reconcile(self, find: Find) -> None:
        """Marks the mailboxes whose owner `find` does not find."""
        ...

    async def maintain(self, retention: float | None) -> None:
        """Purges mailboxes that are disconnected for longer than `retention` seconds (None: no mailbox), and frees unused
        content."""
        ...

    async def render_anew(self) -> bool:
        """Renders anew what an older version stored; False where another process does it."""
        ...


class Housekeeping:
    """Runs the housekeeping of one process of the mailbox role. One process of each host `maintains` the mailboxes, too."""

    def __init__(
        self, database: Housekept, owners: MailboxOwners, observed: Observed, retention: float, maintains: bool
    ) -> None:
        self._database = database
        self._owners = owners
        self._observed = observed
        self._retention = retention
        self._maintains = maintains
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Starts the rounds. Raises MailboxError where the database does not answer."""
        await self._look()
        self._tasks = [
            asyncio.create_task(rounds(EVERY, self._keep_house, "housekeeping")),
            asyncio.create_task(render_anew(self._database)),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_house(self) -> None:
        with contextlib.suppress(MailboxError):
            await self._look()
        if self._maintains:
            await maintain(self._database, self._owners, self._retention)

    async def _look(self) -> None:
        await observe(self._database, self._observed)
        if self._maintains:
            put(Metric.DATABASE_OCTETS, await self._database.octets())


async def observe(database: Housekept, observed: Observed) -> None:
    """Counts the connection to the database among those observed, at the start and in each round: its row
    passes no door of ours. Raises MailboxError."""
    used = await database.transport()
    observed.seen("postgresql", used.peer, used.mechanism, used.seal, time.time())


async def reconcile(database: Housekept, owners: MailboxOwners) -> bool:
    """Marks the mailboxes whose owner was removed, be it on another host. Returns False, and marks none, where the directory
    did not answer about every owner."""
    try:
        await database.reconcile(owners.mailbox_owners)
    except MailboxError:
        return False
    except DirectoryUnavailable as error:
        log(Event.OWNERS_UNKNOWN, error=str(error))
        return False
    return True


async def maintain(database: Housekept, owners: MailboxOwners, retention: float) -> None:
    """Purges a mailbox `retention` seconds after its owner was gone, if the directory says now that he is still gone."""
    complete = await reconcile(database, owners)
    with contextlib.suppress(MailboxError):
        await database.maintain(retention if complete else None)


async def render_anew(database: Housekept) -> None:
    """Renders all old messages anew, and returns when none is left. If the process that does it ends, another goes on."""
    while True:
        try:
            if await database.render_anew():
                return
        except MailboxError:
            pass
        except Exception as error:
            log(Event.CONVERSATION_FAILED, conversation="rendering anew", error=repr(error), exc_info=error)
        await asyncio.sleep(EVERY)
