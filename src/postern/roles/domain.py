"""Active Directory for the parts of a host: the row on which each part asks it, the account, the realm and the keys."""

from __future__ import annotations

import os
from pathlib import Path as FilePath

from postern.directory.ad.adapter import DomainDirectory
from postern.directory.ad.client import DomainClient
from postern.directory.ldap import tickets
from postern.model.directory import Locator
from postern.model.organization import HostService, Role
from postern.net.tunnel import tunnel
from postern.paths.row import Path, Wire
from postern.roles.credentials import host_credentials
from postern.roles.runtime import Part, Runtime
from postern.services.netlogon.broker import BrokerClient
from postern.trust.authenticator import DomainLogons
from postern.trust.kerberos.passwords import KerberosPasswords
from postern.trust.passwords.proofs import DomainProofs

_ROWS: dict[Part, str] = {
    Role.HUB: "hub-to-ad",
    Role.MAILBOX: "mailbox-to-ad",
    Role.CLIENT_ACCESS: "client-access-to-ad",
    HostService.ATTENDANT: "recipient-update-to-ad",
    HostService.EDGESYNC: "hub-to-ad",
}


class Domain:
    """The domain that this server is a member of, and the server's account there. An organization without a domain has none."""

    def __init__(self, runtime: Runtime) -> None:
        settings = runtime.organization.active_directory
        assert settings is not None, "only servers of a domain come here"
        self._runtime = runtime
        self.settings = settings
        self.host = host_credentials(runtime)
        self.account = runtime.server.machine_account

    def use_kerberos(self) -> None:
        """Sets for the whole process the files that libkrb5 reads. Must be called before anything touches libkrb5."""
        os.environ.update(tickets.environment(FilePath(self.host.keytab), self._runtime.state.krb5_conf))

    def row(self, part: Part) -> Path:
        """The row on which this part of the host asks the domain controllers. The reference's DSAccess is the topology service
        here; without the mailbox role it asks on the row of the server's first role."""
        roles = self._runtime.server.roles
        if part is not HostService.TOPOLOGY:
            name = _ROWS[part]
        elif Role.MAILBOX in roles:
            name = "dsaccess-to-ad"
        else:
            name = next(row for role, row in _ROWS.items() if role in roles)
        return self._runtime.rows[name]

    def tickets(self) -> tickets.MachineTickets:
        """Tickets of this server's account."""
        return tickets.MachineTickets(self.account, self.host.realm, FilePath(self.host.keytab))

    def directory(self, part: Part, locator: Locator) -> DomainDirectory:
        """The domain as a directory, asked as this server."""
        observed = self._runtime.observed
        return DomainDirectory.open(self.row(part), self.settings, locator, tunnel, self.tickets(), observed)

    def client(self, name: str, locator: Locator, timeout: float) -> DomainClient:
        """The domain's LDAP on the row of this name, asked as this server; `timeout` is in seconds."""
        row = self._runtime.rows[name]
        port, observed = row.port("ldap", Wire.TCP), self._runtime.observed
        return DomainClient(row, port, locator, tunnel, self.tickets(), timeout, observed)

    def passwords(self) -> KerberosPasswords:
        """Users' passwords judged by the realm."""
        return KerberosPasswords(self.host.realm, self.host.keytab, f"host/{self._runtime.server.fqdn}")

    def logons(self, directory: DomainDirectory, broker: BrokerClient) -> DomainLogons:
        """Logons of users and servers, judged by the domain's controllers."""
        return DomainLogons(DomainProofs(directory, broker, self.settings.netbios), directory.servers_sid)
