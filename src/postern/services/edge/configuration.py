"""Collects the configuration that an edge gets: accepted domains, its send connectors, addresses of our servers, and the hubs of
its site with their certificates.

It comes from postern.toml, from the directory's further domains and from the certificates that hubs published.
"""

from __future__ import annotations

from dataclasses import replace

from postern.model.directory import DirectoryPolicy
from postern.model.domains import a_labels
from postern.model.edge import EdgeConfiguration, HubServer, Subscription, SubscriptionStore
from postern.model.organization import Organization, Role, SendConnector, Server


class ConfigurationSource:
    """Gives the configuration `of` an edge as the directory has it now."""

    def __init__(self, organization: Organization, policy: DirectoryPolicy, store: SubscriptionStore) -> None:
        self._organization = organization
        self._policy = policy
        self._store = store

    async def of(self, subscription: Subscription) -> EdgeConfiguration:
        """The configuration of one edge. Raises DirectoryUnavailable."""
        organization = self._organization
        domains = {a_labels(domain.name): domain for domain in await self._policy.accepted_domains()}
        domains |= {a_labels(domain.name): domain for domain in organization.domains}
        certificates = await self._store.hub_certificates()
        inside = [server for server in organization.servers if Role.EDGE not in server.roles]
        return EdgeConfiguration(
            domains=tuple(domains[name] for name in sorted(domains)),
            connectors=connectors_of(organization, subscription.name),
            internal_servers=tuple(address for server in inside for address in server.addresses),
            hubs=tuple(
                HubServer(hub.name, hub.fqdn, hub.site, hub.addresses, tuple(certificates.get(hub.name, ())))
                for hub in hubs_of_site(organization, subscription.site)
            ),
        )


def hubs_of_site(organization: Organization, site: str) -> list[Server]:
    """The hubs that an edge of this site talks to; all hubs where the site has none."""
    hubs = organization.with_role(Role.HUB)
    return [hub for hub in hubs if hub.site.lower() == site.lower()] or list(hubs)


def connectors_of(organization: Organization, edge: str) -> tuple[SendConnector, ...]:
    """The send connectors of this edge, and those of no particular server: if there is an edge, outbound mail leaves by it."""
    return tuple(
        replace(connector, server=edge) for connector in organization.send_connectors if connector.server in ("", edge)
    )
