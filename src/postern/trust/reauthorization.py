"""Whether those who are logged on may still be: their accounts are asked about again, as long as their sessions last.

A session registers with the identity that it proved. Every few seconds the directory is asked about all registered accounts
together, by objectGUID, so that a rename ends nothing. A session ends when its account is gone, disabled or expired, or when its
password was set after the log-in. It does not end because an account is locked: else whoever guesses could throw the owner out.

Each of these must be seen in two rounds: a directory of several servers answers from one that has yet to hear of a change.

Whoever proved itself by a ticket is put out when the ticket ends (RFC 4120 section 5.3: endtime), whatever the directory says.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from postern.model.directory import Account, Directory, DirectoryUnavailable
from postern.model.security import Identity
from postern.telemetry.log import Event, log

INTERVAL = 10.0
"""Seconds between two rounds; two of them and the directory's own time-outs stay below 30 seconds."""
_ROUNDS = 2
_TOGETHER = 1000
"""Accounts of one question; the adapter divides it into filters as it needs."""


class Registration:
    """One session of one identity, until `end`."""

    __slots__ = ("_all", "identity", "revoke", "seen", "timer")

    def __init__(self, everyone: set[Registration], identity: Identity, revoke: Callable[[], None]) -> None:
        self._all = everyone
        self.identity = identity
        self.revoke = revoke
        self.seen = 0
        """Rounds in a row in which the account did not admit this session."""
        self.timer: asyncio.Handle | None = None

    def end(self) -> None:
        """The session is over; may be called twice."""
        self._all.discard(self)
        if self.timer is not None:
            self.timer.cancel()


class Reauthorization:
    """The watch over everybody who is logged on; a process has one for its directory. Rounds run while anybody is registered;
    an unavailable directory ends nobody."""

    def __init__(
        self, directory: Directory, interval: float = INTERVAL, clock: Callable[[], float] = time.time
    ) -> None:
        self._directory = directory
        self._interval = interval
        self._clock = clock
        self._all: set[Registration] = set()
        self._task: asyncio.Task[None] | None = None

    def register(self, identity: Identity, revoke: Callable[[], None]) -> Registration | None:
        """`revoke` is called once, at most, and must end the session. None for who has no account in the directory
        (known by a certificate, or by the kernel)."""
        if identity.guid is None:
            return None
        registration = Registration(self._all, identity, revoke)
        self._all.add(registration)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._rounds())
        if identity.ends is not None:
            self._expect(registration, identity.ends)
        return registration

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _rounds(self) -> None:
        while self._all:
            await asyncio.sleep(self._interval)
            try:
                await self.round()
            except DirectoryUnavailable:
                continue
            except Exception as error:  # a failure here must not end the watch over everybody
                log(Event.REAUTHORIZATION_FAILED, error=repr(error), exc_info=error)

    async def round(self) -> None:
        """Asks once about everybody. Raises DirectoryUnavailable."""
        guids = list({one.identity.guid for one in self._all if one.identity.guid is not None})
        for start in range(0, len(guids), _TOGETHER):
            asked = set(guids[start : start + _TOGETHER])
            found = await self._directory.accounts_by_guid(tuple(asked))
            for one in [one for one in self._all if one.identity.guid in asked]:
                assert one.identity.guid is not None
                self._judge(one, found.get(one.identity.guid))

    def _judge(self, one: Registration, account: Account | None) -> None:
        reason = why_not(account, one.identity)
        one.seen = one.seen + 1 if reason else 0
        if one.seen >= _ROUNDS:
            self._revoke(one, reason)

    def _expect(self, one: Registration, ends: float) -> None:
        """Looks again each interval, since the clock of the machine may be set meanwhile."""
        left = ends - self._clock()
        if left > 0:
            wait = min(left, self._interval)
            one.timer = asyncio.get_running_loop().call_later(wait, self._expect, one, ends)
        else:
            # Not at once: whoever registers has yet to answer the log-in.
            one.timer = asyncio.get_running_loop().call_soon(self._revoke, one, "the ticket has ended")

    def _revoke(self, one: Registration, reason: str) -> None:
        one.end()
        log(Event.SESSION_ENDED, name=one.identity.name, mechanism=one.identity.mechanism, reason=reason)
        one.revoke()


def why_not(account: Account | None, identity: Identity) -> str:
    """Why a session of this identity may not go on; "" if it may."""
    if account is None:
        return "the account is gone"
    if not account.enabled and not account.locked:
        return "the account is disabled or expired"
    return "" if account.credentials == identity.credentials else "the password was changed"
