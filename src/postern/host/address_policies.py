"""Gives `postern policy address` on this host access to the policies in Active Directory and to the attendants that apply them.

It logs on to Active Directory as this server. It calls the attendants on the row rus-rpc, which admits mailbox servers only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from postern.directory.ad.recipient_update import RecipientUpdate
from postern.directory.ad.values import base_of
from postern.directory.settings import NotConfigured
from postern.host.domain_session import as_server, choose, domain_of, kerberos, keytab_of
from postern.model.directory import RecipientsUpdated
from postern.model.organization import Organization, Role, Server, StateFolder
from postern.paths.table import settle
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE
from postern.services.directory.recipient_update import ask
from postern.services.rpc.client import RpcClient, RpcTarget
from postern.telemetry.observed import Observed
from postern.trust.host import HostCredentials
from postern.trust.initiators import Initiators


@dataclass(frozen=True, slots=True)
class PolicyDomain:
    update: RecipientUpdate
    base: str
    """The domain's distinguished name."""


@asynccontextmanager
async def opened(state: StateFolder, organization: Organization, server: Server) -> AsyncIterator[PolicyDomain]:
    """Opens the policies of the domain. Raises SetupError; requests raise DirectoryUnavailable."""
    if organization.active_directory is None:
        raise NotConfigured(
            "address policies need Active Directory, and `postern.toml` names none: add [active-directory]"
        )
    row = "recipient-update-to-ad" if Role.MAILBOX in server.roles else "hub-to-ad"
    async with as_server(state, organization, server, row) as client:
        domain = domain_of(organization)
        yield PolicyDomain(RecipientUpdate(client, domain, row), base_of(domain.domain))


async def apply(
    state: StateFolder, organization: Organization, server: Server, recipients: Sequence[str]
) -> tuple[str, RecipientsUpdated]:
    """Lets the attendant that is in charge update these recipients, or all of them for (). Returns the attendant's server and
    what it did. Raises NobodyUpdates, NotConfigured."""
    if Role.MAILBOX not in server.roles:
        names = ", ".join(mailbox_server.name for mailbox_server in organization.with_role(Role.MAILBOX))
        raise NotConfigured(f"recipients are updated by mailbox servers: say this on one of {names}")
    domain = domain_of(organization).domain
    realm, row = domain.upper(), settle(organization.profile)["rus-rpc"]
    keytab = keytab_of(organization, state)
    host = HostCredentials(server.name, domain, realm=realm, keytab=str(keytab))
    initiators = Initiators(server.machine_account, host)
    observed = Observed(None)  # a command counts nothing; the attendant sees us
    with kerberos(realm, await choose(organization)):
        servers = sorted(organization.with_role(Role.MAILBOX), key=lambda mailbox_server: mailbox_server.fqdn)
        targets = [
            RpcTarget(row, mailbox_server.addresses[0], mailbox_server.fqdn, organization.port(135), initiators)
            for mailbox_server in servers
        ]
        clients = [RpcClient(RECIPIENT_UPDATE, target, observed, connections=1) for target in targets]
        try:
            return await ask(clients, recipients)
        finally:
            for client in clients:
                await client.close()
