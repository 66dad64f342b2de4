"""The RPC of one process: its services behind its doors, and (`rpc_calls`) its calls of other servers.

The RPC services of a role have one port of the dynamic range, and one unix socket a worker. All RPC roles share port 135: each
process knows the whole map.
"""

from __future__ import annotations

from collections.abc import Sequence

from postern.model.security import Identity
from postern.paths.row import Party, Path, Wire
from postern.roles.doors import Doors
from postern.roles.rpc_calls import RpcCalls, socket
from postern.roles.runtime import Part, Runtime
from postern.services.rpc.endpoint_mapper import EndpointMapper, endpoints, rpc_port
from postern.services.rpc.server import RpcServer, RpcService
from postern.trust.authenticator import Authenticator


class Rpc:
    """The RPC of one process. Call `close` after its doors are closed."""

    def __init__(self, runtime: Runtime, authenticator: Authenticator) -> None:
        """`authenticator` serves the whole process; the caller closes it."""
        self._runtime = runtime
        self._authenticator = authenticator
        self.calls = RpcCalls(runtime)

    async def close(self) -> None:
        await self.calls.close()

    async def open(self, doors: Doors, part: Part, services: Sequence[RpcService]) -> None:
        """Opens port 135, the part's port and its unix socket. Raises OSError."""
        runtime = self._runtime
        rows = list(dict.fromkeys(service.row for service in services if service.row is not None))
        server = self._serve(services)
        mapper = EndpointMapper(endpoints(runtime.organization, runtime.server))
        await doors.open(rows, rows[0].port("epm"), self._serve([mapper]).session)
        await doors.open(rows, rows[0].port("rpc"), server.session, number=rpc_port(runtime.organization, part))
        local = [row for row in rows if any(port.wire is Wire.UNIX for port in row.ports)]
        if local:
            file = socket(runtime, part, runtime.worker)
            await doors.open_local(local, local[0].port("ncalrpc"), server.session, file)

    def _serve(self, services: Sequence[RpcService]) -> RpcServer:
        runtime = self._runtime
        account = runtime.server.machine_account
        return RpcServer(services, self._authenticator, self.may_call, runtime.observed, account)

    def may_call(self, identity: Identity, row: Path) -> bool:
        """A machine account calls as the roles that its server has: a client access server is no hub."""
        for server in self._runtime.organization.servers:
            if server.machine_account == identity.name:
                parties = {Party.ANY_SERVER, *(Party(role.value) for role in server.roles)}
                return not parties.isdisjoint(row.caller)
        return False
