"""Mail submission from mailboxes. On the mailbox server `SubmissionNotifier` tells a hub which outboxes hold something
(mailbox-to-hub-submission). On the hub `SubmissionService` receives that, and `OutboxTaker` takes the messages out over
hub-to-mailbox-mapi, checks them as SMTP submission does, and queues them.

A notice holds no message and may be lost: the outbox is looked at again. A crash between queueing and `submitted` queues a
message a second time, under the same Message-ID; no message is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, cast
from uuid import UUID

from postern.model.item_store import ItemStore
from postern.model.mailbox import MailboxError
from postern.model.mailbox_server import Mailboxes, MailboxItems
from postern.model.out_of_office import ReplyStore
from postern.model.resources import Put, ResourceStore
from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION, MailSubmission
from postern.protocols.dcerpc.pdu import Status
from postern.services.mailbox.outbox import OutboxTaker
from postern.services.rpc.call import Caller, RpcFault
from postern.services.rpc.client import RpcClient, RpcError
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.stub import stub
from postern.telemetry.log import Event, log
from postern.telemetry.rounds import rounds

NOTICES = 1000
"""Mailboxes that one notice names."""
RESCAN = 60.0
"""Seconds after which the outboxes are looked at without a call of `submitted`."""
_AGAIN = 2.0
"""Seconds until the hubs are asked again after none took a notice."""


class SubmissionNotifier:
    """Tells hubs, on a mailbox server, which outboxes hold something. `hubs` are clients of MAIL_SUBMISSION, tried in order from
    the one that answered last. `waiting` gives the mailboxes whose outbox holds something. `submitted` is called after each
    `Mailboxes.submit`."""

    def __init__(
        self,
        server: str,
        hubs: Sequence[RpcClient],
        waiting: Callable[[], Awaitable[Sequence[UUID]]],
        rescan: float = RESCAN,
    ) -> None:
        self._server = server
        self._hubs = [(hub, stub(hub, MAIL_SUBMISSION)) for hub in hubs]
        self._waiting = waiting
        self._rescan = rescan
        self._mailboxes: dict[UUID, None] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(
            rounds(min(self._rescan, _AGAIN), self._tell_hubs, "notices of submission", at_once=True)
        )

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for hub, _ in self._hubs:
            await hub.close()

    def submitted(self, mailbox: UUID) -> None:
        self._mailboxes[mailbox] = None
        self._wake.set()

    async def _tell_hubs(self) -> None:
        """Tells hubs what was submitted, each time that something was, until no hub takes a notice."""
        while await self._notify_all():
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._rescan)

    async def _notify_all(self) -> bool:
        """Tells hubs of every mailbox whose outbox holds something. Returns False once no hub takes a notice."""
        try:
            self._mailboxes.update(dict.fromkeys(await self._waiting()))
        except MailboxError:
            log(Event.STORE_UNAVAILABLE)
        while self._mailboxes:
            # Taken out before the call: what is submitted during it goes into a notice of its own.
            mailboxes = list(self._mailboxes)[:NOTICES]
            for mailbox in mailboxes:
                del self._mailboxes[mailbox]
            taken = False
            try:
                taken = await self._notify(mailboxes)
            finally:
                if not taken:
                    self._mailboxes = dict.fromkeys(mailboxes) | self._mailboxes
            if not taken:
                return False
        return True

    async def _notify(self, mailboxes: list[UUID]) -> bool:
        """Tells one hub. Returns whether a hub took the notice."""
        for hub, calls in list(self._hubs):
            try:
                taken = await calls.notify(self._server, mailboxes)
            except RpcError as error:
                log(Event.DEFERRED, path=hub.target.row.id, peer=hub.target.fqdn, diagnostic=str(error))
                taken = False
            if taken:
                return True
            self._hubs.append(self._hubs.pop(0))
        return False


class SubmissionService(InterfaceService[MailSubmission]):
    """Serves MAIL_SUBMISSION on `row`, on a hub: a mailbox server tells which mailboxes have something in their outbox.
    `accounts` gives the machine account of each mailbox server by the server's name. A caller that names another server than its
    own gets ACCESS_DENIED."""

    def __init__(self, row: Path, taker: OutboxTaker, accounts: Mapping[str, str]) -> None:
        super().__init__(MAIL_SUBMISSION, row, for_call=lambda call: _Notices(call.caller, taker, accounts))


class _Notices:
    """Takes the notices of one caller."""

    def __init__(self, caller: Caller, taker: OutboxTaker, accounts: Mapping[str, str]) -> None:
        self._caller = caller
        self._taker = taker
        self._accounts = accounts

    async def notify(self, server: str, mailboxes: Sequence[UUID]) -> bool:
        account = self._accounts.get(server)
        # Over a unix socket every process of this host has the identity of this host.
        if account is None or account.lower() != self._caller.identity.name.lower():
            raise RpcFault(Status.ACCESS_DENIED)
        return self._taker.noted(server, mailboxes)


class SubmittingMailboxes(Mailboxes, ReplyStore, ItemStore, ResourceStore, Protocol):
    """Mailboxes of a database, and all ways in which messages are sent from them."""


class _Submitting:
    """Mailboxes that call `submitted` after each `submit`, and after each answer that was submitted."""

    def __init__(self, mailboxes: SubmittingMailboxes, submitted: Callable[[UUID], None]) -> None:
        self._mailboxes = mailboxes
        self._submitted = submitted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mailboxes, name)

    async def submit(self, mailbox: UUID, uid: int) -> None:
        await self._mailboxes.submit(mailbox, uid)
        self._submitted(mailbox)

    async def send_reply(self, mailbox: UUID, *reply: Any) -> bool:
        is_sent = await self._mailboxes.send_reply(mailbox, *reply)
        if is_sent:
            self._submitted(mailbox)
        return is_sent


class _Sending:
    """Items that call `submitted` after each change that submits letters."""

    def __init__(self, items: MailboxItems, submitted: Callable[[UUID], None]) -> None:
        self._items = items
        self._submitted = submitted

    def __getattr__(self, name: str) -> Any:
        return getattr(self._items, name)

    async def put_sending(self, mailbox: UUID, *change: Any) -> Put:
        put = await self._items.put_sending(mailbox, *change)
        self._submitted(mailbox)
        return put

    async def put_with(self, mailbox: UUID, letters: Sequence[int], *change: Any) -> Put:
        put = await self._items.put_with(mailbox, letters, *change)
        if letters:
            self._submitted(mailbox)
        return put

    async def send(self, mailbox: UUID, *change: Any) -> int:
        number: int = await self._items.send(mailbox, *change)
        self._submitted(mailbox)
        return number

    async def remove_sending(self, mailbox: UUID, *change: Any) -> None:
        await self._items.remove_sending(mailbox, *change)
        self._submitted(mailbox)


def telling_of_items(items: MailboxItems, submitted: Callable[[UUID], None]) -> MailboxItems:
    """Wraps items so that `submitted` is told which mailbox has just submitted letters about a meeting."""
    return cast(MailboxItems, _Sending(items, submitted))


def telling(mailboxes: SubmittingMailboxes, submitted: Callable[[UUID], None]) -> SubmittingMailboxes:
    """Wraps mailboxes so that `submitted` is told which of them has just submitted an item."""
    return cast(SubmittingMailboxes, _Submitting(mailboxes, submitted))
