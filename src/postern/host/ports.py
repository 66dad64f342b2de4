"""Checks whether this host can open its doors: a port may be taken, need root, or lie in the range that the kernel lends to
others.

Reads the kernel's tables and settings. As root it reserves ports inside the ephemeral range, so that no outgoing connection of
this host takes them; otherwise it warns.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from postern.host.small_files import read_small
from postern.host.supervision import sockets
from postern.model.organization import Organization, Server
from postern.paths.fit import listeners
from postern.paths.row import Wire
from postern.paths.table import settle

_SETTINGS = Path("/proc/sys/net")
_RESERVED = _SETTINGS / "ipv4/ip_local_reserved_ports"
NOTE = "reserved-ports"
"""The file of the state folder with the ports that `reserve` reserved."""


MAX_NOTED = 1000
"""The most ports that a note may name, more than the rows of any host have."""


class PortError(Exception):
    """A door cannot be opened; the text names the port, its row, and the way out."""


@dataclass(frozen=True, slots=True)
class Need:
    """A port that this host will listen on, and the ids of its rows as text."""

    port: int
    rows: str


def needs(organization: Organization, server: Server) -> list[Need]:
    """Every TCP port that the table lets this server listen on."""
    rows = [row for row in settle(organization.profile).values() if not row.machine]
    return [
        Need(number, ", ".join(ids)) for wire, number, ids in listeners(organization, server, rows) if wire is Wire.TCP
    ]


def check(organization: Organization, server: Server, shift: str = "--offset {}") -> None:
    """Raises PortError for a port that needs root or is taken, for SO_REUSEPORT of another program would share it in silence.
    `shift` is the option that the user can type for another offset."""
    wanted = needs(organization, server)
    by_port = {need.port: need for need in wanted}
    first_free = _number("ipv4/ip_unprivileged_port_start", 1024)
    low = next((need for need in wanted if need.port < first_free), None)
    if low is not None and os.geteuid() != 0:
        raise PortError(
            f"port {low.port} ({low.rows}) is below {first_free} and needs root: "
            f"run as root, or shift: {shift.format(10000)}"
        )
    for socket in sockets.table():
        if socket.wire == "TCP" and socket.listening and socket.local_port in by_port and _meets(socket.local, server):
            need = by_port[socket.local_port]
            holder = sockets.owner_of(socket.inode)
            taker = f"process {holder[0]} ({holder[1]})" if holder else "another process"
            raise PortError(
                f"port {need.port} ({need.rows}) on {socket.local} is taken by {taker}: "
                f"stop that one, or shift all ports: {shift.format(_other_offset(organization, server))}"
            )


def foreign(server: Server) -> str | None:
    """An address of `server` that this host does not have, so that no door can open on it; None if it has them all."""
    for address in server.addresses:
        family = "ipv6" if ":" in address else "ipv4"
        if not sockets.is_local(address) and not _number(f"{family}/ip_nonlocal_bind", 0):
            return address
    return None


def noted(folder: Path) -> set[int]:
    """The ports that earlier starts reserved for this state folder. Root reads the note, but another account owns the folder: a
    note that `note` would not have written counts as empty."""
    try:
        ports = {int(word) for word in read_small(folder / NOTE).decode("ascii").split(",")}
    except (OSError, ValueError):
        return set()
    return ports if len(ports) <= MAX_NOTED and all(0 <= port < 65536 for port in ports) else set()


def note(folder: Path, ours: set[int]) -> None:
    """Notes the ports that are reserved. Call it as the folder's owner, for root must not write there. Raises OSError."""
    if ours or (folder / NOTE).exists():
        (folder / NOTE).write_text(",".join(map(str, sorted(ours))) + "\n", encoding="ascii")


def reserve(organization: Organization, server: Server, ours: set[int]) -> tuple[list[str], set[int]]:
    """Reserves our ports, so that the kernel does not lend them to outgoing connections. `ours` were reserved before; those
    that are not needed now are given back. Returns sentences about what it did or could not do, and the ports that are now
    reserved."""
    low, high = sockets.ephemeral()
    before = _RESERVED.read_text()
    reserved = _ranges(before)
    wanted = {need.port for need in needs(organization, server) if low <= need.port <= high}
    new, stale = sorted(wanted - reserved), (ours & reserved) - wanted
    if not new and not stale:
        return [], ours & reserved
    ports = ",".join(map(str, new))
    try:
        _RESERVED.write_text(",".join(filter(None, [_without(before, stale), ports])) + "\n")
    except OSError:
        sentence = (
            f"Ports {ports} lie in the range {low}-{high} that the kernel lends to outgoing connections: one may be "
            f"taken at some start. Choose a smaller offset, or as root: sysctl net.ipv4.ip_local_reserved_ports={ports}"
        )
        return [sentence] if new else [], ours & reserved
    sentence = (
        f"Ports {ports} lie in the kernel's ephemeral range {low}-{high}; they are reserved now, and given back by a start "
        "that needs them no more."
    )
    return [sentence] if new else [], (ours & reserved & wanted) | set(new)


def _without(text: str, stale: set[int]) -> str:
    """The kernel's list without these ports. A range that held one of them is written port by port."""
    kept: list[str] = []
    for part in filter(None, text.strip().split(",")):
        numbers = _ranges(part)
        kept += [part] if numbers.isdisjoint(stale) else map(str, sorted(numbers - stale))
    return ",".join(kept)


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
        return int((_SETTINGS / name).read_text())
    except (OSError, ValueError):
        return otherwise


def _ranges(text: str) -> set[int]:
    """The ports of a list in the kernel's form, for example "8080,9148-9150"."""
    ports: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        ports.update(range(int(first), int(last or first) + 1))
    return ports
