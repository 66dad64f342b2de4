"""The lab's wires: one bridge for each network in the router's namespace, one pair of interfaces for each host.

The root namespace gets no interface: both ends of a pair are made where they belong. The router forwards between the
networks and filters nothing; what passes is decided by the hosts' own firewalls.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from postern.lab.namespaces import Namespaces
from postern.lab.plan import NETWORKS, ROUTER, LabError, Machine

INTERFACE = "eth0"


def build_router(namespaces: Namespaces) -> None:
    """Bridges, and forwarding between them. Raises LabError."""
    lines = ["link set lo up"]
    for network in NETWORKS:
        lines += [
            f"link add {network.name} type bridge",
            f"address add {network.router}/24 dev {network.name}",
            f"link set {network.name} up",
        ]
    _ip(namespaces, ROUTER, lines)
    namespaces.run(ROUTER, ["sysctl", "-qw", "net.ipv4.ip_forward=1", *_QUIET])


def connect(namespaces: Namespaces, machine: Machine) -> None:
    """Joins a host to its network: eth0 there, an interface of the host's name at the router. Raises LabError."""
    network, pid = machine.network, namespaces.first(machine.name)
    _ip(
        namespaces,
        ROUTER,
        [
            f"link add {machine.name} type veth peer name {INTERFACE} netns {pid}",
            f"link set {machine.name} master {network.name} up",
        ],
    )
    # Before the interface is up: no packet of IPv6 leaves, and nobody's firewall has to count one.
    namespaces.run(machine.name, ["sysctl", "-qw", *_QUIET])
    _ip(
        namespaces,
        machine.name,
        [
            "link set lo up",
            f"address add {machine.address}/24 dev {INTERFACE}",
            f"link set {INTERFACE} up",
            f"route add default via {network.router}",
        ],
    )


_QUIET = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")


def _ip(namespaces: Namespaces, host: str, lines: Iterable[str]) -> None:
    """`ip -batch` sees this machine's process numbers, because only the network's namespace is entered."""
    done = subprocess.run(  # noqa: S603 (the lab's own commands, no shell)
        [*namespaces.prefix(host, ("--net",)), "ip", "-batch", "-"],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if done.returncode:
        raise LabError(f"{host}: ip: {done.stderr.strip()}")
