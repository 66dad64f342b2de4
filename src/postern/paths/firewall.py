"""Writes the firewall of one host from the table: an nftables ruleset that denies by default, in and out. Between the right peers
it lets pass the connections that the host's rows allow.

Pure: `postern paths firewall --host NAME | nft -f -` loads it. Each row and direction has a named counter of the connections it
let through; dropped packets are counted (dropped-in, dropped-out) and logged, to the kernel's log and to group 25.
Rules are judged from top to bottom: rows with known peers stand before those that anyone may use.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from postern.model.organization import Organization, Server
from postern.paths.openings import ANYONE, Opening, openings
from postern.paths.places import Standing, standing, within
from postern.paths.row import Wire
from postern.paths.table import settle

TABLE_NAME = "postern"
LOG_GROUP = 25

# RFC 4861 section 7: hop limit 255 proves that a neighbour sent it. RFC 3810 section 5: multicast listeners' reports, sent by
# the kernel itself, come from link-local or unspecified addresses.
_NEIGHBOURS = (
    "ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }",
    "ip6 saddr { ::, fe80::/10 } icmpv6 type "
    "{ mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report }",
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request }",
    "icmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request }",
)
_ANY = "any"

_HEAD = """\
#!/usr/sbin/nft -f
# {name} ({fqdn}): {roles}; profile {profile}, ports shifted by {offset}.
# Written by `postern paths firewall --host {name}`; write it anew when the organization changes.
# A row's counter counts the connections that were let through on it, not their packets.

table inet {table}
delete table inet {table}

table inet {table} {{
"""

_CHAIN = """\
\tchain {chain} {{
\t\ttype filter hook {chain} priority filter; policy drop;
\t\tct state established,related accept
\t\t{loopback} "lo" accept
\t\tct state invalid counter name "invalid-{way}" drop
{rules}
\t\tcounter name "dropped-{way}"
\t\tlimit rate 10/second burst 50 packets log prefix "postern dropped-{way}: "
\t\tlimit rate 10/second burst 50 packets log prefix "postern dropped-{way}: " group {group}
\t}}
"""

_FORWARD = """\
\tchain forward {
\t\ttype filter hook forward priority filter; policy drop;
\t\tcounter name "dropped-forward"
\t}
}
"""


def ruleset(organization: Organization, name: str) -> str:
    """The whole ruleset of this server or host, for `nft -f`. Loading it again replaces it and starts its counters anew.

    It owns the table `inet postern` and touches no other. Raises KeyError for a name that the organization does not have.
    """
    who = standing(organization, name)
    rows = settle(organization.profile).values()
    allowed = [opening for opening in openings(organization, who, rows) if opening.remote != ()]
    counters = [*dict.fromkeys(map(_counter, allowed)), "invalid-in", "invalid-out"]
    counters += ["dropped-in", "dropped-out", "dropped-forward"]
    parts = [
        _HEAD.format(
            name=who.name,
            fqdn=who.fqdn or ", ".join(who.addresses),
            roles=_part(who),
            profile=organization.profile,
            offset=organization.offset,
            table=TABLE_NAME,
        ),
        "".join(f"\tcounter {name} {{\n\t}}\n" for name in counters),
    ]
    for chain, way, loopback in (("input", "in", "iifname"), ("output", "out", "oifname")):
        rules = "\n".join(_rules([opening for opening in allowed if opening.inward == (way == "in")], way))
        parts.append(_CHAIN.format(chain=chain, way=way, loopback=loopback, rules=rules, group=LOG_GROUP))
    return "\n".join([*parts, _FORWARD])


def _part(who: Standing) -> str:
    return ", ".join(sorted(who.roles if isinstance(who, Server) else who.parties))


def _counter(opening: Opening) -> str:
    return f"{'in' if opening.inward else 'out'}-{opening.row}"


def _rules(allowed: Sequence[Opening], way: str) -> Iterator[str]:
    """The rules of one direction. Rows that look alike on the wire (same peer, same port) share a rule, which counts them all."""
    rows: dict[tuple[str, Wire, int, int], list[str]] = {}
    for opening in allowed:
        hosts = (_ANY,) if opening.remote is ANYONE else opening.remote
        for peer in hosts:
            rows.setdefault((peer, opening.wire, opening.first, opening.last), []).append(opening.row)
    ports: dict[tuple[str, Wire, tuple[str, ...]], list[str]] = {}
    for (peer, wire, first, last), names in rows.items():
        ports.setdefault((peer, wire, tuple(names)), []).append(str(first) if first == last else f"{first}-{last}")
    peers: dict[tuple[Wire, tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (peer, wire, ids), numbers in ports.items():
        peers.setdefault((wire, ids, tuple(numbers)), []).append(peer)
    for (wire, ids, listed), sharing in sorted(peers.items(), key=lambda item: _breadth(item[1])):
        counted = " ".join(f'counter name "{way}-{row}"' for row in ids)
        for match in _matches(way, sharing, wire, listed, "dhcp" in ids):
            yield f"\t\t{match} {counted} accept"


def _breadth(peers: Sequence[str]) -> int:
    """The order of rules: hosts before networks before anyone, so that a row with few peers counts its own connections."""
    return 2 if _ANY in peers else 1 if any("/" in peer for peer in peers) else 0


def _matches(way: str, hosts: Sequence[str], wire: Wire, ports: Sequence[str], dhcp: bool) -> Iterator[str]:
    if wire is Wire.ICMP:
        yield from _NEIGHBOURS
    elif dhcp:
        # RFC 2131 section 4.1, RFC 8415 section 7.2: both ports are fixed, and an answer may come by broadcast or from
        # another address than was asked, so it belongs to no connection.
        for theirs, ours in ((67, 68), (547, 546)):
            sport, dport = (theirs, ours) if way == "in" else (ours, theirs)
            yield f"udp sport {sport} udp dport {dport}"
    elif _ANY in hosts:
        yield f"{wire.lower()} dport {_set(ports)}"
    else:
        for family, version in (("ip", 4), ("ip6", 6)):
            networks = [host for host in hosts if "/" in host]
            addresses = sorted(
                host
                for host in hosts
                if ipaddress.ip_network(host).version == version and (host in networks or not within(host, networks))
            )
            if addresses:
                end = "saddr" if way == "in" else "daddr"
                yield f"{family} {end} {_set(addresses)} {wire.lower()} dport {_set(ports)}"


def _set(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else "{ " + ", ".join(values) + " }"
