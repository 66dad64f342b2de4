"""Finds mistakes in postern.toml that no single value shows: settings that contradict each other, names that occur twice.

Pure: reads the Organization that the file describes. `mistakes` words the messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from postern.host.mistakes import Problem
from postern.model.domains import a_labels
from postern.model.organization import Organization, Profile, Role
from postern.model.words import nearest, quoted
from postern.paths.row import Party
from postern.paths.table import TABLE

_FIXED = {port.number for row in TABLE.values() for port in row.ports if port.number is not None}
_OF_NETWORKS = frozenset({Party.CLIENT.value, Party.ADMINISTRATOR.value, Party.INTERNET.value, Party.GATEWAY.value})
"""Parties that may be a whole network: those that only make connections, or answer at any address of it."""


def contradictions(organization: Organization) -> Iterator[Problem]:
    """Every contradiction, in the order of the file's tables."""
    yield from _twice("domain", [domain.name for domain in organization.domains])
    yield from _twice("server", [server.name for server in organization.servers])
    yield from _twice("database", [database.name for database in organization.written_databases])
    yield from _twice("send-connector", [connector.name for connector in organization.send_connectors])
    yield from _ports(organization)
    yield from _proofs(organization)
    yield from _client_certificates(organization)
    yield from _availability(organization)
    yield from _databases(organization)
    yield from _connectors(organization)
    for index, server in enumerate(organization.servers):
        if Role.EDGE in server.roles and len(server.roles) > 1:
            yield Problem(
                ("server", index, "roles"),
                "edge stands alone, in the perimeter network; give the other roles to another server",
            )
    yield from _hosts(organization)


def _ports(organization: Organization) -> Iterator[Problem]:
    low, high = organization.rpc_ports
    if low > high:
        yield Problem(("organization", "rpc-ports"), f"{low} is above {high}; write [{high}, {low}]")
    inside = [organization.port(number) for number in sorted(_FIXED) if low <= organization.port(number) <= high]
    if inside:
        yield Problem(
            ("organization", "rpc-ports"), f"hold {inside[0]}, which is a door of its own; choose a range without it"
        )


def _proofs(organization: Organization) -> Iterator[Problem]:
    """Contradictions between realm, keytab, directory and Active Directory."""
    domain = organization.active_directory
    if organization.profile is Profile.HARDENED and not organization.realm and not _of_an_edge(organization):
        yield Problem(
            ("organization", "profile"),
            '"hardened" rests on Kerberos, and organization.realm is empty; set realm and keytab, or choose "practical"',
        )
    if domain is not None and organization.realm != domain.domain.upper():
        yield Problem(
            ("organization", "realm"),
            f"{quoted(organization.realm)} is not the realm of the domain {domain.domain}; "
            f'leave it out, or write "{domain.domain.upper()}"',
        )
    elif organization.realm and not organization.keytab and domain is None:
        yield Problem(
            ("organization", "realm"), "a realm needs a keytab; set organization.keytab to its file's absolute path"
        )
    yield from _relative("organization", keytab=organization.keytab, authorities=organization.authorities)
    if domain is not None and organization.directory:
        yield Problem(
            ("organization", "directory"),
            "contradicts [active-directory], whose controllers are found by DNS; leave one of the two out",
        )
    if domain is not None and all(Role.EDGE in server.roles for server in organization.servers):
        yield Problem(
            ("active-directory",),
            "no server here is in a domain: an edge stands outside; leave the table out of the edge's own file",
        )


def _client_certificates(organization: Organization) -> Iterator[Problem]:
    certified = organization.client_certificates
    if certified is None:
        return
    yield from _relative("client-certificates", authorities=certified.authorities, revoked=certified.revoked)
    browsed = {*organization.own_names(), *organization.looked_for()}
    for name in certified.names:
        if name in browsed:
            yield Problem(
                ("client-certificates", "names"),
                f"{quoted(name)} is a name that everybody comes to, and a browser would ask each of them for a certificate; "
                f'choose another, such as "certificate.{organization.default_domain}"',
            )


def _availability(organization: Organization) -> Iterator[Problem]:
    """Checks that each domain of another organization has one place, and each password a file."""
    domains = [a_labels(space.domain) for space in organization.availability]
    for index, space in enumerate(organization.availability):
        if domains[index] in domains[:index]:
            yield Problem(
                ("availability", index, "domain"), f"{quoted(space.domain)} is there twice; leave one of the tables out"
            )
        if not space.password_file.startswith("/"):
            yield Problem(("availability", index, "password-file"), _NOT_ABSOLUTE.format(quoted(space.password_file)))


_NOT_ABSOLUTE = '{} is no absolute path; write it from "/" on'


def _relative(table: str, **files: str) -> Iterator[Problem]:
    """Files of a table, by key, that are named by no absolute path."""
    for key, file in files.items():
        if file and not file.startswith("/"):
            yield Problem((table, key), _NOT_ABSOLUTE.format(quoted(file)))


def _of_an_edge(organization: Organization) -> bool:
    """Whether this is the file of an edge. It names the edge and the hubs; an edge authenticates by certificate."""
    roles = {role for server in organization.servers for role in server.roles}
    return Role.EDGE in roles and roles <= {Role.EDGE, Role.HUB}


def _databases(organization: Organization) -> Iterator[Problem]:
    """Checks that each database has a mailbox server of its own, and each mailbox server a database."""
    mailbox_servers = sorted(server.name for server in organization.with_role(Role.MAILBOX))
    served: dict[str, str] = {}
    for index, database in enumerate(organization.written_databases):
        if database.server not in mailbox_servers:
            text = f"{quoted(database.server)} is no server with the mailbox role{nearest(database.server, mailbox_servers)}"
            yield Problem(("database", index, "server"), text)
        elif (other := served.setdefault(database.server, database.name)) != database.name:
            yield Problem(
                ("database", index, "server"),
                f'{quoted(database.server)} has the database "{other}" already, and a mailbox server serves one database; give '
                "this one to another server",
            )
        if database.name in mailbox_servers and database.name != database.server:
            yield Problem(
                ("database", index, "name"),
                f'"{database.name}" is another mailbox server, for whose mailboxes it would be taken; give it another name',
            )
    if not served or any(database.server not in mailbox_servers for database in organization.written_databases):
        return  # a database of an unknown server may be meant for one that seems to have none
    for index, server in enumerate(organization.servers):
        if Role.MAILBOX in server.roles and server.name not in served:
            yield Problem(
                ("server", index, "roles"),
                f'"{server.name}" has the mailbox role and no database; add [[database]] with server = "{server.name}"',
            )


def _connectors(organization: Organization) -> Iterator[Problem]:
    hubs = {server.name for server in organization.servers if server.roles & {Role.HUB, Role.EDGE}}
    for index, connector in enumerate(organization.send_connectors):
        if connector.server and connector.server not in hubs:
            text = f"{quoted(connector.server)} is no server with the hub or edge role{nearest(connector.server, sorted(hubs))}"
            yield Problem(("send-connector", index, "server"), text)


def _hosts(organization: Organization) -> Iterator[Problem]:
    names = [host.name for host in organization.hosts]
    yield from _twice("host", names)
    servers = {server.name for server in organization.servers}
    for index, host in enumerate(organization.hosts):
        if host.name in servers:
            yield Problem(
                ("host", index, "name"), f'"{host.name}" is a server of ours already; give the host another name'
            )
        networks = [address for address in host.addresses if "/" in address]
        strict = sorted(host.parties - _OF_NETWORKS)
        if networks and strict:
            yield Problem(
                ("host", index, "addresses"),
                f"{networks[0]} is a network, and {strict[0]} is a single host; write its address",
            )


def _twice(table: str, names: Sequence[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem((table, index, "name"), f'"{name}" is there twice; give each {table} a name of its own')
