"""The lab's networks: a bridge for each in the router's namespace, and a pair of interfaces for each host.

The root namespace gets no interface: both ends of a pair are made in their own namespaces. The router forwards between the
networks and filters nothing; the hosts' own firewalls decide which packets pass.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from postern.lab.namespaces import Namespaces
from postern.lab.plan import NETWORKS, ROUTER, LabError, Machine

INTERFACE = "eth0"


def build_router(namespaces: Namespaces) -> None:
    """Makes the bridges, and turns on forwarding between them. Raises LabError."""
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
    """Joins a host to its network: eth0 on the host, an interface with the host's name on the router. Raises LabError."""
    network, pid = machine.network, namespaces.first(machine.name)
    _ip(
        namespaces,
        ROUTER,
        [
            f"link add {machine.name} type veth peer name {INTERFACE} netns {pid}",
            f"link set {machine.name} master {network.name} up",
        ],
    )
    # Before the interface is up, so that no packet of IPv6 leaves and is counted by a firewall.
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
    """Runs `ip -batch` in the host's network namespace only, so that it knows processes by this machine's numbers."""
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
