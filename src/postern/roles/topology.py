"""The topology process, one a host of the domain: finds the domain controllers, keeps krb5.conf, and tells the host's other
processes over ad-topology. The host's one logon broker runs in it, too.
"""

from __future__ import annotations

from functools import partial

from postern.model.organization import HostService
from postern.roles.domain import Domain
from postern.roles.doors import Doors
from postern.roles.rpc import Rpc
from postern.roles.runtime import Runtime
from postern.roles.secrets import Secret
from postern.roles.topology_client import local_topology, logons
from postern.services.netlogon.broker import LogonBroker
from postern.services.netlogon.client import NetlogonClient
from postern.services.rpc.server import RpcService
from postern.services.topology.server import TopologyService
from postern.telemetry.metrics import Metric, measure
from postern.trust.authenticator import Authenticator
from postern.trust.ntlm.handshake import nt_hash


class TopologyProcess:
    """The topology process of this host. It serves from `start` until `stop` returns."""

    def __init__(self, runtime: Runtime) -> None:
        domain = Domain(runtime)
        domain.use_kerberos()
        self.runtime = runtime
        self.topology = local_topology(runtime)
        self.directory = domain.directory(HostService.TOPOLOGY, self.topology)
        self.doors = Doors(runtime)
        self.judges = logons(runtime)
        logons_of_domain = domain.logons(self.directory, self.judges)
        self.authenticator = Authenticator(self.directory, domain.host, domain=logons_of_domain)
        self.rpc = Rpc(runtime, self.authenticator)
        path, netbios = domain.row(HostService.TOPOLOGY), domain.settings.netbios
        self.netlogon = NetlogonClient(path, self.topology, netbios, domain.account, self._secret, runtime.observed)

    async def start(self) -> None:
        self.topology.start()
        for state, up in (("up", True), ("down", False)):
            measure(Metric.DOMAIN_CONTROLLERS, partial(self._controllers, up), state)
        await self.topology.controllers()  # krb5.conf stands before anybody is told that we are ready
        row = self.runtime.rows["ad-topology"]
        services: list[RpcService] = [TopologyService(row, self.topology), LogonBroker(row, self.netlogon)]
        await self.rpc.open(self.doors, HostService.TOPOLOGY, services)

    def _controllers(self, up: bool) -> int:
        return sum(controller.up is up for controller in self.topology.now())

    def _secret(self) -> bytes:
        """Read anew for each secure channel: `setup ad` may have changed it."""
        return nt_hash(self.runtime.secrets.read(Secret.MACHINE_ACCOUNT))

    async def stop(self) -> None:
        await self.doors.close()
        await self.rpc.close()
        self.authenticator.close()
        await self.judges.close()
        await self.netlogon.close()
        await self.directory.close()
        await self.topology.close()


async def start(runtime: Runtime) -> TopologyProcess:
    process = TopologyProcess(runtime)
    await process.start()
    return process
