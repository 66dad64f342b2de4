"""The subscriptions that one process knows: how many a user has, how far each has been told, and which were ended.

A subscription id says all that a subscription is (protocols.ews.subscriptions), so a process answers also for one that another
process of the host has given: then it knows neither that it was ended there, nor how far a stream was told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.subscriptions import SubscriptionId, SubscriptionKind

MAX_SUBSCRIPTIONS = 200
"""Subscriptions that one user has at a time, in one process."""
MAX_STREAMS = 20
"""Connections on which one user waits for events, in one process."""
_MAX_KEPT = 2 * MAX_SUBSCRIPTIONS
"""Subscriptions of one user that are remembered, with those that were ended."""
STREAM_SECONDS = 1_800.0
"""Seconds for which a streaming subscription lives while no connection waits for its events."""
_SWEEP_SECONDS = 60.0


@dataclass(slots=True)
class Kept:
    """A subscription as this process knows it. `change` is the change number up to which events were told, `used` the time of the
    last request for it. `displace` ends the connection that waits for its events."""

    id: SubscriptionId
    change: int
    used: float
    is_ended: bool = False
    displace: Callable[[], None] | None = None

    def is_over(self, now: float) -> bool:
        if self.displace is not None:
            return False
        streams = self.id.kind is SubscriptionKind.STREAMING
        return now - self.used > (STREAM_SECONDS if streams else self.id.minutes * 60)


class Subscriptions:
    """The subscriptions of all users in one process. Times are seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._by_user: dict[UUID, dict[bytes, Kept]] = {}
        self._streams: dict[UUID, int] = {}
        self._swept = 0.0

    @property
    def now(self) -> float:
        return self._clock()

    def add(self, subscription: SubscriptionId) -> Kept:
        """Remembers a new subscription. Raises EwsError ErrorExceededSubscriptionCount."""
        self._sweep()
        mine = self._by_user.setdefault(subscription.user, {})
        now = self.now
        if sum(1 for kept in mine.values() if not kept.is_ended and not kept.is_over(now)) >= MAX_SUBSCRIPTIONS:
            raise EwsError(Code.EXCEEDED_SUBSCRIPTION_COUNT)
        return self._keep(mine, subscription)

    def _keep(self, mine: dict[bytes, Kept], subscription: SubscriptionId) -> Kept:
        if len(mine) >= _MAX_KEPT:
            now = self.now
            gone = [nonce for nonce, kept in mine.items() if kept.is_ended or kept.is_over(now)]
            gone = gone or [nonce for nonce, kept in mine.items() if kept.displace is None] or list(mine)
            # What is counted no more must not go on: a connection, or the task that notifies a subscriber.
            self.end(mine.pop(gone[0]))
        kept = mine[subscription.nonce] = Kept(subscription, subscription.change, self.now)
        return kept

    def known(self, subscription: SubscriptionId, user: UUID | None, told: float = 0.0) -> Kept:
        """Returns a subscription that a request names, which has been used now. `told` is when its watermark was given.
        Raises EwsError: ErrorSubscriptionAccessDenied for that of another user, ErrorSubscriptionNotFound, and
        ErrorExpiredSubscription."""
        if subscription.user != user:
            raise EwsError(Code.SUBSCRIPTION_ACCESS_DENIED)
        now = self.now
        kept = self._by_user.get(subscription.user, {}).get(subscription.nonce)
        if kept is not None and kept.id != subscription:
            # No two have one nonce: this one is made up, and would take the place of the other.
            raise EwsError(Code.SUBSCRIPTION_NOT_FOUND)
        if kept is None:
            kept = Kept(subscription, subscription.change, min(now, max(told, float(subscription.made))))
            if kept.is_over(now):
                # Where a stream of another process stands is known there alone.
                streams = subscription.kind is SubscriptionKind.STREAMING
                raise EwsError(Code.SUBSCRIPTION_NOT_FOUND if streams else Code.EXPIRED_SUBSCRIPTION)
            self._sweep()
            kept = self._keep(self._by_user.setdefault(subscription.user, {}), subscription)
        if kept.is_ended:
            raise EwsError(Code.SUBSCRIPTION_NOT_FOUND)
        kept.used = max(kept.used, told)
        if kept.is_over(now):
            raise EwsError(Code.EXPIRED_SUBSCRIPTION)
        kept.used = now
        return kept

    def end(self, kept: Kept) -> None:
        """Ends a subscription, and the connection that waits for its events."""
        kept.is_ended = True
        if kept.displace is not None:
            kept.displace()
            kept.displace = None

    def enter(self, user: UUID) -> None:
        """Counts a connection that waits for events; who is let in calls `leave`. Raises EwsError
        ErrorExceededConnectionCount."""
        if self._streams.get(user, 0) >= MAX_STREAMS:
            raise EwsError(Code.EXCEEDED_CONNECTION_COUNT)
        self._streams[user] = self._streams.get(user, 0) + 1

    def leave(self, user: UUID) -> None:
        left = self._streams.pop(user, 1) - 1
        if left > 0:
            self._streams[user] = left

    def _sweep(self) -> None:
        """Forgets what is over, once a minute."""
        now = self.now
        if now - self._swept < _SWEEP_SECONDS:
            return
        self._swept = now
        for user, mine in list(self._by_user.items()):
            for nonce in [nonce for nonce, kept in mine.items() if kept.is_over(now)]:
                del mine[nonce]
            if not mine:
                del self._by_user[user]
