"""The System Attendant, one process of a mailbox server in Active Directory: recipient update, and asking for it over rus-rpc."""

from __future__ import annotations

from importlib import metadata

from postern.directory.ad.recipient_update import RecipientUpdate
from postern.directory.ad.server_objects import ServerObjects
from postern.model.organization import HostService, Role
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE
from postern.roles.domain import Domain
from postern.roles.doors import Doors
from postern.roles.rpc import Rpc
from postern.roles.runtime import Runtime
from postern.roles.topology_client import locator
from postern.services.directory.attendant import Attendant
from postern.services.directory.recipient_update import RecipientUpdateService
from postern.services.rpc.client import RpcClient
from postern.trust.authenticator import Authenticator

TIMEOUT = 30.0
"""Seconds for one page of recipients."""


class AttendantProcess:
    """The attendant of this host. It serves from `start` until `stop` returns."""

    def __init__(self, runtime: Runtime) -> None:
        domain = Domain(runtime)
        domain.use_kerberos()
        self.runtime = runtime
        self.locator = locator(runtime)
        self.directory = domain.directory(HostService.ATTENDANT, self.locator)
        self.doors = Doors(runtime)
        self.authenticator = Authenticator(self.directory, domain.host)
        self.rpc = Rpc(runtime, self.authenticator)
        rows = ("recipient-update-to-ad", "attendant-to-ad")
        self.clients = [domain.client(row, self.locator, TIMEOUT) for row in rows]
        self.servers = ServerObjects(self.clients[1])
        update = RecipientUpdate(self.clients[0], domain.settings, self.clients[0].row.id)
        earlier = earlier_attendants(runtime, self.rpc)
        self.attendant = Attendant(self.clients[0].row.id, update, earlier, self._register)

    async def start(self) -> None:
        service = RecipientUpdateService(self.runtime.rows["rus-rpc"], self.attendant)
        await self.rpc.open(self.doors, HostService.ATTENDANT, [service])
        self.attendant.start()

    async def _register(self, works: bool) -> None:
        state = {"attendant": "works" if works else "rests"}
        await self.servers.register(self.runtime.server.name, metadata.version("postern"), state)

    async def stop(self) -> None:
        await self.doors.close()
        await self.attendant.close()
        for client in self.clients:
            await client.close()
        await self.rpc.close()
        self.authenticator.close()
        await self.directory.close()
        await self.locator.close()


def earlier_attendants(runtime: Runtime, rpc: Rpc) -> list[RpcClient]:
    """An RPC client for the attendant of each mailbox server before this one, in order of precedence."""
    servers = sorted(runtime.organization.with_role(Role.MAILBOX), key=lambda server: server.fqdn)
    earlier = [server for server in servers if server.fqdn < runtime.server.fqdn]
    row = runtime.rows["rus-rpc"]
    targets = [rpc.calls.target(row, server, HostService.ATTENDANT) for server in earlier]
    return [RpcClient(RECIPIENT_UPDATE, target, runtime.observed, connections=1) for target in targets]


async def start(runtime: Runtime) -> AttendantProcess:
    process = AttendantProcess(runtime)
    await process.start()
    return process
