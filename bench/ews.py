"""Exchange Web Services beside IMAP on the same mailbox, in turn, medians of RUNS: `python -m bench.ews [COUNT [RUNS]]`.

The inbox holds COUNT messages (10,000). Both are our whole organization: TLS, a logon, RPC and PostgreSQL. What IMAP does beside
each request is the question that comes nearest to it. Prints operations a second and CPU-seconds per 1,000 over all processes;
all of it stands in bench/results/ews-10k.json, for 10,000.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.compare import ROOT, Figure, Sample, beside, load, sample, write
from bench.corpus import seed
from bench.ours import OFFSET, organization
from bench.peers import PASSWORD, Peer

USER = "alice@example.test"
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
        with organization(folder / "ours", [USER]) as ours:
            count = total
            seed(ours.ports["imaps"], USER, PASSWORD, "INBOX", count)
            for name, work, other in WORK:
                mine = partial(_asked, ours, work, count)
                figures += beside(f"{name}, {count:,}", mine, {"IMAP": partial(_imap, ours, other, count)}, 0.0, runs)
                if work == "sync-one":
                    count += runs
    print(f"load of the machine: {' '.join(f'{each:.1f}' for each in os.getloadavg())}")
    write(figures, ROOT / f"bench/results/ews-{total // 1000}k.json")
    return 0


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
