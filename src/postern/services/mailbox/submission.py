"""Mail submission from mailboxes. On the mailbox server `SubmissionNotifier` tells a hub whose outbox holds something
(mailbox-to-hub-submission); on the hub `SubmissionService` hears that, and `OutboxTaker` takes the messages out over
hub-to-mailbox-mapi, checks them as SMTP submission is checked, and queues them.

The notice holds no message and may be lost: the outbox is the truth, and is looked at again. A crash between queueing and
`submitted` queues a message a second time under the same Message-ID, never zero times.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from postern.model.mailbox import MailboxError
from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces import mailbox_values as values
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.pdu import Status
from postern.services.mailbox.outbox import OutboxTaker
from postern.services.rpc.client import RpcClient, RpcError
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.server import Caller, RpcFault
from postern.telemetry.log import Event, log

NOTICES = 1000
"""Mailboxes of one notice."""
RESCAN = 60.0
"""Seconds after which the outboxes are looked at without anybody having said anything."""
_AGAIN = 2.0
"""Seconds until hubs of which none took a notice are asked again."""
_TAKEN, _FULL = 0, 1


class SubmissionNotifier:
    """On a mailbox server. `hubs` are clients of MAIL_SUBMISSION, tried in order from the one that answered last;
    `waiting` gives the mailboxes whose outbox holds something. `submitted` is called after each `Mailboxes.submit`."""

    def __init__(
        self,
        server: str,
        hubs: Sequence[RpcClient],
        waiting: Callable[[], Awaitable[Sequence[UUID]]],
        rescan: float = RESCAN,
    ) -> None:
        self._server = server
        self._hubs = list(hubs)
        self._waiting = waiting
        self._rescan = rescan
        self._mailboxes: dict[UUID, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for hub in self._hubs:
            await hub.close()

    def submitted(self, mailbox: UUID) -> None:
        self._mailboxes[mailbox] = None
        self._wake.set()

    async def _run(self) -> None:
        while True:
            try:
                self._mailboxes.update(dict.fromkeys(await self._waiting()))
            except MailboxError:
                log(Event.STORE_UNAVAILABLE)
            taken = True
            while self._mailboxes and taken:
                taken = await self._notify(list(self._mailboxes)[:NOTICES])
            if not taken:
                await asyncio.sleep(min(self._rescan, _AGAIN))
                continue
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._rescan)

    async def _notify(self, mailboxes: list[UUID]) -> bool:
        """Tells one hub; whether one took it."""
        for hub in list(self._hubs):
            try:
                (answer,) = await hub.call("notify", (self._server, values.uuids(mailboxes)))
            except RpcError as error:
                log(Event.DEFERRED, path=hub.target.row.id, peer=hub.target.fqdn, diagnostic=str(error))
                answer = _FULL
            if answer == _TAKEN:
                for mailbox in mailboxes:
                    self._mailboxes.pop(mailbox, None)
                return True
            self._hubs.append(self._hubs.pop(0))
        return False


class SubmissionService(InterfaceService):
    """On a hub: MAIL_SUBMISSION on `row`. `accounts` gives each mailbox server's machine account by the server's name: a server
    speaks for itself only."""

    def __init__(self, row: Path, taker: OutboxTaker, accounts: Mapping[str, str]) -> None:
        super().__init__(MAIL_SUBMISSION, row, {"notify": self._notify})
        self._taker = taker
        self._accounts = accounts

    async def _notify(self, caller: Caller, server: str, mailboxes: bytes) -> Sequence[Any]:
        account = self._accounts.get(server)
        # Over a unix socket every process of this host is known as this host.
        if account is None or account.lower() != caller.identity.name.lower():
            raise RpcFault(Status.ACCESS_DENIED)
        taken = self._taker.noted(server, values.read_uuids(mailboxes))
        return (_TAKEN if taken else _FULL,)
