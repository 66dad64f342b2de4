"""What a part of a host needs of Active Directory: on which row it asks, who tells it of the controllers, and with which keys.

`local_topology` is what the topology process has (it finds the controllers itself); all others ask that process (`locator`). Call
`use_kerberos` first: it settles where libkrb5 looks, for the whole process.
"""

from __future__ import annotations

import os
from pathlib import Path as FilePath

from postern.directory.ad import krb5_conf
from postern.directory.ad.adapter import DomainDirectory
from postern.directory.ldap import tickets
from postern.model.directory import DomainController, Locator
from postern.model.organization import ActiveDirectory, HostService, Role
from postern.net.dns import Resolver
from postern.net.tunnel import tunnel
from postern.paths.row import Party, Path
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY
from postern.roles.credentials import host_credentials
from postern.roles.rpc import socket
from postern.roles.runtime import Part, Runtime
from postern.services.rpc.client import RpcClient, RpcTarget
from postern.services.topology.client import TopologyClient
from postern.services.topology.controllers import Topology
from postern.trust.initiators import Initiators

_ROWS: dict[Part, str] = {
    Role.HUB: "hub-to-ad",
    Role.MAILBOX: "mailbox-to-ad",
    Role.CLIENT_ACCESS: "client-access-to-ad",
    HostService.ATTENDANT: "recipient-update-to-ad",
    HostService.EDGESYNC: "hub-to-ad",
}
_DNS_TIMEOUT, _DNS_LIFETIME = 1.0, 3.0
"""Seconds: the last known controllers serve on while a name server is silent."""


def row(runtime: Runtime, part: Part) -> Path:
    """The row on which this part of the host asks Active Directory; the topology service's is DSAccess's where there are
    mailboxes, else its role's."""
    if part is HostService.TOPOLOGY:
        roles = runtime.server.roles
        served = [name for role, name in _ROWS.items() if role in roles]
        return runtime.rows["dsaccess-to-ad" if Role.MAILBOX in roles else served[0]]
    return runtime.rows[_ROWS[part]]


def domain(runtime: Runtime) -> ActiveDirectory:
    found = runtime.organization.active_directory
    assert found is not None, "only servers of a domain come here"
    return found


def use_kerberos(runtime: Runtime) -> None:
    """Before anything in this process touches libkrb5."""
    os.environ.update(tickets.environment(FilePath(host_credentials(runtime).keytab), runtime.state.krb5_conf))


def machine_tickets(runtime: Runtime) -> tickets.MachineTickets:
    """Tickets of this server's account."""
    host = host_credentials(runtime)
    return tickets.MachineTickets(runtime.server.machine_account, host.realm, FilePath(host.keytab))


def directory(runtime: Runtime, part: Part, locator: Locator) -> DomainDirectory:
    """The domain, asked as this server's account."""
    machine = machine_tickets(runtime)
    return DomainDirectory.open(row(runtime, part), domain(runtime), locator, tunnel, machine, runtime.observed)


def local_topology(runtime: Runtime) -> Topology:
    """The topology that finds the controllers itself, keeps krb5.conf and remembers."""
    organization, server, state = runtime.organization, runtime.server, runtime.state
    resolver = Resolver(runtime.rows["any-server-to-dns"], organization.dns_servers, _DNS_TIMEOUT, _DNS_LIFETIME)
    controllers = [host for host in organization.hosts if Party.ACTIVE_DIRECTORY in host.parties and host.fqdn]
    known = [(host.fqdn, address) for host in controllers for address in host.addresses]

    def changed(controllers: tuple[DomainController, ...]) -> None:
        krb5_conf.keep(state.krb5_conf, domain(runtime).domain, controllers)

    return Topology(
        row(runtime, HostService.TOPOLOGY),
        domain(runtime),
        resolver,
        server.site,
        server.name,
        known,
        state.topology,
        changed,
    )


def topology_target(runtime: Runtime) -> RpcTarget:
    """The host's topology service, on its unix socket."""
    server, path = runtime.server, runtime.rows["ad-topology"]
    initiators = Initiators(server.machine_account, host_credentials(runtime))
    sockets = (socket(runtime, HostService.TOPOLOGY, 0),)
    mapper = runtime.organization.port(135)
    return RpcTarget(path, server.addresses[0], server.fqdn, mapper, initiators, sockets)


def locator(runtime: Runtime, otherwise: Locator | None = None) -> TopologyClient:
    """A client of the host's topology service; asks `otherwise` while that does not run."""
    return TopologyClient(RpcClient(AD_TOPOLOGY, topology_target(runtime), runtime.observed), otherwise)
