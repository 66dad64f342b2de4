"""What carries a hub's mail onward: to mailboxes over RPC, to hubs, edges and the internet over SMTP, with the proofs of who we
and they are, and the agents that look at what leaves.
"""

from __future__ import annotations

from postern.model.mail import Carrier, HopKind
from postern.model.organization import Role
from postern.net.dns import Resolver
from postern.protocols.dcerpc.mailbox_store import MAILBOX_DELIVERY
from postern.roles.filtering import Filtering
from postern.roles.logon import Logon
from postern.roles.runtime import Runtime
from postern.services.mailbox_room import MailboxRoom
from postern.services.smtp_send import SmtpSender
from postern.services.store_driver import StoreDriver
from postern.trust.certificates import PeerCertificates
from postern.trust.direct_trust import DirectTrust
from postern.trust.initiators import sasl_initiators


class Onward:
    """One a process. `certificates` is None where no edge is deployed: then nobody's certificate is looked at."""

    def __init__(self, runtime: Runtime, logon: Logon) -> None:
        organization, server, rows = runtime.organization, runtime.server, runtime.rows
        self.trust = DirectTrust(logon.directory, Role.EDGE)
        self.certificates = PeerCertificates(self.trust) if organization.with_role(Role.EDGE) else None
        self.filtering = Filtering(runtime, Role.HUB)
        self.mailboxes = logon.rpc.mailboxes(rows["hub-to-mailbox-mapi"], MAILBOX_DELIVERY)
        self.room = MailboxRoom(self.mailboxes.get, organization.limits.mailbox_quota)
        sender = SmtpSender(
            rows,
            organization,
            server.fqdn,
            Resolver(rows["any-server-to-dns"], organization.dns_servers),
            runtime.observed,
            logon.certificate,
            certificates=self.certificates,
            initiator=sasl_initiators(server.machine_account, organization.realm, organization.keytab),
        )
        outward = self.filtering.outward(sender)
        self.carriers: dict[HopKind, Carrier] = {
            HopKind.MAILBOX: StoreDriver(self.mailboxes.get, server.name, organization.limits.mailbox_quota),
            HopKind.SMTP: outward,
            HopKind.SMART_HOST: outward,
            HopKind.HUB: sender,
            HopKind.EDGE: sender,
        }

    async def start(self) -> None:
        if self.certificates is not None:
            await self.trust.start()

    async def stop(self) -> None:
        await self.trust.stop()
        self.filtering.stop()
