"""Exchange Web Services beside IMAP on the same mailbox, in turn, medians of RUNS: `python -m bench.ews [COUNT [RUNS]]`.

The inbox holds COUNT messages (10,000). Both are our whole organization: TLS, a logon, RPC and PostgreSQL. What IMAP does beside
each request is the question that comes nearest to it. Prints operations a second and CPU-seconds per 1,000 over all processes;
all of it stands in bench/results/ews-10k.json, for 10,000.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench import accounting
from bench.compare import ROOT, Figure, Sample, beside, load, sample, show, write
from bench.corpus import seed
from bench.ews_load import user
from bench.ours import OFFSET, organization
from bench.peers import PASSWORD, Peer

USER = "alice@example.test"
PEOPLE = 20
"""Users whose free/busy is asked for."""
STREAMS = 200
WORK = (
    # name, ours, IMAP's nearest question
    ("SyncFolderItems, IdOnly, an item", "sync-ids", "flags"),
    ("SyncFolderItems, Default, an item", "sync-default", "envelopes"),
    ("SyncFolderItems after one change", "sync-one", "select"),
    ("FindItem, first 50 by time", "find", "sort"),
    ("FindItem, subject contains", "find-subject", "search-subject"),
    ("GetItem by 50, an item", "get", "envelopes"),
    ("CreateItem, a draft", "create", "append-each"),
)


def main() -> int:
    if len(sys.argv) > 3:
        print(__doc__)
        return 64
    total, runs = (int(value) for value in (*sys.argv[1:], *("10000", "5")[len(sys.argv) - 1 :]))
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)
        with organization(folder / "ours", [USER, *map(user, range(PEOPLE))]) as ours:
            count = total
            seed(ours.ports["imaps"], USER, PASSWORD, "INBOX", count)
            for name, work, other in WORK:
                mine = partial(_asked, ours, work, count)
                figures += beside(f"{name}, {count:,}", mine, {"IMAP": partial(_imap, ours, other, count)}, 0.0, runs)
                if work == "sync-one":
                    count += runs
            figures += _of_many(ours, runs)
    print(f"load of the machine: {' '.join(f'{each:.1f}' for each in os.getloadavg())}")
    write(figures, ROOT / f"bench/results/ews-{total // 1000}k.json")
    return 0


def _of_many(ours: Peer, runs: int) -> list[Figure]:
    """The free/busy of many, beside a login to IMAP for each; and the memory of streaming subscriptions, beside IMAP's IDLE."""
    mine = partial(_asked, ours, "availability", PEOPLE)
    figures = beside(
        f"GetUserAvailability of {PEOPLE}", mine, {"IMAP": partial(_imap, ours, "login-select", 0)}, 0.0, runs
    )
    stream = _held(ours, "bench.ews_load", OFFSET + 443, f"{USER}:{PASSWORD}", "streams", STREAMS)
    idle = _held(ours, "bench.imap_load", ours.ports["imaps"], USER, PASSWORD, "idle", STREAMS)
    name = f"memory of a streaming subscription of {STREAMS}, KB"
    figures.append(Figure(name, round(stream, 1), round(idle, 1), "IMAP", round(stream / idle, 2), 0.0, unit=""))
    show(figures[-1])
    return figures


def _held(peer: Peer, *arguments: object) -> float:
    """KB of memory for each of STREAMS connections that a load holds."""
    before = accounting.pss_bytes(peer.roots)
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        if not process.stdout.readline():
            raise RuntimeError(f"{arguments[0]} could not make its connections")
        return (accounting.pss_bytes(peer.roots) - before) / STREAMS / 1e3
    finally:
        process.stdin.close()
        process.wait(60)


def _asked(peer: Peer, work: str, count: int) -> Sample:
    result = load("bench.ews_load", OFFSET + 443, f"{USER}:{PASSWORD}", work, count, *peer.roots)
    return Sample.of(result, result["cpu"])


def _imap(peer: Peer, operation: str, count: int) -> Sample:
    many = count if operation in ("flags", "envelopes") else 20
    extra = ("--folder", "Drafts") if operation == "append-each" else ()
    arguments = (peer.ports["imaps"], USER, PASSWORD, operation, many)
    return sample(peer.roots, lambda: load("bench.imap_load", *arguments, *extra))


if __name__ == "__main__":
    sys.exit(main())
