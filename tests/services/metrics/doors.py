"""A metrics port on loopback, for the tests that ask it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from postern.model.organization import Profile, StateFolder
from postern.model.security import Peer
from postern.net.door import Door
from postern.paths.guard import Guard
from postern.paths.table import settle
from postern.services.metrics.host import HostMetrics
from postern.services.metrics.session import MetricsSession, Monitoring
from postern.telemetry.metrics import Metric, Metrics
from postern.telemetry.observed import Observed
from postern.telemetry.snapshots import SnapshotFile, write_health
from tests.support.ports import free_port

ROW = settle(Profile.PRACTICAL)["metrics"]
WELL = {"hub.0": True, "slapd": True}


class MetricsDoor:
    """`parts` is what the supervisor says; `admitted` is whether the row's callers have the peer among them."""

    def __init__(self, folder: Path, parts: Mapping[str, bool] = WELL, admitted: bool = True) -> None:
        self.state = StateFolder(folder, folder)
        self.state.metrics.mkdir()
        self.asked: list[tuple[Peer, Peer]] = []
        self.admitted = admitted
        self.observed = Observed(None)
        self.host = HostMetrics(self.state, "1.2")
        self.port = free_port()
        for process in ("hub.0", "hub.1"):
            metrics = Metrics()
            metrics.count(Metric.MESSAGES, "imap4", "receive", by=5)
            metrics.observe(Metric.RPC_SECONDS, 0.02, "cas-to-mailbox", "reply")
            SnapshotFile(self.state.metrics / f"{process}.json", metrics).flush()
        write_health(self.state.metrics, parts)

    def _admits(self, local: Peer, peer: Peer) -> bool:
        self.asked.append((local, peer))
        return self.admitted

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        guard = Guard([ROW], frozenset())
        host = self.host
        monitoring = Monitoring(guard, self._admits, host.text, host.health, self.observed, "server1")
        door = Door([ROW], ROW.ports[0], lambda: MetricsSession(monitoring), None)
        await door.open("127.0.0.1", self.port)
        try:
            yield
        finally:
            await door.close()

    def send(self, *pieces: bytes) -> bytes:
        """What comes back until the connection ends."""
        deadline = time.monotonic() + 5.0
        with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                connection.sendall(piece)
            said = b""
            while piece := connection.recv(65536):
                said += piece
                assert time.monotonic() < deadline
            return said
