"""The sources of EdgeSync in the organization's own directory, which is Active Directory or the private slapd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from postern.directory.ad.edge_source import DomainRecipients
from postern.directory.edge_source import SlapdRecipients
from postern.directory.ldap.client import Client
from postern.directory.slapd_adapter import SERVICE, SUFFIX, SlapdDirectory
from postern.directory.subscriptions import DirectorySubscriptions
from postern.model.directory import DirectoryPolicy, Locator
from postern.model.edge import RecipientSource, SubscriptionStore
from postern.model.organization import HostService
from postern.roles.domain import Domain
from postern.roles.runtime import Runtime
from postern.roles.secrets import Secret
from postern.roles.topology_client import locator

TIMEOUT = 30.0
"""Seconds for one answer of a directory."""


class Closes(Protocol):
    async def close(self) -> None: ...


@dataclass
class Sources:
    """The parts of the directory that EdgeSync reads and writes. `name` names the directory ("ad corp.test"); `close` closes
    those in `opened`."""

    store: SubscriptionStore
    recipients: RecipientSource
    policy: DirectoryPolicy
    name: str
    opened: tuple[Closes, ...]

    async def close(self) -> None:
        for source in self.opened:
            await source.close()


def sources(runtime: Runtime, otherwise: Locator | None = None) -> Sources:
    """Opens the sources. `otherwise` finds domain controllers for a command while the host's topology service does not run."""
    if runtime.organization.active_directory is not None:
        return _in_domain(runtime, otherwise)
    row, password = runtime.rows["private-directory"], runtime.secrets.read(Secret.DIRECTORY)
    client = Client(row, runtime.organization.directory, SERVICE, password, TIMEOUT, runtime.observed)
    store = DirectorySubscriptions.private(client, SUFFIX)
    return Sources(store, SlapdRecipients(client, SUFFIX), SlapdDirectory(client, SUFFIX), "slapd", (client,))


def _in_domain(runtime: Runtime, otherwise: Locator | None) -> Sources:
    domain = Domain(runtime)
    domain.use_kerberos()
    controllers = locator(runtime, otherwise)
    directory = domain.directory(HostService.EDGESYNC, controllers)
    controller, name = directory.controller, domain.settings.domain
    store = DirectorySubscriptions.active_directory(controller, controller.root)
    return Sources(store, DomainRecipients(controller, name), directory, f"ad {name}", (directory, controllers))
