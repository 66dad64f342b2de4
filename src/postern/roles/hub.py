"""The hub transport role: mail comes in by SMTP, waits in the queue, and leaves for mailboxes and other organizations."""

from __future__ import annotations

from postern.model.mail import HopKind
from postern.model.organization import Role
from postern.net.dns import Resolver
from postern.net.door import Door
from postern.net.tls import server_context
from postern.roles.doors import Doors
from postern.roles.logon import Logon
from postern.roles.rpc import Rpc
from postern.roles.runtime import Runtime
from postern.protocols.dcerpc.mailbox_store import MAILBOX_DELIVERY
from postern.services.mailbox_client import MailboxClient
from postern.services.rpc_client import RpcClient
from postern.services.receive_connector import ReceiveConnector
from postern.services.smtp_receive import ReceiveSession
from postern.services.smtp_send import SmtpSender
from postern.transport.adoption import Adopter, open_own
from postern.transport.control import Control
from postern.transport.dispatcher import Dispatcher
from postern.transport.queue import Queue

STRANGERS_AND_CLIENTS = ("internet-to-hub", "hub-to-hub", "um-to-hub", "client-to-hub-smtp")


class Hub:
    """A started hub transport process."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.logon = Logon(runtime)
        self.doors = Doors(runtime)
        organization, server = runtime.organization, runtime.server
        from postern.roles.direct import DirectCarrier
        resolver = Resolver(runtime.rows["any-server-to-dns"], organization.dns_servers)
        sender = SmtpSender(runtime.rows, organization, server.fqdn, resolver, runtime.observed)
        rpc = Rpc(runtime, self.logon.directory)
        row = runtime.rows["hub-to-mailbox-mapi"]
        self.client = MailboxClient(RpcClient(MAILBOX_DELIVERY, rpc.target(row, server, Role.MAILBOX), runtime.observed), MAILBOX_DELIVERY)
        self.driver = DirectCarrier(self.client)
        self.carriers = {HopKind.MAILBOX: self.driver, HopKind.SMTP: sender, HopKind.SMART_HOST: sender, HopKind.HUB: sender}

    async def start(self) -> None:
        await self.logon.start()
        root = self.runtime.state.queue
        self.dispatcher = self._dispatch(open_own(root, self.runtime.worker))
        await self.dispatcher.start()
        self.adopter = Adopter(root, self._dispatch)
        self.adopter.start()
        tls = server_context(self.logon.certificate)
        rows = self.runtime.rows
        client = rows["client-to-hub-smtp"]
        connector = self._connector(*(rows[name] for name in STRANGERS_AND_CLIENTS))
        await self.doors.open(connector.guard.rows, client.port(25), lambda: ReceiveSession(connector), tls)
        submission = self._connector(client)
        for port in client.ports:
            if port.number is not None and port.number != 25:
                await self.doors.open([client], port, lambda: ReceiveSession(submission), tls)

    def _dispatch(self, queue: Queue) -> Dispatcher:
        runtime = self.runtime
        return Dispatcher(
            queue, self.logon.directory, self.carriers, runtime.organization, runtime.server.name, runtime.tracker,
            Control(queue.folder, runtime.tracker),
        )

    def _connector(self, *rows):
        runtime, logon = self.runtime, self.logon
        return ReceiveConnector(
            logon.guard(*rows), logon.authenticator, logon.directory, logon.domains, self.dispatcher.queue,
            runtime.organization.limits, runtime.observed, runtime.tracker, runtime.server.fqdn, runtime.state.spool,
        )

    async def stop(self) -> None:
        await self.doors.close()
        await self.adopter.stop()
        await self.dispatcher.stop()
        await self.dispatcher.queue.close()
        await self.client.close()
        await self.logon.stop()


async def start(runtime: Runtime) -> Hub:
    hub = Hub(runtime)
    await hub.start()
    return hub
