"""The carriers of a hub: to mailboxes over RPC; to hubs, edges and the internet over SMTP. There both sides authenticate, and
transport agents look at mail that leaves.
"""

from __future__ import annotations

from postern.model.mail import Carrier, HopKind
from postern.model.organization import Role
from postern.net.dns import Resolver
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_DELIVERY
from postern.roles.credentials import host_credentials
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.roles.transport_agents import TransportAgents
from postern.services.mailbox.client import MailboxClient
from postern.services.mailbox.peer import MailboxPeer
from postern.services.mailbox.room import MailboxRoom
from postern.services.mailbox.store_driver import StoreDriver
from postern.services.smtp.send import SenderProofs, SmtpSender
from postern.trust.certificates.direct_trust import DirectTrust
from postern.trust.certificates.owners import PeerCertificates
from postern.trust.sasl.initiators import sasl_initiators


class Carriers:
    """The carriers of one process. `certificates` is None where no edge is deployed: then no certificate is checked."""

    def __init__(self, runtime: Runtime, logon: ServerLogon) -> None:
        organization, server, rows = runtime.organization, runtime.server, runtime.rows
        self.trust = DirectTrust(logon.directory, Role.EDGE)
        self.certificates = PeerCertificates(self.trust) if organization.with_role(Role.EDGE) else None
        self.agents = TransportAgents(runtime, Role.HUB)
        self._calls = logon.rpc.calls
        self.peers = logon.rpc.calls.peers(rows["hub-to-mailbox-mapi"], MAILBOX_DELIVERY)
        self.room = MailboxRoom(self.peer_with, organization.limits.mailbox_quota)
        sender = SmtpSender(
            rows,
            organization,
            Resolver(rows["any-server-to-dns"], organization.dns_servers),
            runtime.observed,
            SenderProofs(
                server.fqdn,
                logon.certificate,
                sasl_initiators(server.machine_account, host_credentials(runtime)),
                self.certificates,
            ),
        )
        runtime.feed.follow(sender.reorganize)
        outward = self.agents.outward(sender)
        self.by_kind: dict[HopKind, Carrier] = {
            HopKind.MAILBOX: StoreDriver(self.peer_with, server.name, organization.limits.mailbox_quota),
            HopKind.SMTP: outward,
            HopKind.SMART_HOST: outward,
            HopKind.HUB: sender,
            HopKind.EDGE: sender,
        }

    def peer_with(self, database: str) -> MailboxPeer[MailboxClient] | None:
        """The mailbox server that has this database now."""
        server = self._calls.server_of(database)
        return self.peers.get(server.name) if server is not None else None

    async def start(self) -> None:
        if self.certificates is not None:
            await self.trust.start()

    async def stop(self) -> None:
        await self.trust.stop()
        self.agents.stop()
