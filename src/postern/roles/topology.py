"""The topology process, one a host of the domain: finds the domain controllers, keeps krb5.conf, and tells the host's other
processes over ad-topology. It is also the place of the host's one logon broker.
"""

from __future__ import annotations

from postern.model.organization import HostService
from postern.roles import domain
from postern.roles.credentials import host_credentials
from postern.roles.doors import Doors
from postern.roles.open_directory import logons
from postern.roles.rpc import Rpc
from postern.roles.runtime import Runtime
from postern.services.netlogon.broker import LogonBroker
from postern.services.netlogon.client import NetlogonClient
from postern.services.rpc.server import RpcService
from postern.services.topology.server import TopologyService
from postern.trust.authenticator import Authenticator, DomainLogons
from postern.trust.ntlm.handshake import nt_hash


class TopologyProcess:
    """A started topology process."""

    def __init__(self, runtime: Runtime) -> None:
        domain.use_kerberos(runtime)
        self.runtime = runtime
        self.topology = domain.local_topology(runtime)
        self.directory = domain.directory(runtime, HostService.TOPOLOGY, self.topology)
        self.doors = Doors(runtime)
        self.judges = logons(runtime)
        netbios = domain.domain(runtime).netbios
        judges = DomainLogons(self.judges, self.directory.servers_sid)
        self.authenticator = Authenticator(self.directory, host_credentials(runtime), domain=judges)
        self.rpc = Rpc(runtime, self.authenticator)
        path, account = domain.row(runtime, HostService.TOPOLOGY), runtime.server.machine_account
        self.netlogon = NetlogonClient(path, self.topology, netbios, account, self._secret, runtime.observed)

    async def start(self) -> None:
        self.topology.start()
        await self.topology.controllers()  # krb5.conf stands before anybody is told that we are ready
        row = self.runtime.rows["ad-topology"]
        services: list[RpcService] = [TopologyService(row, self.topology), LogonBroker(row, self.netlogon)]
        await self.rpc.open(self.doors, HostService.TOPOLOGY, services)

    def _secret(self) -> bytes:
        """Read anew for each secure channel: `setup ad` may have changed it."""
        return nt_hash((self.runtime.state.secrets / "machine-account").read_text(encoding="utf-8").strip())

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
