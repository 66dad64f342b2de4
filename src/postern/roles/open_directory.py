"""The directory that a part of this host asks. Logons are judged by Active Directory's controllers, by way of the host's broker,
or with the verifiers of the private directory.

Code that uses it knows the interfaces of `model.directory` only, and not which of the two it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from postern.directory.ad.adapter import DomainDirectory
from postern.directory.slapd_adapter import SlapdDirectory
from postern.roles.domain import Domain
from postern.roles.runtime import Part, Runtime
from postern.roles.secrets import Secret
from postern.roles.topology_client import locator, logons
from postern.services.netlogon.broker import BrokerClient
from postern.services.topology.client import TopologyClient
from postern.trust.authenticator import DomainLogons


@dataclass(frozen=True, slots=True)
class OpenDirectory:
    """The directory that a process has open. Without Active Directory, everything else is None."""

    directory: DomainDirectory | SlapdDirectory
    domain_logons: DomainLogons | None = None
    broker: BrokerClient | None = None
    locator: TopologyClient | None = None

    async def close(self) -> None:
        for part in (self.directory, self.broker, self.locator):
            if part is not None:
                await part.close()


def open_directory(runtime: Runtime, part: Part) -> OpenDirectory:
    """Opens the directory. Where the organization lives in a domain, sets up Kerberos for the whole process, too."""
    organization = runtime.organization
    if organization.active_directory is None:
        row, password = runtime.rows["private-directory"], runtime.secrets.read(Secret.DIRECTORY)
        return OpenDirectory(SlapdDirectory.open(row, organization.directory, password, runtime.observed))
    domain = Domain(runtime)
    domain.use_kerberos()
    controllers, broker = locator(runtime), logons(runtime)
    directory = domain.directory(part, controllers)
    return OpenDirectory(directory, domain.logons(directory, broker), broker, controllers)
