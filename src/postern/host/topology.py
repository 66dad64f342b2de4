"""The domain's controllers as commands and the start of a host see them: from the running topology service, else by one look of
their own. A look leaves krb5.conf and the list for next time behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from postern.model.directory import DomainController
from postern.model.organization import Organization, Server, StateFolder
from postern.roles.runtime import Runtime
from postern.roles.topology_client import local_topology, locator


@dataclass(frozen=True, slots=True)
class Seen:
    """`running`: the topology service told it. `site` is this host's."""

    site: str
    controllers: tuple[DomainController, ...]
    running: bool


class Fixed:
    """A `model.directory.Locator` of what was seen once: for one command."""

    def __init__(self, seen: Seen) -> None:
        self._controllers = list(seen.controllers)

    async def controllers(self) -> Sequence[DomainController]:
        return tuple(self._controllers)

    def failed(self, controller: DomainController) -> None:
        self._controllers.sort(key=lambda one: one.fqdn == controller.fqdn)


async def seen(organization: Organization, server: Server, state: StateFolder) -> Seen:
    """What the host's topology service says, or what one look finds. Never raises: nothing found is no controllers."""
    client = locator(Runtime.outside(organization, server, state))
    try:
        found = tuple(await client.controllers())
        if found:
            return Seen(client.site, found, True)
    finally:
        await client.close()
    return await look(organization, server, state)


async def look(organization: Organization, server: Server, state: StateFolder) -> Seen:
    """Asks DNS and each controller once; at most about five seconds. Writes krb5.conf."""
    topology = local_topology(Runtime.outside(organization, server, state))
    found = await topology.look()
    return Seen(topology.site, found, False)
