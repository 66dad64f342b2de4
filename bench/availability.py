"""GetUserAvailability beside the schedule outbox of CalDAV, which asks the same: `python -m bench.availability [PEOPLE [RUNS]]`.

PEOPLE (20) have 200 appointments each, a tenth of them weekly series; one request asks about all of them for a week. Both are our
whole organization: TLS, a logon, RPC and PostgreSQL. Prints requests a second and CPU-seconds per 1,000 over all processes; all
of it stands in bench/results/availability.json.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.availability_load import ALICE, people
from bench.compare import ROOT, Figure, Sample, beside, load, write
from bench.ours import OFFSET, organization
from bench.peers import PASSWORD, Peer

WORK = (
    ("GetUserAvailability, merged, of {}", "merged"),
    ("GetUserAvailability, detailed, of {}", "detailed"),
    ("GetUserAvailability, suggestions, of {}", "suggestions"),
)


def main() -> int:
    if len(sys.argv) > 3:
        print(__doc__)
        return 64
    count, runs = (int(value) for value in (*sys.argv[1:], *("20", "5")[len(sys.argv) - 1 :]))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)
        with organization(folder / "ours", [ALICE, *people(count)]) as ours:
            for person in people(count):
                load("bench.availability_load", OFFSET + 443, f"{person}:{PASSWORD}", "fill", count)
            for name, work in WORK:
                outbox = partial(_asked, ours, "outbox", count)
                figures += beside(name.format(count), partial(_asked, ours, work, count), {"CalDAV": outbox}, 0.0, runs)
    print(f"load of the machine: {' '.join(f'{each:.1f}' for each in os.getloadavg())}")
    write(figures, ROOT / "bench/results/availability.json")
    return 0


def _asked(peer: Peer, work: str, count: int) -> Sample:
    result = load("bench.availability_load", OFFSET + 443, f"{ALICE}:{PASSWORD}", work, count, *peer.roots)
    return Sample.of(result, result["cpu"])


if __name__ == "__main__":
    sys.exit(main())
