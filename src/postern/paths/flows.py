"""The calls between hosts of an organization by path, as a picture shows them: hosts with their zones, and an arrow for each path
between two of them.

Pure. A party for which the file names no host is one host of its own ("clients", "the internet"). The machine's own rows (SSH,
time, DHCP, neighbour discovery) go between everybody, so they are left out; unix sockets are in it, as arrows from a host to
itself. `map_layout` arranges the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from postern.model.organization import Host, Organization, Role
from postern.paths import places
from postern.paths.deployment import closed, within_hosts
from postern.paths.places import ANYONE, Standing
from postern.paths.row import End, Need, Party, Path, Wire


class Zone(StrEnum):
    """The zones of the picture, from left to right."""

    INTERNET = "Internet"
    PERIMETER = "Perimeter"
    INSIDE = "Inside"
    CLIENTS = "Clients"
    AROUND = "Around"


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the picture. `parts` are its roles or parties; `site` is "" except in the zone INSIDE. If not `named`,
    the box stands for any host that plays the party."""

    name: str
    parts: tuple[str, ...]
    addresses: tuple[str, ...]
    fqdn: str
    zone: Zone
    site: str = ""
    named: bool = True


@dataclass(frozen=True, slots=True)
class Flow:
    """An arrow: `caller` and `callee` are names of nodes, the same node for a call within a host."""

    row: Path
    caller: str
    callee: str


_ANYBODY = {
    Party.CLIENT: ("clients", Zone.CLIENTS),
    Party.ADMINISTRATOR: ("administrators", Zone.CLIENTS),
    Party.INTERNET: ("the internet", Zone.INTERNET),
    Party.ACTIVE_DIRECTORY: ("controllers", Zone.INSIDE),
    Party.NAME_SERVER: ("name servers", Zone.AROUND),
    Party.TIME_SERVER: ("time servers", Zone.AROUND),
    Party.DATABASE: ("database", Zone.AROUND),
    Party.PRIVATE_DIRECTORY: ("directory", Zone.AROUND),
}
_ZONES = (
    (Party.ACTIVE_DIRECTORY, Zone.INSIDE),
    (Party.INTERNET, Zone.INTERNET),
    (Party.CLIENT, Zone.CLIENTS),
    (Party.ADMINISTRATOR, Zone.CLIENTS),
)


def flows(organization: Organization, rows: Iterable[Path]) -> list[Flow]:
    """Every arrow, in the rows' order, then in that of the file."""
    return [flow for row in rows for flow in dict.fromkeys(_of_row(organization, row))]


def nodes(organization: Organization, arrows: Iterable[Flow]) -> list[Node]:
    """Servers, hosts, and the other parties that the arrows name."""
    by_name = {host.name: _node(organization, host) for host in places.standings(organization)}
    anybody = {name: (party, zone) for party, (name, zone) in _ANYBODY.items()}
    for flow in arrows:
        for name in (flow.caller, flow.callee):
            if name not in by_name:
                party, zone = anybody[name]
                listed = tuple(dict.fromkeys(host for host, _ in places.named(organization, party)))
                by_name[name] = Node(name, (), listed, "", zone, "", named=bool(listed))
    return list(by_name.values())


def _node(organization: Organization, who: Standing) -> Node:
    if isinstance(who, Host):
        zone = next((zone for party, zone in _ZONES if party.value in who.parties), Zone.AROUND)
        parts = tuple(sorted(who.parties))
    else:
        zone = Zone.PERIMETER if Role.EDGE in who.roles else Zone.INSIDE
        parts = tuple(role.value for role in Role if role in who.roles)
    return Node(who.name, parts, who.addresses, who.fqdn, zone, who.site if zone is Zone.INSIDE else "")


def _of_row(organization: Organization, row: Path) -> Iterator[Flow]:
    if row.machine:
        return
    if within_hosts(organization, row):
        yield from _within(organization, row)
        return
    if closed(organization, row):
        return
    local = all(port.wire is Wire.UNIX or port.end is End.LOCAL for port in row.ports)
    both_ways = any(port.end is End.BOTH for port in row.ports)
    for who in places.standings(organization):
        if places.calls(organization, who, row):
            if _at_home(organization, who, row):
                yield Flow(row, who.name, who.name)
            if not local:
                yield from _outward(organization, who, row, both_ways)
        if places.answers(organization, who, row) and not local:
            for party in row.caller:
                if places.addresses(organization, who, row, (party,), callers=True) is ANYONE:
                    yield from _pair(row, _ANYBODY[party][0], who.name, both_ways)


def _within(organization: Organization, row: Path) -> Iterator[Flow]:
    for server in organization.servers:
        edges = row.needs is Need.FILTERS and Role.EDGE in server.roles
        if edges or places.calls(organization, server, row):
            yield Flow(row, server.name, server.name)


def _at_home(organization: Organization, who: Standing, row: Path) -> bool:
    """Whether both ends may be on this host: two roles of it, or one that speaks with itself over something local."""
    if not places.answers(organization, who, row):
        return False
    return any(port.wire is Wire.UNIX or port.end is End.LOCAL for port in row.ports) or row.callee not in row.caller


def _outward(organization: Organization, who: Standing, row: Path, both_ways: bool) -> Iterator[Flow]:
    peers = places.addresses(organization, who, row, (row.callee,), callers=False)
    any_peer = False
    for other in places.standings(organization):
        if other.name != who.name and places.answers(organization, other, row):
            callers = places.addresses(organization, other, row, row.caller, callers=True)
            if _among(other, peers) and _among(who, callers):
                any_peer = True
                yield from _pair(row, who.name, other.name, both_ways)
    if not any_peer and peers != ():
        yield from _pair(row, who.name, _ANYBODY[row.callee][0], both_ways)


def _among(who: Standing, peers: tuple[str, ...] | None) -> bool:
    return peers is ANYONE or not set(peers).isdisjoint(map(places.plain, who.addresses))


def _pair(row: Path, caller: str, callee: str, both_ways: bool) -> Iterator[Flow]:
    yield Flow(row, caller, callee)
    if both_ways:
        yield Flow(row, callee, caller)
