"""Runs one load against us and a peer in turn, five times, and keeps medians: rates, CPU per 1,000 operations, ratios."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import accounting

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv/peers/bin/python"
"""The Python of the peers that are written in it; `scripts/setup bench` makes it."""


@dataclass(frozen=True)
class Figure:
    """`ours` and `peer` in operations a second (or bytes where the name says so); `cpu` in seconds per 1,000 operations.

    `ratio` is ours over peer: more is better, but for memory less is. `cpu_ratio` is ours over peer: less is better.
    `aim` is what was aimed at for `ratio` (0: none).
    """

    name: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    cpu_ratio: float
    ours_cpu: float = 0.0
    peer_cpu: float = 0.0
    aim: float = 0.0
    unit: str = "/s"


@dataclass(frozen=True)
class Sample:
    """Operations a second, and CPU-seconds per 1,000 of them."""

    rate: float
    cpu: float

    @classmethod
    def of(cls, result: Mapping[str, float], cpu: float) -> Sample:
        """What a load counted of its operations and seconds, beside the server's CPU-seconds."""
        count = result.get("messages", result.get("operations", 0.0))
        return cls(count / result["seconds"], cpu / count * 1000)


def load(module: str, *arguments: object) -> dict[str, float]:
    """Runs a load program; its one line of JSON."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    if done.returncode:
        raise RuntimeError(f"{module} {arguments}: {done.stderr.strip().splitlines()[-1:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def sample(roots: list[int], run: Callable[[], dict[str, float]]) -> Sample:
    """One run: the load counts its operations and seconds, the kernel the server's CPU."""
    before = accounting.cpu_seconds(roots)
    result = run()
    return Sample.of(result, accounting.cpu_seconds(roots) - before)


def compare(
    name: str,
    ours: Callable[[], Sample],
    peer: Callable[[], Sample],
    peer_name: str,
    aim: float = 0.0,
    runs: int = 5,
) -> Figure:
    """Compares with one peer."""
    (figure,) = beside(name, ours, {peer_name: peer}, aim, runs)
    return figure


def beside(
    name: str, ours: Callable[[], Sample], peers: Mapping[str, Callable[[], Sample]], aim: float = 0.0, runs: int = 5
) -> list[Figure]:
    """Alternates all of them, so that a machine whose speed drifts is fair to each."""
    mine: list[Sample] = []
    theirs: dict[str, list[Sample]] = {peer: [] for peer in peers}
    for _ in range(runs):
        mine.append(ours())
        for peer, asked in peers.items():
            theirs[peer].append(asked())
    figures = [_figure(name, mine, peer, samples, aim) for peer, samples in theirs.items()]
    for figure in figures:
        show(figure)
    return figures


def _figure(name: str, mine: Sequence[Sample], peer: str, theirs: Sequence[Sample], aim: float) -> Figure:
    rate, peer_rate = (statistics.median(s.rate for s in samples) for samples in (mine, theirs))
    cpu, peer_cpu = (statistics.median(s.cpu for s in samples) for samples in (mine, theirs))
    return Figure(
        name,
        round(rate, 1),
        round(peer_rate, 1),
        peer,
        round(rate / peer_rate, 2),
        round(cpu / peer_cpu, 2) if peer_cpu else 0.0,
        round(cpu, 4),
        round(peer_cpu, 4),
        aim,
    )


def show(figure: Figure) -> None:
    aim = f"  aim {figure.aim:g}x" if figure.aim else ""
    print(
        f"{figure.name:<44} ours {figure.ours:>11,.0f}{figure.unit}  {figure.peer_name} {figure.peer:>10,.0f}{figure.unit}"
        f"  ratio {figure.ratio:>6.2f}{aim}   CPU/1000 {figure.ours_cpu:.3f} : {figure.peer_cpu:.3f}",
        flush=True,
    )


def write(figures: list[Figure], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(figure) for figure in figures], indent=1) + "\n")
