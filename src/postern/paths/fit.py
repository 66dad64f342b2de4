"""Finds the rows that a socket of the kernel's tables fits. The supervisor asks this for its children's sockets; a socket that
fits no row is a rogue.

Pure: the caller reads the kernel's tables. Unix sockets are not judged: they lie in a folder that only our own account enters.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from postern.model.organization import Organization, Server
from postern.paths.openings import Opening, openings, plain
from postern.paths.row import Path, Wire
from postern.paths.table import settle

EPHEMERAL = (32768, 60999)
"""Linux's default net.ipv4.ip_local_port_range."""


@dataclass(frozen=True, slots=True)
class KernelSocket:
    """One line of /proc/net/{tcp,tcp6,udp,udp6}. `remote_port` is 0 where there is no peer; a UDP socket never listens."""

    wire: Wire
    local: str
    local_port: int
    remote: str
    remote_port: int
    listening: bool


def listeners(organization: Organization, server: Server, rows: Iterable[Path]) -> list[tuple[Wire, int, list[str]]]:
    """Every port that `server` may listen on, by wire and real number, each with the ids of its rows."""
    by_port: dict[tuple[Wire, int], list[str]] = {}
    for opening in openings(organization, server, rows):
        if opening.inward and opening.wire is not Wire.ICMP:
            for number in range(opening.first, opening.last + 1):
                ids = by_port.setdefault((opening.wire, number), [])
                if opening.row not in ids:
                    ids.append(opening.row)
    return [(wire, number, ids) for (wire, number), ids in sorted(by_port.items())]


def fits(
    organization: Organization, server: Server, socket: KernelSocket, ephemeral: tuple[int, int] = EPHEMERAL
) -> tuple[str, ...]:
    """The ids of the rows that a process of `server` may have this socket for, in the table's order; () for a rogue.

    A UDP socket without a peer that stands on an ephemeral port is taken for a question to one of the host's UDP callees.
    """
    allowed, own = _allowed(organization, server)
    remote = plain(socket.remote)
    at_home = remote in own or ipaddress.ip_address(remote).is_loopback
    ids: dict[str, None] = {}
    for opening in allowed:
        if opening.wire is not socket.wire or not _on_its_ports(opening, socket, ephemeral):
            continue
        if socket.remote_port == 0 or opening.admits(remote) or (opening.at_home and at_home):
            ids[opening.row] = None
    return tuple(ids)


def _on_its_ports(opening: Opening, socket: KernelSocket, ephemeral: tuple[int, int]) -> bool:
    here = opening.first <= socket.local_port <= opening.last
    if socket.listening:
        return opening.inward and here
    if socket.remote_port == 0:
        if socket.wire is not Wire.UDP:
            return False
        return here if opening.inward else ephemeral[0] <= socket.local_port <= ephemeral[1]
    return here if opening.inward else opening.first <= socket.remote_port <= opening.last


@lru_cache(maxsize=4)
def _allowed(organization: Organization, server: Server) -> tuple[tuple[Opening, ...], frozenset[str]]:
    """All that the rows allow this host, and its own addresses."""
    allowed = openings(organization, server, settle(organization.profile).values())
    return tuple(allowed), frozenset(map(plain, server.addresses))
