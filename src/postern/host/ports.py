"""Whether this host can open its doors: ports that are taken, that need root, or that the kernel may lend to others.

Reads the kernel's tables and settings. As root it reserves ports inside the ephemeral range, so that no outgoing connection
of this host sits on them; otherwise it says what that means.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postern.host import sockets
from postern.model.organization import Organization, Server
from postern.paths.deployment import OF_THE_MACHINE
from postern.paths.fit import listeners
from postern.paths.row import Wire
from postern.paths.table import settle

_IPV4 = Path("/proc/sys/net/ipv4")
_RESERVED = _IPV4 / "ip_local_reserved_ports"


class PortError(Exception):
    """A door cannot be opened; the text names the port, its row, and the way out."""


@dataclass(frozen=True, slots=True)
class Need:
    """A port that will be listened on, and the words for whom."""

    port: int
    rows: str


def needs(organization: Organization, server: Server) -> list[Need]:
    """Every TCP port that the table lets this server listen on."""
    rows = [row for row in settle(organization.profile).values() if row.id not in OF_THE_MACHINE]
    return [
        Need(number, ", ".join(ids)) for wire, number, ids in listeners(organization, server, rows) if wire is Wire.TCP
    ]


def check(organization: Organization, server: Server) -> None:
    """Raises PortError for a port that needs root or is taken. Others' SO_REUSEPORT would share it in silence."""
    wanted = needs(organization, server)
    by_port = {need.port: need for need in wanted}
    first_free = _number("ip_unprivileged_port_start", 1024)
    low = next((need for need in wanted if need.port < first_free), None)
    if low is not None and os.geteuid() != 0:
        raise PortError(
            f"port {low.port} ({low.rows}) is below {first_free} and needs root: run as root, or shift: --offset 10000"
        )
    for socket in sockets.table():
        if socket.wire == "TCP" and socket.listening and socket.local_port in by_port and _meets(socket.local, server):
            need = by_port[socket.local_port]
            holder = sockets.owner_of(socket.inode)
            words = f"process {holder[0]} ({holder[1]})" if holder else "another process"
            raise PortError(
                f"port {need.port} ({need.rows}) on {socket.local} is taken by {words}: "
                f"stop that one, or shift all ports: --offset {_other_offset(organization, server)}"
            )


def foreign(server: Server) -> str | None:
    """An address of `server` that this host does not have, so that no door can stand on it."""
    nonlocal_bind = {4: "ip_nonlocal_bind", 6: "../ipv6/ip_nonlocal_bind"}
    for address in server.addresses:
        if not sockets.is_local(address) and not _number(nonlocal_bind[6 if ":" in address else 4], 0):
            return address
    return None


def reserve(organization: Organization, server: Server) -> list[str]:
    """Keeps our ports out of the kernel's hands for outgoing connections; says in words what it did or could not do."""
    low, high = sockets.ephemeral()
    reserved = _ranges(_RESERVED.read_text())
    exposed = [need for need in needs(organization, server) if low <= need.port <= high and need.port not in reserved]
    if not exposed:
        return []
    ports = ",".join(str(need.port) for need in exposed)
    try:
        _RESERVED.write_text(",".join(filter(None, [_RESERVED.read_text().strip(), ports])) + "\n")
    except OSError:
        return [
            f"Ports {ports} lie in the range {low}-{high} that the kernel lends to outgoing connections: one may be "
            f"taken at some start. Choose a smaller offset, or as root: sysctl net.ipv4.ip_local_reserved_ports={ports}"
        ]
    return [f"Ports {ports} lie in the kernel's ephemeral range {low}-{high}; they are reserved now."]


def _meets(local: str, server: Server) -> bool:
    return local in ("0.0.0.0", "::") or local in server.addresses  # noqa: S104 (compared, not bound)


def _other_offset(organization: Organization, server: Server) -> int:
    """The next offset, in thousands, at which none of the doors is taken."""
    taken = {socket.local_port for socket in sockets.table() if socket.wire == "TCP" and socket.listening}
    doors = [need.port - organization.offset for need in needs(organization, server)]
    for offset in _offsets(organization.offset):
        if not any(number + offset in taken for number in doors):
            return offset
    return organization.offset + 1000


def _offsets(now: int) -> Iterator[int]:
    yield from range(now - now % 1000 + 1000, 15000, 1000)
    yield from range(1000, now, 1000)


def _number(name: str, otherwise: int) -> int:
    try:
        return int((_IPV4 / name).read_text())
    except (OSError, ValueError):
        return otherwise


def _ranges(text: str) -> set[int]:
    """The kernel's form: "8080,9148-9150"."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found
