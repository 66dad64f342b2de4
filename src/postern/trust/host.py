"""The names and keys with which this host takes part in exchanges of authentication, as server and as client."""

from __future__ import annotations

from dataclasses import dataclass

from postern.model.domains import netbios_name


@dataclass(frozen=True, slots=True)
class HostCredentials:
    """The names and the keytab of this host. `name` is the host name ("hub1"; where a domain judges, the NetBIOS name of the
    machine account), `domain` the DNS domain of the organization. `netbios` is the short name of the Active Directory domain,
    "" where there is none. `realm` is the only Kerberos realm whose principals have accounts here, and `keytab` the path of the
    file with this host's keys; both are "" without Kerberos."""

    name: str = "postern"
    domain: str = ""
    netbios: str = ""
    realm: str = ""
    keytab: str = ""

    @property
    def has_realm(self) -> bool:
        """Whether a realm and a keytab are named. Kerberos needs both."""
        return bool(self.realm and self.keytab)

    @property
    def short_domain(self) -> str:
        """The domain as NTLM shows it: `netbios`, or the name that goes with the DNS domain."""
        return self.netbios or netbios_name(self.domain)
