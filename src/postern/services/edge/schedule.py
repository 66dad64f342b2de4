"""Runs EdgeSync: configuration and topology every 3 minutes, recipients every 5 (as later versions of Exchange have it), and a
comparison of all recipients once a day. It also tells the monitors.

One task serves one edge after the other. While another hub has the lease, this hub watches, ready to take it over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from postern.model.directory import DirectoryUnavailable
from postern.model.edge import Subscription, SubscriptionStore
from postern.model.organization import Server
from postern.services.edge.edgesync import LEASE, EdgeSync, EdgeSyncError, LeaseHeld
from postern.telemetry.log import Event, log
from postern.telemetry.metrics import Metric, count, observe
from postern.telemetry.rounds import rounds

CONFIGURATION_EVERY = 180.0
RECIPIENTS_EVERY = 300.0
FULL_EVERY = 86_400.0
RETRY_AFTER = 60.0
"""Seconds until an edge that could not be reached is tried again."""
LOOK_EVERY = 10.0
"""Seconds until a new subscription is seen."""


class Schedule:
    """Synchronizes the edges of this hub's site. `certificate` gives this hub's chain (PEM), which is published so that edges
    recognise the hub."""

    def __init__(
        self,
        sync: EdgeSync,
        store: SubscriptionStore,
        hub: Server,
        certificate: Callable[[], bytes],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sync = sync
        self._store = store
        self._hub = hub
        self._certificate = certificate
        self._clock = clock
        self._due: dict[str, tuple[float, float, float]] = {}
        """By edge: the times at which its configuration, its changed recipients, and all of its recipients are due."""
        self._alive: dict[str, float] = {}
        """By edge: the last time at which a hub was known to replicate to it."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        turns = rounds(LOOK_EVERY, self.turn, "edgesync", expected=(DirectoryUnavailable,), at_once=True)
        self._task = asyncio.create_task(turns)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def turn(self) -> None:
        """Synchronizes the edges that are due now. Raises DirectoryUnavailable for the organization's own directory."""
        await self._store.publish_hub(self._hub.name, leaf(self._certificate()))
        subscriptions = [subscription for subscription in await self._store.subscriptions() if self._mine(subscription)]
        for gone in self._due.keys() - {subscription.name for subscription in subscriptions}:
            del self._due[gone]
        for subscription in subscriptions:
            await self._one(subscription.name)

    async def _one(self, edge: str) -> None:
        now = self._clock()
        configuration, recipients, full = self._due.get(edge, (now, now, now + FULL_EVERY))
        self._alive.setdefault(edge, now)
        if now < min(configuration, recipients, full):
            return
        everything, some = now >= full, now >= recipients
        try:
            report = await self._sync.synchronize(edge, full=everything, recipients=some or everything)
            count(Metric.EDGESYNC_RUNS, "done")
            observe(Metric.EDGESYNC_SECONDS, report.seconds)
        except LeaseHeld:
            count(Metric.EDGESYNC_RUNS, "left to another hub")
            self._alive[edge] = now
        except EdgeSyncError as error:
            count(Metric.EDGESYNC_RUNS, "failed")
            if type(error) is EdgeSyncError:  # its subclasses have events of their own
                log(Event.EDGE_UNREACHABLE, path="edgesync", edge=edge, why=str(error))
            self._due[edge] = (now + RETRY_AFTER, now + RETRY_AFTER, full)
            self._watch(edge, now)
            return
        self._alive[edge] = now
        self._due[edge] = (
            now + CONFIGURATION_EVERY,
            now + RECIPIENTS_EVERY if some else recipients,
            now + FULL_EVERY if everything else full,
        )

    def _watch(self, edge: str, now: float) -> None:
        """Logs an event if no hub has replicated to this edge for the time of a lease."""
        if now - self._alive[edge] > LEASE:
            log(Event.EDGE_LEASE_STALE, path="edgesync", edge=edge, seconds=round(now - self._alive[edge]))

    def _mine(self, subscription: Subscription) -> bool:
        """Whether the subscription is one of this hub's site."""
        return not subscription.site or subscription.site.lower() == self._hub.site.lower()


def leaf(chain: bytes) -> bytes:
    """Takes the server's own certificate out of a chain in PEM; returns DER. Raises ValueError."""
    return x509.load_pem_x509_certificates(chain)[0].public_bytes(Encoding.DER)
