"""`postern lab verify`: knocks from every host at every door, compares the results with the table, and accounts for every dropped
packet. Then the rightful callers dial each row in full, and both results go into one matrix.

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

from postern.lab import dialling, joining, organization
from postern.lab.dialling import Dialled, Dialling, Progress
from postern.lab.folder import Folder
from postern.lab.matrix import Cell, Door, Knocked, Matrix, State, view
from postern.lab.namespaces import Namespaces
from postern.lab.plan import MACHINES, LabError, Machine
from postern.lab.status import LOST, counters, open_doors
from postern.model.organization import Organization, Role
from postern.paths.row import Wire
from postern.paths.table import settle
from postern.verify.plan import has_probe

_PROBER = Path(__file__).with_name("prober.py")


@dataclass(frozen=True, slots=True)
class Drops:
    """The packets that one host dropped during the proof. `due` counts the knocks that its firewall had to drop, each of one
    packet; `late` counts those of them that may have cost a second packet; `seen` is the number by its counters."""

    due: int
    late: int
    seen: int

    @property
    def explained(self) -> bool:
        return self.due <= self.seen <= self.due + self.late


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of `verify`, with `cells[row][host]`. The fields with defaults stay empty if only knocks were wanted.
    `dialled` has the hosts' verdicts on rows. Rows in `proven` passed on every host that dialled them; rows in `unproven` were
    dialled by no host. `servers` has the output of `postern verify --json` by host, and `troubles` the reasons why hosts could
    not verify."""

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
        explained = all(host.explained for host in self.drops.values())
        return not wrong and explained and not self.unproven and not self.troubles

    def count(self, state: State) -> int:
        return sum(cell.state is state for row in self.cells.values() for cell in row.values())


def verify(folder: Folder, rows: Sequence[str] = (), whole: bool = False, tell: Progress = lambda *_: None) -> Proof:
    """Proves `rows`, or all of them if it is empty. With `whole` each row is also dialled in full; `tell` is called with the
    progress, from several threads. Raises LabError if the lab or a host does not run, or a firewall is not loaded."""
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
        answers = dict(
            zip(names, pool.map(lambda name: _knock(namespaces, name, matrix.knocks(name, wanted)), names), strict=True)
        )
        dialled = dialling.dial(folder, rows, tell) if whole else None
        after = dict(zip(names, pool.map(lambda name: _lost(namespaces, name), names), strict=True))
    knocked = {name: {door: result for door, (result, _) in results.items()} for name, results in answers.items()}
    proof = Proof(
        cells={row: {name: matrix.cell(row, name, knocked[name]) for name in names} for row in wanted},
        drops={
            name: _drops(matrix, name, answers, after[name] - before[name], dialled.rows if dialled else ())
            for name in names
        },
        knocks=sum(map(len, answers.values())),
        seconds=time.monotonic() - begin,
    )
    return proof if dialled is None else joined(proof, dialled)


def joined(proof: Proof, dialled: Dialling) -> Proof:
    """Joins the proof of the knocks with the verdicts of the hosts that dialled the rows in full."""
    return replace(
        proof,
        cells=joining.join(proof.cells, dialled.rows, list(proof.drops)),
        dialled=dialled.rows,
        proven=joining.proven(dialled.rows),
        unproven=joining.unproven(dialled.rows, [row for row in proof.cells if has_probe(row)]),
        servers=dialled.reports,
        troubles=dialled.troubles,
    )


def _matrix(folder: Folder, namespaces: Namespaces) -> Matrix:
    inside = organization.inside(folder)
    views = []
    for machine in MACHINES:
        listening = open_doors(namespaces, machine.name)
        views.append(view(_known_by(folder, machine), machine.name, machine.address, listening))
    return Matrix(views, settle(inside.profile))


def _known_by(folder: Folder, machine: Machine) -> Organization:
    """The organization that the host's firewall was made of."""
    return organization.of(folder, machine) if machine.role is Role.EDGE else organization.inside(folder)


def _lost(namespaces: Namespaces, host: str) -> int:
    packets = counters(namespaces, host)
    if packets is None:
        raise LabError(f"{host} has no firewall: this lab was built without")
    return sum(number for name, number in packets.items() if name in LOST)


def _knock(namespaces: Namespaces, host: str, doors: Sequence[Door]) -> dict[Door, tuple[Knocked, int]]:
    """Knocks at the doors from this host. Returns, for each door, the result and the most packets that it may have cost."""
    lines = {f"{door.wire} {door.address} {door.port}": door for door in doors}
    output = namespaces.run(
        host, [sys.executable, "-I", "-S", str(_PROBER)], stdin="".join(f"{line}\n" for line in lines)
    )
    answers = {}
    for line in output.splitlines():
        *door, result, packets = line.split()
        try:
            answers[lines[" ".join(door)]] = (Knocked(result), int(packets))
        except (KeyError, ValueError):
            raise LabError(f"{host}: the prober says {line!r}") from None
    if len(answers) != len(doors):
        raise LabError(f"{host}: the prober said nothing of {len(doors) - len(answers)} doors")
    return answers


def _drops(
    matrix: Matrix,
    host: str,
    answers: Mapping[str, Mapping[Door, tuple[Knocked, int]]],
    seen: int,
    dialled: Sequence[Dialled],
) -> Drops:
    due = late = 0
    for caller, results in answers.items():
        for door, (_, packets) in results.items():
            if matrix.drops(caller, door) == host:
                due += 1
                late += packets - 1
    for outcome in dialled:
        for closed in outcome.closed:
            address, wire, number = closed.split()
            owner = next((view.name for view in matrix.views.values() if view.address == address), "")
            if owner and matrix.drops(outcome.host, Door(owner, address, Wire(wire), int(number))) == host:
                due += 1
                late += 1  # nobody knows how late that knock was given up
    return Drops(due, late, seen)
