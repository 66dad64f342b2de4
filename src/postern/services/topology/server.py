"""The Active Directory Topology service (ad-topology) tells the processes of a host what its `Topology` knows."""

from __future__ import annotations

from postern.model.directory import DomainController
from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY, Known, TopologyCalls
from postern.protocols.dcerpc.pdu import Status
from postern.services.rpc.call import Call, RpcFault
from postern.services.rpc.interface import InterfaceService
from postern.services.topology.controllers import Topology


class TopologyService(InterfaceService[TopologyCalls]):
    """Serves AD_TOPOLOGY on `row` to processes of this host; any other caller gets ACCESS_DENIED."""

    def __init__(self, row: Path, topology: Topology) -> None:
        super().__init__(AD_TOPOLOGY, row, for_call=self._at_home)
        self._topology = topology

    def _at_home(self, call: Call) -> TopologyCalls:
        """Serves callers of this host only: the row's ports are local, with or without a firewall."""
        caller = call.caller
        if caller.peer.host not in ("local", caller.local.host):
            raise RpcFault(Status.ACCESS_DENIED)
        return self

    async def controllers(self) -> Known:
        controllers = await self._topology.controllers()
        return self._topology.site, tuple(controllers)

    async def failed(self, name: str) -> None:
        self._topology.failed(DomainController(name, "", "", False, False))
