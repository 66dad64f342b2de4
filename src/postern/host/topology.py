"""The domain's controllers for commands and for the start of a host: from the running topology service, else by asking DNS and
the controllers once. Asking writes krb5.conf and the list for the next time.
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
    """The controllers, and the site of this host. `running` says whether the topology service runs and told them."""

    site: str
    controllers: tuple[DomainController, ...]
    running: bool


class Fixed:
    """A `model.directory.Locator` of controllers that were found once, for one command."""

    def __init__(self, seen: Seen) -> None:
        self._controllers = list(seen.controllers)

    async def controllers(self) -> Sequence[DomainController]:
        return tuple(self._controllers)

    def failed(self, controller: DomainController) -> None:
        self._controllers.sort(key=lambda candidate: candidate.fqdn == controller.fqdn)


async def seen(organization: Organization, server: Server, state: StateFolder) -> Seen:
    """Asks the host's topology service and, if it knows none, DNS. Never raises: the controllers may be none."""
    client = locator(Runtime.outside(organization, server, state))
    try:
        controllers = tuple(await client.controllers())
        if controllers:
            return Seen(client.site, controllers, True)
    finally:
        await client.close()
    return await look(organization, server, state)


async def look(organization: Organization, server: Server, state: StateFolder) -> Seen:
    """Asks DNS and each controller once, which takes at most about five seconds. Writes krb5.conf."""
    topology = local_topology(Runtime.outside(organization, server, state))
    controllers = await topology.look()
    return Seen(topology.site, controllers, False)
