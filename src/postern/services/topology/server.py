"""The Active Directory Topology service (ad-topology): what this host's `Topology` knows, told to its other processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from postern.model.directory import DomainController
from postern.paths.row import Path
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY, values
from postern.protocols.dcerpc.pdu import Status
from postern.services.rpc.interface import InterfaceService
from postern.services.rpc.server import Caller, RpcFault
from postern.services.topology.controllers import Topology


class TopologyService(InterfaceService):
    """AD_TOPOLOGY on `row`."""

    def __init__(self, row: Path, topology: Topology) -> None:
        super().__init__(AD_TOPOLOGY, row, {"controllers": self._controllers, "failed": self._failed})
        self._topology = topology

    async def _controllers(self, caller: Caller) -> Sequence[Any]:
        _at_home(caller)
        controllers = await self._topology.controllers()
        return values(self._topology.site, controllers)

    async def _failed(self, caller: Caller, name: str) -> Sequence[Any]:
        _at_home(caller)
        self._topology.failed(DomainController(name, "", "", False, False))
        return (0,)


def _at_home(caller: Caller) -> None:
    """The row's ports are local: who comes from elsewhere, past the firewall, is not served either."""
    if caller.peer.host not in ("local", caller.local.host):
        raise RpcFault(Status.ACCESS_DENIED)
