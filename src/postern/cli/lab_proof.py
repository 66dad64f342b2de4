"""Prints the proof of `postern lab verify`: the matrix host x path, what each sign means, and all that is wrong in words."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from postern.cli.console import Console, Text
from postern.lab.matrix import State
from postern.lab.proof import Proof
from postern.model.words import counted

_SIGNS = {
    State.PROVEN: ("●", "green", "proven in full by this host"),
    State.PASSES: ("○", "green", "reachable only: nothing was proven"),
    State.OPEN: ("◌", "green", "open, nothing listens"),
    State.REFUSES: ("◐", "yellow", "open for another row; this row's authentication refuses"),
    State.SHARED: ("◔", "yellow", "open for another row; no refusal was tried"),
    State.BLOCKED: ("·", "dim", "blocked"),
    State.AT_HOME: ("⌂", "dim", "within the host"),
    State.NO_DOOR: (" ", "dim", ""),
    State.UNKNOWN: ("?", "dim", "not probed"),
    State.FAILS: ("✗", "bold red", "fails"),
    State.LEAKS: ("!", "bold red", "leaks"),
}
_SHARING = (State.SHARED, State.REFUSES)


def print_proof(proof: Proof, explain: bool) -> None:
    """Prints the matrix and the verdict; `explain` adds for which other rows each shared door is open."""
    console = Console(highlight=False)
    console.print(_grid(proof))
    shown = {cell.state for cells in proof.cells.values() for cell in cells.values()}
    for state, (sign, _, meaning) in _SIGNS.items():
        if state in shown and meaning:
            console.print(Text(f"{sign} {meaning}", style="dim"))
    for sentence in _shared(proof) if explain else ():
        console.print(Text(sentence, style="dim"))
    for line in _wrong(proof):
        console.print(line)
    console.print(_verdict(proof))


def _grid(proof: Proof) -> Table:
    hosts = list(proof.drops)
    grid = Table(box=None, padding=(0, 1, 0, 0))
    grid.add_column("Path", header_style="bold dim", no_wrap=True)
    for host in hosts:
        grid.add_column(host, header_style="bold dim", justify="center", no_wrap=True)
    for row, cells in proof.cells.items():
        signs = (_SIGNS[cells[host].state] for host in hosts)
        grid.add_row(Text(row, style="bold cyan"), *(Text(sign, style=style) for sign, style, _ in signs))
    grid.add_section()
    dropped = (
        f"{drops.seen}" if drops.explained else f"[bold red]{drops.seen}≠{drops.due}[/bold red]"
        for drops in proof.drops.values()
    )
    grid.add_row("[dim]dropped[/dim]", *dropped)
    return grid


def _wrong(proof: Proof) -> Iterator[Text]:
    """Yields a line for each thing that is wrong."""
    for row, cells in proof.cells.items():
        for host, cell in cells.items():
            if cell.state.wrong:
                yield _line(f"{row} from {host} {cell.state}:", "; ".join(cell.because))
    for host, reason in proof.troubles.items():
        yield _line(f"{host} cannot verify:", reason)
    for row in proof.unproven:
        yield _line(f"{row}:", "no host proved it")
    for host, drops in proof.drops.items():
        if not drops.explained:
            yield _line(host, f"dropped {drops.seen} packets, and the knocks explain {drops.due}")


def _line(what: str, reason: str) -> Text:
    return Text(what, style="bold red").append(f" {reason}", "not bold default")


def _verdict(proof: Proof) -> Text:
    verdict = ("It holds", "bold green") if proof.holds else ("It does not hold", "bold red")
    refusals = sum(dialled.refusals for dialled in proof.dialled)
    tried = (
        f", {counted(len(proof.proven), 'path')} proven, {counted(refusals, 'refusal')} held" if proof.dialled else ""
    )
    return Text(verdict[0], style=verdict[1]).append(
        f": {counted(proof.knocks, 'knock')}{tried} in {proof.seconds:.1f} s; every other dropped packet would show.",
        "not bold default",
    )


def _shared(proof: Proof) -> Iterator[str]:
    """Yields a line for all rows whose doors stand open to the same hosts for the same other rows."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for row, cells in proof.cells.items():
        hosts: dict[tuple[str, ...], list[str]] = {}
        for host, cell in cells.items():
            if cell.state in _SHARING:
                hosts.setdefault((_SIGNS[cell.state][0], *cell.because), []).append(host)
        sharing = tuple(
            f"{sign} to {', '.join(names)} for {', '.join(because)}" for (sign, *because), names in hosts.items()
        )
        if sharing:
            alike.setdefault(sharing, []).append(row)
    for sharing, rows in alike.items():
        yield f"{', '.join(rows)}: {'; '.join(sharing)}"
