"""The metrics service, one process a host: tells monitoring the counts of all processes of the host, on the row `metrics`."""

from __future__ import annotations

from functools import partial
from importlib import metadata

from postern.model.security import Peer
from postern.net.tls import seconds_left
from postern.paths.fit import KernelSocket, fits
from postern.paths.guard import Guard
from postern.paths.row import Wire
from postern.roles.doors import Doors
from postern.roles.runtime import Runtime
from postern.services.metrics.host import HostMetrics
from postern.services.metrics.session import MetricsSession, Monitoring
from postern.telemetry.metrics import Metric, measure

PORT = 9464


class MetricsProcess:
    """The metrics service of this host. It serves from `start` until `stop` returns."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.doors = Doors(runtime)
        host = HostMetrics(runtime.state, metadata.version("postern"))
        guard = Guard([runtime.rows["metrics"]], frozenset())
        name = runtime.server.name
        self.monitoring = Monitoring(guard, self._admits, host.text, host.health, runtime.observed, name)

    def _admits(self, local: Peer, peer: Peer) -> bool:
        """Whether the firewall admits the peer, too: a caller of the row, at an address that the organization's file has."""
        runtime = self.runtime
        socket = KernelSocket(Wire.TCP, local.host, local.port, peer.host, peer.port, listening=False)
        return "metrics" in fits(runtime.organization, runtime.server, socket)

    async def start(self) -> None:
        row, folder = self.runtime.rows["metrics"], self.runtime.state.certificates
        for name, file in (("server", "server.pem"), ("authority", "ca.pem")):
            if (folder / file).exists():
                measure(Metric.CERTIFICATE_SECONDS, partial(seconds_left, folder / file), name)
        await self.doors.open([row], row.port(PORT), partial(MetricsSession, self.monitoring))

    async def stop(self) -> None:
        await self.doors.close()


async def start(runtime: Runtime) -> MetricsProcess:
    process = MetricsProcess(runtime)
    await process.start()
    return process
