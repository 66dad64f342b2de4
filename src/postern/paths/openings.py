"""What the table means for one host of an organization: which ports of its own others may reach, and which of others' it may
reach. The firewall is made of this, and a socket that the kernel shows is held against it.

Pure. A party whose addresses the organization's file does not hold is anyone (clients, the internet, administrators, the
machine's own name and time servers, key distribution centres, which stand in krb5.conf); gateways and earlier versions'
mailbox servers are nobody until they can be configured. Ports of our own servers are shifted by the organization's offset,
those of others are not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from postern.model.organization import Organization, Role, Server
from postern.paths.deployment import closed
from postern.paths.row import End, Party, Path, Port, Wire

ANYONE = None
ACTIVE_DIRECTORY_DYNAMIC = (49152, 65535)
"""Windows' own RPC range (RFC 6335 section 6); ours is the organization's."""

_ROLES = {Party(role.value): role for role in Role}
_ANYONE = frozenset(
    {Party.CLIENT, Party.INTERNET, Party.ADMINISTRATOR, Party.TIME_SERVER, Party.NEIGHBOUR, Party.ACTIVE_DIRECTORY}
)
_URL_PORTS = {"ldap": 389, "ldaps": 636, "postgresql": 5432, "postgres": 5432}


@dataclass(frozen=True, slots=True)
class Opening:
    """One thing that row `row` allows this host: inward, `remote` may reach its ports `first` to `last`; outward, it may reach
    those of `remote`. `remote` ANYONE is every address. `at_home`: this host plays both ends, so it also holds within it."""

    row: str
    inward: bool
    wire: Wire
    first: int
    last: int
    remote: tuple[str, ...] | None
    at_home: bool


def openings(organization: Organization, server: Server, rows: Iterable[Path]) -> list[Opening]:
    """All that these rows allow `server` over IP, in the rows' order. Unix sockets are no part of it."""
    return list(dict.fromkeys(_openings(organization, server, rows)))


def _openings(organization: Organization, server: Server, rows: Iterable[Path]) -> Iterator[Opening]:
    for row in rows:
        if closed(organization, row):
            continue
        calls = any(_plays(organization, server, party) for party in row.caller)
        answers = _plays(organization, server, row.callee)
        for port in row.ports:
            if port.wire is not Wire.UNIX:
                yield from _at(organization, server, row, port, calls, answers)


def plain(address: str) -> str:
    """An address as this package compares it: ::ffff:192.0.2.1 is 192.0.2.1, and fe80::1%eth0 is fe80::1."""
    value = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(value, ipaddress.IPv6Address) and value.ipv4_mapped is not None:
        value = value.ipv4_mapped
    return str(value)


def _at(
    organization: Organization, server: Server, row: Path, port: Port, calls: bool, answers: bool
) -> Iterator[Opening]:
    """A port in both directions: it listens at the callee, at the caller, or at both."""
    at_home = calls and answers
    callers, callee = row.caller, (row.callee,)
    ends: list[tuple[bool, tuple[Party, ...], tuple[Party, ...]]] = []
    if port.end is not End.CALLER:
        ends += [(True, callee, callers)] if answers else []
        ends += [(False, callee, callee)] if calls else []
    if port.end in (End.CALLER, End.BOTH):
        ends += [(True, callers, callee)] if calls else []
        ends += [(False, callers, callers)] if answers else []
    for inward, listeners, others in dict.fromkeys(ends):
        remote = () if port.end is End.LOCAL else _addresses(organization, server, others)
        if remote == () and not at_home:
            continue
        for first, last in _numbers(organization, server, row, port, listeners[0]):
            yield Opening(row.id, inward, port.wire, first, last, remote, at_home)


def _plays(organization: Organization, server: Server, party: Party) -> bool:
    if party in _ROLES:
        return _ROLES[party] in server.roles
    if party in (Party.DATABASE, Party.PRIVATE_DIRECTORY):
        return any(_is(server, host) for host, _ in _places(organization, party))
    return party is Party.ANY_SERVER


def _addresses(organization: Organization, server: Server, parties: Iterable[Party]) -> tuple[str, ...] | None:
    """Where these parties are, this host left out; ANYONE if that cannot be said, () if there are none."""
    found: dict[str, None] = {}
    for party in parties:
        if party in _ANYONE or (party is Party.NAME_SERVER and not organization.dns_servers):
            return ANYONE
        for other in organization.servers:
            if other.name != server.name and _is_peer(party, other):
                found.update(dict.fromkeys(map(plain, other.addresses)))
        for host, _ in _places(organization, party):
            known = [other for other in organization.servers if _is(other, host)]
            if not known and not _is_address(host):
                return ANYONE
            addresses = known[0].addresses if known else (host,)
            if not known or known[0].name != server.name:
                found.update(dict.fromkeys(map(plain, addresses)))
    return tuple(found)


def _is_peer(party: Party, other: Server) -> bool:
    if party in (Party.ANY_SERVER, Party.MONITOR):
        return True
    return party in _ROLES and _ROLES[party] in other.roles


def _numbers(
    organization: Organization, server: Server, row: Path, port: Port, listener: Party
) -> Iterator[tuple[int, int]]:
    """The real numbers of a port that `listener` listens on, as ranges."""
    if port.wire is Wire.ICMP:
        yield 0, 0
    elif port.number is None:
        yield ACTIVE_DIRECTORY_DYNAMIC if listener is Party.ACTIVE_DIRECTORY else organization.rpc_ports
    elif listener in _ROLES:
        yield organization.port(port.number), organization.port(port.number)
    elif places := _places(organization, listener):
        yield from sorted({(number, number) for _, number in places})
    else:
        yield port.number, port.number
        if listener is Party.INTERNET and port.number == 25:
            yield from ((number, number) for number in _smart_host_ports(organization, server))


def _smart_host_ports(organization: Organization, server: Server) -> list[int]:
    mine = (c for c in organization.send_connectors if c.server in ("", server.name))
    return sorted({_split(host, 25)[1] for connector in mine for host in connector.smart_hosts} - {25})


def _places(organization: Organization, party: Party) -> list[tuple[str, int]]:
    """Hosts and ports that the organization's file names for a party which is no role."""
    if party is Party.NAME_SERVER:
        return [_split(text, 53) for text in organization.dns_servers]
    if party is Party.DATABASE:
        return _in_url(organization.postgres)
    if party is Party.PRIVATE_DIRECTORY:
        return _in_url(organization.directory)
    return []


def _in_url(text: str) -> list[tuple[str, int]]:
    """The hosts of a URL: PostgreSQL takes several with commas, LDAP several URLs with spaces. A unix socket is none."""
    places = []
    for one in text.split():
        url = urlsplit(one)
        if url.scheme in _URL_PORTS:
            hosts = url.netloc.rpartition("@")[2].split(",")
            places += [_split(host, _URL_PORTS[url.scheme]) for host in hosts if host]
    return places


def _split(text: str, default: int) -> tuple[str, int]:
    """ "host", "host:port", "[2001:db8::1]:port", or an IPv6 address as it stands."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest[1:] or default)
    if text.count(":") > 1:
        return text, default
    host, _, number = text.partition(":")
    return host, int(number or default)


def _is(server: Server, host: str) -> bool:
    names = (server.name.lower(), server.fqdn.lower())
    return host.lower() in names or (_is_address(host) and plain(host) in map(plain, server.addresses))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
