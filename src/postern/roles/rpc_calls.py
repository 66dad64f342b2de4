"""RPC that one process calls: the account by which it calls, and the address at which each server is reached.

A caller on the same host takes the unix socket of the worker with its own number; while that does not answer, the next worker's.
"""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any

from postern.model.mailbox_server import Mailboxes, MailboxItems
from postern.model.organization import Role, Server
from postern.paths.row import Path
from postern.protocols.dcerpc.interface import Interface
from postern.roles.credentials import host_credentials
from postern.roles.runtime import Part, Runtime
from postern.roles.secrets import Secret
from postern.services.mailbox.client import MailboxClient, MailboxItemsClient, items_client, mailbox_client
from postern.services.mailbox.peer import MailboxPeer, peer_of
from postern.services.rpc.client import RpcClient, RpcTarget
from postern.trust.initiators import Initiators
from postern.trust.ntlm.handshake import nt_hash


class RpcCalls:
    """The calls of this server as its machine account."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        secret = runtime.secrets.read(Secret.MACHINE_ACCOUNT)
        self._initiators = Initiators(runtime.server.machine_account, host_credentials(runtime), nt_hash(secret))
        self.opened: dict[str, MailboxClient] = {}
        """The clients that `mailboxes` made."""
        self._made: list[RpcClient] = []

    def target(self, row: Path, server: Server, part: Part) -> RpcTarget:
        """The target that reaches `part` of `server` on `row`."""
        runtime = self._runtime
        here = server.name == runtime.server.name
        workers = runtime.workers if isinstance(part, Role) else 1
        turn = [(runtime.worker + i) % workers for i in range(workers)] if here else []
        sockets = tuple(socket(runtime, part, worker) for worker in turn)
        mapper = runtime.organization.port(135)
        return RpcTarget(row, server.addresses[0], server.fqdn, mapper, self._initiators, sockets)

    def mailboxes(self, row: Path, interface: Interface[Mailboxes]) -> dict[str, MailboxClient]:
        """A client of each mailbox server's `interface` on `row`, by the server's name."""
        self.opened.update((name, mailbox_client(rpc, interface)) for name, rpc in self.clients(row, interface).items())
        return self.opened

    def items(self, row: Path, interface: Interface[MailboxItems]) -> dict[str, MailboxItemsClient]:
        """A client of the items of each mailbox server on `row`, by the server's name."""
        return {name: items_client(rpc, interface) for name, rpc in self.clients(row, interface).items()}

    def clients(self, row: Path, interface: Interface[Any]) -> dict[str, RpcClient]:
        """The connections to `interface` of each mailbox server on `row`, by the server's name."""
        runtime, servers = self._runtime, self._runtime.organization.with_role(Role.MAILBOX)
        targets = {server.name: self.target(row, server, Role.MAILBOX) for server in servers}
        made = {name: RpcClient(interface, target, runtime.observed) for name, target in targets.items()}
        self._made += made.values()
        return made

    def peers(self, row: Path, interface: Interface[Mailboxes]) -> dict[str, MailboxPeer[MailboxClient]]:
        """The mailbox servers as they are reached by `interface` on `row`, by their names."""
        return {name: peer_of(name, client) for name, client in self.mailboxes(row, interface).items()}

    def server_of(self, database: str) -> Server | None:
        """The server that has this database now. Ask anew whenever a mailbox server is dialled."""
        return self._runtime.feed.current.server_of(database)

    async def close(self) -> None:
        for client in self._made:
            await client.close()


def socket(runtime: Runtime, part: Part, worker: int) -> FilePath:
    """The unix socket of a worker."""
    return runtime.state.sockets / f"{part}.{worker}"
