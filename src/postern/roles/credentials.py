"""The names and keys of this host, from the configuration: the one place that says which realm and which keytab count."""

from __future__ import annotations

from postern.roles.runtime import Runtime
from postern.trust.host import HostCredentials


def host_credentials(runtime: Runtime) -> HostCredentials:
    """In a domain the keytab is what `setup ad` wrote, where postern.toml names no other."""
    organization, domain = runtime.organization, runtime.organization.active_directory
    keytab = organization.keytab or (str(runtime.state.keytab) if domain is not None else "")
    netbios = domain.netbios if domain is not None else ""
    return HostCredentials(runtime.server.name, organization.default_domain, netbios, organization.realm, keytab)
