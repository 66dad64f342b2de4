"""What a role that serves or calls RPC needs: who it is to others, whom it admits, and where each server is reached.

A role's RPC services stand on one port of the dynamic range and one unix socket a worker; port 135 is every RPC role's, and each
process can say the whole map. Callers on this host take the socket of the worker with their own number, and its neighbour's
while that one does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

from postern.model.organization import Role, Server
from postern.model.security import Identity
from postern.paths.row import Party, Path, Wire
from postern.protocols.dcerpc.interface import Interface
from postern.roles.credentials import host_credentials
from postern.roles.doors import Doors
from postern.roles.runtime import Part, Runtime
from postern.services.mailbox.client import MailboxClient
from postern.services.rpc.client import RpcClient, RpcTarget
from postern.services.rpc.endpoint_mapper import EndpointMapper, endpoints, rpc_port
from postern.services.rpc.server import RpcServer, RpcService
from postern.trust.authenticator import Authenticator
from postern.trust.initiators import Initiators
from postern.trust.ntlm.handshake import nt_hash


class Rpc:
    """The RPC of one process: its doors, and its clients of other servers."""

    def __init__(self, runtime: Runtime, authenticator: Authenticator) -> None:
        """`authenticator` is the process's; who made it closes it."""
        self._runtime = runtime
        self._authenticator = authenticator
        secret = (runtime.state.secrets / "machine-account").read_text(encoding="utf-8").strip()
        self._initiators = Initiators(runtime.server.machine_account, host_credentials(runtime), nt_hash(secret))
        self._clients: dict[str, MailboxClient] = {}

    def target(self, row: Path, server: Server, part: Part) -> RpcTarget:
        """Where `part` of `server` is reached on `row`."""
        runtime = self._runtime
        here = server.name == runtime.server.name
        workers = runtime.workers if isinstance(part, Role) else 1
        turn = [(runtime.worker + i) % workers for i in range(workers)] if here else []
        sockets = tuple(socket(runtime, part, worker) for worker in turn)
        mapper = runtime.organization.port(135)
        return RpcTarget(row, server.addresses[0], server.fqdn, mapper, self._initiators, sockets)

    def mailboxes(self, row: Path, interface: Interface) -> dict[str, MailboxClient]:
        """A client of each mailbox server's `interface` on `row`, by the server's name."""
        runtime = self._runtime
        for server in runtime.organization.with_role(Role.MAILBOX):
            rpc = RpcClient(interface, self.target(row, server, Role.MAILBOX), runtime.observed)
            self._clients[server.name] = MailboxClient(rpc, interface)
        return self._clients

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()

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


def socket(runtime: Runtime, part: Part, worker: int) -> FilePath:
    """Where a worker's unix socket stands."""
    return runtime.state.sockets / f"{part}.{worker}"
