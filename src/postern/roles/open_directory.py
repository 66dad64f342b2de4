"""The directory that a part of this host asks, and who judges logons there: Active Directory's controllers by way of the host's
broker, or the verifiers of the private directory.

Reads the state folder's secrets. Everything behind it speaks to `model.directory`'s interfaces and does not know which it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from postern.directory.ad.adapter import DomainDirectory
from postern.directory.slapd_adapter import SlapdDirectory
from postern.protocols.dcerpc.interfaces.logon_broker import LOGON_BROKER
from postern.roles import domain
from postern.roles.credentials import host_credentials
from postern.roles.runtime import Part, Runtime
from postern.services.netlogon.broker import BrokerClient
from postern.services.rpc.client import RpcClient
from postern.services.topology.client import TopologyClient
from postern.trust.authenticator import DomainLogons
from postern.trust.kerberos.passwords import KerberosPasswords


@dataclass(frozen=True, slots=True)
class OpenDirectory:
    """What one process has open. The rest is None where there is no Active Directory."""

    directory: DomainDirectory | SlapdDirectory
    logons: BrokerClient | None = None
    locator: TopologyClient | None = None

    @property
    def domain_logons(self) -> DomainLogons | None:
        if self.logons is None or not isinstance(self.directory, DomainDirectory):
            return None
        return DomainLogons(self.logons, self.directory.servers_sid)

    async def close(self) -> None:
        for part in (self.directory, self.logons, self.locator):
            if part is not None:
                await part.close()


def open_directory(runtime: Runtime, part: Part) -> OpenDirectory:
    """Settles Kerberos for the process too, where the organization lives in a domain."""
    organization, state = runtime.organization, runtime.state
    if organization.active_directory is None:
        password = (state.secrets / "directory").read_text(encoding="utf-8").strip()
        row = runtime.rows["private-directory"]
        return OpenDirectory(SlapdDirectory.open(row, organization.directory, password, runtime.observed))
    domain.use_kerberos(runtime)
    locator = domain.locator(runtime)
    directory = domain.directory(runtime, part, locator)
    return OpenDirectory(directory, logons(runtime), locator)


def logons(runtime: Runtime) -> BrokerClient:
    """Passwords by Kerberos, each process for itself; NTLM answers by the host's broker."""
    host = host_credentials(runtime)
    passwords = KerberosPasswords(host.realm, host.keytab, f"host/{runtime.server.fqdn}")
    return BrokerClient(RpcClient(LOGON_BROKER, domain.topology_target(runtime), runtime.observed), passwords)
