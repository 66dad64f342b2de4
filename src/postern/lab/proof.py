"""`postern lab verify`: knocks from every host at every door, beside what the table says, and an account of every dropped packet;
then each row dialled in full by its rightful callers, and both in one matrix.

Reads the kernel's tables and counters of each host, and runs the prober on all of them at the same time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from postern.host.supervision import sockets
from postern.lab import dialling, joining, organization
from postern.lab.dialling import Dialled, Dialling, Progress
from postern.lab.folder import Folder
from postern.lab.matrix import Cell, Door, Knocked, Matrix, State, view
from postern.lab.namespaces import Namespaces
from postern.lab.plan import MACHINES, LabError, Machine
from postern.lab.status import LOST, counters
from postern.model.organization import Organization, Role
from postern.paths.row import Wire
from postern.paths.table import settle
from postern.verify.plan import has_probe

_PROBER = Path(__file__).with_name("prober.py")


@dataclass(frozen=True, slots=True)
class Drops:
    """One host's dropped packets during the proof: `due` are the knocks that its firewall had to drop, each of one packet, and
    `late` those of them that may have cost a second one. `seen` is what its counters say."""

    due: int
    late: int
    seen: int

    @property
    def explained(self) -> bool:
        return self.due <= self.seen <= self.due + self.late


@dataclass(frozen=True, slots=True)
class Proof:
    """`cells[row][host]`. The rest is empty where nothing but knocks was wanted: who said what of which row, rows that hold by
    all who dialled them, rows that nobody dialled who should have, `postern verify --json` by host, and why a host could not."""

    cells: Mapping[str, Mapping[str, Cell]]
    drops: Mapping[str, Drops]
    knocks: int
    seconds: float
    dialled: Sequence[Dialled] = ()
    proven: Sequence[str] = ()
    unproven: Sequence[str] = ()
    servers: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        wrong = any(cell.state.wrong for row in self.cells.values() for cell in row.values())
        explained = all(one.explained for one in self.drops.values())
        return not wrong and explained and not self.unproven and not self.troubles

    def count(self, state: State) -> int:
        return sum(cell.state is state for row in self.cells.values() for cell in row.values())


def verify(folder: Folder, rows: Sequence[str] = (), whole: bool = False, tell: Progress = lambda *_: None) -> Proof:
    """`rows`: only these; all by default. `whole`: also dial each in full; `tell` hears how far it is, from several threads.
    Raises LabError if the lab or a host does not run, or a firewall is not loaded."""
    begin = time.monotonic()
    namespaces = Namespaces(folder.root)
    if not namespaces.processes():
        raise LabError(f"the lab {folder.name} is not up: `postern lab up --name {folder.name}` builds it")
    matrix = _matrix(folder, namespaces)
    if unknown := [row for row in rows if row not in matrix.doors and not (whole and has_probe(row))]:
        raise LabError(f"{unknown[0]} opens no door in the lab: name one of {', '.join(matrix.doors)}")
    wanted = [row for row in matrix.doors if not rows or row in rows]
    names = [machine.name for machine in MACHINES]
    with ThreadPoolExecutor(len(names)) as pool:
        before = dict(zip(names, pool.map(lambda name: _lost(namespaces, name), names), strict=True))
        found = dict(
            zip(names, pool.map(lambda name: _knock(namespaces, name, matrix.knocks(name, wanted)), names), strict=True)
        )
        said = dialling.dial(folder, rows, tell) if whole else None
        after = dict(zip(names, pool.map(lambda name: _lost(namespaces, name), names), strict=True))
    knocked = {name: {door: result for door, (result, _) in results.items()} for name, results in found.items()}
    proof = Proof(
        cells={row: {name: matrix.cell(row, name, knocked[name]) for name in names} for row in wanted},
        drops={
            name: _drops(matrix, name, found, after[name] - before[name], said.rows if said else ()) for name in names
        },
        knocks=sum(map(len, found.values())),
        seconds=time.monotonic() - begin,
    )
    return proof if said is None else joined(proof, said)


def joined(proof: Proof, said: Dialling) -> Proof:
    """The knocks' proof, and what those said who dialled the rows in full."""
    return replace(
        proof,
        cells=joining.join(proof.cells, said.rows, list(proof.drops)),
        dialled=said.rows,
        proven=joining.proven(said.rows),
        unproven=joining.unproven(said.rows, [row for row in proof.cells if has_probe(row)]),
        servers=said.reports,
        troubles=said.troubles,
    )


def _matrix(folder: Folder, namespaces: Namespaces) -> Matrix:
    inside = organization.inside(folder)
    views = []
    for machine in MACHINES:
        table = sockets.table(namespaces.first(machine.name))
        listening = {(one.wire, one.local_port) for one in table if one.listening and not one.local.startswith("127.")}
        views.append(view(_known_by(folder, machine), machine.name, machine.address, listening))
    return Matrix(views, settle(inside.profile))


def _known_by(folder: Folder, machine: Machine) -> Organization:
    """The file that its firewall was made of."""
    return organization.of(folder, machine) if machine.role is Role.EDGE else organization.inside(folder)


def _lost(namespaces: Namespaces, host: str) -> int:
    found = counters(namespaces, host)
    if found is None:
        raise LabError(f"{host} has no firewall: this lab was built without")
    return sum(number for name, number in found.items() if name in LOST)


def _knock(namespaces: Namespaces, host: str, doors: Sequence[Door]) -> dict[Door, tuple[Knocked, int]]:
    """What came back from each door, and how many packets it cost at most."""
    lines = {f"{door.wire} {door.address} {door.port}": door for door in doors}
    said = namespaces.run(
        host, [sys.executable, "-I", "-S", str(_PROBER)], given="".join(f"{line}\n" for line in lines)
    )
    found = {}
    for line in said.splitlines():
        *words, result, packets = line.split()
        try:
            found[lines[" ".join(words)]] = (Knocked(result), int(packets))
        except (KeyError, ValueError):
            raise LabError(f"{host}: the prober says {line!r}") from None
    if len(found) != len(doors):
        raise LabError(f"{host}: the prober said nothing of {len(doors) - len(found)} doors")
    return found


def _drops(
    matrix: Matrix,
    host: str,
    found: Mapping[str, Mapping[Door, tuple[Knocked, int]]],
    seen: int,
    dialled: Sequence[Dialled],
) -> Drops:
    due = late = 0
    for caller, results in found.items():
        for door, (_, packets) in results.items():
            if matrix.drops(caller, door) == host:
                due += 1
                late += packets - 1
    for one in dialled:
        for words in one.closed:
            address, wire, number = words.split()
            owner = next((view.name for view in matrix.views.values() if view.address == address), "")
            if owner and matrix.drops(one.host, Door(owner, address, Wire(wire), int(number))) == host:
                due += 1
                late += 1  # how late that prober was is not known
    return Drops(due, late, seen)
