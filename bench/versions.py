"""Another version of Postern beside this one, in turn, medians of five: what a change costs.

    python -m bench.versions ../older/.venv/bin/postern [intake readable imap]

CPU counts until everything is delivered, so that work which is only put off is no gain. Needs no peers and no root.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench import accounting, imap, intake, ours
from bench.compare import Figure, Sample, compare, load
from bench.peers import Peer

USERS = ["alice@example.test", "bob@example.test"]
LOADS = ((4096, 1, 1000), (4096, 10, 4000), (4096, 50, 4000), (102_400, 10, 800))
"""Octets of a message, connections, messages."""
OTHER_OFFSET = 14_700


def main() -> int:
    command, *groups = sys.argv[1:] or [""]
    if not Path(command).is_file() or set(groups) - {"intake", "readable", "imap"}:
        print(__doc__)
        return 64
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        folder.chmod(0o755)
        mine = stack.enter_context(ours.organization(folder / "this", USERS))
        other = stack.enter_context(ours.organization(folder / "other", USERS, Path(command), OTHER_OFFSET))
        figures: list[Figure] = []
        for name in groups or ("intake", "readable", "imap"):
            figures += {"intake": _intake, "readable": _readable, "imap": _imap}[name](mine, other)
        ratios = [figure.cpu_ratio for figure in figures if figure.cpu_ratio]
        print(f"geometric mean of {len(ratios)} ratios of CPU: {statistics.geometric_mean(ratios):.2f}")
    return 0


def _intake(mine: Peer, other: Peer) -> list[Figure]:
    return [
        compare(
            f"intake {size // 1024} KB, {connections} connections{', TLS' if tls else ''}",
            partial(_delivered, mine, (connections, count, size, USERS[0], *tls)),
            partial(_delivered, other, (connections, count, size, USERS[0], *tls)),
            "other",
        )
        for size, connections, count in LOADS
        for tls in ((), ("--tls",))
    ]


def _delivered(peer: Peer, arguments: tuple[object, ...]) -> Sample:
    before = accounting.cpu_seconds(peer.roots)
    result = load("bench.smtp_load", peer.ports["smtp"], *arguments)
    intake.settle(peer)
    return Sample.of(result, accounting.cpu_seconds(peer.roots) - before)


def _readable(mine: Peer, other: Peer) -> list[Figure]:
    return intake.readable(mine, other, other)


def _imap(mine: Peer, other: Peer) -> list[Figure]:
    return imap.imap(mine, other, 10_000, USERS[1])


if __name__ == "__main__":
    raise SystemExit(main())
