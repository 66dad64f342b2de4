"""Turns: a connection with more work than the loop's other connections can wait for stands in line here, and goes on later.

A loop runs one thing at a time. Without turns, a peer that pipelines commands for as long as its socket is full would have the
loop for itself. With them, each turn of the loop gives a bounded part of its time to such connections, one after the other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from weakref import WeakKeyDictionary

FULL_READ = 200_000
"""Octets of one read that show a peer which sends for as long as it is read: it is read again when it has its turn. uvloop would
read such a socket up to 32 times, 256 KB each (a little less under TLS), before it looks at another one."""
AT_ONCE = 8
"""Places in the line that one turn of the loop serves."""
SECONDS = 0.004
"""Seconds that one turn of the loop has for the line."""


class Turn:
    """A place in the line, which `cancel` gives up."""

    __slots__ = ("_go_on", "is_long")

    def __init__(self, go_on: Callable[[], None]) -> None:
        self._go_on: Callable[[], None] | None = go_on
        self.is_long = False

    def cancel(self) -> None:
        self._go_on = None

    def take(self) -> None:
        go_on, self._go_on = self._go_on, None
        if go_on is not None:
            go_on()


class Turns:
    """The line of one loop: first come, first served. One turn of the loop serves AT_ONCE places at most, and begins none after
    SECONDS."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._call_soon = loop.call_soon
        self._line: deque[Turn] = deque()
        self._is_called = False

    def wait(self, go_on: Callable[[], None]) -> Turn:
        """Has `go_on` called when its turn comes, and never at once."""
        turn = Turn(go_on)
        self._line.append(turn)
        if not self._is_called:
            self._is_called = True
            self._call_soon(self._serve)
        return turn

    async def come(self) -> None:
        """Waits for a turn, before work that is long and cannot be divided."""
        came: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # A task that is cancelled as its turn comes wants it no more.
        turn = self.wait(lambda: None if came.done() else came.set_result(None))
        turn.is_long = True
        try:
            await came
        finally:
            turn.cancel()

    def _serve(self) -> None:
        until = monotonic() + SECONDS
        try:
            for _ in range(min(AT_ONCE, len(self._line))):
                turn = self._line.popleft()
                turn.take()
                if turn.is_long or monotonic() >= until:
                    break
        finally:
            self._is_called = bool(self._line)
            if self._is_called:
                self._call_soon(self._serve)


_OF_LOOPS: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns_of(loop: asyncio.AbstractEventLoop) -> Turns:
    turns = _OF_LOOPS.get(loop)
    if turns is None:
        # A line keeps its loop alive, by the loop's `call_soon`, for as long as somebody stands in it.
        turns = _OF_LOOPS[loop] = Turns(loop)
    return turns
