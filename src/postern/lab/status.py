"""Collects the status of a running lab: its hosts, their processes and open doors, and the counters of their firewalls.

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
    """The status of a host. `doors` are open ports by the kernel's tables, for example "TCP 25". With `firewall` False none is
    loaded, and everything passes. `lost` counts the packets that no rule admitted, by counter."""

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
    by_host = namespaces.processes()
    if not by_host:
        raise LabError(f"the lab {folder.name} is not up: `postern lab up --name {folder.name}` builds it")
    return [_status(namespaces, machine, by_host.get(machine.name)) for machine in MACHINES]


def _status(namespaces: Namespaces, machine: Machine, processes: list[Process] | None) -> HostStatus:
    doors, counted = [], None
    if processes is not None:
        doors = [f"{wire} {number}" for wire, number in sorted(open_doors(namespaces, machine.name))]
        counted = counters(namespaces, machine.name)
    return HostStatus(
        name=machine.name,
        fqdn=machine.fqdn,
        what=machine.role or machine.kind,
        network=machine.network.name,
        address=machine.address,
        running=processes is not None,
        processes=tuple(process.command for process in processes or ()),
        doors=tuple(doors),
        firewall=counted is not None,
        lost={name: number for name, number in (counted or {}).items() if name in LOST},
    )


def open_doors(namespaces: Namespaces, host: str) -> set[tuple[str, int]]:
    """The ports on which a host listens for others, for example ("TCP", 25). Raises LabError."""
    return {
        (listener.wire, listener.local_port)
        for listener in sockets.table(namespaces.first(host))
        if listener.listening and not listener.local.startswith("127.")
    }


def counters(namespaces: Namespaces, host: str) -> dict[str, int] | None:
    """The firewall's counters, by name; None if no firewall is loaded. A row's counter counts connections, all others count
    packets. Raises LabError."""
    listing = json.loads(namespaces.run(host, ["nft", "-j", "list", "counters"]))["nftables"]
    packets = {item["counter"]["name"]: int(item["counter"]["packets"]) for item in listing if "counter" in item}
    return packets or None
