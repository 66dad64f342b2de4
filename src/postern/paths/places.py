"""Maps the parties of the table to hosts of an organization and their addresses: our servers by their roles, the hosts of
`[[host]]` by their parties, and name servers, databases and directories by the lists and URLs of the file.

Pure. If the file names no host for a party, anyone may play it (clients, the internet, administrators, the machine's own name and
time servers, domain controllers that only DNS knows). Gateways and mailbox servers of earlier versions are then nobody.

Rules beyond the roles: an edge stands outside the domain, so it has no part in rows that need the domain or end at a directory of
the inside. It asks name and time servers that are no domain controllers; other servers ask those of the domain where there are
any. An edge does not monitor, either: an intruder there must learn nothing of the inside.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from postern.model.organization import Host, Organization, Role, Server
from postern.paths.deployment import filtering_role
from postern.paths.row import Need, Party, Path

ANYONE = None
ROLES = {Party(role.value): role for role in Role}
_ANYONE = frozenset(
    {
        Party.CLIENT,
        Party.INTERNET,
        Party.ADMINISTRATOR,
        Party.NAME_SERVER,
        Party.TIME_SERVER,
        Party.NEIGHBOUR,
        Party.ACTIVE_DIRECTORY,
    }
)
_SERVANTS = (Party.NAME_SERVER, Party.TIME_SERVER)
_OF_THE_INSIDE = (Party.ACTIVE_DIRECTORY, Party.PRIVATE_DIRECTORY)
_URL_PORTS = {"ldap": 389, "ldaps": 636, "postgresql": 5432, "postgres": 5432}

Standing = Server | Host
"""A server or host, which has addresses in the organization's file."""


def standings(organization: Organization) -> tuple[Standing, ...]:
    """Our servers, then the other hosts."""
    return (*organization.servers, *organization.hosts)


def standing(organization: Organization, name: str) -> Standing:
    """The server or host of this name. Raises KeyError."""
    for host in standings(organization):
        if host.name == name:
            return host
    raise KeyError(name)


def plain(address: str) -> str:
    """An address as this package compares it: ::ffff:192.0.2.1 is 192.0.2.1, and fe80::1%eth0 is fe80::1. Networks stay."""
    if "/" in address:
        return str(ipaddress.ip_network(address))
    value = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(value, ipaddress.IPv6Address) and value.ipv4_mapped is not None:
        value = value.ipv4_mapped
    return str(value)


def within(address: str, peers: Iterable[str]) -> bool:
    """Whether a plain address is one of `peers`, or in a network among them."""
    value = ipaddress.ip_address(address)
    return any(value in ipaddress.ip_network(peer) if "/" in peer else address == peer for peer in peers)


def calls(organization: Organization, who: Standing, row: Path) -> bool:
    """Whether `who` plays a caller of the row."""
    return any(_plays(organization, who, party, row) for party in row.caller) or (
        isinstance(who, Host) and Party.NEIGHBOUR in row.caller
    )


def answers(organization: Organization, who: Standing, row: Path) -> bool:
    """Whether `who` plays the callee of the row. A host that is no server of ours answers SSH and echo, too."""
    if isinstance(who, Host) and row.callee is Party.ANY_SERVER:
        return not set(row.caller) & {Party.ANY_SERVER, Party.MONITOR}
    return _plays(organization, who, row.callee, row)


def addresses(
    organization: Organization, who: Standing, row: Path, parties: Iterable[Party], callers: bool
) -> tuple[str, ...] | None:
    """The addresses at which `who` may meet the parties at the other end of this row; ANYONE if they are not known, () if there
    are none. `callers`: the others call, and `who` is called."""
    collected: dict[str, None] = {}
    for party in parties:
        known = list(_known(organization, who, party, row, callers))
        if ANYONE in known:
            return ANYONE
        collected.update((address, None) for address in known if address is not ANYONE)
    return tuple(collected)


def named(organization: Organization, party: Party) -> list[tuple[str, int]]:
    """Hosts and ports that the organization's file names for a party in a list or a URL."""
    if party is Party.NAME_SERVER:
        return [split(text, 53) for text in organization.dns_servers]
    if party is Party.DATABASE:
        places = [place for database in organization.databases for place in _in_url(database.url)]
        return list(dict.fromkeys(places))
    if party is Party.PRIVATE_DIRECTORY:
        return _in_url(organization.directory)
    return []


def split(text: str, default: int) -> tuple[str, int]:
    """The host and port of "host", "host:port", "[2001:db8::1]:port", or an IPv6 address as it stands."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:] or default)
    if text.count(":") > 1:
        return text, default
    host, _, number = text.partition(":")
    return host, int(number or default)


def _plays(organization: Organization, who: Standing, party: Party, row: Path) -> bool:
    if isinstance(who, Host):
        return party.value in who.parties or any(_is(who, host) for host, _ in named(organization, party))
    if _is_edge(who) and (row.callee in _OF_THE_INSIDE or row.needs is Need.DOMAIN):
        return False
    if party in ROLES:
        return ROLES[party] in who.roles and (
            row.needs is not Need.FILTERS or ROLES[party] is filtering_role(organization)
        )
    if party in (Party.DATABASE, Party.PRIVATE_DIRECTORY):
        return any(_is(who, host) for host, _ in named(organization, party))
    return party is Party.ANY_SERVER or (party is Party.MONITOR and not _is_edge(who))


def _known(organization: Organization, who: Standing, party: Party, row: Path, callers: bool) -> Iterator[str | None]:
    """The addresses of `party` without this host; ANYONE is among them if they are not all known."""
    if party in _SERVANTS and not callers:
        yield from _servants(organization, who, party)
        return
    if party in _ANYONE and not any(party.value in host.parties for host in organization.hosts):
        # Not every administrator may prepare a directory: the file has to name the hosts.
        if party is not Party.ADMINISTRATOR or row.callee is not Party.ACTIVE_DIRECTORY:
            yield ANYONE
        return
    for other in standings(organization):
        if other.name != who.name and _plays(organization, other, party, row):
            if callers and row.callee in _SERVANTS and not _asks(organization, other, who, row.callee):
                continue
            yield from map(plain, other.addresses)
    for host, _ in named(organization, party):
        if not any(_is(other, host) for other in standings(organization)):
            yield plain(host) if is_address(host) else ANYONE


def _servants(organization: Organization, who: Standing, party: Party) -> tuple[str | None, ...]:
    """The name or time servers that `who` asks."""
    listed = [host if not is_address(host) else plain(host) for host, _ in named(organization, party)]
    inside = {
        plain(address)
        for host in organization.hosts
        if Party.ACTIVE_DIRECTORY.value in host.parties
        for address in host.addresses
    }
    around = [
        plain(address)
        for host in organization.hosts
        if party.value in host.parties and host.name != who.name
        for address in host.addresses
    ]
    if _is_edge(who):
        outside = [server for server in listed if server not in inside] or [
            server for server in around if server not in inside
        ]
        return tuple(outside) or (ANYONE,)
    return tuple(listed or [server for server in around if server in inside] or around) or (ANYONE,)


def _asks(organization: Organization, caller: Standing, servant: Standing, party: Party) -> bool:
    if _is_edge(caller) and isinstance(servant, Host) and Party.ACTIVE_DIRECTORY.value in servant.parties:
        return False
    asked = _servants(organization, caller, party)
    return ANYONE in asked or not {plain(address) for address in servant.addresses}.isdisjoint(asked)


def _is_edge(who: Standing) -> bool:
    return isinstance(who, Server) and Role.EDGE in who.roles


def _in_url(text: str) -> list[tuple[str, int]]:
    """The hosts of a URL. PostgreSQL takes several hosts with commas, LDAP several URLs with spaces. A unix socket is no host."""
    places = []
    for part in text.split():
        url = urlsplit(part)
        if url.scheme in _URL_PORTS:
            hosts = url.netloc.rpartition("@")[2].split(",")
            places += [split(host, _URL_PORTS[url.scheme]) for host in hosts if host]
    return places


def _is(who: Standing, host: str) -> bool:
    names = (who.name.lower(), who.fqdn.lower())
    return host.lower() in names or (is_address(host) and plain(host) in map(plain, who.addresses))


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
