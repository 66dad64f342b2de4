"""What a role that serves or calls RPC needs: who it is to others, whom it admits, and where each server is reached.

A role's RPC services stand on one port of the dynamic range and one unix socket a worker; port 135 is every RPC role's, and each
process can say the whole map. Callers on this host take the socket of the worker with their own number, and its neighbour's
while that one does not answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path as FilePath

from postern.model.directory import Directory
from postern.model.mailbox import Mailboxes
from postern.model.organization import Role, Server
from postern.model.security import Identity
from postern.paths.row import Party, Path, Wire
from postern.protocols.dcerpc.interface import Interface
from postern.roles.doors import Doors
from postern.roles.runtime import Part, Runtime
from postern.services.mailbox.client import MailboxClient, mailbox_client
from postern.services.rpc.client import RpcClient, RpcTarget
from postern.services.rpc.endpoint_mapper import EndpointMapper, endpoints, rpc_port
from postern.services.rpc.server import RpcServer, RpcService
from postern.trust.handshakes import Acceptors, Initiators
from postern.trust.membership import Membership
from postern.trust.ntlm.handshake import nt_hash
from postern.trust.passwords.proofs import Proofs
from postern.trust.reauthorization import Reauthorization


class Rpc:
    """The RPC of one process: its doors, and its clients of other servers."""

    def __init__(
        self,
        runtime: Runtime,
        directory: Directory,
        proofs: Proofs | None = None,
        membership: Membership | None = None,
        reauthorization: Reauthorization | None = None,
    ) -> None:
        """`proofs` and `membership` are Active Directory's, where the organization is in one; `reauthorization` is the
        authenticator's, in a process that has one."""
        self._runtime = runtime
        organization, server = runtime.organization, runtime.server
        secret = (runtime.state.secrets / "machine-account").read_text(encoding="utf-8").strip()
        account, realm, keytab = server.machine_account, organization.realm, organization.keytab
        netbios = organization.active_directory.netbios if organization.active_directory is not None else ""
        domain = netbios or organization.default_domain
        self._initiators = Initiators(account, domain, nt_hash(secret), realm, keytab)
        self._clients: dict[str, MailboxClient] = {}
        self._acceptors = Acceptors(
            server.name,
            organization.default_domain,
            directory,
            realm,
            keytab,
            proofs,
            membership,
            netbios,
            reauthorization,
        )

    def target(self, row: Path, server: Server, part: Part) -> RpcTarget:
        """Where `part` of `server` is reached on `row`."""
        runtime = self._runtime
        here = server.name == runtime.server.name
        workers = runtime.workers if isinstance(part, Role) else 1
        turn = [(runtime.worker + i) % workers for i in range(workers)] if here else []
        sockets = tuple(socket(runtime, part, worker) for worker in turn)
        mapper = runtime.organization.port(135)
        return RpcTarget(row, server.addresses[0], server.fqdn, mapper, self._initiators, sockets)

    def mailboxes(self, row: Path, interface: Interface[Mailboxes]) -> dict[str, MailboxClient]:
        """A client of each mailbox server's `interface` on `row`, by the server's name."""
        runtime = self._runtime
        for server in runtime.organization.with_role(Role.MAILBOX):
            rpc = RpcClient(interface, self.target(row, server, Role.MAILBOX), runtime.observed)
            self._clients[server.name] = mailbox_client(rpc, interface)
        return self._clients

    async def close(self) -> None:
        self._acceptors.close()
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
        return RpcServer(services, self._acceptors, self.may_call, runtime.observed, account)

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
