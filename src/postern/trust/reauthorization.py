"""Checks, for as long as sessions last, that their accounts may still be logged on, and ends the others.

A session registers with the identity that it proved. Every few seconds the directory is asked about all registered accounts
together, by objectGUID, so that a rename ends nothing. A session ends when its account is gone, disabled or expired, or when its
password was set after the log-in. A locked account ends no session: otherwise anyone who guesses could throw the owner out.

Each reason must be seen in two rounds, since a directory of several servers may answer from one that does not have a change yet.

A session that was proven by a ticket ends with the ticket (RFC 4120 section 5.3: endtime), whatever the directory says, and one
that was proven by a certificate with the certificate.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from postern.model.directory import Account, Directory, DirectoryUnavailable
from postern.model.security import Identity, Mechanism
from postern.telemetry.log import Event, log

INTERVAL = 10.0
"""Seconds between two rounds. Two of them and the directory's own time-outs stay below 30 seconds."""
_ROUNDS = 2
_TOGETHER = 1000
"""Accounts in one question to the directory. The adapter divides it into filters as it needs."""


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
        """Ends the registration of a session that is over. May be called twice."""
        self._all.discard(self)
        if self.timer is not None:
            self.timer.cancel()


class Reauthorization:
    """Watches over all sessions of a process. Rounds run while any session is registered; an unavailable directory ends none."""

    def __init__(
        self, directory: Directory, interval: float = INTERVAL, clock: Callable[[], float] = time.time
    ) -> None:
        self._directory = directory
        self._interval = interval
        self._clock = clock
        self._all: set[Registration] = set()
        self._task: asyncio.Task[None] | None = None

    def register(self, identity: Identity, revoke: Callable[[], None]) -> Registration | None:
        """Registers a session. `revoke` is called once at most, and must end the session. Returns None for an identity without
        account in the directory (one that a certificate or the kernel proved)."""
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
            except Exception as error:  # a failure here must not end the watch over all sessions
                log(Event.REAUTHORIZATION_FAILED, error=repr(error), exc_info=error)

    async def round(self) -> None:
        """Asks once about all accounts. Raises DirectoryUnavailable."""
        guids = list({session.identity.guid for session in self._all if session.identity.guid is not None})
        for start in range(0, len(guids), _TOGETHER):
            asked = set(guids[start : start + _TOGETHER])
            accounts = await self._directory.accounts_by_guid(tuple(asked))
            for session in [session for session in self._all if session.identity.guid in asked]:
                assert session.identity.guid is not None
                self._judge(session, accounts.get(session.identity.guid))

    def _judge(self, session: Registration, account: Account | None) -> None:
        reason = why_not(account, session.identity)
        session.seen = session.seen + 1 if reason else 0
        if session.seen >= _ROUNDS:
            self._revoke(session, reason)

    def _expect(self, session: Registration, ends: float) -> None:
        """Ends the session when its ticket ends. Looks each interval, since the clock of the machine may be set meanwhile."""
        left = ends - self._clock()
        if left > 0:
            wait = min(left, self._interval)
            session.timer = asyncio.get_running_loop().call_later(wait, self._expect, session, ends)
        else:
            # Not at once: the session that registers has yet to answer the log-in.
            session.timer = asyncio.get_running_loop().call_soon(self._revoke, session, _ended(session.identity))

    def _revoke(self, session: Registration, reason: str) -> None:
        session.end()
        log(Event.SESSION_ENDED, name=session.identity.name, mechanism=session.identity.mechanism, reason=reason)
        session.revoke()


def _ended(identity: Identity) -> str:
    return f"the {'certificate' if identity.mechanism is Mechanism.CERTIFICATE else 'ticket'} has ended"


def why_not(account: Account | None, identity: Identity) -> str:
    """Returns the reason why a session of this identity may not go on; "" if it may."""
    if account is None:
        return "the account is gone"
    if not account.enabled and not account.locked:
        return "the account is disabled or expired"
    return "" if account.credentials == identity.credentials else "the password was changed"
