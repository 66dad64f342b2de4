"""Turns at scarce work, behind a queue that is fair: to accounts, and within an account to addresses.

Guesses at one account's password from many addresses fill the line of that account and no other. The account's owner, at an
address of his own, waits for one guess of each other address at most. Knows nothing of passwords or tickets.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

MOST = 1024
"""Pieces of work that may wait. There may be more if each is the only one of its address."""
MOST_OF_ADDRESS = 64
"""Pieces of work of one address that may wait. A gateway behind which many users log on at once needs some."""

T = TypeVar("T")
_Line = deque[T]


class Overloaded(Exception):
    """More work waits than may, and this piece had to go."""


class FairQueue(Generic[T]):
    """Takes turns between accounts, and within an account between addresses. In one line the oldest item comes first.

    Bound: constant time per item; `most` items, or one per address where that is more. A full queue looks through its
    addresses once for the one to drop from.
    """

    def __init__(self, most: int = MOST, most_of_address: int = MOST_OF_ADDRESS) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._size = 0
        self._accounts: OrderedDict[str, OrderedDict[str, _Line[T]]] = OrderedDict()
        self._addresses: dict[str, dict[str, _Line[T]]] = {}
        self._waiting: dict[str, int] = {}

    def __len__(self) -> int:
        return self._size

    def put(self, account: str, address: str, item: T) -> T | None:
        """Adds an item. Returns the item that had to go for it, which may be the new one; None if there is room."""
        line = self._line(account, address)
        line.append(item)
        self._size += 1
        self._waiting[address] = self._waiting.get(address, 0) + 1
        if self._waiting[address] > self._most_of_address:
            return self._drop(address)
        if self._size > self._most:
            most = max(self._waiting, key=self._waiting.__getitem__)
            # The only item of an address is never dropped, so that every address has at least one guess.
            return self._drop(most) if self._waiting[most] > 1 else None
        return None

    def take(self) -> T | None:
        """Takes the next item; None if nothing waits."""
        if not self._accounts:
            return None
        account, lines = next(iter(self._accounts.items()))
        address, line = next(iter(lines.items()))
        item = line.popleft()
        lines.move_to_end(address)
        self._accounts.move_to_end(account)
        self._left(account, address)
        return item

    def remove(self, account: str, address: str, item: T) -> None:
        """Removes an item whose owner has gone, if it still waits."""
        line = self._addresses.get(address, {}).get(account)
        if line is not None and item in line:
            line.remove(item)
            self._left(account, address)

    def _line(self, account: str, address: str) -> _Line[T]:
        lines = self._accounts.setdefault(account, OrderedDict())
        line = lines.get(address)
        if line is None:
            line = lines[address] = self._addresses.setdefault(address, {})[account] = deque()
        return line

    def _drop(self, address: str) -> T:
        """Drops the newest item of the account for which this address has most."""
        account, line = max(self._addresses[address].items(), key=lambda entry: len(entry[1]))
        if len(line) == 1:  # one item for each account: then the latest account
            account, line = next(reversed(self._addresses[address].items()))
        item = line.pop()
        self._left(account, address)
        return item

    def _left(self, account: str, address: str) -> None:
        """Counts an item that has gone from this line, and removes the line, account and address that are empty now."""
        self._size -= 1
        self._waiting[address] -= 1
        if not self._waiting[address]:
            del self._waiting[address]
        if self._addresses[address][account]:
            return
        del self._addresses[address][account]
        if not self._addresses[address]:
            del self._addresses[address]
        del self._accounts[account][address]
        if not self._accounts[account]:
            del self._accounts[account]


class Turns:
    """At most `size` turns at once, behind a FairQueue."""

    def __init__(self, size: int, most: int = MOST, most_of_address: int = MOST_OF_ADDRESS) -> None:
        self._size = size
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue(most, most_of_address)
        self._running = 0

    @asynccontextmanager
    async def turn(self, account: str = "", address: str = "") -> AsyncIterator[None]:
        """Waits for a turn and keeps it. Raises Overloaded."""
        if self._running < self._size:
            self._running += 1
        else:
            await self._wait(account, address)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, account: str, address: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        dropped = self._queue.put(account, address, turn)
        if dropped is not None and not dropped.done():
            dropped.set_exception(Overloaded())
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on()
            else:
                self._queue.remove(account, address, turn)
            raise

    def _pass_on(self) -> None:
        """Gives a free turn to the next in the queue."""
        # A turn whose owner was cancelled a moment ago is done and still in the queue.
        while (turn := self._queue.take()) is not None and turn.done():
            pass
        if turn is None:
            self._running -= 1
        else:
            turn.set_result(None)


class Pool(Turns):
    """Threads for work that blocks: `threads`, or as many as the host has cores. A turn is a thread."""

    def __init__(self, name: str, threads: int = 0, most: int = MOST, most_of_address: int = MOST_OF_ADDRESS) -> None:
        super().__init__(threads or max(1, os.cpu_count() or 1), most, most_of_address)
        self._threads = ThreadPoolExecutor(self._size, name)

    async def run(self, work: Callable[[], T], account: str = "", address: str = "") -> T:
        """Does the work when its turn comes. Raises Overloaded."""
        async with self.turn(account, address):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
