"""Remembers answers about recipients for seconds, for a mail server asks for the same few addresses thousands of times.

Addresses that are asked for in one turn of the event loop go out together. A second request for an address that is already on
its way waits for the same answer. An answer that says "nobody" is forgotten sooner, so that a new mailbox gets its mail.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Literal
from uuid import UUID

from postern.model.directory import UNKNOWN, Recipient, Unknown
from postern.model.domains import fold

Fetch = Callable[[Sequence[str]], Awaitable[dict[str, Recipient]]]

MAX_BATCH = 100
"""Addresses in one search filter."""


class RecipientCache:
    """A cache of recipients. It remembers a recipient for `known` and an absence for `unknown` seconds, and at most `size`
    answers."""

    def __init__(
        self,
        fetch: Fetch,
        known: float = 5.0,
        unknown: float = 2.0,
        size: int = 20_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._known = known
        self._unknown = unknown
        self._size = size
        self._clock = clock
        self._answers: OrderedDict[str, tuple[float, Recipient | None]] = OrderedDict()
        self._asked: dict[str, asyncio.Future[Recipient | None]] = {}
        self._waiting: list[str] = []
        self._batches: set[asyncio.Task[None]] = set()

    def peek(self, address: str) -> Recipient | Literal[Unknown.UNKNOWN] | None:
        answer = self._answers.get(fold(address))
        return UNKNOWN if answer is None or answer[0] < self._clock() else answer[1]

    async def get(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        """Returns the recipients by the addresses as the caller wrote them; addresses of nobody are missing. Raises what `fetch`
        raises."""
        recipients: dict[str, Recipient] = {}
        waiting: list[tuple[str, asyncio.Future[Recipient | None]]] = []
        for address in addresses:
            answer = self.peek(address)
            if answer is UNKNOWN:
                waiting.append((address, self._ask(fold(address))))
            elif answer is not None:
                recipients[address] = answer
        for address, future in waiting:
            recipient = await asyncio.shield(future)
            if recipient is not None:
                recipients[address] = recipient
        return recipients

    def clear(self) -> None:
        """Forgets all answers; those that are on their way still arrive."""
        self._answers.clear()

    def forget(self, guids: Collection[UUID], addresses: Collection[str]) -> None:
        """Forgets recipients that changed (`guids`), or that now have these addresses, and the groups and forwardings that name
        them."""
        names = {fold(address) for address in addresses}
        for _, answer in self._answers.values():
            if answer is not None and answer.guid in guids:
                names.update(answer.addresses)
        gone = [
            address
            for address, (_, answer) in self._answers.items()
            if address in names
            or (answer is not None and (answer.forward_to in names or not names.isdisjoint(answer.members)))
        ]
        for address in gone:
            del self._answers[address]

    def _ask(self, address: str) -> asyncio.Future[Recipient | None]:
        future = self._asked.get(address)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._asked[address] = loop.create_future()
            future.add_done_callback(_retrieved)
            if not self._waiting:
                loop.call_soon(self._send)
            self._waiting.append(address)
        return future

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MAX_BATCH):
            task = asyncio.get_running_loop().create_task(self._answer(waiting[start : start + MAX_BATCH]))
            self._batches.add(task)
            task.add_done_callback(self._batches.discard)

    async def _answer(self, batch: Sequence[str]) -> None:
        try:
            recipients = await self._fetch(batch)
        except BaseException as error:
            for address in batch:
                future = self._asked.pop(address)
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        now = self._clock()
        for address in batch:
            answer = recipients.get(address)
            self._remember(address, now + (self._unknown if answer is None else self._known), answer)
            future = self._asked.pop(address)
            if not future.done():
                future.set_result(answer)

    def _remember(self, address: str, until: float, answer: Recipient | None) -> None:
        self._answers[address] = (until, answer)
        self._answers.move_to_end(address)
        if len(self._answers) > self._size:
            self._answers.popitem(last=False)


def _retrieved(future: asyncio.Future[Recipient | None]) -> None:
    """Marks an error as retrieved, for all that asked may have gone away, and asyncio would log it."""
    if not future.cancelled():
        future.exception()
