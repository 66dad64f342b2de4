"""The host's topology service as other processes and commands see it, and its substitute for commands while it does not run."""

from __future__ import annotations

from postern.directory.ad import krb5_conf
from postern.model.directory import DomainController, Locator
from postern.model.organization import HostService
from postern.net.dns import Resolver
from postern.paths.row import Party
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY
from postern.protocols.dcerpc.interfaces.logon_broker import LOGON_BROKER
from postern.roles.domain import Domain
from postern.roles.rpc_calls import socket
from postern.roles.runtime import Runtime
from postern.services.netlogon.broker import BrokerClient
from postern.services.rpc.client import RpcClient, RpcTarget
from postern.services.topology.client import TopologyClient
from postern.services.topology.controllers import Topology
from postern.trust.initiators import Initiators

_DNS_TIMEOUT, _DNS_LIFETIME = 1.0, 3.0
"""Seconds: the last known controllers serve on while a name server is silent."""


def locator(runtime: Runtime, otherwise: Locator | None = None) -> TopologyClient:
    """A client of the host's topology service. It asks `otherwise` while the service does not run."""
    return TopologyClient(RpcClient(AD_TOPOLOGY, _target(runtime), runtime.observed), otherwise)


def logons(runtime: Runtime) -> BrokerClient:
    """Judges passwords by Kerberos, each process for itself; has the host's broker judge NTLM answers."""
    broker = RpcClient(LOGON_BROKER, _target(runtime), runtime.observed)
    return BrokerClient(broker, Domain(runtime).passwords())


def local_topology(runtime: Runtime) -> Topology:
    """A topology that finds the controllers itself, writes krb5.conf and remembers them. The service and commands use it."""
    organization, server, state = runtime.organization, runtime.server, runtime.state
    domain = Domain(runtime)
    resolver = Resolver(runtime.rows["any-server-to-dns"], organization.dns_servers, _DNS_TIMEOUT, _DNS_LIFETIME)
    hosts = [host for host in organization.hosts if Party.ACTIVE_DIRECTORY in host.parties and host.fqdn]
    known = [(host.fqdn, address) for host in hosts for address in host.addresses]

    def changed(controllers: tuple[DomainController, ...]) -> None:
        krb5_conf.keep(state.krb5_conf, domain.settings.domain, controllers)

    row = domain.row(HostService.TOPOLOGY)
    return Topology(row, domain.settings, resolver, server.site, server.name, known, state.topology, changed)


def _target(runtime: Runtime) -> RpcTarget:
    """The service's unix socket."""
    server, row, domain = runtime.server, runtime.rows["ad-topology"], Domain(runtime)
    initiators = Initiators(domain.account, domain.host)
    sockets = (socket(runtime, HostService.TOPOLOGY, 0),)
    mapper = runtime.organization.port(135)
    return RpcTarget(row, server.addresses[0], server.fqdn, mapper, initiators, sockets)
