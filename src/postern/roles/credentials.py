"""The names and keys of this host, from the configuration: all its processes have the realm and the keytab from here. Commands
choose the keytab by the same rule (`host.domain_session`).
"""

from __future__ import annotations

from postern.roles.runtime import Runtime
from postern.trust.host import HostCredentials


def host_credentials(runtime: Runtime) -> HostCredentials:
    """This host's names, realm and keytab. In a domain, the keytab is that of `setup ad` where postern.toml names no other."""
    organization, domain = runtime.organization, runtime.organization.active_directory
    keytab = organization.keytab or (str(runtime.state.keytab) if domain is not None else "")
    netbios = domain.netbios if domain is not None else ""
    return HostCredentials(runtime.server.name, organization.default_domain, netbios, organization.realm, keytab)
