"""The Active Directory Topology service (ad-topology): what this host's `Topology` knows, told to its other processes."""

from __future__ import annotations

from postern.model.directory import DomainController
from postern.paths.row import Path
from postern.protocols.dcerpc.ad_topology import AD_TOPOLOGY, values
from postern.protocols.dcerpc.pdu import Status
from postern.services.rpc_server import Caller, Procedure, RpcFault
from postern.services.topology import Topology


class TopologyService:
    """AD_TOPOLOGY on `row`."""

    syntax = AD_TOPOLOGY.syntax

    def __init__(self, row: Path, topology: Topology) -> None:
        self.row = row
        self._topology = topology
        self._operations = AD_TOPOLOGY.operations

    def procedure(self, opnum: int) -> Procedure | None:
        return {0: self._controllers, 1: self._failed}.get(opnum)

    async def _controllers(self, stub: bytes | memoryview, caller: Caller) -> bytearray:
        _at_home(caller)
        controllers = await self._topology.controllers()
        return self._operations[0].reply.encode(values(self._topology.site, controllers))

    async def _failed(self, stub: bytes | memoryview, caller: Caller) -> bytearray:
        _at_home(caller)
        (name,) = self._operations[1].request.decode(stub)
        self._topology.failed(DomainController(name, "", "", False, False))
        return self._operations[1].reply.encode((0,))


def _at_home(caller: Caller) -> None:
    """The row's ports are local: who comes from elsewhere, past the firewall, is not served either."""
    if caller.peer.host not in ("local", caller.local.host):
        raise RpcFault(Status.ACCESS_DENIED)
