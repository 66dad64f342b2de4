"""The names and keys with which this host takes part in exchanges of authentication, as server and as client."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostCredentials:
    """`name` is this host's ("hub1"; where a domain judges, its machine account's NetBIOS name), `domain` the organization's DNS
    domain. `netbios` is the Active Directory domain's short name, "" where there is none. `realm` is the only Kerberos realm
    whose principals are anyone here, and `keytab` the path of the file with this host's keys; both are "" without Kerberos."""

    name: str = "postern"
    domain: str = ""
    netbios: str = ""
    realm: str = ""
    keytab: str = ""

    @property
    def short_domain(self) -> str:
        """The domain as NTLM shows it: 15 characters in capitals at most."""
        return self.netbios or self.domain.partition(".")[0].upper()[:15]
