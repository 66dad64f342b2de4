"""The base of server-side conversations: bytes go into a machine, events come out one at a time, answers go onto the link.

A handler is called per event. Where it can answer at once it does so and returns None; where it must wait (a password, the
queue's sync, the directory) it returns an awaitable, and no further event is taken until that is done: answers keep the order
of commands (RFC 2920 section 3.1). While it waits the peer may send up to MAX_WAITING bytes; then reading stops.

A peer that pipelines takes turns: after EVENTS events, or TURN seconds, the other conversations come first (`net.turns`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from time import monotonic
from typing import Any

from postern.model.security import Identity
from postern.net.link import Link
from postern.net.turns import Turn, turns_of
from postern.telemetry.log import Event, log
from postern.trust.acceptor import Asking
from postern.trust.reauthorization import Reauthorization, Registration

MAX_WAITING = 262_144
EVENTS = 16
TURN = 0.002
"""Bounds of a conversation's turn: so many events, and no further one after so many seconds."""
REVOKED_AFTER = 5.0
"""Seconds that a revoked session has to finish its answer and say goodbye; then its link is aborted."""


class Conversation:
    """Base of the server sessions. Subclasses give `feed`, `next_event`, `handle`, `outgoing`, and `timed_out`."""

    idle_timeout = 300.0
    turned_away = b""
    """The octets sent to a connection beyond its door's bounds, where TLS does not come first."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self._task: asyncio.Task[None] | Turn | None = None
        """The task that the next event waits for: a handler, or this conversation's next turn."""
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0
        self._loop = asyncio.get_running_loop()
        self._registrations: list[Registration] = []
        self._is_revoked = False

    # For subclasses

    def greet(self) -> Awaitable[None] | None:
        """Called when the link is open: write the greeting into the machine, at once or in what is awaited."""

    def feed(self, data: bytes) -> None:
        raise NotImplementedError

    def next_event(self) -> Any | None:
        """The machine's next event, None if it needs more bytes."""
        raise NotImplementedError

    def handle(self, event: Any) -> Awaitable[None] | None:
        raise NotImplementedError

    def outgoing(self) -> bytes:
        """Bytes the machine wants sent, emptied by the call."""
        raise NotImplementedError

    def timed_out(self) -> None:
        """Nothing came for `idle_timeout` seconds: say goodbye in the protocol's words."""

    def revoked(self) -> None:
        """The account may not be logged on any more: say goodbye in the protocol's words."""

    def failed(self, error: BaseException) -> None:
        """A handler raised what it should not: answer with the protocol's temporary failure. No trace reaches the peer."""

    def ended(self) -> None:
        """The link is closed: give back what was held."""

    # net.link.LinkSession

    def opened(self, link: Link) -> None:
        self.link = link
        self._last = self._loop.time()
        self._timer = self._loop.call_later(self.idle_timeout, self._check_idle)
        waiting = self.greet()
        self.flush()
        if waiting is not None:
            self._task = self._loop.create_task(self._wait(waiting))

    def received(self, data: bytes) -> None:
        self._last = self._loop.time()
        if self._task is not None:
            self._waiting.append(data)
            self._waiting_size += len(data)
            if self._waiting_size > MAX_WAITING and self.link is not None:
                self.link.pause()
            return
        self.feed(data)
        self._pump()

    def closed(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
        self._waiting.clear()
        self.unwatch()
        self.ended()

    # The end of a logon

    def watch(self, reauthorization: Reauthorization, identity: Identity) -> None:
        """Ends the conversation as soon as this identity's account may not be logged on any more."""
        registration = reauthorization.register(identity, self.revoke)
        if registration is not None:
            self._registrations.append(registration)

    def unwatch(self) -> None:
        while self._registrations:
            self._registrations.pop().end()

    def revoke(self) -> None:
        """Ends the conversation: after the answer that is under way, if it is taken soon, else at once."""
        link = self.link
        if link is None or link.is_closed or self._is_revoked:
            return
        self._is_revoked = True
        self._loop.call_later(REVOKED_AFTER, link.abort)
        if self._task is None:
            self._leave()

    def _leave(self) -> None:
        with contextlib.suppress(Exception):
            self.revoked()
            self.flush()
        if self.link is not None:
            self.link.close()

    # The pump

    def flush(self) -> None:
        data = self.outgoing()
        if data and self.link is not None:
            self.link.write(data)

    def _close(self) -> None:
        """Ends the conversation once its answers are sent."""
        self.flush()
        if self.link is not None:
            self.link.close()

    def drop_pending(self) -> None:
        """Forgets bytes that wait for the machine: called with the machine's own clearing when a link upgrades."""
        self._waiting.clear()
        self._waiting_size = 0

    def _pump(self) -> None:
        taken, until = 0, 0.0
        try:
            while self.link is not None and not self.link.is_closed:
                if self.link.congested:
                    self._task = self._loop.create_task(self._wait(self._until_read()))
                    return
                event = self.next_event()
                if event is None:
                    break
                waiting = self.handle(event)
                if waiting is not None:
                    self.flush()
                    self._task = self._loop.create_task(self._wait(waiting))
                    return
                taken += 1
                if taken == 2:  # no clock is asked where commands come one at a time
                    until = monotonic() + TURN
                elif taken == EVENTS or (taken > 2 and monotonic() >= until):
                    self._stand_in_line(self.link)
                    break
        except Exception as error:
            self._fail(error)
        self.flush()

    def _stand_in_line(self, link: Link) -> None:
        """Lets the other conversations come first, and reads nothing meanwhile."""
        link.pause()
        self._task = turns_of(self._loop).wait(self._proceed)

    async def _until_read(self) -> None:
        """Waits until the peer reads its answers (RFC 2920 section 3.1). Aborts the link of one that does not."""
        assert self.link is not None
        try:
            async with asyncio.timeout(self.idle_timeout):
                await self.link.drained()
        except TimeoutError:
            self.link.abort()

    async def _wait(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except asyncio.CancelledError:
            self._task = None
            return
        except ConnectionError:
            if self.link is not None:
                self.link.abort()
        except Exception as error:
            self._fail(error)
        self._proceed()

    def _proceed(self) -> None:
        """Goes on after a wait, first with what came meanwhile."""
        self._task = None
        if self._is_revoked:
            self._leave()
            return
        self._last = self._loop.time()
        waiting_bytes, self._waiting = self._waiting, []
        self._waiting_size = 0
        if self.link is not None:
            self.link.resume()
        for data in waiting_bytes:
            self.feed(data)
        self._pump()

    def _fail(self, error: BaseException) -> None:
        log(Event.CONVERSATION_FAILED, conversation=type(self).__name__, error=repr(error), exc_info=error)
        with contextlib.suppress(Exception):
            self.failed(error)
            self.flush()
        if self.link is not None:
            self.link.close()

    def _check_idle(self) -> None:
        quiet = self._loop.time() - self._last
        if self._task is None and quiet >= self.idle_timeout:
            self.timed_out()
            self._close()
            return
        self._timer = self._loop.call_later(max(1.0, self.idle_timeout - quiet), self._check_idle)


def asking(link: Link, certified: Identity | None = None) -> Asking:
    """Describes a connection to `trust`. `certified` is the identity that its certificate has proven."""
    return Asking(link.peer, link.seal, link.channel(), certified)
