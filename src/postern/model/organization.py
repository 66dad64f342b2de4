"""The organization: the values of `postern.toml`. `host.configuration` parses the file and words the errors."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from postern.model.availability import AvailabilitySpace
from postern.model.domains import a_labels

LOOKED_FOR = ("autodiscover", "autoconfig")
"""Labels below the domain of an address at which Outlook and Thunderbird ask for settings."""


class Role(StrEnum):
    HUB = "hub"
    EDGE = "edge"
    MAILBOX = "mailbox"
    CLIENT_ACCESS = "client-access"
    UNIFIED_MESSAGING = "unified-messaging"


class HostService(StrEnum):
    """Processes that a host runs beside its roles, one of each."""

    TOPOLOGY = "topology"
    """The topology service, which finds and watches domain controllers, with the host's one logon broker. Runs wherever there is
    Active Directory."""
    ATTENDANT = "attendant"
    """The System Attendant of a mailbox server in Active Directory: recipient update."""
    EDGESYNC = "edgesync"
    """A hub's replication to the edges."""
    EDGE_CREDENTIALS = "edge-credentials"
    """An edge's keeper of the accounts that replicate to it."""
    METRICS = "metrics"
    """The metrics service: tells monitoring what all processes of the host count and which parts of it are up. Runs where it is
    switched on."""


class Profile(StrEnum):
    REFERENCE = "reference"
    PRACTICAL = "practical"
    HARDENED = "hardened"


class DomainType(StrEnum):
    AUTHORITATIVE = "authoritative"
    INTERNAL_RELAY = "internal-relay"
    EXTERNAL_RELAY = "external-relay"


@dataclass(frozen=True, slots=True)
class AcceptedDomain:
    name: str
    type: DomainType = DomainType.AUTHORITATIVE


@dataclass(frozen=True, slots=True)
class Server:
    """One host. `addresses` are where its doors bind and where others reach it (IPv4 or IPv6 literals)."""

    name: str
    fqdn: str
    roles: frozenset[Role]
    addresses: tuple[str, ...]
    site: str = "Default-First-Site-Name"
    workers: int = 0
    """Processes per role that can share a port; 0 means as many as the host has cores."""

    @property
    def machine_account(self) -> str:
        """sAMAccountName of the computer: MS-ADTS 2.2.1, at most 15 characters and a dollar sign."""
        return self.name.upper()[:15] + "$"

    @property
    def loopback(self) -> str:
        """The address at which this host's own processes reach a service that others cannot: the server's loopback address, or
        127.0.0.1."""
        return next((address for address in self.addresses if ipaddress.ip_address(address).is_loopback), "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Database:
    """A mailbox database. `server` names the mailbox server that serves it; `url` is a PostgreSQL URL, or "" for that server's
    private cluster."""

    name: str
    server: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """A party of the table that is no server of ours: a domain controller, the clients' network, another organization.

    `parties` are values of `paths.row.Party` ("active-directory", "client", "internet", ...). `addresses` are IP addresses or,
    for clients and administrators, networks ("192.0.2.0/24"). Once a host plays a party, firewalls let nobody else play it.
    """

    name: str
    parties: frozenset[str]
    addresses: tuple[str, ...]
    fqdn: str = ""
    site: str = "Default-First-Site-Name"


@dataclass(frozen=True, slots=True)
class ActiveDirectory:
    """The domain that the organization lives in (an edge does not). Its controllers are found by DNS."""

    domain: str
    """DNS name, "corp.test"; the Kerberos realm is the same in capitals."""
    netbios: str
    """"CORP"; by default the domain's first label in capitals."""


@dataclass(frozen=True, slots=True)
class SendConnector:
    """A way out for mail to `domains` ("*" is any): by MX, or to smart hosts ("host" or "host:port")."""

    name: str
    domains: tuple[str, ...] = ("*",)
    smart_hosts: tuple[str, ...] = ()
    server: str = ""
    """The hub that owns it; empty: every hub."""


@dataclass(frozen=True, slots=True)
class ClientCertificates:
    """The host names under which a client access server asks clients for a certificate, in A-labels, and PEM files: the
    authorities that issue certificates to users, and lists of what they have revoked ("": nothing is looked up)."""

    names: tuple[str, ...]
    authorities: str
    revoked: str = ""


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The right to act in the place of others over Exchange Web Services. `by` are logon names of accounts, or addresses of
    groups; `of` are addresses of users, rooms and groups, or "everybody"."""

    by: tuple[str, ...]
    of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds, in bytes, seconds and counts. Every one is enforced where the bytes come in."""

    message_size: int = 36_700_160
    recipients: int = 5000
    received_headers: int = 100
    line_length: int = 8192
    connections: int = 5000
    connections_per_address: int = 100
    idle_timeout: float = 300.0
    imap_idle_timeout: float = 1860.0
    errors_per_connection: int = 20
    spool_threshold: int = 262_144
    """A message larger than this is spooled to disk while it comes in."""
    mailbox_quota: int = 2_147_483_648
    mailbox_retention: float = 2_592_000.0
    """Seconds for which a mailbox is kept after its owner was removed."""
    queue_expiry: float = 172_800.0
    queue_retry: tuple[float, ...] = (60.0, 300.0, 900.0, 1800.0, 3600.0)
    connections_per_destination: int = 20


@dataclass(frozen=True, slots=True)
class PushNotifications:
    """The subscribers to whom notifications of Exchange Web Services are sent beside those with a public address, by HTTPS on
    port 443. Hosts in `networks` are reached on any port; with `clear`, notifications are sent by HTTP too."""

    networks: tuple[str, ...] = ()
    clear: bool = False


@dataclass(frozen=True, slots=True)
class Organization:
    """All that is configured. `offset` is added to every port number, so that an organization can run unprivileged.

    `rpc_ports` is the dynamic range of RPC endpoints, in real port numbers: the offset is not added to them. `realm` is the
    Kerberos realm or empty. `directory` is a connection URL or empty for the private slapd.
    """

    name: str
    domains: tuple[AcceptedDomain, ...]
    servers: tuple[Server, ...]
    profile: Profile = Profile.PRACTICAL
    realm: str = ""
    keytab: str = ""
    offset: int = 0
    rpc_ports: tuple[int, int] = (20000, 20019)
    directory: str = ""
    send_connectors: tuple[SendConnector, ...] = (SendConnector("internet"),)
    limits: Limits = field(default_factory=Limits)
    dns_servers: tuple[str, ...] = ()
    """Each "address" or "address:port"; empty: the machine's own resolver."""
    active_directory: ActiveDirectory | None = None
    """None: the private directory."""
    hosts: tuple[Host, ...] = ()

    authorities: str = ""
    """PEM file of the authorities by which other organizations' servers are validated; empty: the machine's own."""
    written_databases: tuple[Database, ...] = ()
    """The databases that the file names by `[[database]]`; `databases` has them all."""
    metrics: bool = False
    """True if servers tell monitoring their metrics, on the row `metrics`."""
    acme: bool = False
    """True if servers may get certificates by ACME, on the rows `acme` and `acme-challenge`."""
    language: str = "en"
    """The language in which the calendar of a new mailbox is named, and the folders like it (`folder_names.LANGUAGES`)."""
    client_certificates: ClientCertificates | None = None
    """None: no client is asked for a certificate."""
    availability: tuple[AvailabilitySpace, ...] = ()
    """Other organizations that are asked when their people are busy."""
    push_notifications: PushNotifications | None = None
    """None: no notification is sent to a subscriber."""
    impersonations: tuple[Impersonation, ...] = ()
    """Empty: nobody impersonates anybody, administrators neither."""

    @property
    def databases(self) -> tuple[Database, ...]:
        """The mailbox databases: those that the file names, or one for each mailbox server, called like the server."""
        return self.written_databases or tuple(
            Database(server.name, server.name) for server in self.with_role(Role.MAILBOX)
        )

    def databases_of(self, server: Server) -> tuple[Database, ...]:
        """The databases that this server serves."""
        return tuple(database for database in self.databases if database.server == server.name)

    def database(self, name: str) -> Database | None:
        """The database of this name. The name of a mailbox server stands for its first database: for mailboxes that were made
        before databases had names, the directory has the server's name."""
        databases = self.databases
        by_server = (database for database in databases if database.server == name)
        return next((database for database in databases if database.name == name), None) or next(by_server, None)

    def server_of(self, database: str) -> Server | None:
        """The server that has this database now, None if there is no such database.

        Code that dials a mailbox server asks here each time that it dials: there is no other source."""
        served = self.database(database)
        return self.server(served.server) if served is not None else None

    def domain_types(self) -> dict[str, DomainType]:
        """The accepted domains by name, in A-labels."""
        return {a_labels(domain.name): domain.type for domain in self.domains}

    def authoritative_domains(self) -> frozenset[str]:
        """The domains, in A-labels, in which nobody else has mailboxes."""
        return frozenset(name for name, type_ in self.domain_types().items() if type_ is DomainType.AUTHORITATIVE)

    def with_domains(self, others: Iterable[AcceptedDomain]) -> Organization:
        """The organization with these accepted domains besides its own, which come first."""
        own = {a_labels(domain.name) for domain in self.domains}
        more = {a_labels(domain.name): domain for domain in others}
        return replace(self, domains=(*self.domains, *(domain for name, domain in more.items() if name not in own)))

    def own_names(self) -> frozenset[str]:
        """The names of our servers and domains, in lower case: nobody else may speak for them in Authentication-Results."""
        return frozenset(
            {server.fqdn.lower() for server in self.servers} | {a_labels(domain.name) for domain in self.domains}
        )

    def looked_for(self) -> tuple[str, ...]:
        """The names below each domain under which mail programs look for a client access server, in A-labels."""
        return tuple(f"{label}.{a_labels(domain.name)}" for domain in self.domains for label in LOOKED_FOR)

    def asking_names(self) -> tuple[str, ...]:
        """The host names under which clients are asked for a certificate."""
        return self.client_certificates.names if self.client_certificates is not None else ()

    def names_of(self, server: Server) -> tuple[str, ...]:
        """The names by which others call a server, its own first, in A-labels."""
        names = (server.fqdn, *(domain.name for domain in self.domains))
        if Role.CLIENT_ACCESS in server.roles:
            names = (*names, *self.looked_for(), *self.asking_names())
        return tuple(dict.fromkeys(a_labels(name).lower() for name in names))

    def services(self, server: Server) -> tuple[HostService, ...]:
        """The services that this server runs beside its roles."""
        services = []
        if self.active_directory is not None and Role.EDGE not in server.roles:
            services.append(HostService.TOPOLOGY)
            if Role.MAILBOX in server.roles:
                services.append(HostService.ATTENDANT)
        if Role.HUB in server.roles and self.with_role(Role.EDGE):
            services.append(HostService.EDGESYNC)
        if Role.EDGE in server.roles:
            services.append(HostService.EDGE_CREDENTIALS)
        if self.metrics:
            services.append(HostService.METRICS)
        return tuple(services)

    def port(self, number: int) -> int:
        """The real port number of a row's port number on this organization."""
        return number + self.offset

    def server(self, name: str) -> Server:
        for server in self.servers:
            if server.name == name:
                return server
        raise KeyError(name)

    def with_role(self, role: Role) -> tuple[Server, ...]:
        return tuple(server for server in self.servers if role in server.roles)

    @property
    def default_domain(self) -> str:
        return self.domains[0].name


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder that holds all state of one host. `host` makes every path below, mode 0700.

    `sockets` is a short path of its own, for a unix socket's name has 107 bytes at most (unix(7)).
    """

    root: Path
    sockets: Path

    @property
    def certificates(self) -> Path:
        return self.root / "certificates"

    @property
    def probe_authority(self) -> Path:
        """The authority of the certificates that `postern verify` shows, and its list of revoked ones."""
        return self.certificates / "probe-authority.pem"

    @property
    def queue(self) -> Path:
        return self.root / "queue"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def slapd(self) -> Path:
        return self.root / "slapd"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def tracking(self) -> Path:
        return self.root / "tracking"

    @property
    def observed(self) -> Path:
        return self.root / "observed"

    @property
    def metrics(self) -> Path:
        """The counts of each process."""
        return self.root / "metrics"

    @property
    def attempts(self) -> Path:
        """The messages that each process works on at the moment, and those that brought a process down."""
        return self.root / "attempts"

    @property
    def adam(self) -> Path:
        """The edge's own directory."""
        return self.root / "adam"

    @property
    def keytab(self) -> Path:
        """The keytab that `setup ad` writes, where postern.toml names no other."""
        return self.root / "secrets" / "keytab"

    @property
    def krb5_conf(self) -> Path:
        """The file in which this host's processes find the realm's key distribution centres. The topology service writes it."""
        return self.root / "krb5.conf"

    @property
    def topology(self) -> Path:
        """The last known domain controllers."""
        return self.root / "topology.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def spool(self) -> Path:
        return self.root / "spool"
