"""The System Attendant, one process of a mailbox server in Active Directory: recipient update, and asking for it over rus-rpc."""

from __future__ import annotations

from importlib import metadata

from postern.directory.ad.client import DomainClient
from postern.directory.ad.recipient_update import RecipientUpdate
from postern.directory.ad.server_objects import ServerObjects
from postern.model.directory import Locator
from postern.model.organization import HostService, Role
from postern.net.tunnel import tunnel
from postern.paths.row import Wire
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE
from postern.roles import domain
from postern.roles.credentials import host_credentials
from postern.roles.doors import Doors
from postern.roles.rpc import Rpc
from postern.roles.runtime import Runtime
from postern.services.directory.attendant import Attendant
from postern.services.directory.recipient_update import RecipientUpdateService
from postern.services.rpc.client import RpcClient
from postern.trust.authenticator import Authenticator

TIMEOUT = 30.0
"""Seconds for one page of recipients."""


class AttendantProcess:
    """A started attendant."""

    def __init__(self, runtime: Runtime) -> None:
        domain.use_kerberos(runtime)
        self.runtime = runtime
        self.locator = domain.locator(runtime)
        self.directory = domain.directory(runtime, HostService.ATTENDANT, self.locator)
        self.doors = Doors(runtime)
        self.authenticator = Authenticator(self.directory, host_credentials(runtime))
        self.rpc = Rpc(runtime, self.authenticator)
        self.clients = [client(runtime, self.locator, row) for row in ("recipient-update-to-ad", "attendant-to-ad")]
        self.servers = ServerObjects(self.clients[1])
        update = RecipientUpdate(self.clients[0], domain.domain(runtime), self.clients[0].row.id)
        earlier = [one for one in attendants(runtime, self.rpc) if one.target.fqdn < runtime.server.fqdn]
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
        for one in self.clients:
            await one.close()
        await self.rpc.close()
        self.authenticator.close()
        await self.directory.close()
        await self.locator.close()


def client(runtime: Runtime, locator: Locator, name: str) -> DomainClient:
    """Active Directory on this row, asked as this server."""
    row, tickets = runtime.rows[name], domain.machine_tickets(runtime)
    return DomainClient(row, row.port("ldap", Wire.TCP), locator, tunnel, tickets, TIMEOUT, runtime.observed)


def attendants(runtime: Runtime, rpc: Rpc) -> list[RpcClient]:
    """An RPC client for the attendant of every mailbox server, in order of precedence."""
    servers = sorted(runtime.organization.with_role(Role.MAILBOX), key=lambda server: server.fqdn)
    row = runtime.rows["rus-rpc"]
    targets = [rpc.target(row, server, HostService.ATTENDANT) for server in servers]
    return [RpcClient(RECIPIENT_UPDATE, target, runtime.observed, connections=1) for target in targets]


async def start(runtime: Runtime) -> AttendantProcess:
    process = AttendantProcess(runtime)
    await process.start()
    return process
