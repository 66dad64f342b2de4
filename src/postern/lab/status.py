"""What can be said of a running lab: its hosts, their processes and open doors, and what their firewalls let through or dropped.

Reads /proc and each host's counters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from postern.host.supervision import sockets
from postern.lab.folder import Folder
from postern.lab.namespaces import Namespaces, Process
from postern.lab.plan import MACHINES, LabError, Machine

LOST = ("dropped-in", "dropped-out", "dropped-forward", "invalid-in", "invalid-out")
"""Counters of packets that no rule admitted, or that belong to no connection."""


@dataclass(frozen=True, slots=True)
class HostStatus:
    """`doors` are "TCP 25", as the kernel has them; `firewall` False: none is loaded, everything passes. `lost` counts
    packets that no rule admitted, by counter."""

    name: str
    fqdn: str
    what: str
    network: str
    address: str
    running: bool
    processes: tuple[str, ...]
    doors: tuple[str, ...]
    firewall: bool
    lost: Mapping[str, int]

    @property
    def dropped(self) -> int:
        return sum(self.lost.values())


def status(folder: Folder) -> list[HostStatus]:
    """The status of all hosts, in the plan's order. Raises LabError if the lab does not run."""
    namespaces = Namespaces(folder.root)
    found = namespaces.processes()
    if not found:
        raise LabError(f"the lab {folder.name} is not up: `postern lab up --name {folder.name}` builds it")
    return [_status(namespaces, machine, found.get(machine.name)) for machine in MACHINES]


def _status(namespaces: Namespaces, machine: Machine, processes: list[Process] | None) -> HostStatus:
    doors, counted = [], None
    if processes is not None:
        table = sockets.table(namespaces.first(machine.name))
        ports = {(one.wire, one.local_port) for one in table if one.listening and not one.local.startswith("127.")}
        doors = [f"{wire} {number}" for wire, number in sorted(ports)]
        counted = counters(namespaces, machine.name)
    return HostStatus(
        name=machine.name,
        fqdn=machine.fqdn,
        what=machine.role or machine.kind,
        network=machine.network.name,
        address=machine.address,
        running=processes is not None,
        processes=tuple(one.command for one in processes or ()),
        doors=tuple(doors),
        firewall=counted is not None,
        lost={name: number for name, number in (counted or {}).items() if name in LOST},
    )


def counters(namespaces: Namespaces, host: str) -> dict[str, int] | None:
    """The firewall's counters, in packets (a row's: in connections); None if no firewall is loaded. Raises LabError."""
    listing = json.loads(namespaces.run(host, ["nft", "-j", "list", "counters"]))["nftables"]
    found = {one["counter"]["name"]: int(one["counter"]["packets"]) for one in listing if "counter" in one}
    return found or None
