"""Lists the sockets of our processes, listening and connected, as the kernel shows them, whatever the processes say themselves.

Reads /proc/PID/net/{tcp,tcp6,udp,udp6} and matches their inodes with /proc/PID/fd. Unix sockets are left out: they never
leave the host. `paths.fit` says which sockets the table allows; `watch` raises the alarm.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_LISTEN = "0A"
# Sockets in TIME_WAIT, CLOSE and NEW_SYN_RECV belong to no process, any more or yet.
_NOBODYS = frozenset({"06", "0C"})
_UNCONNECTED = "07"


@dataclass(frozen=True, slots=True)
class KernelSocket:
    """A socket. `wire` is "TCP" or "UDP". A listener has no remote end (`remote` is "" and `remote_port` 0), nor has a bound UDP
    socket that is not connected."""

    wire: str
    local: str
    local_port: int
    remote: str
    remote_port: int
    inode: int

    @property
    def listening(self) -> bool:
        return not self.remote

    def __str__(self) -> str:
        here = f"{self.wire} {_shown(self.local)}:{self.local_port}"
        return f"{here} listening" if self.listening else f"{here} to {_shown(self.remote)}:{self.remote_port}"


def table(pid: int | str = "self") -> list[KernelSocket]:
    """All TCP and UDP sockets of the network namespace that this process is in."""
    kernel_sockets: list[KernelSocket] = []
    for name, wire in (("tcp", "TCP"), ("tcp6", "TCP"), ("udp", "UDP"), ("udp6", "UDP")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/net/{name}", encoding="ascii") as lines:
            next(lines, None)
            kernel_sockets.extend(socket for line in lines if (socket := _parse(line, wire)) is not None)
    return kernel_sockets


def is_local(address: str) -> bool:
    """Whether this network namespace has the address, so that a door can open on it."""
    wanted = ipaddress.ip_address(address)
    if wanted.is_loopback or wanted.is_unspecified:
        return True
    if wanted.version == 6:
        with contextlib.suppress(OSError), open("/proc/self/net/if_inet6", encoding="ascii") as lines:
            return any(line.split(" ", 1)[0] == wanted.packed.hex() for line in lines)
        return True
    with contextlib.suppress(OSError), open("/proc/self/net/fib_trie", encoding="ascii") as lines:
        return _has_local(lines, address)
    return True  # a kernel that does not say


def _has_local(lines: Iterable[str], address: str) -> bool:
    """Whether /proc/net/fib_trie has a local address. It prints an address, and on the lines below its kinds."""
    leaf = ""
    for line in lines:
        if "|--" in line:
            leaf = line.split("|--")[1].strip()
        elif leaf == address and "/32 host LOCAL" in line:
            return True
    return False


def inodes(pid: int) -> frozenset[int]:
    """The inodes of the sockets that this process holds; none if it has ended or may not be inspected."""
    held = []
    with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as handles:
        for handle in handles:
            with contextlib.suppress(OSError):
                target = os.readlink(handle.path)
                if target.startswith("socket:["):
                    held.append(int(target[8:-1]))
    return frozenset(held)


def of_processes(pids: Iterable[int]) -> dict[int, list[KernelSocket]]:
    """The sockets of each process. A fork that shares a listener with its parent shows it too."""
    tables: dict[str, dict[int, KernelSocket]] = {}
    by_process: dict[int, list[KernelSocket]] = {}
    for pid in pids:
        # Inodes first: a socket that is closed in between is then missing from the table, and is not taken for another.
        held = inodes(pid)
        with contextlib.suppress(OSError):
            namespace = os.readlink(f"/proc/{pid}/ns/net")
            if namespace not in tables:
                tables[namespace] = {socket.inode: socket for socket in table(pid)}
            by_process[pid] = [tables[namespace][inode] for inode in held if inode in tables[namespace]]
    return by_process


def ephemeral() -> tuple[int, int]:
    """The ports that the kernel lends to outgoing connections, first and last."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as line:
        low, high = line.read().split()
    return int(low), int(high)


def with_descendants(children: Mapping[int, str]) -> dict[int, str]:
    """The children and whatever they have started themselves (PostgreSQL's backends), under the child's name."""
    family = dict(children)
    waiting = list(children)
    while waiting:
        pid = waiting.pop()
        for child in _children(pid):
            if child not in family:
                family[child] = family[pid]
                waiting.append(child)
    return family


def owner_of(inode: int) -> tuple[int, str] | None:
    """The first process that holds this socket, with its command's name; None if we may not see it."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and inode in inodes(int(entry.name)):
            with contextlib.suppress(OSError), open(f"/proc/{entry.name}/comm", "rb") as comm:
                return int(entry.name), comm.read().decode(errors="backslashreplace").strip()
    return None


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                yield from (int(word) for word in file.read().split())


def _parse(line: str, wire: str) -> KernelSocket | None:
    """Reads a line of proc(5): "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ..."."""
    fields = line.split()
    if len(fields) < 10 or (wire == "TCP" and fields[3] in _NOBODYS):
        return None
    local, local_port = _address(fields[1])
    remote, remote_port = _address(fields[2])
    if fields[3] == (_LISTEN if wire == "TCP" else _UNCONNECTED):
        remote, remote_port = "", 0
    elif not remote_port:
        return None  # it is bound, and neither listens nor is connected: nobody can reach it
    return KernelSocket(wire, local, local_port, remote, remote_port, int(fields[9]))


def _address(text: str) -> tuple[str, int]:
    """Reads an address and port. The kernel prints 32-bit words in the host's order, which is little-endian wherever Postern
    runs."""
    host, _, port = text.partition(":")
    packed = bytes.fromhex(host)
    if len(packed) == 4:
        return str(ipaddress.IPv4Address(packed[::-1])), int(port, 16)
    address = ipaddress.IPv6Address(b"".join(packed[at : at + 4][::-1] for at in range(0, 16, 4)))
    return str(address.ipv4_mapped or address), int(port, 16)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
