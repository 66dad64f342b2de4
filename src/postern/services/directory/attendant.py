"""The System Attendant updates recipients when it is this mailbox server's turn, and keeps the server's entry in Active
Directory.

One attendant of the organization works: that of the first mailbox server by name whose attendant answers. Each asks those before
it over rus-rpc, and rests while one answers. One whose last round failed answers with an error,
so that the next takes over. Two that cannot reach each other may both work for a while; they write the same values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from postern.directory.ad.recipient_update import RecipientUpdate
from postern.model.directory import DirectoryUnavailable, RecipientsUpdated
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE
from postern.services.rpc.client import RpcClient, RpcError
from postern.services.rpc.stub import stub
from postern.telemetry.log import Event, log
from postern.telemetry.rounds import rounds

INTERVAL = 5.0
"""Seconds between two searches for changes: each is one search of an index (5 to 10 ms)."""


class Attendant:
    """Works or rests. `earlier` are clients of RECIPIENT_UPDATE on the mailbox servers before this one. `register` is told
    whether this attendant works, each time that changes.

    After a round that failed it does not work, and says so to those after it (`failed`), until a round has succeeded."""

    def __init__(
        self,
        row: str,
        update: RecipientUpdate,
        earlier: Sequence[RpcClient],
        register: Callable[[bool], Awaitable[None]],
        interval: float = INTERVAL,
    ) -> None:
        self.works = False
        self.failed = False
        """Whether the last round failed."""
        self.total = RecipientsUpdated()
        self._row = row
        self._update = update
        self._earlier = list(earlier)
        self._register = register
        self._registered: bool | None = None
        self._interval = interval
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(
            rounds(self._interval, self.once, "recipient update", expected=(DirectoryUnavailable,), at_once=True)
        )

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for client in self._earlier:
            await client.close()

    async def update(self, recipients: Sequence[str]) -> RecipientsUpdated | None:
        """Updates these recipients now, or all for (); None if it is not this attendant's turn. Raises DirectoryUnavailable."""
        if not await self._elect():
            return None
        async with self._turn:
            return self._did(await (self._update.these(recipients) if recipients else self._update.all()))

    async def once(self) -> None:
        """Finds out once whether it is this attendant's turn, then updates what changed and the server's entry. Raises
        DirectoryUnavailable."""
        try:
            await self._round(await self._elect())
        except Exception:
            self.failed = True
            self._set_works(False)
            raise

    async def _round(self, is_elected: bool) -> None:
        try:
            if is_elected:
                async with self._turn:
                    self._did(await self._update.changed())
        except Exception:
            await self._tell(False)
            raise
        await self._tell(is_elected)
        self.failed = False
        self._set_works(is_elected)

    async def _tell(self, works: bool) -> None:
        """Tells `register` whether this attendant works, unless it knows."""
        if self._registered is not works:
            await self._register(works)
            self._registered = works

    async def _elect(self) -> bool:
        """Returns whether it is this attendant's turn."""
        is_elected = not any(await asyncio.gather(*(_answers(client) for client in self._earlier)))
        self._set_works(is_elected and not self.failed)
        return is_elected

    def _set_works(self, works: bool) -> None:
        if works is not self.works:
            self.works = works
            log(Event.ATTENDANT_WORKS, path=self._row, works=works)

    def _did(self, done: RecipientsUpdated) -> RecipientsUpdated:
        self.total += done
        if done.changed:
            log(Event.RECIPIENTS_UPDATED, path=self._row, seen=done.seen, changed=done.changed, failed=len(done.failed))
        return done


async def _answers(client: RpcClient) -> bool:
    """Whether an attendant answers, be it at work or at rest. One whose last round failed answers with a fault."""
    try:
        await stub(client, RECIPIENT_UPDATE).standing()
    except (RpcError, DirectoryUnavailable):
        return False
    return True
