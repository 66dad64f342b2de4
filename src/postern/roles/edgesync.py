"""A hub's EdgeSync: one process that keeps the edges like the organization. `postern edge` uses its pieces."""

from __future__ import annotations

from postern.directory.adam.client import AdamClient, simple
from postern.directory.adam.replica import EdgeReplica
from postern.model.edge import Subscription
from postern.model.organization import Organization, Role
from postern.model.security import Mechanism
from postern.roles.edge_sources import TIMEOUT, Sources, sources
from postern.roles.runtime import Runtime
from postern.roles.secrets import Secret
from postern.services.edge.configuration import ConfigurationSource
from postern.services.edge.edgesync import EdgeSync
from postern.services.edge.pairs import EdgePairs, ReplicationAccount
from postern.services.edge.schedule import Schedule


def edgesync(runtime: Runtime, key: bytes, source: Sources) -> EdgeSync:
    """EdgeSync on this hub. `key` is the hub's private key for passwords (PEM)."""
    organization, row, hub = runtime.organization, runtime.rows["edgesync"], runtime.server.name

    def dial(subscription: Subscription, login: ReplicationAccount) -> EdgeReplica:
        uri = f"ldaps://{address_of(organization, subscription)}:{subscription.ssl_port}"
        bind = simple(login.credential.username, login.password)
        observed = runtime.observed
        return EdgeReplica(
            AdamClient(row, uri, bind, Mechanism.BASIC, lambda: subscription.certificate, TIMEOUT, observed)
        )

    configuration = ConfigurationSource(organization, source.policy, source.store)
    pairs = EdgePairs(hub, key, source.store)
    return EdgeSync(hub, source.store, pairs, source.recipients, source.name, configuration.of, dial)


def address_of(organization: Organization, subscription: Subscription) -> str:
    """The edge's address in postern.toml; its name, for DNS, where the file has no such server."""
    for server in organization.with_role(Role.EDGE):
        if server.name == subscription.name or server.fqdn == subscription.fqdn:
            return f"[{server.addresses[0]}]" if ":" in server.addresses[0] else server.addresses[0]
    return subscription.fqdn


class Running:
    """A started EdgeSync."""

    def __init__(self, runtime: Runtime) -> None:
        self.sources = sources(runtime)
        sync = edgesync(runtime, runtime.secrets.read(Secret.EDGESYNC_KEY).encode(), self.sources)
        certificate = runtime.state.certificates / "server.pem"
        self.schedule = Schedule(sync, self.sources.store, runtime.server, certificate.read_bytes)

    async def stop(self) -> None:
        await self.schedule.stop()
        await self.sources.close()


async def start(runtime: Runtime) -> Running:
    running = Running(runtime)
    running.schedule.start()
    return running
