"""A hub's EdgeSync: one process that keeps the edges like the organization, and the pieces that `postern edge` shares with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from postern.directory.ad.edge_source import DomainRecipients
from postern.directory.adam.client import AdamClient, simple
from postern.directory.adam.replica import EdgeReplica
from postern.directory.edge_source import SlapdRecipients
from postern.directory.ldap.client import Client
from postern.directory.slapd_adapter import SERVICE, SUFFIX, SlapdDirectory
from postern.directory.subscriptions import DirectorySubscriptions
from postern.model.directory import Locator, Policy
from postern.model.edge import RecipientSource, Subscription, SubscriptionStore
from postern.model.organization import HostService, Organization, Role
from postern.model.security import Mechanism
from postern.roles import domain
from postern.roles.runtime import Runtime
from postern.services.edge.configuration import ConfigurationSource
from postern.services.edge.edgesync import EdgeSync
from postern.services.edge.pairs import EdgePairs, Login
from postern.services.edge.schedule import Schedule

TIMEOUT = 30.0
"""Seconds for one answer of an edge's directory."""


class Closes(Protocol):
    async def close(self) -> None: ...


@dataclass
class Sources:
    """What EdgeSync reads from and writes to in the organization's own directory."""

    store: SubscriptionStore
    recipients: RecipientSource
    policy: Policy
    name: str
    opened: tuple[Closes, ...]

    async def close(self) -> None:
        for one in self.opened:
            await one.close()


def sources(runtime: Runtime, otherwise: Locator | None = None) -> Sources:
    """`otherwise` tells of domain controllers while the host's topology service does not run: a command's."""
    if runtime.organization.active_directory is not None:
        return _in_domain(runtime, otherwise)
    organization = runtime.organization
    password = (runtime.state.secrets / "directory").read_text(encoding="utf-8").strip()
    row = runtime.rows["private-directory"]
    client = Client(row, organization.directory, SERVICE, password, TIMEOUT, runtime.observed)
    store = DirectorySubscriptions.private(client, SUFFIX)
    return Sources(store, SlapdRecipients(client, SUFFIX), SlapdDirectory(client, SUFFIX), "slapd", (client,))


def _in_domain(runtime: Runtime, otherwise: Locator | None) -> Sources:
    domain.use_kerberos(runtime)
    locator = domain.locator(runtime, otherwise)
    directory = domain.directory(runtime, HostService.EDGESYNC, locator)
    controller, name = directory.controller, domain.domain(runtime).domain
    store = DirectorySubscriptions.active_directory(controller, controller.root)
    return Sources(store, DomainRecipients(controller, name), directory, f"ad {name}", (directory, locator))


def edgesync(runtime: Runtime, key: bytes, found: Sources) -> EdgeSync:
    """`key` is this hub's private key for passwords."""
    organization, row, hub = runtime.organization, runtime.rows["edgesync"], runtime.server.name

    def dial(subscription: Subscription, login: Login) -> EdgeReplica:
        uri = f"ldaps://{address_of(organization, subscription)}:{subscription.ssl_port}"
        bind = simple(login.credential.username, login.password)
        certificate, observed = subscription.certificate, runtime.observed
        return EdgeReplica(AdamClient(row, uri, bind, Mechanism.BASIC, certificate, TIMEOUT, observed))

    configuration = ConfigurationSource(organization, found.policy, found.store)
    pairs = EdgePairs(hub, key, found.store)
    return EdgeSync(hub, found.store, pairs, found.recipients, found.name, configuration.of, dial)


def address_of(organization: Organization, subscription: Subscription) -> str:
    """Where postern.toml says that the edge is; its name, for DNS, where the file knows no such server."""
    for server in organization.with_role(Role.EDGE):
        if server.name == subscription.name or server.fqdn == subscription.fqdn:
            return f"[{server.addresses[0]}]" if ":" in server.addresses[0] else server.addresses[0]
    return subscription.fqdn


class Running:
    """A started EdgeSync."""

    def __init__(self, runtime: Runtime) -> None:
        self.sources = sources(runtime)
        key = (runtime.state.secrets / "edgesync-key").read_bytes()
        sync = edgesync(runtime, key, self.sources)
        certificate = runtime.state.certificates / "server.pem"
        self.schedule = Schedule(sync, self.sources.store, runtime.server, certificate.read_bytes)

    async def stop(self) -> None:
        await self.schedule.stop()
        await self.sources.close()


async def start(runtime: Runtime) -> Running:
    running = Running(runtime)
    running.schedule.start()
    return running
